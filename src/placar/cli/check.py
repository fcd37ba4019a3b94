"""``placar check``: the box, and what fits into it."""

from __future__ import annotations

from typing import Annotated

import typer

from placar.box.report import measure_box
from placar.cli.exits import FAILED
from placar.cli.terminal import print_json
from placar.settings import read_settings


def check(
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 when it does not fit.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Print this machine's limits, what a worker costs on it, and how many fit."""
    report = measure_box(read_settings())
    if as_json:
        print_json(report.as_dict())
    else:
        typer.echo(report.as_text())
    if strict and not report.fits:
        raise typer.Exit(FAILED)
