"""``placar doctor``: why a service falls, from its log or from how it is started."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Annotated

import typer

from placar.box.doctor.finding import Finding
from placar.box.doctor.log import diagnose_log
from placar.box.doctor.machine import Examination, examine
from placar.cli.doctor_text import finding_text, machine_text, nothing_text
from placar.cli.exits import FINDING
from placar.cli.terminal import print_json
from placar.errors import LogUnreadable
from placar.settings import read_settings, start_environment

_INPUT = Path("-")


def doctor(
    log: Annotated[
        Path | None,
        typer.Argument(metavar="FILE|-", help="A deploy log; - for standard input."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Name the cause of crashes, time-outs and restarts; exit 3 when one was found.

    With a log (gunicorn, uvicorn, Render, Heroku, Docker, Kubernetes, kernel) it reads that.
    Without one it looks at this machine and at how the service in this folder is started.
    """
    if log is None and not _is_piped():
        examination = examine(Path.cwd(), start_environment(), read_settings())
        _print_examination(examination, as_json=as_json)
        findings = examination.findings
    else:
        findings, lines = _read(log or _INPUT)
        _print_findings(findings, lines, as_json=as_json)
    if findings:
        raise typer.Exit(FINDING)


def _read(log: Path) -> tuple[list[Finding], int]:
    if log == _INPUT:
        return diagnose_log(sys.stdin.buffer)
    try:
        with log.open("rb") as stream:
            return diagnose_log(stream)
    except OSError as error:
        raise LogUnreadable(f"{log} cannot be read: {error.strerror}.") from None


def _is_piped() -> bool:
    """Tell whether a log is being sent to standard input."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError, AttributeError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)


def _print_findings(findings: list[Finding], lines: int, *, as_json: bool) -> None:
    if as_json:
        print_json({"causes": [facts(finding) for finding in findings]})
        return
    for number, finding in enumerate(findings, start=1):
        typer.echo(finding_text(number, finding))
    if not findings:
        typer.echo(nothing_text(lines))


def _print_examination(examination: Examination, *, as_json: bool) -> None:
    if as_json:
        causes = [facts(finding) for finding in examination.findings]
        print_json({"causes": causes, "machine": examination.summary})
        return
    typer.echo(machine_text(examination))
    for number, finding in enumerate(examination.findings, start=1):
        typer.echo(finding_text(number, finding))


def facts(finding: Finding) -> dict[str, object]:
    """Return a finding as its JSON object."""
    return {
        "id": finding.id,
        "title": finding.title,
        "confidence": finding.confidence.value,
        "what": finding.what,
        "evidence": [
            {"line": each.line, "text": each.text} | ({"file": each.file} if each.file else {})
            for each in finding.evidence
        ],
        "why": finding.why,
        "fix": finding.fix,
        "avoid": finding.avoid,
    }
