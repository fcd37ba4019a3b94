"""Work in a fork: its answer, and every way it can end without one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from placar.box.cgroup import MEMORY
from placar.box.guard import Gauge
from placar.errors import RunKilled, RunOutOfMemory, TrainingFailed
from placar.training.forked import in_fork
from placar.training.memory import held_memory

MUCH = 2**33


def dying_of(number: signal.Signals) -> Callable[[], bytes]:
    def work() -> bytes:
        os.kill(os.getpid(), number)
        time.sleep(10)
        return b""

    return work


def test_the_answer_comes_back_whole_from_another_process() -> None:
    answer = in_fork(lambda: f"{os.getpid()} ".encode() * 100_000, MUCH)
    (process,) = set(answer.split())
    assert len(answer.split()) == 100_000
    assert int(process) != os.getpid()


def test_nothing_of_the_fork_stays_here() -> None:
    seen: list[int] = []

    def work() -> bytes:
        seen.append(1)
        return bytes(seen)

    assert in_fork(work, MUCH) == b"\x01"
    assert seen == []


def test_a_fork_that_holds_too_much_is_ended() -> None:
    def hoard() -> bytes:
        blocks = []
        for _ in range(1000):
            blocks.append(bytes(2**20) + os.urandom(2**20))
            time.sleep(0.002)
        return b"never"

    with pytest.raises(RunOutOfMemory, match="more than the"):
        in_fork(hoard, held_memory() + 50 * 2**20)


def test_a_fork_that_takes_too_much_at_once_is_ended() -> None:
    def gorge() -> bytes:
        held = b"x" * (400 * 2**20)
        time.sleep(10)
        return held[:1]

    with pytest.raises(RunOutOfMemory, match="more than the"):
        in_fork(gorge, held_memory() + 50 * 2**20)


def test_a_fork_gives_way_when_the_box_runs_short(tmp_path: Path) -> None:
    usage = tmp_path / "memory.current"
    usage.write_text(str(80 * 2**20))
    gauge = Gauge(100 * 2**20, 10 * 2**20, tmp_path, tmp_path, MEMORY[0])

    def work() -> bytes:
        usage.write_text(str(95 * 2**20))
        time.sleep(10)
        return b"never"

    with pytest.raises(RunOutOfMemory, match="95 of 100 MB were held") as caught:
        in_fork(work, MUCH, gauge)
    assert "larger plan" in caught.value.way_out


def test_a_fork_that_the_kernel_killed_for_memory_ran_out_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kills = iter((3, 4))
    monkeypatch.setattr("placar.training.forked.oom_kills", lambda: next(kills))
    with pytest.raises(RunOutOfMemory, match="The kernel ended"):
        in_fork(dying_of(signal.SIGKILL), MUCH)


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (signal.SIGKILL, RunKilled),
        (signal.SIGSEGV, RunOutOfMemory),
        (signal.SIGABRT, RunOutOfMemory),
        (signal.SIGTERM, SystemExit),
    ],
)
def test_a_death_is_named(number: signal.Signals, error: type[BaseException]) -> None:
    with pytest.raises(error) as caught:
        in_fork(dying_of(number), MUCH)
    assert number.name in str(caught.value) or caught.value.args == (128 + number,)


def test_an_end_without_a_word_is_a_failure() -> None:
    with pytest.raises(TrainingFailed, match="exit code 3"):
        in_fork(lambda: os._exit(3), MUCH)


def test_the_fork_dies_with_its_parent(tmp_path: Path) -> None:
    code = """
import os, sys, time
from pathlib import Path
from placar.training.forked import in_fork
def work():
    Path(sys.argv[1]).write_text(str(os.getpid()))
    time.sleep(60)
    return b""
in_fork(work, 2**33)
"""
    note = tmp_path / "pid"
    source = str(Path(__file__).parents[3] / "src")
    parent = subprocess.Popen([sys.executable, "-c", code, str(note)], env={"PYTHONPATH": source})
    deadline = time.monotonic() + 30
    while not (note.exists() and note.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    parent.kill()
    parent.wait()
    fork = int(note.read_text())
    while held_memory(fork):
        assert time.monotonic() < deadline
        time.sleep(0.02)
