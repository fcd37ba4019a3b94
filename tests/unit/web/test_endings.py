"""The master's look at how workers ended, and what is told of it."""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from placar.box import alarm
from placar.box.flight.crashes import CrashFolder
from placar.box.flight.record import Block, Crash, CrashBook, Memory, Record
from placar.box.flight.slot import SlotFile
from placar.web import gunicorn_conf, lookout
from placar.web.endings import WorkerEndings
from placar.web.exposition import Present, exposition
from placar.web.lookout import Lookout
from placar.web.metrics import Meters
from run_scenes import eventually
from web_scenes import HEADERS, Service, settings_of

MEMORY = Memory(worker=1, box=1, limit=1000)
CRASH = Crash(
    id="20260101T000000000-0",
    cause="killed",
    certain=False,
    sentence="It was killed.",
    pid=1,
    slot=0,
    found=1767225600.5,
    began=1.0,
    seen=2.0,
    memory=MEMORY,
)


@pytest.fixture
def endings(tmp_path: Path) -> Iterator[WorkerEndings]:
    before = signal.getsignal(signal.SIGCHLD)
    yield WorkerEndings(tmp_path)
    signal.signal(signal.SIGCHLD, before)


def leave(folder: Path, pid: int, *, fault: bytes = b"", block: Block | None = None) -> None:
    file = SlotFile.claim(folder / "slot-0.flight")
    assert file is not None
    file.write(
        Record(pid=pid, parent=(1, 1), machine="", began=1.0, seen=2.0, memory=MEMORY, block=block)
    )
    os.write(file.stacks, fault)
    file.close()


def a_child(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", f"import os; {code}"], stdin=subprocess.PIPE
    )


def seen_by(endings: WorkerEndings, code: str) -> int:
    """Let the master see a child end, and then collect it."""
    collected: list[int] = []
    children: list[int] = []
    signal.signal(signal.SIGCHLD, lambda *_: collected.append(os.waitpid(children[0], 0)[0]))
    endings.watch(lambda: children)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    child = a_child(code)
    children.append(child.pid)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    eventually(lambda: collected)
    child.communicate()
    return child.pid


