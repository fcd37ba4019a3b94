"""What a worker takes on, what it leaves out under pressure, and whom it refuses."""

from __future__ import annotations

import asyncio
import json
import time
from threading import Event
from types import SimpleNamespace

import httpx
import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message

from factories import a_row
from placar.box.sizing import BODY_OVERHEAD
from placar.errors import BodyTooLarge, DeadlineUnmet, Overloaded
from placar.web import admission as admission_module
from placar.web.admission import Admission, deadline_of
from placar.web.bodies import Bodies
from placar.web.metrics import Meters
from placar.web.routes import predict
from placar.web.routes.batch import PredictBatch
from placar.web.routes.predict import PredictRow
from web_scenes import Service

pytestmark = pytest.mark.anyio


def test_bodies_fill_the_room_together_and_leave_it() -> None:
    bodies = Bodies(int(100 * BODY_OVERHEAD))
    with bodies.hold() as one, bodies.hold() as other:
        one.grow(60)
        other.grow(40)
        with pytest.raises(Overloaded) as refused:
            other.grow(1)
        assert refused.value.fields["retry_after"] == 2
    assert bodies.held == 0


def test_a_body_that_never_fits_is_too_large_however_empty_the_room_is() -> None:
    bodies = Bodies(int(100 * BODY_OVERHEAD))
    with bodies.hold() as hold:
        hold.grow(60)
        with pytest.raises(BodyTooLarge) as refused:
            hold.grow(60)
    assert refused.value.fields["limit"] == bodies.largest == 100


def busy(service: Service, seconds: float) -> None:
    """Have single rows wait for so long."""
    rows = service.state.admission.rows
    rows.seconds = 0.001
    rows.waiting = int(seconds / 0.001)


async def test_an_overloaded_worker_refuses_a_row_and_says_when_to_come_back(
    service: Service,
) -> None:
    busy(service, 0.2)
    answer = await service.client.post("/predict", json=a_row())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["type"] == "/docs#overloaded"
    assert service.state.meters.shed["row"] == 1


async def test_under_pressure_reasons_go_first_then_batches_then_rows(service: Service) -> None:
    client = service.client
    content = {"rows": [a_row()]}
    for wait, row, has_reasons, batch in [
        (0.012, 200, True, 200),
        (0.018, 200, False, 200),
        (0.027, 200, False, 503),
        (0.036, 503, False, 503),
    ]:
        busy(service, wait)
        service.state.admission.rows._refused_at = -1e9
        answer = await client.post("/predict?reasons=2", json=a_row())
        assert answer.status_code == row
        assert ("reasons" in answer.json()) is has_reasons
        shed = answer.headers.get("placar-shed")
        assert shed == ("reasons" if row == 200 and not has_reasons else None)
        many = await client.post("/predict/batch?reasons=1", json=content)
        assert many.status_code == batch
        assert (await client.get("/health")).status_code == 200
    text = (await client.get("/metrics")).text
    assert 'placar_shed_total{what="batch"} 2.0' in text


async def test_a_batch_without_its_reasons_says_so(service: Service) -> None:
    busy(service, 0.018)
    answer = await service.client.post("/predict/batch?reasons=1", json={"rows": [a_row()]})
    assert answer.headers["placar-shed"] == "reasons"
    assert "reasons" not in answer.json()["predictions"][0]


async def test_a_box_that_is_nearly_full_takes_no_batches(service: Service) -> None:
    service.state.admission.box_use = 0.95
    answer = await service.client.post("/predict/batch", json={"rows": [a_row()]})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert (await service.client.post("/predict", json=a_row())).status_code == 200


async def test_batches_wait_for_batches_only_so_long(service: Service) -> None:
    batches = service.state.admission.batches
    batches.seconds = 0.001
    batches.begin(30_000)
    answer = await service.client.post("/predict/batch", json={"rows": [a_row()]})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    batches.drop(30_000)
    answer = await service.client.post("/predict/batch", json={"rows": [a_row()]})
    assert answer.status_code == 200
    assert batches.ahead == 0


async def test_a_deadline_that_cannot_be_met_is_refused_before_the_work_begins(
    client: httpx.AsyncClient, service: Service
) -> None:
    service.state.admission.rows.seconds = service.state.admission.batches.seconds = 0.2
    for path, content in [("/predict", a_row()), ("/predict/batch", {"rows": [a_row()]})]:
        for wanted, status in [("0.05", 503), ("5", 200)]:
            headers = {"X-Request-Timeout": wanted}
            answer = await client.post(path, json=content, headers=headers)
            assert answer.status_code == status
        assert (await client.post(path, json=content)).status_code == 200
        service.state.admission.rows.seconds = service.state.admission.batches.seconds = 0.2


@pytest.mark.parametrize("given", ["soon", "0", "-1", "nan", "inf", "1e9", ""])
async def test_a_deadline_must_be_a_number_of_seconds(
    client: httpx.AsyncClient, given: str
) -> None:
    headers = {"X-Request-Timeout": given}
    answer = await client.post("/predict", json=a_row(), headers=headers)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "X-Request-Timeout"


