"""``placar train``: a table in, a version out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import typer

from placar.cli.terminal import Advance, print_facts, print_json, progress_bar
from placar.cli.workspace import Workspace, workspace
from placar.errors import ConfigurationError, RunCancelled, error_of
from placar.package.manifest import REPORT_FILE, VERSION_LENGTH, Manifest, Metrics
from placar.package.reader import read_manifest
from placar.package.run_folder import Progress, RunFolder, RunSpec
from placar.runs.interrupts import Interrupts
from placar.settings import parse_duration, parse_size, read_settings
from placar.store.records import RunRecord

Number = TypeVar("Number", int, float)


class TrainingSummary(msgspec.Struct, frozen=True):
    """What ``placar train --json`` prints."""

    run: str
    model: str
    version: str
    target: str
    positive: str
    promoted: bool
    gate: tuple[str, ...]
    """Why the gates did not promote it."""
    verdict: str
    notes: tuple[str, ...]
    metrics: Metrics
    package: str
    report: str
    seconds: float
    peak_memory_mb: float


def train(
    table: Annotated[
        Path, typer.Argument(metavar="TABLE", help="CSV, CSV.gz, Parquet or JSON lines.")
    ],
    target: Annotated[str, typer.Option(help="The column to predict.")],
    positive: Annotated[
        str | None, typer.Option(help="The target's value that counts as 1; inferred if not given.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the model.")] = "default",
    budget: Annotated[str | None, typer.Option(help="CPU time for fitting, such as 60s.")] = None,
    memory: Annotated[str | None, typer.Option(help="Most memory to use, such as 256MB.")] = None,
    time: Annotated[str | None, typer.Option(help="Date column: test on the latest rows.")] = None,
    id_: Annotated[list[str] | None, typer.Option("--id", help="A column that names rows.")] = None,
    drop: Annotated[list[str] | None, typer.Option(help="A column to leave out.")] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="Same table, settings and seed: same version.")
    ] = 0,
    promote: Annotated[bool, typer.Option(help="Make it the champion if the gates pass.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
) -> None:
    """Train a calibrated model on TABLE and register it as a new version."""
    settings = read_settings()
    spec = RunSpec(
        table=str(table.absolute()),
        target=target,
        positive=positive,
        model=name,
        drop=tuple(drop or ()),
        ids=tuple(id_ or ()),
        time=time,
        seed=seed,
        memory=_parsed("--memory", memory, parse_size) if memory else settings.run_memory,
        budget=_parsed("--budget", budget, parse_duration) if budget else settings.run_budget,
    )
    with workspace(settings) as work:
        run = follow_run(work, spec, promote=promote, quiet=as_json)
        if as_json:
            print_json(summarise(work, run))
        else:
            print_verdict(work, run)
            typer.echo(f"\n{next_step(work, run)}")


def follow_run(work: Workspace, spec: RunSpec, *, promote: bool, quiet: bool) -> RunRecord:
    """Request a run, follow it with a progress bar, and return its record once it succeeded.

    Raises:
        TrainingFailed: with the run's own words, when it did not succeed; RunCancelled after
            Ctrl-C, once its process is gone.
    """
    with Interrupts() as interrupts, progress_bar(quiet=quiet) as advance:
        run = work.runs.request(spec, origin="cli", promote=promote)
        ended = work.runs.follow(run.id, lambda line: _advance(advance, line), interrupts)
    if ended.active:
        raise RunCancelled("Another process follows the run and was asked to end it.")
    if ended.error is not None:
        raise error_of(ended.error.code, ended.error.message, ended.error.way_out)
    return ended


def _advance(advance: Advance, line: Progress) -> None:
    advance(line.done, line.note or line.stage)


def _parsed(option: str, text: str, parse: Callable[[object], Number]) -> Number:
    try:
        return parse(text)
    except ValueError as error:
        raise ConfigurationError(f"{option}: {error}.") from None


def summarise(work: Workspace, run: RunRecord) -> TrainingSummary:
    """Return what a succeeded run made."""
    folder = work.packages.path(run.version or "")
    manifest = read_manifest(folder)
    told = RunFolder(Path(run.folder)).read_report()
    return TrainingSummary(
        run=run.id,
        model=run.model,
        version=(run.version or "")[:VERSION_LENGTH],
        target=manifest.signature.target.name,
        positive=manifest.signature.target.positive,
        promoted=run.promoted,
        gate=tuple(run.gate.splitlines()),
        verdict=told.verdict if told else "",
        notes=told.notes if told else (),
        metrics=manifest.metrics,
        package=str(folder),
        report=str(folder / REPORT_FILE),
        seconds=round(run.seconds or 0.0, 2),
        peak_memory_mb=round((run.peak_memory or 0) / 1024**2, 1),
    )


def print_verdict(work: Workspace, run: RunRecord) -> None:
    """Print the verdict of a succeeded run, the figures, and what to do next."""
    made = summarise(work, run)
    metrics = made.metrics
    typer.echo(f"{made.verdict}\n")
    print_facts(
        {
            "model": f"{made.model}, version {made.version}",
            "predicts": f"{made.target} = {made.positive}",
            "features": _features(read_manifest(Path(made.package))),
            "AUC": f"{metrics.auc:.3f}  (95 % within {metrics.auc_low:.3f} to "
            f"{metrics.auc_high:.3f})",
            "log loss": f"{metrics.log_loss:.4f}",
            "KS": f"{metrics.ks:.3f}",
            "calibration": f"Brier {metrics.brier:.4f}, expected error {metrics.ece:.3f}",
            "tested on": f"{metrics.rows:,} rows that nothing was fitted on",
            "took": f"{made.seconds:.1f} s, {made.peak_memory_mb:.0f} MB at most",
            "promoted": _promoted(made),
            "report": made.report,
        }
    )
    for note in made.notes:
        typer.echo(f"\nNote: {note}")


def next_step(work: Workspace, run: RunRecord) -> str:
    """Return what to do with the version that a run made."""
    named = f"{run.model}@{(run.version or '')[:VERSION_LENGTH]}"
    if not run.promoted:
        return f"To let it answer all the same: placar models promote {named}"
    answering = work.registry.default_model(work.settings.model)
    if answering == run.model:
        return f"To serve it: placar serve --model {run.model}"
    return (
        f"/predict answers with {answering}. For this one: placar serve --model {run.model}, "
        f"or /models/{run.model}/predict."
    )


def _promoted(made: TrainingSummary) -> str:
    if made.promoted:
        return "yes, it is the champion now"
    return "no: " + (" ".join(made.gate) or "not asked to")


def _features(manifest: Manifest) -> str:
    aside = [column.name for column in manifest.signature.set_aside]
    count = str(len(manifest.signature.features))
    if not aside:
        return count
    columns = "1 column" if len(aside) == 1 else f"{len(aside):,} columns"
    return f"{count} ({columns} set aside: {', '.join(aside[:5])}{', …' if len(aside) > 5 else ''})"  # noqa: PLR2004 - both the same five
