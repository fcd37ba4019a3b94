"""What ended a worker is known afterwards: from the log, from /ready, from the metrics.

The real service under gunicorn, with addresses that misbehave mounted into it.
"""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import msgspec
import pytest

from placar.box.flight.crashes import CrashFolder
from placar.box.flight.record import Crash
from placar.settings import Settings
from run_scenes import eventually, gone
from service_process import ServiceProcess
from web_scenes import HEADERS, add_version, settings_of

pytestmark = pytest.mark.e2e
Start = Callable[..., ServiceProcess]

GUNICORN = ("gunicorn", "--pythonpath", "tests", "-b", "127.0.0.1:{port}", "blocking_service:app")
GROUPS = Path("/sys/fs/cgroup")
MB = 1024**2


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = settings_of(tmp_path / "home")
    add_version(settings, seed=0)
    return settings


@pytest.fixture
def start(settings: Settings, tmp_path: Path) -> Iterator[Start]:
    """Start services over the test's home, one after the other; each is ended after the test."""
    started: list[ServiceProcess] = []

    def start_one(*options: str, command: tuple[str, ...] = GUNICORN) -> ServiceProcess:
        log = tmp_path / f"service-{len(started)}.log"
        words = (command[0], *options, *command[1:])
        started.append(ServiceProcess(words, settings.home, log))
        return started[-1].ready()

    yield start_one
    for service in started:
        service.kill()


def ask(service: ServiceProcess, path: str) -> None:
    """Ask for what may never be answered, and do not wait for it."""

    def get() -> None:
        with suppress(httpx.HTTPError):
            httpx.get(service.base + path, timeout=20)

    threading.Thread(target=get, daemon=True).start()


def the_crash(settings: Settings, seconds: float = 15.0) -> Crash:
    """Wait for a crash to be written down."""
    book = CrashFolder(settings.flight).book
    eventually(lambda: book().last, seconds)
    crash = book().last
    assert crash is not None
    return crash


def told_by_ready(service: ServiceProcess) -> dict[str, object]:
    """Return what a worker tells callers with a key, as soon as one has heard of the crash."""
    heard: list[dict[str, object]] = []

    def hear() -> bool:
        crash = service.get("/ready").body.get("last_crash")
        heard.extend([crash] if isinstance(crash, dict) else [])
        return bool(heard)

    eventually(hear)
    return heard[0]


def logged(service: ServiceProcess, event: str) -> list[str]:
    return [line for line in service.log.splitlines() if f"] {event} " in line]


def metric(service: ServiceProcess, name: str) -> float:
    text = httpx.get(service.base + "/metrics", headers=HEADERS).text
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


@pytest.mark.parametrize("misbehaviour", ["block", "hold"])
def test_a_loop_blocked_beyond_the_time_out_is_named_by_its_line(
    misbehaviour: str, start: Start, settings: Settings
) -> None:
    service = start("-w", "1", "--timeout", "3")
    ask(service, f"/{misbehaviour}?seconds=12")
    crash = the_crash(settings)
    assert (crash.cause, crash.certain, crash.signal) == ("blocked_loop", True, "SIGABRT")
    assert crash.stack[0].endswith(f"in {misbehaviour}")
    if misbehaviour == "block":  # else the record may be from before: nobody else could run
        assert crash.activity.requests == {"other": 1}
    eventually(lambda: logged(service, "worker_crashed"))
    assert f"in {misbehaviour}" in logged(service, "worker_crashed")[0]
    assert "WORKER TIMEOUT" in service.log
    assert "Fatal Python error: Aborted" in service.log
    service.ready()
    assert told_by_ready(service)["cause"] == "blocked_loop"
    assert "last_crash" not in httpx.get(service.base + "/ready").json()
    assert metric(service, 'placar_worker_crashes_total{cause="blocked_loop"}') == 1
    assert metric(service, "placar_last_crash_timestamp_seconds") == pytest.approx(crash.found)


@pytest.mark.parametrize("misbehaviour", ["block", "hold"])
def test_a_block_that_ends_is_told_while_it_lasts_and_when_it_is_over(
    misbehaviour: str, start: Start, settings: Settings
) -> None:
    service = start("-w", "1")
    httpx.get(f"{service.base}/{misbehaviour}?seconds=2.6", timeout=20)
    eventually(lambda: logged(service, "loop_free_again"))
    (line,) = logged(service, "loop_blocked")
    assert "blocking_service.py:" in line
    assert f"in {misbehaviour}" in line
    assert "requests=other:1" in line
    assert not logged(service, "process_stalled")
    assert metric(service, "placar_loop_blocks_total") == 1
    assert metric(service, 'placar_loop_lag_seconds_bucket{le="1.0"}') < metric(
        service, "placar_loop_lag_seconds_count"
    )
    assert service.stop() == 0
    assert CrashFolder(settings.flight).book().last is None


