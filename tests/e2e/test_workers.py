"""Two workers as one service: champions, keys and counters are everybody's."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from factories import a_row
from placar.settings import Settings
from run_scenes import eventually, gone
from service_process import ServiceProcess
from web_scenes import HEADERS, add_version, damage

pytestmark = pytest.mark.e2e
Start = Callable[..., ServiceProcess]

COMMAND = ("gunicorn", "-w", "2", "-b", "127.0.0.1:{port}", "src.api.scoring_api:app")
PROMISE = 2.0
"""Seconds within which every worker answers with a new champion."""


class Load:
    """Some clients that score all the time, each over connections that it keeps."""

    def __init__(self, service: ServiceProcess, clients: int = 4) -> None:
        self.answers: list[tuple[float, int, str]] = []
        self._over = threading.Event()
        self._service = service
        self._pool = ThreadPoolExecutor(clients)
        self._work = [self._pool.submit(self._ask) for _ in range(clients)]

    def _ask(self) -> None:
        while not self._over.is_set():
            with httpx.Client(headers=HEADERS) as client:
                for _ in range(10):  # then a new connection: any worker may get it
                    began = time.monotonic()
                    answer = client.post(self._service.base + "/predict", json=a_row())
                    version = answer.json().get("version", "")
                    self.answers.append((began, answer.status_code, version))
                    time.sleep(0.005)

    def end(self) -> list[tuple[float, int, str]]:
        self._over.set()
        for work in self._work:
            work.result()
        return self.answers


def test_the_master_forks_with_one_thread_and_no_open_database(start: Start, version: str) -> None:
    """Threads do not survive a fork; an inherited database connection is two processes' at once."""
    service = start(*COMMAND).ready()
    assert service.post("/predict", a_row()).body["version"] == version[:12]
    master = Path(f"/proc/{service.process.pid}")
    assert len(list((master / "task").iterdir())) == 1
    files = [str(entry.readlink()) for entry in (master / "fd").iterdir()]
    assert [name for name in files if ".db" in name] == []


def test_a_scrape_never_tells_less_than_the_one_before(start: Start, version: str) -> None:
    """Whichever worker answers it."""
    service = start(*COMMAND).ready()
    load = Load(service, clients=2)
    totals = []
    for _ in range(60):
        text = httpx.get(service.base + "/metrics", headers=HEADERS).text
        families = {family.name: family for family in text_string_to_metric_families(text)}
        totals.append(sum(sample.value for sample in families["placar_rows"].samples))
    assert {status for _, status, _ in load.end()} == {200}
    assert totals == sorted(totals)
    assert version


def versions(service: ServiceProcess, requests: int = 40) -> set[object]:
    return {service.post("/predict", a_row()).body["version"] for _ in range(requests)}


def test_promoting_and_rolling_back_reach_every_worker_and_fail_no_request(
    start: Start, settings: Settings, version: str
) -> None:
    other = add_version(settings, seed=1, promote=False)
    service = start(*COMMAND).ready()
    load = Load(service)
    time.sleep(0.5)
    place = f"/models/loans/versions/{other[:12]}/promote"
    changes = []
    for path, expected in [(place, other), ("/models/loans/rollback", version)]:
        assert service.post(path).status == 200
        changes.append((time.monotonic(), expected[:12]))
        time.sleep(PROMISE + 0.3)
        assert versions(service) == {expected[:12]}
    answers = load.end()
    assert len(answers) > 200
    assert {status for _, status, _ in answers} == {200}
    for moment, expected in changes:
        after = [answer for began, _, answer in answers if PROMISE < began - moment < PROMISE + 0.3]
        assert set(after) <= {expected}


def test_a_promotion_on_the_command_line_reaches_every_worker(
    start: Start, settings: Settings
) -> None:
    service = start(*COMMAND).ready()
    other = add_version(settings, seed=1)
    time.sleep(PROMISE)
    assert versions(service) == {other[:12]}


