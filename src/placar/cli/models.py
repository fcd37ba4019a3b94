"""``placar models``: versions, promote, roll back."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from placar.cli.keys import moment
from placar.cli.terminal import print_json, print_rows
from placar.cli.workspace import workspace
from placar.errors import ConfigurationError, DiskFull
from placar.package.manifest import REPORT_FILE, VERSION_LENGTH

app = typer.Typer(no_args_is_help=True, help="Models: list, show, promote, rollback, export.")
AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]
NameAndVersion = Annotated[str, typer.Argument(help="NAME@VERSION")]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List models with their champions."""
    with workspace() as work:
        facts = [
            {
                "model": model.name,
                "champion": short(model.champion),
                "versions": model.versions,
            }
            for model in work.registry.models()
        ]
    if as_json:
        print_json(facts)
    else:
        print_rows(("model", "champion", "versions"), [tuple(f.values()) for f in facts])


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="NAME of the model.")], as_json: AsJson = False
) -> None:
    """Show a model's versions, latest first."""
    with workspace() as work:
        facts = [
            {
                "version": version.short,
                "status": version.status,
                "auc": round(version.metrics.auc, 4),
                "log_loss": round(version.metrics.log_loss, 4),
                "made": moment(version.created_at),
                "report": str(work.packages.path(version.version) / REPORT_FILE),
            }
            for version in work.registry.versions(name)
        ]
    if as_json:
        print_json(facts)
    else:
        titles = ("version", "status", "auc", "log_loss", "made")
        print_rows(titles, [[fact[title] for title in titles] for fact in facts])
        for fact in facts:
            if fact["status"] == "champion":
                typer.echo(f"\nThe champion's report: {fact['report']}")


@app.command()
def promote(version: NameAndVersion) -> None:
    """Make a version the champion; every worker answers with it within two seconds."""
    name, prefix = _split(version)
    with workspace() as work:
        record = work.registry.promote(name, prefix, actor="cli")
    typer.echo(f"{record.model}@{record.short} is the champion")


@app.command()
def rollback(name: Annotated[str, typer.Argument(help="NAME of the model.")]) -> None:
    """Go back to the champion before the present one."""
    with workspace() as work:
        record = work.registry.rollback(name, actor="cli")
    typer.echo(f"{record.model}@{record.short} is the champion again")


@app.command()
def export(
    version: NameAndVersion,
    folder: Annotated[Path, typer.Argument(help="Where to copy the package; must not exist.")],
) -> None:
    """Copy a version's package: manifest, ONNX graph, golden rows, report."""
    with workspace() as work:
        record = work.version(version)
        try:
            shutil.copytree(work.packages.path(record.version), folder)
        except FileExistsError:
            raise ConfigurationError(f"{folder} exists already.") from None
        except OSError as error:
            raise DiskFull(f"{folder} could not be written: {error.strerror}.") from error
    typer.echo(str(folder))


def short(version: str | None) -> str | None:
    """Return the digits that name a version on screen."""
    return version[:VERSION_LENGTH] if version else None


def _split(text: str) -> tuple[str, str]:
    name, _, prefix = text.partition("@")
    if not prefix:
        raise ConfigurationError(
            "Which version?",
            way_out=f"Write {name}@VERSION; `placar models show {name}` lists them.",
        )
    return name, prefix
