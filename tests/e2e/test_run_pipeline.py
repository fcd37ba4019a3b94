"""Runs under the real server: real training, and workers that die, stop or are recycled."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import httpx
import pytest

from factories import a_row
from placar.settings import Settings
from run_scenes import eventually, gone
from service_process import ServiceProcess
from web_scenes import HEADERS

pytestmark = pytest.mark.e2e
Start = Callable[..., ServiceProcess]

COMMAND = ("gunicorn", "-w", "2", "-b", "127.0.0.1:{port}", "src.api.scoring_api:app")
REQUEST = {"table": "loans.csv", "target": "Status", "positive": "bad", "model": "credit"}


@pytest.fixture
def tables(settings: Settings) -> Path:
    """The tables folder, with a part of the demo's loans."""
    settings.tables.mkdir(exist_ok=True)
    source = resources.files("placar.cli.demo") / "credit_data.csv"
    lines = source.read_text(encoding="utf-8").splitlines(keepends=True)
    (settings.tables / "loans.csv").write_text("".join(lines[:1500]))
    return settings.tables


def child_of(service: ServiceProcess, run_id: str) -> int:
    """Wait for the run's process and return its id."""
    found: list[int] = []

    def look() -> bool:
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    words = (entry / "cmdline").read_bytes()
                except OSError:
                    continue
                if b"placar.training" in words and run_id.encode() in words:
                    found.append(int(entry.name))
                    return True
        return False

    eventually(look)
    return found[0]


def follower_of(service: ServiceProcess, child: int) -> int:
    """Return the worker that started the run's process."""
    stat = Path(f"/proc/{child}/stat").read_text()
    parent = int(stat.rpartition(")")[2].split()[1])
    assert parent in service.workers()
    return parent


def held_run(service: ServiceProcess) -> tuple[str, int, int]:
    """Start a run, hold its process, and return run, process and the worker that follows it."""
    answer = service.post("/run-pipeline", REQUEST)
    assert answer.status == 202
    run_id = str(answer.body["id"])
    child = child_of(service, run_id)
    os.kill(child, signal.SIGSTOP)
    eventually(lambda: service.run(run_id)["status"] == "running")
    return run_id, child, follower_of(service, child)


def test_a_run_makes_a_version_and_the_next_one_another(start: Start, tables: Path) -> None:
    service = start(*COMMAND, environment={"PLACAR_MODEL": "credit"})
    eventually(lambda: "Application startup complete" in service.log)
    eventually(lambda: service.status("/health") == 200)
    sent = httpx.post(
        f"{service.base}/tables?name=fresh.csv",
        content=(tables / "loans.csv").read_bytes(),
        headers=HEADERS,
    )
    assert sent.status_code == 201
    versions = []
    for body in (REQUEST | {"table": "fresh.csv"}, {"model": "credit"}):
        answer = service.post("/run-pipeline", body)
        assert answer.status == 202
        refused = service.post("/run-pipeline", REQUEST)
        assert (refused.status, refused.body["run_id"]) == (409, answer.body["id"])
        run = service.ended(str(answer.body["id"]))
        assert run["status"] == "succeeded", run
        versions.append(run["version"])
        log = httpx.get(f"{service.base}/runs/{run['id']}/log", headers=HEADERS)
        assert log.status_code == 200
    assert len(set(versions)) == 2
    service.ready()
    model = service.get("/models/credit").body
    assert {each["version"] for each in model["versions"]} == set(versions)  # type: ignore[attr-defined]
    curl = httpx.get(service.base + "/docs").text
    example = re.search(r"-d (&#39;|')({.*?})(&#39;|')", curl.replace("&#34;", '"'))
    assert example is not None


def test_killing_the_worker_does_not_lose_the_run(start: Start, tables: Path) -> None:
    service = start(*COMMAND).ready()
    run_id, child, worker = held_run(service)
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: worker not in service.workers())
    assert not gone(child)
    assert service.run(run_id)["status"] == "running"
    os.kill(child, signal.SIGCONT)
    assert service.ended(run_id)["status"] == "succeeded"
    assert "run_adopted" in service.log
    assert tables.is_dir()


def test_a_worker_that_is_asked_to_stop_leaves_the_run_to_another(
    start: Start, tables: Path
) -> None:
    service = start(*COMMAND).ready()
    run_id, child, worker = held_run(service)
    began = time.monotonic()
    os.kill(worker, signal.SIGTERM)
    eventually(lambda: gone(worker), 8)
    assert time.monotonic() - began < 5
    os.kill(child, signal.SIGCONT)
    assert service.ended(run_id)["status"] == "succeeded"
    assert service.post("/predict", a_row()).status == 200
    assert tables.is_dir()


def test_recycling_a_worker_leaves_the_run_to_another(start: Start, tables: Path) -> None:
    command = (*COMMAND[:-1], "--max-requests", "40", COMMAND[-1])
    service = start(*command).ready()
    run_id, child, worker = held_run(service)

    def asked(path: str) -> object:
        # gunicorn cuts the connections of a worker that reached its --max-requests.
        with contextlib.suppress(OSError):
            return service.get(path).body.get("status")
        return None

    def recycled() -> bool:
        for _ in range(5):
            asked("/health")
        return gone(worker)

    eventually(recycled, 15)
    eventually(lambda: asked(f"/runs/{run_id}") == "running", 15)
    os.kill(child, signal.SIGCONT)
    eventually(lambda: asked(f"/runs/{run_id}") == "succeeded", 30)
    assert "WORKER TIMEOUT" not in service.log
    assert "SIGABRT" not in service.log
    assert tables.is_dir()


def test_the_whole_service_stops_in_time_and_the_next_one_takes_the_run_up(
    start: Start, tables: Path
) -> None:
    service = start(*COMMAND).ready()
    run_id, child, _ = held_run(service)
    url = f"{service.base}/runs/{run_id}/events"
    with httpx.stream("GET", url, headers=HEADERS, timeout=20) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "retry: 1000"
        began = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - began < 5
        assert "event: end" not in list(lines)
    assert not gone(child)
    again = start(*COMMAND).ready()
    os.kill(child, signal.SIGCONT)
    assert again.ended(run_id)["status"] == "succeeded"
    assert tables.is_dir()


def test_a_killed_child_ends_in_failed_with_the_signal_named(start: Start, tables: Path) -> None:
    service = start(*COMMAND).ready()
    run_id, child, _ = held_run(service)
    os.kill(child, signal.SIGKILL)
    run = service.ended(run_id)
    assert run["status"] == "failed"
    assert "SIGKILL" in run["error"]["message"]  # type: ignore[index]
    assert tables.is_dir()


def test_a_cancelled_run_ends_whatever_worker_is_asked(start: Start, tables: Path) -> None:
    service = start(*COMMAND).ready()
    run_id, child, _ = held_run(service)
    assert service.post(f"/runs/{run_id}/cancel").status == 202
    os.kill(child, signal.SIGCONT)
    assert service.ended(run_id)["status"] == "cancelled"
    eventually(lambda: gone(child))
    assert tables.is_dir()