def test_a_worker_that_is_killed_is_reported_by_the_master(
    start: Start, settings: Settings
) -> None:
    service = start("-w", "2")
    time.sleep(1.2)
    victim = service.workers()[0]
    os.kill(victim, signal.SIGKILL)
    crash = the_crash(settings)
    assert (crash.cause, crash.signal, crash.pid) == ("killed", "SIGKILL", victim)
    assert crash.activity.champion.startswith("loans ")
    eventually(lambda: logged(service, "worker_crashed"))
    assert told_by_ready(service)["pid"] == victim


def test_a_worker_that_dies_in_compiled_code_leaves_its_stack(
    start: Start, settings: Settings
) -> None:
    service = start("-w", "1")
    ask(service, "/segfault")
    crash = the_crash(settings)
    assert (crash.cause, crash.signal) == ("fatal_signal", "SIGSEGV")
    assert any(frame.endswith("in segfault") for frame in crash.stack)
    eventually(lambda: "Fatal Python error: Segmentation fault" in service.log)


def test_what_dies_with_everything_is_told_by_the_next_start_once(
    start: Start, settings: Settings
) -> None:
    service = start("-w", "2")
    time.sleep(1.2)
    service.kill()
    again = start("-w", "1")
    (line,) = logged(again, "last_crash")
    assert "cause=killed_with_everything" in line
    assert told_by_ready(again)["cause"] == "killed_with_everything"
    assert metric(again, 'placar_worker_crashes_total{cause="killed_with_everything"}') == 2
    assert again.stop() == 0
    third = start("-w", "1")
    assert not logged(third, "last_crash")
    assert told_by_ready(third)["cause"] == "killed_with_everything"


def test_a_master_that_is_killed_is_told_though_its_workers_stop_as_they_should(
    start: Start, settings: Settings
) -> None:
    service = start("-w", "1")
    (worker,) = service.workers()
    os.kill(service.process.pid, signal.SIGKILL)
    service.process.wait()
    eventually(lambda: gone(worker))
    (line,) = logged(start("-w", "1"), "last_crash")
    assert "cause=master_killed" in line


def test_a_worker_that_is_stopped_and_continued_has_stood_still(
    start: Start, settings: Settings
) -> None:
    service = start("-w", "1")
    time.sleep(1)
    (worker,) = service.workers()
    os.kill(worker, signal.SIGSTOP)
    time.sleep(3)
    os.kill(worker, signal.SIGCONT)
    eventually(lambda: logged(service, "process_stalled"))
    time.sleep(1)
    assert not logged(service, "loop_blocked")
    assert metric(service, "placar_process_stalls_total") == 1
    assert service.workers() == [worker]


def test_without_our_settings_the_next_worker_reports(start: Start, settings: Settings) -> None:
    """The guide's worker class from elsewhere than the checkout: no hook of ours runs."""
    service = start(
        "-c", os.devnull, "-k", "uvicorn_worker.UvicornWorker", "-w", "1", "--timeout", "3"
    )
    ask(service, "/block?seconds=12")
    crash = the_crash(settings)
    assert (crash.cause, crash.signal) == ("blocked_loop", "SIGABRT")
    assert crash.stack[0].endswith("in block")
    eventually(lambda: logged(service, "last_crash"))
    assert logged(service, "box_measured")


def test_the_start_says_what_the_box_has(start: Start, settings: Settings) -> None:
    service = start("-w", "2")
    (line,) = logged(service, "box_measured")
    assert "workers=2" in line
    assert "limit_source=" in line
    assert service.stop() == 0
    assert CrashFolder(settings.flight).recover() == []


@pytest.fixture
def small_box() -> Iterator[Path]:
    """A memory group of 300 MB."""
    if (GROUPS / "cgroup.controllers").is_file():
        folder, limits = GROUPS / f"placar-flight-{os.getpid()}", ["memory.max"]
    else:
        folder = GROUPS / "memory" / f"placar-flight-{os.getpid()}"
        limits = ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]
    try:
        folder.mkdir()
        (folder / limits[0]).write_text(str(300 * MB))
    except OSError as error:
        pytest.skip(f"no group can be made: {error.strerror}")
    for name in limits[1:]:
        if (folder / name).exists():
            (folder / name).write_text(str(300 * MB))
    yield folder
    eventually(lambda: not (folder / "cgroup.procs").read_text())
    folder.rmdir()


def test_a_worker_that_the_kernel_kills_for_memory_is_called_out_of_memory(
    small_box: Path, start: Start, settings: Settings
) -> None:
    service = start("-w", "1")
    for pid in (service.process.pid, *service.workers()):
        (small_box / "cgroup.procs").write_text(str(pid))
    time.sleep(2.2)  # the worker looks at its group once a second
    (worker,) = service.workers()
    ask(service, "/eat")
    crash = the_crash(settings)
    assert (crash.cause, crash.certain, crash.pid) == ("out_of_memory", True, worker)
    assert crash.signal == "SIGKILL"
    eventually(lambda: "The kernel killed it for memory" in service.log)
    content = (settings.flight / f"crash-{crash.id}.json").read_bytes()
    assert msgspec.json.decode(content, type=Crash).memory == crash.memory
    service.kill()
