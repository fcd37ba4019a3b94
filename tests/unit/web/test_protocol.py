"""What clients may make a worker hold, and for how long: on real sockets, under uvicorn."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from placar.web import protocol
from placar.web.admission import Admission
from placar.web.guard import Guard
from placar.web.metrics import Meters
from placar.web.protocol import GuardedHttp

pytestmark = pytest.mark.anyio

ROW = b"POST /predict HTTP/1.1\r\nHost: placar\r\nContent-Length: 2\r\n\r\n{}"
ALIVE = b"GET /health HTTP/1.1\r\nHost: placar\r\n\r\n"


@dataclass
class Worker:
    guard: Guard
    port: int
    started: int = 0
    release: asyncio.Event | None = None

    @property
    def connection(self) -> GuardedHttp:
        (only,) = self.guard.connections
        assert isinstance(only, GuardedHttp)
        return only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer each request with its path, once it was read and may go on."""
        self.started += 1
        if scope["path"] == "/refused":
            start = {"status": 401, "headers": [(b"content-length", b"0")]}
            await send({"type": "http.response.start", **start})
            await send({"type": "http.response.body"})
            return
        while (await receive()).get("more_body"):
            pass
        if self.release is not None and scope["path"] == "/predict":
            await self.release.wait()
        body = scope["path"].encode()
        if body == b"/large":
            body = b"x" * 30_000_000
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def working() -> AsyncIterator[Worker]:
    guard = Guard(Admission(10_000_000, Meters()), Meters(), Event())
    worker = Worker(guard, 0)
    config = Config(worker, log_config=None, ws="none")
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: GuardedHttp(guard, config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    worker.port = server.sockets[0].getsockname()[1]
    try:
        yield worker
    finally:
        server.close()
        for connection in tuple(guard.connections):
            connection.transport.abort()
        for task in tuple(state.tasks):
            task.cancel()
        await asyncio.sleep(0.05)


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self) -> tuple[int, bytes]:
        """Return the next answer's status and head, its body left out."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 5)
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await self.reader.readexactly(length)
        return int(head.split()[1]), head

    async def closed(self) -> bool:
        try:
            return await asyncio.wait_for(self.reader.read(), 2) == b""
        except (TimeoutError, ConnectionResetError) as error:
            return isinstance(error, ConnectionResetError)


@asynccontextmanager
async def connected(worker: Worker) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", worker.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


async def seconds_pass(worker: Worker, seconds: int) -> None:
    await asyncio.sleep(0.05)  # what was sent arrives
    for _ in range(seconds):
        worker.guard.look_around()


def full(worker: Worker, rows: int = 1000) -> None:
    worker.guard.admission.rows.waiting = rows


async def test_a_request_is_answered_as_without_the_guard() -> None:
    async with working() as worker, connected(worker) as client:
        client.send(ROW)
        assert (await client.answer())[0] == 200
        client.send(ROW + ALIVE)
        assert [(await client.answer())[0] for _ in range(2)] == [200, 200]
        assert worker.guard.admission.rows.waiting == 0


async def test_a_body_that_comes_later_is_waited_for() -> None:
    async with working() as worker, connected(worker) as client:
        for piece in (ROW[:20], ROW[20:-1], ROW[-1:]):
            client.send(piece)
            await asyncio.sleep(0.02)
        assert (await client.answer())[0] == 200
        assert worker.guard.admission.rows.waiting == 0


async def test_who_comes_to_a_full_line_is_refused_before_anything_starts() -> None:
    async with working() as worker, connected(worker) as client:
        full(worker)
        client.send(ROW)
        status, head = await client.answer()
        assert (status, worker.started) == (503, 0)
        assert b"retry-after: 1\r\n" in head
        assert float(head.split(b"dur=")[1].split(b"\r\n")[0]) < 10
        assert worker.guard.meters.requests["/predict", "POST", 503] == 1
        assert worker.guard.meters.shed["row"] == 1


async def test_health_is_answered_however_full_the_line_is() -> None:
    async with working() as worker, connected(worker) as client:
        full(worker)
        client.send(ALIVE)
        assert (await client.answer())[0] == 200


async def test_who_was_refused_is_not_read_from_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol, "HOLD_SECONDS", 0.3)
    async with working() as worker, connected(worker) as client:
        full(worker)
        client.send(ROW)
        assert (await client.answer())[0] == 503
        full(worker, rows=0)
        client.send(ALIVE)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(client.answer())), 0.15)
        await asyncio.sleep(0.3)
        assert worker.started == 1


async def test_what_waited_unread_is_refused_unless_the_worker_is_idle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol, "HOLD_SECONDS", 0.05)
    async with working() as worker, connected(worker) as client:
        rows = worker.guard.admission.rows
        for at_work, status in [(True, 503), (False, 200)]:
            rows._refused_at = -math.inf
            full(worker)
            client.send(ROW)
            assert (await client.answer())[0] == 503
            full(worker, rows=0)
            if at_work:
                rows.done(0.001)
            else:
                await asyncio.sleep(0.12)
                rows.refuse()
            client.send(ROW)
            assert (await client.answer())[0] == status


async def test_while_rows_are_refused_a_few_connections_are_served_in_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever has a place keeps it for a second; who stays away for a moment loses it."""
    async with working() as worker, AsyncExitStack() as stack:
        rows = worker.guard.admission.rows
        rows.seconds = 1.0
        assert rows.places == 2
        clients = [await stack.enter_async_context(connected(worker)) for _ in range(4)]
        rows.refuse()
        seen = []
        for client in (*clients, *clients[:2]):
            client.send(ROW)
            seen.append((await client.answer())[0])
        assert seen == [200, 200, 503, 503, 200, 200]
        await asyncio.sleep(0.06)
        another = await stack.enter_async_context(connected(worker))
        another.send(ROW)
        assert (await another.answer())[0] == 200


