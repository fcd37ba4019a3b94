"""Every way in which a run ends has a status and a named cause."""

from __future__ import annotations

import signal

import pytest

from placar.package.run_folder import Failure, RunReport
from placar.runs import endings


def a_report(code: str | None) -> RunReport:
    failure = Failure(code=code, message="It went wrong.", way_out="Again.") if code else None
    return RunReport(succeeded=False, seconds=2.5, peak_memory=10, stage="fit", failure=failure)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("table_rejected", "failed"),
        ("run_out_of_memory", "out_of_memory"),
        ("run_timed_out", "timed_out"),
        ("anything else", "failed"),
    ],
)
def test_the_childs_own_word_is_taken(code: str, status: str) -> None:
    ending = endings.of_failure(a_report(code))
    assert ending.status == status
    assert ending.error == Failure(code=code, message="It went wrong.", way_out="Again.")
    assert (ending.stage, ending.seconds, ending.peak_memory) == ("fit", 2.5, 10)


def test_a_failure_without_a_cause_points_to_the_log() -> None:
    ending = endings.of_failure(a_report(None))
    assert ending.error is not None
    assert (ending.error.code, ending.error.way_out) == ("training_failed", "See the run's log.")


@pytest.mark.parametrize(
    ("exit_code", "last_words", "oom_killed", "status", "code", "says"),
    [
        (None, "", False, "lost", "run_lost", "left no word"),
        (-signal.SIGKILL, "", False, "failed", "run_killed", "SIGKILL"),
        (-signal.SIGSEGV, "", False, "failed", "run_killed", "SIGSEGV"),
        (-signal.SIGABRT, "", False, "failed", "run_killed", "SIGABRT"),
        (-64, "", False, "failed", "run_killed", "SIGRTMAX"),
        (-100, "", False, "failed", "run_killed", "signal 100"),
        (-signal.SIGKILL, "", True, "out_of_memory", "run_out_of_memory", "kernel"),
        (-signal.SIGSEGV, "", True, "failed", "run_killed", "SIGSEGV"),
        (-signal.SIGABRT, "std::bad_alloc", False, "out_of_memory", "run_out_of_memory", "limit"),
        (1, "MemoryError: x", False, "out_of_memory", "run_out_of_memory", "limit"),
        (3, "", False, "failed", "training_failed", "exit code 3"),
        (0, "", False, "failed", "training_failed", "exit code 0"),
    ],
)
def test_silence_is_explained_by_what_is_left(
    exit_code: int | None, last_words: str, *, oom_killed: bool, status: str, code: str, says: str
) -> None:
    ending = endings.of_silence(exit_code, last_words, oom_killed=oom_killed)
    assert ending.error is not None
    assert (ending.status, ending.error.code) == (status, code)
    assert says in ending.error.message


def test_a_time_out_names_the_limit() -> None:
    ending = endings.timed_out(1800.0)
    assert ending.error is not None
    assert (ending.status, ending.error.message) == (
        "timed_out",
        "The run took longer than 1800 seconds and was ended.",
    )


def test_a_cancelled_run_and_a_failed_follower_are_named_too() -> None:
    assert endings.cancelled().status == "cancelled"
    ending = endings.unexpected(KeyError("a feature value"))
    assert ending.error is not None
    assert ending.status == "failed"
    assert ending.error.message == "Following the run failed: KeyError."
