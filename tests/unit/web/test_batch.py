"""Many rows over HTTP: good ones are scored, bad ones reported in their place."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import httpx
import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message

from factories import a_row
from placar.web.routes.batch import PredictBatch
from web_scenes import Service, add_version, running, settings_of

pytestmark = pytest.mark.anyio


async def test_each_row_gets_the_answer_that_it_gets_alone(client: httpx.AsyncClient) -> None:
    rows = [a_row(income=income) for income in (None, 0, 1, 999)]
    batch = (await client.post("/predict/batch", json={"rows": rows})).json()
    assert (batch["scored"], batch["rejected"], batch["model"]) == (4, 0, "loans")
    for row, entry in zip(rows, batch["predictions"], strict=True):
        alone = (await client.post("/predict", json=row)).json()
        assert entry["probability"] == pytest.approx(alone["probability"], abs=1e-9)
        same = ("prediction", "score", "band", "warnings")
        assert [entry.get(name) for name in same] == [alone.get(name) for name in same]


async def test_bad_rows_are_reported_in_their_place(client: httpx.AsyncClient) -> None:
    rows = [a_row(), {}, [], a_row(income="secret"), a_row(home="castle")]
    response = await client.post("/predict/batch", json={"rows": rows})
    batch = response.json()
    assert (response.status_code, batch["scored"], batch["rejected"]) == (200, 2, 3)
    pointers = [
        [error["pointer"] for error in entry.get("errors", ())] for entry in batch["predictions"]
    ]
    assert pointers == [
        [],
        ["/rows/1/home", "/rows/1/married"],
        ["/rows/2"],
        ["/rows/3/income"],
        [],
    ]
    assert batch["predictions"][4]["warnings"][0]["pointer"] == "/rows/4/home"
    assert "secret" not in response.text
    assert "castle" not in response.text


async def test_a_row_of_megabytes_is_bad_alone(client: httpx.AsyncClient) -> None:
    rows = [a_row(), a_row(home="x" * 2**20), a_row()]
    batch = (await client.post("/predict/batch", json={"rows": rows})).json()
    assert (batch["scored"], batch["rejected"]) == (2, 1)
    assert batch["predictions"][1]["errors"][0]["code"] == "body_too_large"


async def test_reasons_come_for_each_row(client: httpx.AsyncClient) -> None:
    rows = [a_row(income=0), {}, a_row(income=900)]
    batch = (await client.post("/predict/batch?reasons=1", json={"rows": rows})).json()
    codes = [
        [reason["code"] for reason in entry.get("reasons", ())] for entry in batch["predictions"]
    ]
    assert codes == [["INCOME_UP"], [], ["INCOME_DOWN"]]


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1200])
async def test_slices_leave_no_seam(client: httpx.AsyncClient, count: int) -> None:
    rows = [a_row(income=number) if number % 7 else {} for number in range(count)]
    batch = (await client.post("/predict/batch", json={"rows": rows})).json()
    bad = [number for number, entry in enumerate(batch["predictions"]) if "errors" in entry]
    assert bad == list(range(0, count, 7))
    assert (batch["scored"], batch["rejected"]) == (count - len(bad), len(bad))
    ids = {entry.get("prediction_id") for entry in batch["predictions"]} - {None}
    assert len(ids) == batch["scored"]


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"rows": 1}', '{"rows": [}', '{"row": []}'])
async def test_what_holds_no_rows_is_refused(client: httpx.AsyncClient, body: str) -> None:
    assert (await client.post("/predict/batch", content=body)).status_code == 400


async def test_too_many_rows_and_bytes_are_refused(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, max_rows=2, max_body=1000)
    add_version(settings, seed=0)
    async with running(settings) as service:
        for rows, status, limit in [(2, 200, None), (3, 413, 2), (100, 413, 1000)]:
            response = await service.client.post("/predict/batch", json={"rows": [a_row()] * rows})
            assert (response.status_code, response.json().get("limit")) == (status, limit)


async def test_the_loop_stays_free_while_a_batch_is_scored(client: httpx.AsyncClient) -> None:
    content = json.dumps({"rows": [a_row()] * 20_000})
    batch = asyncio.create_task(client.post("/predict/batch", content=content))
    slowest = 0.0
    looks = 0
    while not batch.done():
        began = time.perf_counter()
        assert (await client.get("/health")).status_code == 200
        slowest = max(slowest, time.perf_counter() - began)
        looks += 1
        await asyncio.sleep(0.005)
    assert batch.result().json()["scored"] == 20_000
    assert looks > 5
    assert slowest < 0.25  # 50 ms on a quiet machine


async def test_a_batch_is_scored_by_one_version(service: Service) -> None:
    state = service.state
    content = json.dumps({"rows": [a_row()] * 3000})
    batch = asyncio.create_task(service.client.post("/predict/batch", content=content))
    await asyncio.sleep(0.01)
    add_version(state.settings, seed=1)
    state.keeper.refresh(state.services)
    answer = (await batch).json()
    assert len({entry["probability"] for entry in answer["predictions"]}) == 1


async def test_a_mistake_made_in_every_row_is_told_in_full_only_so_often(
    client: httpx.AsyncClient,
) -> None:
    batch = (await client.post("/predict/batch", json={"rows": [{}] * 3000})).json()
    told = [len(entry["errors"]) for entry in batch["predictions"]]
    assert (batch["rejected"], told[0], told[-1]) == (3000, 2, 1)


async def test_warnings_are_counted_and_told_only_so_often(client: httpx.AsyncClient) -> None:
    rows = [a_row(income="300")] * 3000
    batch = (await client.post("/predict/batch", json={"rows": rows})).json()
    assert batch["warnings"] == {"coerced": 3000}
    assert "warnings" in batch["predictions"][0]
    assert "warnings" not in batch["predictions"][-1]


@pytest.mark.parametrize("name", ["loans", "loans/versions/{version}"])
async def test_a_model_and_a_version_take_batches_by_name(
    client: httpx.AsyncClient, name: str
) -> None:
    version = (await client.post("/predict", json=a_row())).json()["version"]
    address = f"/models/{name.format(version=version)}/predict/batch"
    batch = (await client.post(address, json={"rows": [a_row()]})).json()
    assert (batch["scored"], batch["version"]) == (1, version)


async def test_a_client_that_hung_up_is_not_worked_for(service: Service) -> None:
    body = json.dumps({"rows": [a_row()] * 5000}).encode()
    sent: list[Message] = []
    incoming: list[Message] = [
        {"type": "http.request", "body": body, "more_body": False},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return incoming.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    batch = PredictBatch(service.state)
    with pytest.raises(ClientDisconnect):
        await batch({"headers": [], "query_string": b"", "path_params": {}}, receive, send)
    assert sent == []
