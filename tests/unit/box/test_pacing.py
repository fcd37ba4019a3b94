"""A process that computes without pause leaves the box some of its CPU quota."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from placar.box import pacing
from placar.box.pacing import Pacer, pacer_for, used_by


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def busy() -> Iterator[subprocess.Popen[bytes]]:
    """A process that computes without pause."""
    process = subprocess.Popen([sys.executable, "-I", "-S", "-c", "while True: pass"])
    yield process
    process.kill()
    process.wait()


def share_of(process: subprocess.Popen[bytes], pacer: Pacer, seconds: float) -> float:
    """Return the CPUs that a process got while it was paced."""
    end = time.monotonic() + 0.3
    while time.monotonic() < end:  # the first burst, and whatever came before
        pacer.look()
        time.sleep(0.005)
    began, before = time.monotonic(), used_by(process.pid)
    while time.monotonic() < began + seconds:
        pacer.look()
        time.sleep(0.005)
    return (used_by(process.pid) - before) / (time.monotonic() - began)


def test_alone_it_gets_most_of_the_quota(busy: subprocess.Popen[bytes]) -> None:
    got = share_of(busy, Pacer(busy.pid, 0.4, lambda: 0.0), 1.0)
    assert 0.1 < got < 0.45  # less where the machine is busy with something else


def test_beside_others_it_gets_what_they_leave(busy: subprocess.Popen[bytes]) -> None:
    got = share_of(busy, Pacer(busy.pid, 0.5, lambda: 0.35 * time.monotonic()), 1.0)
    assert got < 0.2


def test_it_gets_a_little_however_busy_the_others_are(busy: subprocess.Popen[bytes]) -> None:
    got = share_of(busy, Pacer(busy.pid, 0.5, lambda: 2.0 * time.monotonic()), 1.5)
    assert 0.01 < got < 0.2


def test_it_is_stopped_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, used = Clock(), Clock()
    sent: list[int] = []
    monkeypatch.setattr(pacing, "used_by", lambda _pid: used.now)
    monkeypatch.setattr(os, "kill", lambda _pid, number: sent.append(number))
    pacer = Pacer(1, 0.5, lambda: 0.0, clock=clock)
    for computed in (0.02, 0.02, 0.02, 0.0, 0.0, 0.0, 0.0):
        clock.now += 0.02
        used.now += computed
        pacer.look()
    assert sent == [signal.SIGSTOP, signal.SIGCONT]
    assert not pacer.stopped


def test_a_process_that_was_stopped_is_let_go(busy: subprocess.Popen[bytes]) -> None:
    pacer = Pacer(busy.pid, 0.01, lambda: 0.0)
    while not pacer.stopped:
        time.sleep(0.02)
        pacer.look()
    pacer.release()
    before = used_by(busy.pid)
    time.sleep(0.2)
    assert used_by(busy.pid) > before
    assert not pacer.stopped


def test_a_process_that_has_ended_is_left_alone(busy: subprocess.Popen[bytes]) -> None:
    pacer = Pacer(busy.pid, 0.01, lambda: 0.0)
    time.sleep(0.1)
    busy.kill()
    busy.wait()
    for _ in range(3):
        pacer.look()
        time.sleep(0.01)
    assert used_by(busy.pid) == 0.0


def box(root: Path, quota: str, members: str) -> Path:
    """Return a root with one control group."""
    group = root / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (group / "cpu.max").write_text(quota)
    (group / "cgroup.procs").write_text(members)
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text("0::/\n")
    return root


def test_without_a_quota_nobody_is_paced(tmp_path: Path) -> None:
    assert pacer_for(1, root=box(tmp_path, "max 100000", f"{os.getpid()}\n")) is None


def test_where_nobody_tells_who_is_in_the_box_nobody_is_paced(tmp_path: Path) -> None:
    assert pacer_for(1, root=box(tmp_path, "50000 100000", "1\n2\n")) is None


def test_in_a_box_with_a_quota_the_others_are_counted(tmp_path: Path) -> None:
    root = box(tmp_path, "50000 100000", f"{os.getpid()}\n1\nodd\n")
    pacer = pacer_for(os.getpid() + 1_000_000, root=root)
    assert pacer is not None
    assert pacer._others() >= used_by(os.getpid()) > 0.0
