"""The flight recorder: records survive, crashes are found once, verdicts are fair."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from placar.box.flight import crashes as crashes_module
from placar.box.flight import slot as slot_module
from placar.box.flight.crashes import KEPT, CrashFolder
from placar.box.flight.record import Activity, Block, Memory, Record
from placar.box.flight.recorder import FlightRecorder
from placar.box.flight.slot import SlotFile
from placar.box.flight.stacks import failed_stack, place
from placar.box.flight.verdict import Witness, judge
from placar.box.process import identify, machine

MB = 1024**2
SOURCE = Path(slot_module.__file__).resolve().parents[3]
STACK = ('File "app.py", line 3 in score',)
BLOCK = Block(seconds=5.0, stack=STACK)
FAULT = """Fatal Python error: Aborted

Thread 0x00007fea2c17c6c0 (most recent call first):
  File "threading.py", line 331 in wait

Current thread 0x00007fea3a80cb80 (most recent call first):
  File "app.py", line 3 in score
  File "/usr/lib/python3.11/asyncio/runners.py", line 118 in run

Extension modules: numpy (total: 1)
"""
WORKER = """
import os, sys, time
from pathlib import Path
from placar.box.flight.record import Activity
from placar.box.flight.recorder import FlightRecorder
activity = Activity(requests={"/predict": 3}, runs=("r1",), champion="loans 12ab")
recorder = FlightRecorder(Path(sys.argv[1]), lambda: activity)
recorder.open(int(sys.argv[2]), limit=2**50, tells=False)  # never nearly full
print("open", flush=True)
time.sleep(60)
"""


def memory(box: int = 200, **values: int) -> Memory:
    return Memory(worker=80 * MB, box=box * MB, limit=512 * MB, **values)


def a_record(**values: object) -> Record:
    me = identify(os.getppid())
    assert me is not None
    known = {
        "pid": 4711,
        "parent": (me.pid, me.started),
        "machine": machine(),
        "began": 1000.0,
        "seen": 1060.0,
        "memory": memory(),
    }
    return Record(**{**known, **values})  # type: ignore[arg-type]


def leave(folder: Path, slot: int = 0, **values: object) -> None:
    """Leave the record of a worker that is gone."""
    folder.mkdir(exist_ok=True)
    file = SlotFile.claim(folder / f"slot-{slot}.flight")
    assert file is not None
    file.write(a_record(**values))
    file.close()


def a_recorder(folder: Path, slot: int = 0, *, tells: bool = False) -> FlightRecorder:
    recorder = FlightRecorder(folder, lambda: Activity(requests={"/predict": 1}))
    recorder.open(slot, limit=512 * MB, tells=tells)
    return recorder


def a_dead_worker(folder: Path, slot: int = 0) -> int:
    """Start a process that records, kill it, and return its id."""
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder), str(slot)],
        env={"PYTHONPATH": str(SOURCE)},
        stdout=subprocess.PIPE,
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == b"open\n"
    assert CrashFolder(folder).recover() == []  # it lives
    worker.kill()
    worker.wait()
    worker.stdout.close()
    return worker.pid


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_a_killed_worker_is_found_with_all_that_it_was_doing(tmp_path: Path) -> None:
    pid = a_dead_worker(tmp_path, slot=3)
    (crash,) = CrashFolder(tmp_path).recover(pid, Witness(signal="SIGKILL", master_lives=True))
    assert (crash.cause, crash.certain, crash.signal) == ("killed", False, "SIGKILL")
    assert (crash.pid, crash.slot) == (pid, 3)
    assert crash.activity.requests == {"/predict": 3}
    assert (crash.activity.runs, crash.activity.champion) == (("r1",), "loans 12ab")
    assert crash.memory.worker > MB
    assert crash.began <= crash.seen <= crash.found
    assert CrashFolder(tmp_path).recover() == []
    assert CrashFolder(tmp_path).book().counts == {"killed": 1}


def test_only_the_worker_that_is_asked_about_is_taken(tmp_path: Path) -> None:
    leave(tmp_path, 0, pid=1)
    leave(tmp_path, 1, pid=2)
    crashes = CrashFolder(tmp_path)
    assert [each.pid for each in crashes.recover(2, Witness())] == [2]
    assert [each.pid for each in crashes.recover()] == [1]


def test_a_worker_that_stopped_as_it_should_is_no_crash(tmp_path: Path) -> None:
    a_recorder(tmp_path).close()
    assert CrashFolder(tmp_path).recover() == []


def test_a_worker_whose_master_was_killed_is_reported_though_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = a_recorder(tmp_path)
    monkeypatch.setattr(os, "getppid", lambda: 1)
    recorder.close()
    (crash,) = CrashFolder(tmp_path).recover()
    assert crash.cause == "master_killed"
    assert CrashFolder(tmp_path).recover() == []


def test_each_start_tells_of_the_last_crash_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    leave(tmp_path, block=BLOCK, lag=7.0)
    crashes = CrashFolder(tmp_path)
    crashes.recover(4711, Witness(timed_out=True, signal="SIGABRT", master_lives=True))
    told = crashes.tell()
    assert told is not None
    (line,) = caplog.records
    assert (line.getMessage(), line.levelno) == ("last_crash", logging.WARNING)
    fields = vars(line)
    assert (fields["cause"], fields["line"]) == ("blocked_loop", "app.py:3 in score")
    assert fields["why"].startswith("Its event loop was blocked for 7 s or more")
    assert fields["stack"] == STACK[0]
    assert "exit_code" not in fields
    assert crashes.tell() is None
    assert events(caplog) == ["last_crash"]


def test_without_a_master_the_next_worker_finds_and_tells(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    leave(tmp_path)
    recorder = a_recorder(tmp_path, tells=True)
    assert events(caplog) == ["last_crash"]
    assert recorder.last_crash is not None
    assert recorder.last_crash.cause == "killed"  # its parent, ours, lives
    recorder.close()


def test_a_recorder_hears_of_others_crashes(tmp_path: Path) -> None:
    recorder = a_recorder(tmp_path)
    assert recorder.last_crash is None
    leave(tmp_path, 1)
    CrashFolder(tmp_path).recover()
    recorder.write()
    assert recorder.book.last is not None
    assert recorder.book.counts == {"killed": 1}
    recorder.close()


def test_the_latest_crashes_are_kept_and_all_are_counted(tmp_path: Path) -> None:
    crashes = CrashFolder(tmp_path)
    for pid in range(KEPT + 5):
        leave(tmp_path, pid=pid)
        crashes.recover()
        time.sleep(0.002)
    files = sorted(tmp_path.glob("crash-*.json"))
    assert len(files) == KEPT
    assert '"pid":24' in files[-1].read_text()
    assert crashes.book().counts == {"killed": KEPT + 5}


def test_a_slot_that_is_taken_gives_way_to_the_next(tmp_path: Path) -> None:
    one, two = a_recorder(tmp_path), a_recorder(tmp_path)
    assert one.slot is not None
    assert two.slot is not None
    assert (one.slot.slot, two.slot.slot) == (0, 1)
    one.close()
    two.close()


def test_a_record_is_written_about_once_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = a_recorder(tmp_path)
    written: list[Record] = []
    monkeypatch.setattr(SlotFile, "write", lambda _, record: written.append(record))
    moment = time.monotonic()
    for tenth in range(31):
        monkeypatch.setattr(time, "monotonic", lambda now=moment + tenth / 10: now)
        recorder.beat(0.25)
    assert 2 <= len(written) <= 4
    assert written[0].lag == 0.25
    monkeypatch.undo()
    recorder.close()


def test_of_two_halves_the_newer_whole_one_counts(tmp_path: Path) -> None:
    file = SlotFile.claim(tmp_path / "slot-0.flight")
    assert file is not None
    assert file.read() is None
    file.write(a_record(pid=1))
    file.write(a_record(pid=2))
    found = file.read()
    assert found is not None
    assert found.pid == 2
    os.pwrite(file._descriptor, bytes(10), 100)  # killed in the middle of writing
    torn = file.read()
    assert torn is not None
    assert torn.pid == 1
    file.close()


def test_a_record_that_would_not_fit_keeps_the_innermost_frames(tmp_path: Path) -> None:
    file = SlotFile.claim(tmp_path / "slot-0.flight")
    assert file is not None
    deep = tuple(f'File "{"x" * 900}", line {number} in f' for number in range(40))
    file.write(a_record(block=Block(seconds=1.0, stack=deep)))
    found = file.read()
    assert found is not None
    assert found.block is not None
    assert len(found.block.stack) == 8
    huge = Activity(champion="x" * 20_000)
    file.write(a_record(pid=5, activity=huge))  # nothing to shorten: the last one stays
    assert file.read() == found
    file.close()


def test_a_full_disk_is_said_once_and_nothing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = a_recorder(tmp_path)

    def full(*arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    recorder.write()
    recorder.blocked(BLOCK)
    assert events(caplog) == ["flight_not_recorded"]
    monkeypatch.undo()
    recorder.close()
    assert CrashFolder(tmp_path).recover() == []


@pytest.mark.parametrize("function", [(os, "posix_fallocate"), (fcntl, "flock")])
def test_a_home_that_takes_nothing_is_done_without(
    function: tuple[object, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(*function, refuse)
    recorder = a_recorder(tmp_path)
    assert recorder.slot is None
    assert events(caplog) == ["flight_not_recorded"]
    recorder.beat(0.0)
    recorder.blocked(BLOCK)
    recorder.close()
    assert len(caplog.records) == 1


def test_when_every_slot_is_taken_nothing_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SlotFile, "claim", lambda _: None)
    recorder = a_recorder(tmp_path)
    assert recorder.slot is None
    recorder.close()


def test_a_folder_that_somebody_keeps_locked_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(tmp_path)
    monkeypatch.setattr(crashes_module, "_PATIENCE", 0.05)
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert CrashFolder(tmp_path).recover() == []
        assert CrashFolder(tmp_path).tell() is None
    assert len(CrashFolder(tmp_path).recover()) == 1


def test_a_book_of_another_version_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "crashes.json").write_text('{"counts": 3}')
    assert CrashFolder(tmp_path).book().counts == {}


def test_the_stack_that_failed_is_found_among_all() -> None:
    assert failed_stack(FAULT) == STACK
    assert failed_stack("") == ()
    assert place(()) == ""


def test_what_is_kept_is_for_the_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "flight"
    recorder = a_recorder(folder)
    leave(folder, 1)
    CrashFolder(folder).recover()
    recorder.close()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


ALIVE = Witness(master_lives=True)
KILLED = Witness(signal="SIGKILL", master_lives=True)
OOM = Witness(signal="SIGKILL", oom_kills=3, master_lives=True)


@pytest.mark.parametrize(
    ("values", "fault", "witness", "cause", "certain"),
    [
        ({"block": BLOCK}, "", Witness(timed_out=True), "blocked_loop", True),
        ({"block": BLOCK}, FAULT, ALIVE, "blocked_loop", True),
        ({}, "Stack (most recent call first):\n", Witness(timed_out=True), "blocked_loop", True),
        ({}, FAULT, Witness(timed_out=True, signal="SIGABRT"), "timed_out", True),
        ({}, FAULT, ALIVE, "fatal_signal", True),
        ({}, "", Witness(signal="SIGSEGV"), "fatal_signal", True),
        ({"block": msgspec.structs.replace(BLOCK, over=True)}, FAULT, ALIVE, "fatal_signal", True),
        ({"memory": memory(oom_kills=2)}, "", OOM, "out_of_memory", True),
        ({"memory": memory(oom_kills=3)}, "", OOM, "killed", False),
        ({"memory": memory(box=500)}, "", KILLED, "out_of_memory", False),
        ({"memory": memory(box=500)}, "", Witness(), "out_of_memory", False),
        ({}, "", KILLED, "killed", False),
        ({}, "", Witness(), "killed_with_everything", False),
        ({}, "", Witness(exit_code=1, master_lives=True), "exited", True),
        ({"activity": Activity(stopping=True)}, "", KILLED, "stop_cut_short", True),
        ({}, "", Witness(signal="SIGTERM", master_lives=True), "stop_cut_short", True),
    ],
)
def test_the_cause_is_the_one_that_the_evidence_shows(
    values: dict[str, object], fault: str, witness: Witness, cause: str, *, certain: bool
) -> None:
    verdict = judge(a_record(**values), fault, witness)
    assert (verdict.cause, verdict.certain) == (cause, certain)


def test_a_record_from_before_the_machine_booted_ended_with_everything(tmp_path: Path) -> None:
    """Process ids and counters of another life say nothing, though they look alike."""
    leave(tmp_path, machine="another boot", memory=memory(box=100))
    (crash,) = CrashFolder(tmp_path).recover()
    assert crash.cause == "killed_with_everything"
