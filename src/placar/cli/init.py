"""``placar init``: the deployment files of a folder, asked for or by flags."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec
import typer

from placar.cli.exits import INTERRUPTED
from placar.cli.terminal import complain, print_json
from placar.deploy.advice import Step, loss_words, next_steps, sizing_words
from placar.deploy.choice import (
    Choice,
    ModelFrom,
    check_name,
    check_source,
    check_target,
    check_text,
    columns,
    find_table,
    name_of,
    sources,
)
from placar.deploy.plans import (
    PLANS,
    PLATFORMS,
    TITLES,
    USUAL,
    Plan,
    Platform,
    find_plan,
    find_platform,
)
from placar.deploy.sizing import in_words, size
from placar.errors import ConfigurationError, PlacarError, TableNotFound

if TYPE_CHECKING:
    from placar.deploy.writing import Change

Answer = TypeVar("Answer")

_WIDTH = 80
_TOLD = {"new": "written", "extended": "extended", "differs": "replaced"}
_WOULD = {"new": "new", "extended": "extend", "differs": "replace"}


class WrittenFile(msgspec.Struct, frozen=True):
    """One file in ``placar init --json``."""

    path: str
    state: str
    """written, replaced, extended, unchanged or kept; as it would be with ``--dry-run``."""


class InitSummary(msgspec.Struct, frozen=True):
    """What ``placar init --json`` prints."""

    platform: str
    plan: str
    model_from: str
    name: str
    workers: int
    serving_mb: int
    run_memory_mb: int
    trains: bool
    """A run fits beside the workers."""
    files: tuple[WrittenFile, ...]
    lost: tuple[str, ...]
    next: tuple[Step, ...]


def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write.")] = Path(),
    platform: Annotated[str | None, typer.Option(help="render, heroku, docker or fly.")] = None,
    plan: Annotated[str | None, typer.Option(help="The platform's name of it.")] = None,
    model_from: Annotated[
        str | None,
        typer.Option(help="build: trained by each build; disk: by the service, kept on a disk."),
    ] = None,
    table: Annotated[Path | None, typer.Option(help="The table to train on.")] = None,
    target: Annotated[str | None, typer.Option(help="Its column to predict.")] = None,
    positive: Annotated[
        str | None, typer.Option(help="The target's value that counts as 1; else inferred.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Of service and model; the folder's if not given.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that differ.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the files; write nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Write the files that deploy a model from FOLDER, sized for a platform's plan."""
    given = _Given(folder, platform, plan, model_from, table, target, positive, name)
    try:
        choice = given.choice()
        changes = _changes(choice, folder, dry_run=dry_run)
        if not force and not dry_run:
            changes = _consented(changes)
    except typer.Abort:
        typer.echo("\nNothing was written.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if not dry_run:
        _write(changes, folder)
    if as_json:
        print_json(_summary(choice, changes))
    elif dry_run:
        _print_files(changes)
    else:
        _print_summary(choice, changes, folder)


@dataclass(frozen=True, slots=True)
class _Given:
    """The flags, and questions for what they leave open."""

    folder: Path
    platform: str | None
    plan: str | None
    model_from: str | None
    table: Path | None
    target: str | None
    positive: str | None
    name: str | None

    def choice(self) -> Choice:
        """Return the whole choice.

        Raises:
            ConfigurationError: a flag cannot be used, or is missing and nobody is there to ask.
            typer.Abort: whoever was asked went away.
        """
        platform = self._find_platform()
        plan = self._find_plan(platform)
        name = check_name(self.name) if self.name else name_of(self.folder.resolve())
        model_from = self._find_source(platform, plan)
        table = self._find_table(model_from)
        target = self._find_target(model_from, table)
        positive = self.positive
        if positive is None and target and on_a_terminal() and self.target is None:
            positive = _ask("Its value that counts as 1 (empty: inferred)", str, "") or None
        if positive is not None:
            check_text("--positive", positive)
        return Choice(platform, plan, model_from, name, table, target, positive)

    def _find_platform(self) -> Platform:
        if self.platform is not None:
            return find_platform(self.platform)
        if on_a_terminal():
            return _ask(f"Platform ({', '.join(PLATFORMS)})", find_platform)
        raise ConfigurationError(
            "Nothing names the platform.", way_out=f"Add --platform {'|'.join(PLATFORMS)}."
        )

    def _find_plan(self, platform: Platform) -> Plan:
        if self.plan is not None:
            return find_plan(platform, self.plan)
        if not on_a_terminal():
            return find_plan(platform, USUAL[platform])
        for plan in PLANS[platform]:
            typer.echo(f"  {plan.name:<20} {_about(plan)}", err=True)
        return _ask("Plan", lambda text: find_plan(platform, text), USUAL[platform])

    def _find_source(self, platform: Platform, plan: Plan) -> ModelFrom:
        possible = sources(plan)
        if self.model_from is not None:
            return check_source(platform, plan, self.model_from)
        if len(possible) == 1 or self.table is not None:
            return "build"
        if not on_a_terminal():
            return "disk"
        typer.echo("  build  each build trains the model, from a table in this folder", err=True)
        typer.echo("  disk   the running service trains it, and keeps it on a disk", err=True)
        return _ask(
            "Where the model comes from", lambda text: check_source(platform, plan, text), "build"
        )

    def _find_table(self, model_from: ModelFrom) -> str | None:
        if model_from == "disk":
            if self.table is not None and not self.table.is_file():
                raise TableNotFound(f"There is no file {self.table}.", way_out="Check the path.")
            return None if self.table is None else str(self.table)
        if self.table is not None:
            return find_table(self.table, self.folder)
        if on_a_terminal():
            return _ask("Table to train on", lambda text: find_table(Path(text), self.folder))
        raise ConfigurationError(
            "Nothing names the table that the build trains on.",
            way_out="Add --table TABLE --target COLUMN.",
        )

    def _find_target(self, model_from: ModelFrom, table: str | None) -> str | None:
        place = None if table is None else self.folder / table
        if model_from == "disk":
            place = self.table

        def check(text: str) -> str:
            check_text("--target", text)
            if place is not None:
                check_target(place, text)
            return text

        if self.target is not None:
            return check(self.target)
        if model_from == "disk":
            return None
        if not on_a_terminal():
            raise ConfigurationError(
                "Nothing names the column to predict.", way_out="Add --target COLUMN."
            )
        if place is not None and (names := columns(place)):
            typer.echo(_wrapped(f"Columns: {', '.join(names[:40])}", "  "), err=True)
        return _ask("Column to predict", check)


def on_a_terminal() -> bool:
    """Tell whether somebody is there to be asked."""
    return sys.stdin.isatty()


def _ask(question: str, parse: Callable[[str], Answer], default: str | None = None) -> Answer:
    """Ask until the answer can be used; raises typer.Abort when whoever was asked goes away."""
    while True:
        shown = default != ""
        text = typer.prompt(question, default=default, show_default=shown, err=True)
        try:
            return parse(str(text).strip())
        except PlacarError as error:
            complain(error)


def _about(plan: Plan) -> str:
    facts = [in_words(plan.memory), f"{plan.cpus:g} CPU"]
    if plan.sleeps:
        facts.append(f"sleeps after {plan.sleeps} minutes")
    if not plan.disk:
        facts.append("no disk")
    if not size(plan).trains:
        facts.append("too small to train in")
    return ", ".join(facts)


def _changes(choice: Choice, folder: Path, *, dry_run: bool) -> tuple[Change, ...]:
    from placar.deploy.files import deployment_files
    from placar.deploy.writing import compare
    from placar.store.keys import new_secret

    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise ConfigurationError(f"{nearest} is no folder.", way_out="Name one.")
    key = "(a fresh one)" if dry_run else new_secret()
    return compare(deployment_files(choice, key), folder)


def _consented(changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """Show what would be lost and ask about each file; without a terminal, refuse."""
    from placar.deploy.writing import refuse_differing

    if not on_a_terminal():
        refuse_differing(changes)
    decided = []
    for change in changes:
        if change.state == "differs":
            typer.echo(f"\n{change.difference()}", err=True)
            if not typer.confirm(f"Replace {change.file.path}?", default=False, err=True):
                decided.append(replace(change, state="kept"))
                continue
        decided.append(change)
    return tuple(decided)


def _write(changes: tuple[Change, ...], folder: Path) -> None:
    from placar.deploy.writing import mend_modes, write

    write(changes, folder)
    mend_modes([change.file for change in changes if change.state != "kept"], folder)


def _summary(choice: Choice, changes: tuple[Change, ...]) -> InitSummary:
    sizing = choice.sizing
    return InitSummary(
        platform=choice.platform,
        plan=choice.plan.name,
        model_from=choice.model_from,
        name=choice.name,
        workers=sizing.workers,
        serving_mb=sizing.serving // 1024**2,
        run_memory_mb=sizing.run_memory // 1024**2,
        trains=sizing.trains,
        files=tuple(WrittenFile(c.file.path, _TOLD.get(c.state, c.state)) for c in changes),
        lost=loss_words(choice),
        next=next_steps(choice),
    )


def _print_files(changes: tuple[Change, ...]) -> None:
    for change in changes:
        typer.echo(f"--- {change.file.path} ({_WOULD.get(change.state, change.state)})")
        if change.state == "differs":
            typer.echo(change.difference())
        elif change.state != "unchanged":
            typer.echo(change.file.text)


def _print_summary(choice: Choice, changes: tuple[Change, ...], folder: Path) -> None:
    plan = choice.plan
    typer.echo(f"{choice.name} on {TITLES[choice.platform]}, plan {plan.name}: {_about(plan)}\n")
    for change in changes:
        typer.echo(f"  {_TOLD.get(change.state, change.state):<10} {folder / change.file.path}")
    typer.echo("\nHow the model gets there")
    typer.echo(_wrapped(_about_model(choice, folder), "  "))
    typer.echo("\nHow it fits")
    for line in sizing_words(choice):
        typer.echo(_wrapped(line, "  "))
    typer.echo("\nWhat survives")
    for line in loss_words(choice):
        typer.echo(_wrapped(line, "  "))
    typer.echo("\nNext")
    for number, step in enumerate(next_steps(choice), 1):
        typer.echo(_wrapped(f"{number}. {step.words}", "  ", "     "))
        for command in step.commands:
            typer.echo(f"       {command}")


def _about_model(choice: Choice, folder: Path) -> str:
    table = choice.deployed_table
    if table is None:
        return "The running service trains it from a table that you send, and keeps it on a disk."
    built_from_git = choice.platform in {"render", "heroku"}
    if built_from_git and _ignored_by_git(table, folder):
        return (
            f"Each build trains it from {table}, which git ignores, so a build would not have it: "
            "take its line out of .gitignore, or add it with `git add --force`."
        )
    place = "repository" if built_from_git else "image"
    return (
        f"Each build trains it from {table}, which is deployed with the rest: keep the {place} as "
        "private as the table is."
    )


def _ignored_by_git(table: str, folder: Path) -> bool:
    try:
        done = subprocess.run(
            ["git", "check-ignore", "--quiet", "--", table],  # noqa: S607 - whichever git they use
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _wrapped(text: str, first: str, rest: str | None = None) -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=first if rest is None else rest,
        break_on_hyphens=False,
        break_long_words=False,
    )
