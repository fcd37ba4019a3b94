"""``placar check``: the box, and what fits into it; with a URL: a deployment, tried."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from placar.cli.exits import FAILED, INTERRUPTED
from placar.cli.terminal import print_json, progress_bar
from placar.errors import ConfigurationError, DiskFull
from placar.settings import read_settings, shown_key

if TYPE_CHECKING:
    from placar.trial.facts import Trial

_HEADER_SAFE = re.compile(r"[!-~]+")
_TRIAL = "A deployment (with URL)"


def check(
    url: Annotated[
        str | None,
        typer.Argument(help="A running deployment to try; without it this machine is measured."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 1 when it does not fit, or on a warning.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    key: Annotated[
        str | None,
        typer.Option(
            help="API key; better set PLACAR_KEY, which no process list shows.",
            rich_help_panel=_TRIAL,
        ),
    ] = None,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes", help="Load a host that is not this computer.", rich_help_panel=_TRIAL
        ),
    ] = False,
    retrain: Annotated[
        bool,
        typer.Option(
            "--retrain",
            help="Train beside the load as well; nothing is promoted.",
            rich_help_panel=_TRIAL,
        ),
    ] = False,
    seconds: Annotated[
        float,
        typer.Option(min=1, max=60, help="Length of each step.", rich_help_panel=_TRIAL),
    ] = 5,
    connections: Annotated[
        int,
        typer.Option(min=1, max=256, help="Of the heaviest step.", rich_help_panel=_TRIAL),
    ] = 64,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Where the report goes; placar-check-HOST-TIME.html if not set, "
            "and nowhere with --json.",
            rich_help_panel=_TRIAL,
        ),
    ] = None,
) -> None:
    """Print this machine's limits and what fits; or try a running deployment.

    With a URL: right and wrong requests, rising load, large batches, and /health all the time,
    ending in a verdict and a report. A host that is not this computer gets a handful of requests
    only, unless --yes is given.
    """
    if url is None:
        if key or yes or retrain or output:
            raise ConfigurationError(
                "These options need a URL.", way_out="Write: placar check URL --yes, for example."
            )
        _check_box(strict=strict, as_json=as_json)
        return
    from placar.trial.target import find_target
    from placar.trial.trial import Plan, run_trial
    from placar.trial.verdict import is_good

    target = find_target(url)
    load = target.own or yes
    if retrain and not load:
        raise ConfigurationError(
            "A run costs the host more than a handful of requests, and it is not this computer.",
            way_out="If it is yours, add --yes.",
        )
    place = _report_place(output, target.authority, as_json=as_json)
    plan = Plan(target, _usable_key(key), load, retrain, seconds, connections)
    with progress_bar(quiet=as_json) as tell:
        trial = run_trial(plan, tell)
    _print(trial, as_json=as_json)
    if place is not None:
        _write(trial, place, quiet=as_json)
    if trial.interrupted:
        raise typer.Exit(INTERRUPTED)
    if not is_good(trial, strict=strict):
        raise typer.Exit(FAILED)


def _check_box(*, strict: bool, as_json: bool) -> None:
    from placar.box.report import measure_box

    report = measure_box(read_settings())
    if as_json:
        print_json(report.as_dict())
    else:
        typer.echo(report.as_text())
    if strict and not report.fits:
        raise typer.Exit(FAILED)


def _usable_key(given: str | None) -> str | None:
    key = (given or "").strip() or shown_key()
    if key is not None and _HEADER_SAFE.fullmatch(key) is None:
        raise ConfigurationError(
            "The API key holds characters that no key has.",
            way_out="Check for line ends or quotes around it.",
        )
    return key


def _report_place(output: Path | None, authority: str, *, as_json: bool) -> Path | None:
    """Return where the report will go; that it can is found out before minutes of load."""
    if output is None:
        if as_json:
            return None
        now = datetime.now().astimezone()
        name = re.sub(r"[^0-9A-Za-z.-]+", "-", authority).strip("-.")[:80]
        output = Path(f"placar-check-{name}-{now:%Y%m%d-%H%M%S}.html")
    if output.is_dir() or not output.absolute().parent.is_dir():
        raise ConfigurationError(
            f"{output} is no file that can be written.", way_out="Name one in a folder that exists."
        )
    return output


def _print(trial: Trial, *, as_json: bool) -> None:
    from placar.trial.text import as_text

    if as_json:
        print_json(trial)
    else:
        typer.echo(as_text(trial))


def _write(trial: Trial, place: Path, *, quiet: bool) -> None:
    from placar.trial.page import render_page

    try:
        place.write_text(render_page(trial), encoding="utf-8")
    except OSError as error:
        raise DiskFull(
            f"The report cannot be written to {place}: {error.strerror}.",
            way_out="Name another place with --output.",
        ) from None
    typer.echo(f"Report  {place}", err=quiet)
