"""Without a log: this machine, and every way in which this folder's service is started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from placar.box.doctor.case import MB, Case, Check
from placar.box.doctor.checks import CHECKS
from placar.box.doctor.effective import Effective, effective, words_of
from placar.box.doctor.finding import Evidence, Finding
from placar.box.doctor.mask import shown
from placar.box.doctor.sources import look
from placar.box.doctor.start import Start, find_starts
from placar.box.limits import Limit, box_limit, cpu_quota, memory_use
from placar.settings import Settings

_RENDER_ARGUMENTS = "--preload --access-logfile - --bind=0.0.0.0:10000"
"""What Render's native Python runtime puts into GUNICORN_CMD_ARGS."""

_HEROKU_MEMORY = 512 * MB
_OURS = ("PORT", "WEB_CONCURRENCY", "GUNICORN_CMD_ARGS", "RENDER_CPU_COUNT")
_MOST_EVIDENCE = 8


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found, and what was looked at in short."""

    findings: list[Finding]
    summary: dict[str, str]


def examine(folder: Path, environment: Mapping[str, str], settings: Settings) -> Examination:
    """Look at the machine and at the folder's start commands; the application is not imported.

    A ``gunicorn.conf.py`` is a program, and is run in a process of its own to learn what it sets.

    Args:
        folder: where the service would be started.
        environment: the variables it would see.
        settings: Placar's, for the memory limit.
    """
    limit = box_limit(settings)
    cases = [_case(start, folder, environment, limit) for start in _starts(folder)]
    findings = [finding for check in CHECKS if (finding := _finding(check, cases)) is not None]
    findings.sort(key=lambda finding: finding.confidence.rank)
    return Examination(findings, _summary(cases, limit, settings))


def _starts(folder: Path) -> list[Start]:
    """Return the start commands; a bare gunicorn.conf.py is one as well."""
    starts = find_starts(folder)
    files = {start.platform for start in starts}
    if "render" in files:  # a Procfile beside render.yaml serves local tools
        starts = [start for start in starts if start.platform != "heroku"]
    if not starts and (folder / "gunicorn.conf.py").is_file():
        return [Start("gunicorn.conf.py", 1, "file", "gunicorn -c gunicorn.conf.py app:app")]
    return starts


def _case(start: Start, folder: Path, environment: Mapping[str, str], limit: Limit) -> Case:
    """Put together how one command would run where its file belongs."""
    # The platform's own variables are not this machine's; those of the file are.
    own = {name: environment[name] for name in _OURS if name in environment}
    variables = own | dict(start.variables)
    if start.platform == "render":
        variables.setdefault("GUNICORN_CMD_ARGS", _RENDER_ARGUMENTS)
    if start.platform in {"render", "heroku"}:
        variables.setdefault("PORT", "10000")
    words = words_of(start.command, variables)
    found: Effective | str | None = None
    if "gunicorn" in start.command:
        found = effective(words, folder, dict(environment) | variables)
    memory = start.memory or (_HEROKU_MEMORY if start.platform == "heroku" else limit.bytes)
    return Case(
        folder=folder,
        start=start,
        words=tuple(words),
        settings=found if isinstance(found, Effective) else None,
        refused=shown(found) if isinstance(found, str) else "",
        variables=variables,
        sources=look(folder),
        memory=memory,
    )


def _finding(check: Check, cases: list[Case]) -> Finding | None:
    """Return the check's finding with the evidence of every command, None without any."""
    evidence: dict[Evidence, None] = {}
    for case in cases:
        evidence |= dict.fromkeys(check.test(case))
    if not evidence:
        return None
    return Finding(
        id=check.id,
        title=check.title,
        confidence=check.confidence,
        what=check.what,
        evidence=tuple(evidence)[:_MOST_EVIDENCE],
        why=check.why,
        fix="\n".join(check.fix),
        avoid=check.avoid,
    )


def _summary(cases: list[Case], limit: Limit, settings: Settings) -> dict[str, str]:
    summary = {
        "memory limit": f"{limit.bytes // MB:,} MB ({limit.source})",
        "in use now": f"{memory_use() // MB:,} MB",
        "CPU": f"{cpu_quota(plan_cpu=settings.plan_cpu):g}",
    }
    for case in cases:
        place = f"{case.start.file}:{case.start.line}"
        found = case.settings
        summary[place] = (
            f"{found.workers} {found.worker_class}, timeout {found.timeout}, graceful "
            f"{found.graceful_timeout}, preload {'on' if found.preload_app else 'off'}, "
            f"bind {', '.join(found.bind)}"
            if found
            else shown(case.start.command)
        )
    if not cases:
        summary["start command"] = (
            "none found here (Procfile, render.yaml, Dockerfile, compose.yaml, gunicorn.conf.py)"
        )
    return summary
