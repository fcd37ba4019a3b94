"""An open-loop stream of requests: sent at their times, whatever became of those before.

    stream.py PLAN

A request whose time has come goes out on a connection that is free, and its latency counts from
that time, not from when this program got to it. When no connection is free it is not sent and
counted as such: it is not kept for later, which would add our own queue to the service's. With
``rate`` 0 the loop is closed: each connection sends its next request when it got its answer.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections import deque
from pathlib import Path
from typing import cast

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import msgspec  # noqa: E402 - the path comes first
import uvloop  # noqa: E402
from material import JSON_HEADERS  # noqa: E402
from wire import HOST, post  # noqa: E402

_TICK = 0.001
_AWAY = 2.0
"""Seconds after which an answer that is still due is given up."""


class StreamPlan(msgspec.Struct, kw_only=True):
    """A stream."""

    port: int
    seconds: float
    rows: str
    out: str
    connections: int
    rate: float = 0.0
    """Requests a second; 0 for a closed loop."""
    warm: float = 1.0
    """Seconds at the beginning that do not count."""


class StreamSeen(msgspec.Struct, kw_only=True):
    """What came back."""

    seconds: float
    """That counted."""
    accepted: list[float] = []
    """Seconds of each 200."""
    refused: list[float] = []
    """Seconds of each deliberate refusal."""
    server: list[float] = []
    """Seconds that the service says a refusal took it, where it says so (``Server-Timing``)."""
    due: int = 0
    """Requests whose time came."""
    no_connection: int = 0
    """Of these, not sent for want of a free connection."""
    bad_status: int = 0
    broken: int = 0
    """Connections that ended with an answer due."""
    unanswered: int = 0
    """Still due at the end."""
    late: list[float] = []
    """Seconds from when each request was due to when it was sent: our own part of its latency."""


class Stream:
    """All connections, and which of them are free."""

    def __init__(self, plan: StreamPlan) -> None:
        rows = Path(plan.rows).read_bytes().split(b"\n")
        self.plan = plan
        self.messages = [post("/predict", row, JSON_HEADERS) for row in rows]
        self.seen = StreamSeen(seconds=plan.seconds - plan.warm)
        self.free: deque[Pipe] = deque()
        self.busy = 0
        self.counting = False
        self.over = False
        self._next = 0

    def message(self) -> bytes:
        """Return the next request."""
        self._next = (self._next + 1) % len(self.messages)
        return self.messages[self._next]

    async def run(self) -> StreamSeen:
        """Connect, send, and wait a little for what is still due."""
        loop = asyncio.get_running_loop()
        for _ in range(self.plan.connections):
            await loop.create_connection(lambda: Pipe(self), HOST, self.plan.port)
        loop.call_later(self.plan.warm, self._begin_to_count)
        if self.plan.rate:
            await self._paced()
        else:
            while self.free:
                self.free.popleft().send(time.perf_counter())
            await asyncio.sleep(self.plan.seconds)
        self.over = True
        for _ in range(int(_AWAY / _TICK)):
            if not self.busy:
                break
            await asyncio.sleep(_TICK)
        self.seen.unanswered = self.busy
        return self.seen

    def _begin_to_count(self) -> None:
        self.counting = True

    async def _paced(self) -> None:
        rate, begin = self.plan.rate, time.perf_counter()
        sent, planned = 0, int(rate * self.plan.seconds)
        while sent < planned:
            ready = min(planned, int((time.perf_counter() - begin) * rate) + 1)
            for number in range(sent, ready):
                self._send(begin + number / rate)
            sent = ready
            await asyncio.sleep(_TICK)

    def _send(self, due: float) -> None:
        self.seen.due += self.counting
        if self.free:
            self.free.popleft().send(due)
        else:
            self.seen.no_connection += self.counting


class Pipe(asyncio.Protocol):
    """One connection: as little as can be between a request and its answer."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._transport: asyncio.Transport | None = None
        self._due = 0.0
        self._busy = self._counted = False
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._stream.free.append(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the shape
        if self._busy:
            self._busy = False
            self._stream.busy -= 1
            self._stream.seen.broken += 1
        if self in self._stream.free:
            self._stream.free.remove(self)
        if not self._stream.over:
            self._again = asyncio.ensure_future(self._connect_again())

    async def _connect_again(self) -> None:
        loop, stream = asyncio.get_running_loop(), self._stream
        try:
            await loop.create_connection(lambda: Pipe(stream), HOST, stream.plan.port)
        except OSError:
            stream.seen.broken += 1

    def send(self, due: float) -> None:
        """Send the next request, which was due then."""
        stream = self._stream
        self._due, self._busy, self._counted = due, True, stream.counting
        stream.busy += 1
        if stream.counting:
            stream.seen.late.append(time.perf_counter() - due)
        cast(asyncio.Transport, self._transport).write(stream.message())

    def data_received(self, data: bytes) -> None:
        got = self._got + data if self._got else data
        end = got.find(b"\r\n\r\n")
        if end < 0 or len(got) < end + 4 + _length(got, end):
            self._got = got
            return
        self._got = b""
        self._busy = False
        stream = self._stream
        stream.busy -= 1
        if self._counted:
            self._note(got[: end + 2], time.perf_counter() - self._due)
        if stream.plan.rate or stream.over:
            stream.free.append(self)
        else:
            self.send(time.perf_counter())

    def _note(self, lines: bytes, seconds: float) -> None:
        seen, status = self._stream.seen, lines[9:12]
        if status == b"200":
            seen.accepted.append(seconds)
        elif status in (b"503", b"429") and b"retry-after:" in lines.lower():
            seen.refused.append(seconds)
            took = _server_time(lines.lower())
            if took is not None:
                seen.server.append(took)
        else:
            seen.bad_status += 1


def _length(got: bytes, end: int) -> int:
    at = got.find(b"ontent-", 0, end)
    while at >= 0 and got[at + 7 : at + 14].lower() != b"length:":
        at = got.find(b"ontent-", at + 7, end)
    return int(got[at + 14 : got.index(b"\r", at)]) if at >= 0 else 0


def _server_time(lines: bytes) -> float | None:
    """Return the seconds in ``Server-Timing: …;dur=MILLISECONDS``, if there are any."""
    at = lines.find(b"server-timing:")
    at = lines.find(b"dur=", at) if at >= 0 else -1
    if at < 0:
        return None
    digits = lines[at + 4 : lines.index(b"\r", at)].split(b",")[0].split(b";")[0]
    return float(digits) / 1e3


def main() -> int:
    """Read the plan, stream, write what was seen."""
    plan = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=StreamPlan)
    gc.disable()  # a pause of ours would be told as the service's
    seen = uvloop.run(Stream(plan).run())
    Path(plan.out).write_bytes(msgspec.json.encode(seen))
    return 0


if __name__ == "__main__":
    sys.exit(main())