def test_time_spent_before_the_application_counts() -> None:
    scope = {"headers": [(b"x-request-timeout", b"2")], "placar.arrived": time.monotonic() - 3}
    deadline = deadline_of(scope)
    with pytest.raises(DeadlineUnmet):
        Admission(1000, Meters()).take_row(deadline)


async def test_a_batch_is_ended_when_its_caller_has_stopped_waiting(service: Service) -> None:
    """The connection closes then: what is missing was not answered."""
    body = json.dumps({"rows": [a_row()] * 20_000}).encode()
    admission = service.state.admission
    admission.batches.seconds = 1e-9
    incoming: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[Message] = []

    async def receive() -> Message:
        return incoming.pop(0) if incoming else await asyncio.Future()

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"x-request-timeout", b"0.1")]
    scope = {"headers": headers, "query_string": b"", "path_params": {}}
    with pytest.raises(ClientDisconnect):
        await PredictBatch(service.state)(scope, receive, send)
    assert all(message.get("more_body") for message in sent[1:])
    assert admission.batches.ahead == 0
    assert admission.bodies.held == 0


async def test_single_rows_go_before_a_batch_that_was_taken(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But not for ever."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(admission_module, "asyncio", SimpleNamespace(sleep=sleep))
    for wait, expected in [(0.02, 4), (0.0, 0)]:
        pauses.clear()
        busy(service, wait)
        await service.state.admission.give_way()
        assert len([pause for pause in pauses if pause]) == expected


async def test_a_large_body_holds_its_memory_until_it_is_answered(service: Service) -> None:
    bodies = service.state.admission.bodies
    bodies.room = 4_000_000
    started, go_on = asyncio.Event(), asyncio.Event()
    body = json.dumps({"rows": [a_row()] * 20_000}).encode()

    async def slowly() -> object:
        yield body[:1000]
        started.set()
        await go_on.wait()
        yield body[1000:]

    headers = {"Content-Length": str(len(body))}
    batch = asyncio.create_task(
        service.client.post("/predict/batch", content=slowly(), headers=headers)  # type: ignore[arg-type]
    )
    await started.wait()
    await asyncio.sleep(0.01)
    assert 1000 < bodies.held <= 1024**2 * BODY_OVERHEAD, "as much as came, not as was announced"
    go_on.set()
    assert (await batch).json()["scored"] == 20_000
    assert bodies.held == 0


async def test_callers_with_deadlines_are_answered_again_after_the_worker_was_frozen(
    service: Service,
) -> None:
    rows = service.state.admission.rows
    rows.seconds = 5.0
    hurry = {"X-Request-Timeout": "0.2"}
    statuses = []
    for _ in range(60):
        answer = await service.client.post("/predict", json=a_row(), headers=hurry)
        statuses.append(answer.status_code)
    assert (statuses[0], statuses[-1]) == (503, 200)


async def test_a_client_that_does_not_read_makes_no_row_seem_slow(service: Service) -> None:
    rows = service.state.admission.rows
    before = rows.seconds
    body = json.dumps(a_row()).encode()

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        del message
        await asyncio.sleep(0.1)

    scope = {"headers": [], "query_string": b"", "path_params": {}}
    await PredictRow(service.state)(scope, receive, send)
    assert rows.seconds < before + 0.002


async def test_an_answer_that_is_kept_until_its_end_takes_room_too(service: Service) -> None:
    """With reasons it may be a hundred times as long as its request."""
    admission = service.state.admission
    admission.bodies.room = 400_000
    body = json.dumps({"rows": [a_row()] * 3_000}).encode()
    incoming: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[Message] = []

    async def receive() -> Message:
        return incoming.pop(0) if incoming else await asyncio.Future()

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"headers": [], "query_string": b"", "path_params": {}, "http_version": "1.0"}
    with pytest.raises(BodyTooLarge):
        await PredictBatch(service.state)(scope, receive, send)
    assert sent == []
    assert (admission.batches.ahead, admission.bodies.held) == (0, 0)


async def test_a_batch_whose_time_is_over_before_anything_was_answered_is_refused(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def late(self: Admission) -> None:
        del self
        await asyncio.sleep(0.11)

    monkeypatch.setattr(Admission, "give_way", late)
    hurry = {"X-Request-Timeout": "0.1"}
    answer = await service.client.post("/predict/batch", json={"rows": [a_row()]}, headers=hurry)
    assert (answer.status_code, answer.json()["type"]) == (503, "/docs#deadline_unmet")


async def test_a_row_that_waited_too_long_for_the_pool_is_not_scored(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large rows, and those with many reasons, take their turn in it."""
    monkeypatch.setattr(predict, "_LARGEST_INLINE", 0)
    release = Event()
    waiting = [asyncio.create_task(service.state.compute(release.wait)) for _ in range(2)]
    await asyncio.sleep(0)
    headers = {"X-Request-Timeout": "0.1"}
    asked = asyncio.create_task(service.client.post("/predict", json=a_row(), headers=headers))
    await asyncio.sleep(0.15)
    release.set()
    assert (await asked).json()["type"] == "/docs#deadline_unmet"
    await asyncio.gather(*waiting)