def test_a_signal_is_seen_before_gunicorn_collects_it(
    endings: WorkerEndings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pid = seen_by(endings, "os.kill(os.getpid(), 9)")
    leave(tmp_path, pid)
    endings.ended(pid, timed_out=False)
    (line,) = caplog.records
    assert line.getMessage() == "worker_crashed"
    assert (vars(line)["signal"], vars(line)["cause"]) == ("SIGKILL", "killed")


def test_an_exit_code_is_seen_too(endings: WorkerEndings, tmp_path: Path) -> None:
    pid = seen_by(endings, "os._exit(7)")
    leave(tmp_path, pid)
    endings.ended(pid, timed_out=False)
    last = CrashFolder(tmp_path).book().last
    assert last is not None
    assert (last.cause, last.exit_code) == ("exited", 7)


def test_a_signal_without_a_name_has_its_number(endings: WorkerEndings, tmp_path: Path) -> None:
    pid = seen_by(endings, f"os.kill(os.getpid(), {signal.SIGRTMIN + 3})")
    assert endings._seen[pid] == (f"signal {signal.SIGRTMIN + 3}", None)


def test_children_that_live_or_are_gone_are_no_endings(endings: WorkerEndings) -> None:
    child = a_child("os.read(0, 1)")
    endings._look(child.pid)
    child.kill()
    child.communicate()
    endings._look(child.pid)
    assert endings._seen == {}


def test_what_faulthandler_wrote_still_comes_to_stderr(
    endings: WorkerEndings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fault = b'Fatal Python error: Aborted\n\nCurrent thread 0x1 (x):\n  File "a.py", line 1 in b\n'
    leave(tmp_path, 5, fault=fault, block=Block(seconds=1.0, stack=('File "a.py", line 1 in b',)))
    endings.ended(5, timed_out=True)
    assert capsys.readouterr().err == fault.decode()


def test_a_worker_that_stopped_as_it_should_is_not_mentioned(
    endings: WorkerEndings, caplog: pytest.LogCaptureFixture
) -> None:
    endings.ended(4711, timed_out=False)
    assert caplog.records == []


def test_a_hook_that_fails_leaves_the_master_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def ended(self, *_: int, **__: bool) -> None:
            raise OSError

    monkeypatch.setattr(gunicorn_conf, "_endings", Broken())
    gunicorn_conf.child_exit(None, SimpleNamespace(pid=1, aborted=False))
    assert [line.getMessage() for line in caplog.records] == ["ending_not_explained"]


@pytest.mark.anyio
async def test_ready_tells_of_the_last_crash_to_keys_that_may_read(service: Service) -> None:
    service.state.recorder.book = CrashBook(last=CRASH)
    told = (await service.client.get("/ready")).json()["last_crash"]
    assert (told["cause"], told["sentence"]) == ("killed", "It was killed.")
    nobody = (await service.client.get("/ready", headers={"X-API-Key": ""})).json()
    stranger = (await service.client.get("/ready", headers={"X-API-Key": "wrong"})).json()
    assert nobody == stranger
    assert set(nobody) == {"status", "model", "version", "notes"}
    only_scores = service.state.services.keys.create("scorer", ("score",)).secret
    service.state.keys.replace(service.state.services.keys.active())
    answer = await service.client.get("/ready", headers={"X-API-Key": only_scores})
    assert answer.json() == nobody
    service.state.slot.swap(None)  # type: ignore[arg-type]
    unready = await service.client.get("/ready", headers=HEADERS)
    assert (unready.status_code, unready.json()["last_crash"]["pid"]) == (503, 1)
    assert (
        "last_crash" not in (await service.client.get("/ready", headers={"X-API-Key": ""})).json()
    )


@pytest.mark.anyio
async def test_what_runs_is_known_while_it_runs(service: Service) -> None:
    assert service.state.activity().requests == {}
    service.state.meters.answering[1] = (0.0, {"type": "http"})
    activity = service.state.activity()
    assert activity.requests == {"other": 1}
    assert activity.oldest_request > 0
    assert activity.champion.startswith("loans ")
    assert (activity.runs, activity.stopping) == ((), False)
    await service.client.get("/health")
    del service.state.meters.answering[1]
    assert service.state.meters.answering == {}


def test_loop_and_crashes_are_series_of_all_workers() -> None:
    one, two = Meters(), Meters()
    for meters, lag in ((one, 0.02), (two, 3.0)):
        meters.loop_answered(lag)
        meters.loop_blocked()
    two.process_stalled()
    one.add(msgspec.json.decode(msgspec.json.encode(two.snapshot()), type=type(two.snapshot())))
    present = Present(
        champion=None, active_runs=None, ready=True, crashes={"killed": 2}, last_crash=5.5
    )
    text = exposition(one, present, "")[0].decode()
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["placar_loop_lag_seconds_count",] == 2
    assert found["placar_loop_lag_seconds_bucket", "1.0"] == 1
    assert found["placar_loop_blocks_total",] == 2
    assert found["placar_process_stalls_total",] == 1
    assert found["placar_worker_crashes_total", "killed"] == 2
    assert found["placar_last_crash_timestamp_seconds",] == 5.5


@pytest.mark.anyio
async def test_under_a_server_faults_go_to_the_recorder_until_the_worker_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    enabled: list[int] = []
    monkeypatch.setattr(lookout, "running_server", object)
    monkeypatch.setattr(alarm, "is_free", lambda: False)
    monkeypatch.setattr(faulthandler, "enable", lambda file, **_: enabled.append(file))
    from placar.web.state import AppState  # noqa: PLC0415 - beside its use

    state = AppState(settings_of(tmp_path))
    async with Lookout(state):
        assert state.recorder.slot is not None
        stacks = state.recorder.slot.stacks
    assert enabled == [stacks, 2]
    assert state.recorder.slot is None
