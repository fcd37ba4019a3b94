"""``placar score``: a table in, a table of scores out."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from placar.cli.exits import FAILED, interrupt_on_kill
from placar.cli.terminal import print_facts, print_json, progress_bar
from placar.cli.workspace import workspace
from placar.errors import ConfigurationError, DiskFull
from placar.settings import read_settings


def score(
    table: Annotated[
        Path, typer.Argument(metavar="TABLE", help="CSV, CSV.gz, Parquet or JSON lines.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="A .csv, .csv.gz or .parquet.")],
    model: Annotated[
        str | None, typer.Option(help="NAME or NAME@VERSION; the champion if not given.")
    ] = None,
    keep: Annotated[
        list[str] | None, typer.Option(help="A column of TABLE to copy into the output.")
    ] = None,
    reasons: Annotated[int, typer.Option(min=0, max=20, help="Reasons per row.")] = 0,
    rejects: Annotated[
        Path | None, typer.Option(help="Where rows that do not fit go; OUTPUT.rejects.csv.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Score every row of TABLE, in constant memory."""
    from placar.scoring.offline import OfflineScoring, score_table  # brings the table engine

    settings = read_settings()
    rejects = rejects or output.with_name(_stem(output.name) + ".rejects.csv")
    if len({path.absolute() for path in (table, output, rejects)}) < 3:  # noqa: PLR2004 - three files
        raise ConfigurationError("TABLE, the output and the rejects must be three different files.")
    with workspace(settings) as work:
        scorer = work.scorer(model)
    task = OfflineScoring(
        table, output, rejects, tuple(keep or ()), reasons, memory=settings.run_memory
    )
    interrupt_on_kill()
    with _scratch(settings.home) as scratch, progress_bar(quiet=as_json) as advance:
        result = score_table(task, scorer, scratch, advance)
    facts = {
        "model": f"{scorer.model}@{scorer.version}",
        "rows": result.rows,
        "scored": result.scored,
        "rejected": result.rejected,
        "output": str(output),
        "rejects": str(rejects) if result.rejected else None,
    }
    warnings = _warnings(result.warnings)
    if as_json:
        print_json(facts | {"warnings": warnings})
    else:
        print_facts({name: fact for name, fact in facts.items() if fact is not None})
        for warning, count in warnings.items():
            typer.echo(f"  {warning}: {count} rows")
    if result.rejected and not result.scored:
        raise typer.Exit(FAILED)


def _stem(name: str) -> str:
    """Return a table's file name without what tells its format."""
    return re.sub(r"\.(csv|csv\.gz|parquet)$", "", name, flags=re.IGNORECASE)


def _warnings(counts: dict[tuple[str, str], int]) -> dict[str, int]:
    return {f"{feature} {code}": count for (feature, code), count in sorted(counts.items())}


@contextmanager
def _scratch(home: Path) -> Iterator[Path]:
    """Make a folder under home that is gone afterwards; not /tmp, which may be memory."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(dir=home, prefix="scratch-")
    except OSError as error:
        raise DiskFull(f"No scratch folder could be made: {error.strerror}.") from error
    with folder as name:
        yield Path(name)