def test_a_damaged_package_is_refused_and_the_champion_keeps_answering(
    start: Start, settings: Settings, version: str
) -> None:
    service = start(*COMMAND).ready()
    other = add_version(settings, seed=1, promote=False)
    damage(settings, other)
    refused = service.post(f"/models/loans/versions/{other[:12]}/promote")
    assert (refused.status, refused.body["type"]) == (409, "/docs#package_damaged")
    assert versions(service) == {version[:12]}
    assert service.get("/ready").status == 200


def test_a_killed_worker_is_replaced_and_no_count_is_lost(start: Start) -> None:
    service = start(*COMMAND).ready()
    for _ in range(30):
        service.post("/predict", a_row())
    time.sleep(1.5)  # each worker leaves its counts every second
    victims = service.workers()
    os.kill(victims[0], signal.SIGKILL)
    eventually(lambda: len(set(service.workers()) - set(victims)) == 1)
    service.ready()
    for _ in range(10):
        service.post("/predict", a_row())
    eventually(lambda: scored(service) == 40, 5)
    files = sorted(path.name for path in (service.home / "metrics").glob("*.json"))
    assert files == ["slot-0.json", "slot-1.json"]


def scored(service: ServiceProcess) -> float:
    text = httpx.get(service.base + "/metrics", headers=HEADERS).text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "placar_rows_total" and sample.labels["outcome"] == "scored"
    )


def test_a_key_made_while_it_serves_opens_every_worker_and_a_revoked_one_none(
    start: Start, settings: Settings
) -> None:
    from placar.web.services import Services  # noqa: PLC0415 - opened beside the service

    service = start(*COMMAND).ready()
    services = Services.open(settings)
    key = services.keys.create("app", ["read"])
    asked = {"X-API-Key": key.secret}

    def statuses() -> set[int]:
        url = service.base + "/models"
        return {httpx.get(url, headers=asked).status_code for _ in range(20)}

    eventually(lambda: statuses() == {200}, PROMISE + 2)
    services.keys.revoke(key.id)
    eventually(lambda: statuses() == {401}, PROMISE + 2)
    services.close()


def test_health_answers_fast_while_batches_are_scored(start: Start) -> None:
    service = start(*COMMAND).ready()
    body = {"rows": [a_row()] * 20_000}
    with ThreadPoolExecutor(2) as pool:
        batches = [pool.submit(service.post, "/predict/batch", body) for _ in range(2)]
        times = []
        with httpx.Client() as client:
            while not all(batch.done() for batch in batches):
                began = time.perf_counter()
                assert client.get(service.base + "/health").status_code == 200
                times.append(time.perf_counter() - began)
                time.sleep(0.005)
    assert [batch.result().body["scored"] for batch in batches] == [20_000, 20_000]
    times.sort()
    assert times[len(times) * 9 // 10] < 0.05
    assert times[-1] < 0.5  # two cores for two workers, two clients and this test


def test_an_orphan_of_a_killed_master_does_not_hold_the_port(start: Start) -> None:
    service = start(*COMMAND).ready()
    workers = service.workers()
    service.process.kill()
    service.process.wait()
    eventually(lambda: all(gone(pid) for pid in workers), 5)


RECYCLES = """
from placar.web import recycling
from placar.web.gunicorn_conf import *

recycling.YOUNGEST = 0.5
recycling.APART = 0.1
"""


def test_workers_that_have_grown_are_replaced_without_a_failed_request(
    start: Start, tmp_path: Path, version: str
) -> None:
    """Here every worker has: its share is next to nothing."""
    configuration = tmp_path / "recycles.py"
    configuration.write_text(RECYCLES)
    service = start(
        *("gunicorn", "-c", str(configuration), "--keep-alive", "1", *COMMAND[1:]),
        environment={"PLACAR_WORKER_MEMORY": "1MB"},
    ).ready()
    eventually(lambda: len(service.workers()) == 2, 10)  # one is enough to be ready
    first = set(service.workers())
    load = Load(service)
    eventually(lambda: first.isdisjoint(service.workers()), 60)
    answers = load.end()
    assert len(answers) > 200
    assert {status for _, status, _ in answers} == {200}
    assert service.log.count("worker_recycled") >= 2
    assert "Traceback" not in service.log
    assert version
