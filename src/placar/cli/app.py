"""The command tree on one page, and the one place where errors become exit codes."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from placar import __version__
from placar.cli import check, demo, doctor, init, keys, models, runs, score, serve, train
from placar.cli.exits import exit_code
from placar.cli.terminal import complain
from placar.errors import PlacarError
from placar.settings import unknown_variables

app = typer.Typer(
    name="placar",
    help="A table in, a calibrated scoring service out, inside a small box.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("init")(init.init)
app.command("train")(train.train)
app.command("serve")(serve.serve)
app.command("score")(score.score)
app.command("check")(check.check)
app.command("doctor")(doctor.doctor)
app.add_typer(models.app, name="models")
app.add_typer(runs.app, name="runs")
app.add_typer(keys.app, name="keys")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"placar {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[  # noqa: ARG001 - typer reads it through the callback
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    for name, meant in unknown_variables().items():
        hint = f" Did you mean {meant}?" if meant else ""
        typer.echo(f"placar: nobody reads the variable {name}.{hint}", err=True)


def run() -> None:
    """Run the command line; every known failure is one sentence and an exit code."""
    try:
        app()
    except PlacarError as error:
        complain(error)
        sys.exit(exit_code(error))
    except BrokenPipeError:  # `placar … | head`
        sys.stderr.close()
        sys.exit(1)