async def test_rows_in_the_line_start_in_turn_when_the_cpu_allows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with working() as worker, connected(worker) as one, connected(worker) as other:
        rests = [True, True, True, False]
        rows = worker.guard.admission.rows
        monkeypatch.setattr(
            type(rows), "resting", property(lambda _: rests.pop(0) if rests else False)
        )
        one.send(ROW)
        other.send(ROW)
        assert [(await client.answer())[0] for client in (one, other)] == [200, 200]
        assert rests == []
        assert rows.waiting == 0


async def test_a_client_that_leaves_leaves_the_line() -> None:
    async with working() as worker:
        worker.release = asyncio.Event()
        async with connected(worker) as client:
            client.send(ROW)
            await asyncio.sleep(0.05)
            assert worker.guard.admission.rows.waiting == 1
        await asyncio.sleep(0.05)
        assert worker.guard.admission.rows.waiting == 0
        worker.release.set()


async def test_a_head_without_an_end_is_refused() -> None:
    async with working() as worker, connected(worker) as client:
        client.send(b"GET / HTTP/1.1\r\nX-Long: " + b"x" * (protocol.LARGEST_HEAD + 1))
        status, head = await client.answer()
        assert (status, worker.started) == (431, 0)
        assert b"connection: close" in head
        assert await client.closed()


async def test_trailers_without_an_end_are_refused() -> None:
    async with working() as worker, connected(worker) as client:
        client.send(
            b"POST /x HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
        )
        client.send(b"".join(b"X-Trailer-%d: x\r\n" % number for number in range(10_000)))
        with suppress(ConnectionResetError):  # it was still sending
            assert (await client.answer())[0] == 431
        assert await client.closed()
        assert worker.guard.meters.requests["other", "POST", 431] == 1


