"""Runs over HTTP: ask, look, listen, cancel. The processes are stand-ins for training."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import httpx
import pytest

from factories import a_row
from placar.settings import Settings
from run_scenes import a_scene, close_stores, eventually, folder_of
from web_scenes import Service, settings_of

__all__ = ["close_stores"]
pytestmark = pytest.mark.anyio


@pytest.fixture
def settings(tmp_path: Path, made: tuple[Path, str]) -> Settings:
    home = tmp_path / "home"
    shutil.copytree(made[0], home)
    (home / "tables").mkdir(exist_ok=True)
    (home / "tables" / "loans.csv").write_text("Status\n")
    return settings_of(home, training_target="Status", model="loans")


@pytest.fixture
def behave(service: Service, tmp_path: Path) -> Service:
    """The service with children that wait until they are told to go on."""
    service.run_with(a_scene(tmp_path / "other").launcher("waits"))
    return service


async def begin(client: httpx.AsyncClient) -> tuple[asyncio.Task[httpx.Response], str]:
    """Ask for a run; it is answered when the run ends: this transport waits."""
    asked = asyncio.create_task(client.post("/run-pipeline", json={"table": "loans.csv"}))
    while not (active := (await client.get("/runs")).json()["runs"]):  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    return asked, active[0]["id"]


def let_go(service: Service, run_id: str) -> None:
    folder = folder_of(service.state.services.runs.get(run_id)).root
    eventually((folder / "progress.jsonl").exists)
    (folder / "go").touch()


async def ended(client: httpx.AsyncClient, run_id: str) -> dict[str, object]:
    while True:
        run: dict[str, object] = (await client.get(f"/runs/{run_id}")).json()
        if run["status"] not in ("queued", "running"):
            return run
        await asyncio.sleep(0.02)


async def test_a_run_is_accepted_followed_and_promoted(behave: Service) -> None:
    client = behave.client
    asked, run_id = await begin(client)
    let_go(behave, run_id)
    response = await asked
    assert (response.status_code, response.headers["location"]) == (202, f"/runs/{run_id}")
    assert response.json()["status"] == "queued"
    run = await ended(client, run_id)
    assert (run["status"], run["promoted"], run["origin"]) == ("succeeded", True, "http")
    assert run["table"] == "loans.csv"
    answer = (await client.post("/predict", json=a_row())).json()
    assert answer["version"] == run["version"]


async def test_a_second_run_is_refused_with_the_id_of_the_first(behave: Service) -> None:
    client = behave.client
    asked, run_id = await begin(client)
    refused = await client.post("/run-pipeline", json={"table": "loans.csv"})
    assert (refused.status_code, refused.json()["run_id"]) == (409, run_id)
    let_go(behave, run_id)
    await asked


async def test_the_same_idempotency_key_means_the_same_run(behave: Service) -> None:
    client = behave.client
    headers = {"Idempotency-Key": '"monday"'}
    request: dict[str, object] = {"table": "loans.csv", "seed": 7}
    asked = asyncio.create_task(client.post("/run-pipeline", json=request, headers=headers))
    active: list[dict[str, str]] = []
    while not active or active[0]["status"] == "queued":  # who asks for a queued run follows it
        await asyncio.sleep(0.02)
        active = (await client.get("/runs")).json()["runs"]
    run_id = active[0]["id"]
    # Who finds it queued follows it as well, and with this transport waits for its end.
    while (await client.get(f"/runs/{run_id}")).json()["status"] == "queued":  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    again = await client.post("/run-pipeline", json=request, headers=headers)
    assert (again.status_code, again.json()["id"]) == (202, run_id)
    other = await client.post(
        "/run-pipeline", json=request | {"seed": 8}, headers={"Idempotency-Key": "monday"}
    )
    assert (other.status_code, other.json()["errors"][0]["pointer"]) == (422, "Idempotency-Key")
    unpromoted = await client.post(
        "/run-pipeline", json=request | {"promote": False}, headers=headers
    )
    assert unpromoted.status_code == 422
    let_go(behave, run_id)
    await asked
    later = await client.post("/run-pipeline", json=request, headers=headers)
    assert later.json()["id"] == run_id
    assert len((await client.get("/runs")).json()["runs"]) == 1


@pytest.mark.parametrize("key", ["", '""', "x" * 256])
async def test_an_idempotency_key_that_is_none_is_refused(
    client: httpx.AsyncClient, key: str
) -> None:
    response = await client.post("/run-pipeline", json={}, headers={"Idempotency-Key": key})
    assert response.status_code == 422


async def test_without_a_body_the_settings_say_what_to_train(
    behave: Service, settings: Settings
) -> None:
    missing = await behave.client.post("/run-pipeline")
    assert (missing.status_code, missing.json()["way_out"][:4]) == (422, "Name")
    chosen = settings.model_copy(update={"training_table": settings.tables / "loans.csv"})
    behave.state.settings = chosen
    behave.run_with(a_scene(settings.home / "again").launcher("succeeds"))
    response = await behave.client.post("/run-pipeline")
    assert (response.status_code, response.json()["table"]) == (202, "loans.csv")


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({"tabel": "x"}, 422, "/tabel"),
        ({"seed": "x"}, 422, "/seed"),
        ({"seed": 2**31}, 422, "/seed"),
        ({"model": ""}, 422, "/model"),
        ({"drop": [1]}, 422, "/drop/0"),
        ({"table": "../../etc/passwd"}, 404, None),
        ({"table": "nothing.csv"}, 404, None),
        ({"table": "loans.csv", "model": "a/b"}, 422, None),
    ],
)
async def test_what_cannot_be_trained_is_refused(
    client: httpx.AsyncClient, body: dict[str, object], status: int, pointer: str | None
) -> None:
    response = await client.post("/run-pipeline", json=body)
    assert response.status_code == status
    if pointer is not None:
        assert response.json()["errors"][0]["pointer"] == pointer
    assert (await client.get("/runs")).json()["runs"] == []


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[]", b"1"])
async def test_what_is_no_request_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    response = await client.post("/run-pipeline", content=body)
    assert response.status_code in (400, 422)


async def test_a_log_is_read_while_it_grows(behave: Service) -> None:
    client = behave.client
    asked, run_id = await begin(client)
    place = f"/runs/{run_id}/log"
    while not (first := await client.get(place)).text:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    assert first.headers["content-type"] == "text/plain; charset=utf-8"
    assert "olá" in first.text
    offset = first.headers["x-next-offset"]
    rest = await client.get(place, params={"offset": offset})
    assert (rest.text, rest.headers["x-next-offset"]) == ("", offset)
    assert (await client.get(place, params={"offset": "-1"})).status_code == 422
    let_go(behave, run_id)
    await asked


async def test_events_tell_the_progress_and_the_end(behave: Service) -> None:
    client = behave.client
    asked, run_id = await begin(client)
    let_go(behave, run_id)
    stream = await client.get(f"/runs/{run_id}/events")
    await asked
    assert stream.headers["content-type"].startswith("text/event-stream")
    events = [each for each in stream.text.split("\n\n") if each.startswith("event:")]
    assert [each.splitlines()[0] for each in events[:-1]] == ["event: progress"] * (len(events) - 1)
    name, data = events[-1].splitlines()
    assert name == "event: end"
    assert json.loads(data.removeprefix("data: "))["id"] == run_id
    resumed = await client.get(
        f"/runs/{run_id}/events", headers={"Last-Event-ID": str(len(events) - 2)}
    )
    assert resumed.text.count("event: progress") == 1


async def test_events_end_when_the_server_stops(behave: Service) -> None:
    client = behave.client
    asked, run_id = await begin(client)
    stream = asyncio.create_task(client.get(f"/runs/{run_id}/events"))
    await asyncio.sleep(0.1)
    behave.state.stopping.set()
    assert "event: end" not in (await asyncio.wait_for(stream, 5)).text
    let_go(behave, run_id)
    await asked


async def test_a_run_is_cancelled(behave: Service) -> None:
    client = behave.client
    asked, run_id = await begin(client)
    place = f"/runs/{run_id}/cancel"
    assert (await client.post(place)).status_code == 202
    await asked
    assert (await ended(client, run_id))["status"] == "cancelled"
    again = await client.post(place)
    assert (again.status_code, again.json()["type"]) == (409, "/docs#illegal_transition")


async def test_a_failed_run_says_why(service: Service, tmp_path: Path) -> None:
    service.run_with(a_scene(tmp_path / "other").launcher("rejects"))
    response = await service.client.post("/run-pipeline", json={"table": "loans.csv"})
    run = await ended(service.client, response.json()["id"])
    assert run["status"] == "failed"
    assert run["error"] == {
        "code": "table_rejected",
        "message": "It went wrong.",
        "way_out": "Do it right.",
    }


@pytest.mark.parametrize("path", ["/runs/none", "/runs/none/log", "/runs/none/events"])
async def test_an_unknown_run_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert (response.status_code, response.json()["type"]) == (404, "/docs#run_not_found")


@pytest.mark.parametrize(("limit", "status"), [("1", 200), ("200", 200), ("0", 422), ("x", 422)])
async def test_how_many_runs_are_listed(client: httpx.AsyncClient, limit: str, status: int) -> None:
    assert (await client.get("/runs", params={"limit": limit})).status_code == status
