"""Counters: of one worker, of all, and as Prometheus reads them."""

from __future__ import annotations

import logging
from pathlib import Path

import httpx
import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

from factories import a_row
from placar.web.exposition import Present, exposition
from placar.web.metrics import BUCKETS, MeterFiles, Meters
from web_scenes import Service


def samples(text: str) -> dict[tuple[str, ...], float]:
    families = parse_text(text)
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


@pytest.mark.anyio
async def test_answers_rows_and_warnings_are_counted(client: httpx.AsyncClient) -> None:
    await client.post("/predict", json=a_row(home="castle"))
    await client.post("/predict", json={})
    await client.post("/predict/batch", json={"rows": [a_row(), {}, a_row(home="castle")]})
    await client.get("/nowhere/1")
    found = samples((await client.get("/metrics")).text)
    version = (await client.get("/ready")).json()["version"]
    assert found["placar_requests_total", "/predict", "200", "POST"] == 1
    assert found["placar_requests_total", "/predict", "422", "POST"] == 1
    assert found["placar_requests_total", "404", "GET", "other"] == 1
    assert found["placar_rows_total", *sorted([version, "loans", "scored"])] == 3
    assert found["placar_rows_total", *sorted([version, "loans", "rejected"])] == 2
    assert found["placar_warnings_total", "loans", "unseen_category"] == 2
    assert found["placar_champion_info", *sorted([version, "loans"])] == 1
    assert found["placar_request_seconds_count", "/predict"] == 2
    assert found["placar_request_seconds_bucket", "+Inf", "/predict"] == 2
    assert (found["placar_active_runs",], found["placar_ready",]) == (0, 1)


@pytest.mark.anyio
async def test_openmetrics_comes_when_asked_for(client: httpx.AsyncClient) -> None:
    plain = await client.get("/metrics")
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    response = await client.get("/metrics", headers=accept)
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    families = parse_openmetrics(response.text)  # type: ignore[no-untyped-call]
    assert "placar_requests" in [family.name for family in families]


@pytest.mark.anyio
async def test_metrics_answer_without_the_store(service: Service) -> None:
    service.state._services = None
    response = await service.client.get("/metrics")
    assert response.status_code == 200
    assert ("placar_active_runs",) not in samples(response.text)


def counted(**latencies: float) -> Meters:
    meters = Meters()
    for route, seconds in latencies.items():
        meters.request(f"/{route}", "GET", 200, seconds)
    meters.rows("m", "v", scored=2, rejected=1)
    meters.warning("m", "coerced", 3)
    meters.swaps += 1
    return meters


def test_a_worker_goes_on_where_the_last_of_its_slot_stopped(tmp_path: Path) -> None:
    MeterFiles(tmp_path, 0, counted(a=0.2)).flush()
    MeterFiles(tmp_path, 1, counted(b=0.2)).flush()
    again = counted(a=0.2, c=99.0)
    files = MeterFiles(tmp_path, 0, again)
    files.resume()
    files.flush()
    assert again.requests["/a", "GET", 200] == 2
    assert sum(again.latency["/a"].counts) == 2
    assert again.latency["/c"].counts[-1] == 1
    total = files.total()
    assert (total.requests["/a", "GET", 200], total.requests["/b", "GET", 200]) == (2, 1)
    assert (total.rows_seen["m", "v", "scored"], total.warned["m", "coerced"]) == (6, 9)
    assert total.swaps == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["slot-0.json", "slot-1.json"]


@pytest.mark.parametrize("content", [b"", b"{", b'{"requests": 1}', b"\xff"])
def test_a_file_that_means_nothing_counts_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "slot-1.json").write_bytes(content)
    files = MeterFiles(tmp_path, 0, counted(a=0.1))
    assert files.total().swaps == 1


def test_a_histogram_of_other_buckets_is_left_out(tmp_path: Path) -> None:
    text = b'{"latency": {"/a": {"counts": [1, 2], "total": 1.0}}, "swaps": 4}'
    (tmp_path / "slot-1.json").write_bytes(text)
    total = MeterFiles(tmp_path, 0, Meters()).total()
    assert (total.swaps, total.latency["/a"].counts) == (4, [0] * (len(BUCKETS) + 1))


def test_a_disk_that_refuses_is_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    files = MeterFiles(blocked, 0, counted(a=0.1))
    with caplog.at_level(logging.WARNING):
        files.flush()
        files.flush()
    assert [record.message for record in caplog.records] == ["metrics_not_kept"]


def test_odd_methods_do_not_multiply_the_series() -> None:
    meters = Meters()
    for method in ("PROPFIND", "BREW", "x" * 1000):
        meters.request("other", method, 404, 0.1)
    assert dict(meters.requests) == {("other", "other", 404): 3}


def test_buckets_count_up() -> None:
    meters = Meters()
    present = Present(champion=None, active_runs=0, ready=False, crashes={}, last_crash=None)
    for seconds in (0.0001, BUCKETS[0], 0.02, 50.0):
        meters.request("/a", "GET", 200, seconds)
    content, _ = exposition(meters, present, "")
    found = samples(content.decode())
    bounds = ["0.001", "0.01", "0.025", "10.0", "+Inf"]
    counts = [found["placar_request_seconds_bucket", *sorted([b, "/a"])] for b in bounds]
    assert counts == [2, 2, 3, 3, 4]