async def test_a_body_in_chunks_of_one_byte_is_read() -> None:
    async with working() as worker, connected(worker) as client:
        client.send(b"POST /x HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send(b"1\r\nx\r\n" * 50_000 + b"0\r\n\r\n")
        assert (await client.answer())[0] == 200
        client.send(ROW)
        assert (await client.answer())[0] == 200


async def test_what_is_not_http_gets_a_problem() -> None:
    async with working() as worker, connected(worker) as client:
        client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n")
        status, head = await client.answer()
        assert status == 400
        assert b"application/problem+json" in head
        assert await client.closed()


async def test_a_head_that_takes_too_long_is_refused() -> None:
    async with working() as worker, connected(worker) as client:
        client.send(b"GET / HT")
        await seconds_pass(worker, protocol.HEAD_SECONDS)
        client.send(b"TP/1.1\r\nX")
        await seconds_pass(worker, 1)
        assert (await client.answer())[0] == 408
        assert await client.closed()


async def test_a_body_that_stalls_is_refused() -> None:
    async with working() as worker, connected(worker) as client:
        client.send(b"POST /predict HTTP/1.1\r\nHost: p\r\nContent-Length: 100\r\n\r\n{")
        await seconds_pass(worker, protocol.BODY_SECONDS)
        assert not await asyncio.sleep(0.05, result=client.reader.at_eof())
        await seconds_pass(worker, 1)
        assert (await client.answer())[0] == 408
        assert await client.closed()


async def test_a_body_that_keeps_coming_has_more_time() -> None:
    async with working() as worker, connected(worker) as client:
        size = 20 * protocol.BODY_RATE
        client.send(b"POST /x HTTP/1.1\r\nHost: p\r\nContent-Length: %d\r\n\r\n" % (size + 1))
        client.send(b"x" * size)
        await asyncio.sleep(0.2)
        await seconds_pass(worker, protocol.BODY_SECONDS + 19)
        client.send(b"x")
        assert (await client.answer())[0] == 200


async def test_a_stalled_body_does_not_hold_up_a_stop() -> None:
    async with working() as worker, connected(worker) as client:
        client.send(b"POST /predict HTTP/1.1\r\nHost: p\r\nContent-Length: 100\r\n\r\n{")
        worker.guard.stopping.set()
        await seconds_pass(worker, protocol.STOPPING_SECONDS + 1)
        assert (await client.answer())[0] == 408


async def test_a_body_that_still_comes_has_its_time_when_the_worker_is_replaced() -> None:
    async with working() as worker, connected(worker) as client:
        client.send(ROW[:-1])
        await asyncio.sleep(0.05)
        assert worker.guard.busy
        worker.guard.closing = True
        worker.guard.stopping.set()
        await seconds_pass(worker, protocol.STOPPING_SECONDS + 1)
        client.send(ROW[-1:])
        assert (await client.answer())[0] == 200
        assert not worker.guard.busy


async def test_an_answer_that_nobody_reads_is_given_up() -> None:
    async with working() as worker, connected(worker) as client:
        client.send(b"GET /large HTTP/1.1\r\nHost: p\r\n\r\n")
        await asyncio.sleep(0.2)
        await seconds_pass(worker, protocol.UNREAD_SECONDS)
        assert len(worker.guard.connections) == 1
        await seconds_pass(worker, 2)
        await asyncio.sleep(0.05)
        assert not worker.guard.connections


async def test_an_answer_that_is_read_slowly_is_not_given_up() -> None:
    async with working() as worker, connected(worker) as client:
        client.send(b"GET /large HTTP/1.1\r\nHost: p\r\n\r\n")
        for _ in range(3):
            await asyncio.sleep(0.05)
            await seconds_pass(worker, protocol.UNREAD_SECONDS - 1)
            await client.reader.readexactly(4_000_000)
        assert len(worker.guard.connections) == 1


async def test_a_connection_without_a_byte_is_closed_in_the_end() -> None:
    async with working() as worker, connected(worker) as client:
        await seconds_pass(worker, protocol.SILENT_SECONDS)
        assert len(worker.guard.connections) == 1
        await seconds_pass(worker, 1)
        assert await client.closed()


async def test_connections_have_an_end() -> None:
    async with working() as worker:
        worker.guard.most_connections = 1
        worker.release = asyncio.Event()
        async with connected(worker) as one:
            one.send(ROW)
            await asyncio.sleep(0.05)
            async with connected(worker) as other:
                status, head = await other.answer()
                assert status == 503
                assert b"retry-after" in head
                assert await other.closed()
            worker.release.set()
            assert (await one.answer())[0] == 200


async def test_silent_connections_make_room_for_those_who_ask() -> None:
    """First those that never said anything."""
    async with working() as worker:
        worker.guard.most_connections = 2
        async with connected(worker) as used, connected(worker) as silent:
            used.send(ROW)
            assert (await used.answer())[0] == 200
            async with connected(worker) as third, connected(worker) as fourth:
                assert await silent.closed()
                fourth.send(ALIVE)
                assert (await fourth.answer())[0] == 200
                assert await third.closed()
                used.send(ROW)
                assert (await used.answer())[0] == 200


async def test_connections_are_closed_after_their_answer_before_the_worker_is_replaced() -> None:
    async with working() as worker, connected(worker) as client:
        client.send(ROW)
        assert b"connection: close" not in (await client.answer())[1]
        worker.guard.closing = True
        client.send(ROW)
        assert b"connection: close" in (await client.answer())[1]
        assert await client.closed()


async def test_an_upgrade_is_answered_as_a_request(tmp_path: Path) -> None:
    async with working() as worker, connected(worker) as client:
        client.send(
            b"GET /health HTTP/1.1\r\nHost: p\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        assert (await client.answer())[0] == 200


async def test_an_answer_that_nobody_reads_is_given_up_while_its_connection_closes_too() -> None:
    async with working() as worker, connected(worker) as client:
        client.send(b"GET /large HTTP/1.1\r\nHost: p\r\nConnection: close\r\n\r\n")
        await asyncio.sleep(0.2)
        await seconds_pass(worker, protocol.UNREAD_SECONDS)
        assert len(worker.guard.connections) == 1
        await seconds_pass(worker, 2)
        await asyncio.sleep(0.05)
        assert not worker.guard.connections


async def test_time_between_requests_does_not_count_for_the_next_head() -> None:
    async with working() as worker, connected(worker) as client:
        client.send(ROW)
        assert (await client.answer())[0] == 200
        await seconds_pass(worker, 5 * protocol.HEAD_SECONDS)
        client.send(ROW[:20])
        await seconds_pass(worker, 1)
        client.send(ROW[20:])
        assert (await client.answer())[0] == 200


async def test_time_in_which_a_body_is_not_read_does_not_count() -> None:
    async with working() as worker, connected(worker) as client:
        client.send(ROW[:-1])
        await asyncio.sleep(0.05)
        connection = worker.connection
        connection.flow.pause_reading()
        await seconds_pass(worker, 2 * protocol.BODY_SECONDS)
        connection.flow.resume_reading()
        await seconds_pass(worker, 1)
        client.send(ROW[-1:])
        assert (await client.answer())[0] == 200


async def test_requests_sent_ahead_are_answered_in_turn() -> None:
    async with working() as worker, connected(worker) as client:
        client.send(ROW * protocol.MOST_AHEAD)
        for _ in range(protocol.MOST_AHEAD):
            assert (await client.answer())[0] == 200
        assert worker.guard.admission.rows.waiting == 0


async def test_requests_sent_ahead_have_an_end() -> None:
    async with working() as worker, connected(worker) as client:
        client.send(ALIVE * 5_000)
        with suppress(ConnectionResetError):  # it was still sending
            assert (await client.answer())[0] == 503
        assert await client.closed()
        assert worker.started <= 1


async def test_a_refusal_says_when_its_connection_closes() -> None:
    async with working() as worker, connected(worker) as one, connected(worker) as other:
        full(worker)
        one.send(ROW.replace(b"Host", b"Connection: close\r\nHost"))
        assert b"\r\nconnection: close\r\n" in (await one.answer())[1]
        worker.guard.closing = True
        other.send(ROW)
        assert b"\r\nconnection: close\r\n" in (await other.answer())[1]
        assert await other.closed()


async def test_what_came_while_the_loop_stood_still_is_read_before_a_connection_is_closed() -> None:
    """Uvloop looks at its timers before it looks at its sockets."""
    async with working() as worker, connected(worker) as client:
        client.send(ROW)
        assert (await client.answer())[0] == 200
        connection = worker.connection
        client.send(ROW)  # the kernel has it at once
        connection.timeout_keep_alive_handler()
        assert (await client.answer())[0] == 200
        connection.timeout_keep_alive_handler()
        assert await client.closed()


async def test_the_request_that_is_answered_hears_of_a_hang_up_and_not_the_last_that_was_sent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with working() as worker:
        worker.release = asyncio.Event()
        async with connected(worker) as client:
            client.send(ROW + ALIVE)
            await asyncio.sleep(0.05)
            connection = worker.connection
            first = connection.running
        await asyncio.sleep(0.05)
        assert first is not None
        assert first.disconnected
        worker.release.set()
        await asyncio.sleep(0.05)
    assert caplog.text == ""


async def test_a_wish_to_speak_http_2_does_not_lose_the_body() -> None:
    """Java's client has it in every request, and so does curl --http2."""
    wish = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n"
    async with working() as worker, connected(worker) as client:
        for _ in range(2):
            client.send(ROW.replace(b"Host:", wish + b"Host:"))
            assert (await client.answer())[0] == 200
        assert worker.started == 2


async def test_a_body_that_goes_on_after_its_answer_is_cut_off() -> None:
    async with working() as worker, connected(worker) as client:
        full(worker)
        worker.guard.meters.requests.clear()
        client.send(b"POST /refused HTTP/1.1\r\nHost: p\r\nContent-Length: 100\r\n\r\n{")
        assert (await client.answer())[0] == 401
        await seconds_pass(worker, protocol.ANSWERED_SECONDS)
        assert len(worker.guard.connections) == 1
        client.send(b"}")
        await seconds_pass(worker, 1)
        assert await client.closed()
