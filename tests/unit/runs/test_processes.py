"""Processes by /proc: the right one, alive or not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from placar.box.process import ProcessIdentity, identify, is_alive, machine
from placar.runs.process import find_by_argument, oom_kills, signal_group
from run_scenes import eventually, gone

SLEEP = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A session leader that sleeps."""
    popen = subprocess.Popen([*SLEEP, "the last argument"], start_new_session=True)
    yield popen
    popen.kill()
    popen.wait()


def identity(pid: int) -> ProcessIdentity:
    found = identify(pid)
    assert found is not None
    return found


def test_a_process_has_one_identity_while_it_lives(sleeper: subprocess.Popen[bytes]) -> None:
    assert identity(sleeper.pid) == identity(sleeper.pid)
    assert is_alive(identity(sleeper.pid))
    assert identity(sleeper.pid) != identity(os.getpid())


def test_a_zombie_is_known_but_not_alive(sleeper: subprocess.Popen[bytes]) -> None:
    known = identity(sleeper.pid)
    sleeper.kill()
    eventually(lambda: not is_alive(known))
    assert identify(sleeper.pid) == known
    sleeper.wait()
    assert identify(sleeper.pid) is None


def test_a_process_with_the_same_id_is_another_one(sleeper: subprocess.Popen[bytes]) -> None:
    earlier = ProcessIdentity(sleeper.pid, identity(sleeper.pid).started - 1)
    assert not is_alive(earlier)
    signal_group(earlier, signal.SIGKILL)
    assert is_alive(identity(sleeper.pid))


def test_a_signal_reaches_what_outlived_its_leader() -> None:
    code = f"import subprocess; print(subprocess.Popen({SLEEP!r}).pid, flush=True); input()"
    command = [sys.executable, "-I", "-S", "-c", code]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, start_new_session=True, stdin=pipe, stdout=pipe) as leader:
        assert leader.stdout is not None
        grandchild = int(leader.stdout.readline())
        known = identity(leader.pid)
        leader.kill()
    assert not gone(grandchild)
    signal_group(known, signal.SIGKILL)
    eventually(lambda: gone(grandchild))


def test_a_process_is_found_by_its_last_argument(sleeper: subprocess.Popen[bytes]) -> None:
    eventually(lambda: find_by_argument("the last argument"))
    assert find_by_argument("the last argument") == identity(sleeper.pid)
    assert find_by_argument("the last") is None


def test_a_machine_has_one_name() -> None:
    assert machine() == machine()


def test_a_machine_without_proc_has_a_name_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("placar.box.process._PROC", tmp_path)
    assert machine()
    assert identify(1) is None


def test_oom_kills_are_read_from_either_kind_of_cgroup(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("placar.runs.process._CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr("placar.runs.process._PROC", tmp_path / "proc")
    assert oom_kills() == 0
    old = tmp_path / "cgroup" / "memory" / "memory.oom_control"
    old.parent.mkdir(parents=True)
    old.write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    assert oom_kills() == 2
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "cgroup").write_text("1:cpu:/x\n0::/box/inner\n")
    (tmp_path / "cgroup" / "box" / "inner").mkdir(parents=True)
    events = tmp_path / "cgroup" / "box" / "inner" / "memory.events"
    events.write_text("low 0\noom 4\noom_kill 3\n")
    assert oom_kills() == 3
