"""What every command prints with: facts to standard output, the rest to standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from placar.errors import InvalidRow, PlacarError

_WIDE = 1000
_NEVER_CUT = frozenset({"run", "id", "version", "status", "requested"})

Advance = Callable[[float, str], None]
"""Called with the share that is done (0…1) and a short note."""


def print_json(value: object) -> None:
    """Print a fact as JSON, for programs."""
    typer.echo(msgspec.json.format(msgspec.json.encode(value)).decode())


def print_rows(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table of facts, for people."""
    if not rows:
        typer.echo("none yet", err=True)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title, overflow="fold", no_wrap=title in _NEVER_CUT)
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    # Without a terminal nobody needs lines to fit, and whoever reads wants whole cells.
    console = Console() if sys.stdout.isatty() else Console(width=_WIDE)
    console.print(table)


def print_facts(facts: Mapping[str, object]) -> None:
    """Print named facts, one a line."""
    width = max(map(len, facts), default=0)
    for name, fact in facts.items():
        typer.echo(f"{name:<{width}}  {fact}")


def complain(error: PlacarError) -> None:
    """Print one sentence that names the cause and the way out."""
    typer.echo(f"placar: {error.sentence}", err=True)
    if isinstance(error, InvalidRow):
        for issue in error.issues[:20]:
            meant = f" Did you mean {issue.did_you_mean}?" if issue.did_you_mean else ""
            typer.echo(f"  {issue.path}: {issue.message}{meant}", err=True)


@contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Advance]:
    """Show how far long work is: a bar on a terminal, plain lines elsewhere, or nothing."""
    if quiet:
        yield lambda _share, _note: None
    elif sys.stderr.isatty():
        with Progress(
            TextColumn("{task.description:<10}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        ) as progress:
            task = progress.add_task("starting", total=1.0)
            yield lambda share, note: progress.update(task, completed=share, description=note)
    else:
        yield _plain_lines()


def _plain_lines() -> Advance:
    last = ""

    def advance(share: float, note: str) -> None:
        nonlocal last
        if note != last:
            typer.echo(f"{share:4.0%}  {note}", err=True)
            last = note

    return advance
