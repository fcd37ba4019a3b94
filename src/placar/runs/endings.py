"""How runs end: from what is left of one to its status, with the cause named."""

from __future__ import annotations

import re
import signal

from placar.errors import (
    PlacarError,
    RunCancelled,
    RunKilled,
    RunLost,
    RunOutOfMemory,
    RunTimedOut,
    TrainingFailed,
)
from placar.package.run_folder import Failure, RunReport
from placar.store.records import Ending, Publication, RunStatus

_STATUS: dict[str, RunStatus] = {
    "run_out_of_memory": "out_of_memory",
    "run_does_not_fit": "out_of_memory",
    "run_timed_out": "timed_out",
    "run_cancelled": "cancelled",
    "run_lost": "lost",
}
"""Statuses that have a name of their own; every other code is ``failed``."""

_MEMORY_HINT = re.compile(
    r"MemoryError|std::bad_alloc|Unable to allocate|[Cc]annot allocate memory|[Oo]ut of memory"
)
"""What programs say last when an allocation was refused."""


def of_error(error: PlacarError, report: RunReport | None = None) -> Ending:
    """Return the ending that an error makes."""
    failure = Failure(code=error.code, message=error.message, way_out=error.way_out)
    return _ending(failure, report)


def of_success(report: RunReport, publication: Publication) -> Ending:
    """Return the ending of a run whose package was taken in."""
    return Ending(
        status="succeeded",
        stage=report.stage,
        seconds=report.seconds,
        peak_memory=report.peak_memory,
        publication=publication,
    )


def of_failure(report: RunReport) -> Ending:
    """Return the ending that the process itself reported."""
    if report.failure is not None:
        return _ending(report.failure, report)
    silent = TrainingFailed("The run failed and did not say why.", way_out="See the run's log.")
    return of_error(silent, report)


def of_silence(exit_code: int | None, last_words: str, *, oom_killed: bool) -> Ending:
    """Return the ending of a process that left no whole report.

    Args:
        exit_code: as from ``subprocess``, negative for a signal; None when nobody knows.
        last_words: the end of its log.
        oom_killed: the kernel killed something for memory while it ran.
    """
    out_of_memory = _MEMORY_HINT.search(last_words) is not None
    if exit_code is None:
        return of_error(RunLost())
    if exit_code == -signal.SIGKILL and (oom_killed or out_of_memory):
        return of_error(RunOutOfMemory("The kernel ended the run because memory ran out."))
    if out_of_memory:
        return of_error(RunOutOfMemory())
    if exit_code < 0:
        name = _signal_name(-exit_code)
        return of_error(RunKilled(f"The run's process was ended by {name}.", signal=name))
    return of_error(
        TrainingFailed(
            f"The run's process ended with exit code {exit_code} and left no report.",
            way_out="See the run's log.",
        )
    )


def timed_out(limit: float) -> Ending:
    """Return the ending of a run that took longer than ``limit`` seconds."""
    return of_error(RunTimedOut(f"The run took longer than {limit:g} seconds and was ended."))


def cancelled() -> Ending:
    """Return the ending of a run that somebody cancelled."""
    return of_error(RunCancelled())


def unexpected(error: Exception) -> Ending:
    """Return the ending of a run whose follower failed; the traceback is in the service's log."""
    return of_error(
        TrainingFailed(
            f"Following the run failed: {type(error).__name__}.",
            way_out="See the service's log, and please report this.",
        )
    )


def _ending(failure: Failure, report: RunReport | None) -> Ending:
    return Ending(
        status=_STATUS.get(failure.code, "failed"),
        error=failure,
        stage=report.stage if report else None,
        seconds=report.seconds if report else None,
        peak_memory=report.peak_memory if report else None,
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
