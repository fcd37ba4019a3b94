"""``placar runs``: what trained, what failed and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from placar.cli.keys import moment
from placar.cli.models import short
from placar.cli.terminal import print_facts, print_json, print_rows
from placar.cli.workspace import workspace

if TYPE_CHECKING:
    from placar.store.records import RunRecord

app = typer.Typer(no_args_is_help=True, help="Runs: list, show, log, cancel.")
AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]
RunId = Annotated[str, typer.Argument(help="The run's id.")]


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List runs, latest first."""
    with workspace() as work:
        work.runs.settle_stale()  # a dead run never looks alive
        facts = [_facts(run) for run in work.runs.list(limit)]
    if as_json:
        print_json(facts)
        return
    columns = ("run", "status", "model", "version", "requested")
    for fact in facts:
        fact["requested"] = str(fact["requested"])[:16].replace("T", " ")  # the zone is UTC
    print_rows(columns, [[fact[column] for column in columns] for fact in facts])


@app.command()
def show(run: RunId, as_json: AsJson = False) -> None:
    """Show one run."""
    with workspace() as work:
        work.runs.settle_stale()
        facts = _facts(work.runs.get(run))
    if as_json:
        print_json(facts)
    else:
        print_facts({name: fact for name, fact in facts.items() if fact not in (None, "")})


@app.command()
def log(run: RunId) -> None:
    """Print a run's log, as far as it is written."""
    with workspace() as work:
        offset = 0
        while True:
            text, following = work.runs.log(run, offset)
            typer.echo(text, nl=False)
            if following == offset:
                return
            offset = following


@app.command()
def cancel(run: RunId) -> None:
    """End a run; nothing of it is published."""
    with workspace() as work:
        work.runs.cancel(run)
    typer.echo(f"cancelling {run}")


def _facts(run: RunRecord) -> dict[str, object]:
    return {
        "run": run.id,
        "status": run.status,
        "model": run.model,
        "stage": run.stage,
        "version": short(run.version),
        "promoted": run.promoted,
        "gate": run.gate,
        "error": run.error.code if run.error else None,
        "message": run.error.message if run.error else None,
        "way_out": run.error.way_out if run.error else None,
        "requested": moment(run.requested_at),
        "seconds": round(run.seconds, 1) if run.seconds is not None else None,
        "folder": run.folder,
    }
