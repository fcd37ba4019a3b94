"""Uvicorn's HTTP/1.1, with bounds on what clients may make a worker hold, and for how long.

``lifespan.py`` gives it to whichever uvicorn runs the application. It adds to the protocol:

- a limit on heads (431), on the time that heads and bodies take to arrive (408), on the time that
  a client takes to read its answer, and on connections;
- a line of single rows that wait: whoever would wait too long is refused here, before anything
  is made for the request, since refusing ten times what one can do must cost next to nothing;
- closing connections after their next answer, before the worker is replaced.

One pass a second looks at all connections; no request has a timer of its own.
"""

from __future__ import annotations

import logging
import math
import random
import re
import time
from asyncio import Transport
from http import HTTPStatus
from typing import Any, Final, cast

from starlette.types import Scope
from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from placar.errors import HeadTooLarge, MalformedRequest, Overloaded, PlacarError, RequestTooSlow
from placar.web.address import UNMATCHED
from placar.web.admission import ARRIVED
from placar.web.guard import Guard
from placar.web.problems import raw_problem, status_of

_log = logging.getLogger(__name__)

LARGEST_HEAD: Final = 64 * 1024
"""Bytes of a request's line and headers."""
_CHUNK_LINE = 8
"""Bytes around each byte of a body at most, where it comes in chunks of one."""
HEAD_SECONDS: Final = 10
"""That a head may take to arrive, once it has begun."""
BODY_SECONDS: Final = 15
"""That a body may take to arrive, and …"""
BODY_RATE: Final = 16 * 1024
"""… one second more for so many bytes that did."""
ANSWERED_SECONDS: Final = 2
"""That a body may go on after its request was answered, which then needs no more of it."""
STOPPING_SECONDS: Final = 5
"""That a body may take while the server stops."""
_LAST_LOOK_SECONDS = 0.02
SILENT_SECONDS: Final = 60
"""That a connection may last without a single byte."""
UNREAD_SECONDS: Final = 30
"""That a client may leave an answer unread."""

HOLD_SECONDS: Final = 1.0
"""That a connection is not read from after a refusal; ``Retry-After`` says as much or more."""
_STALE_SECONDS = 0.05
"""After that, in which what comes was probably sent long before."""

MOST_AHEAD: Final = 64
"""Requests that a client may send before the answer to its first. Each takes kilobytes at once,
while twenty bytes are enough to send one."""

_UPGRADE = re.compile(rb"\r\nupgrade:[^\r\n]*+(?!\r\n[ \t])", re.IGNORECASE)

_ROW = "/predict"
"""How the paths end that single rows are sent to."""


class _TooFarAheadError(Exception):
    """Ends the reading of what came in one piece."""


class GuardedHttp(HttpToolsProtocol):
    """One connection."""

    def __init__(self, guard: Guard, **given: Any) -> None:
        """Take uvicorn's arguments as they are."""
        super().__init__(**given)
        self.ws_protocol_class = None  # there is nothing here to upgrade to
        self._guard = guard
        self._message_bytes = 0
        self._body_bytes = 0
        self.in_body = False
        """A body is coming."""
        self.running: RequestResponseCycle | None = None
        """The request that is answered first; more may wait behind it."""
        self.used = False
        """A whole head has come."""
        self._seconds = 0
        """How long what is awaited has been on its way, in whole seconds."""
        self._unread = 0
        self._unread_seconds = 0
        self._feeding = False
        self._unstarted: tuple[RequestResponseCycle, Any] | None = None
        self._waits = False
        """A single row of this connection is in the line."""
        self._stale_until = 0.0
        """What is read before had to wait, on the monotonic clock."""

    @property
    def idle(self) -> bool:
        """Nothing is being read, done or sent."""
        answering = self.running is not None and not self.running.response_complete
        coming = self.in_body or self._message_bytes
        leaving = self.transport.is_closing() or self.transport.get_write_buffer_size()
        return not (answering or coming or leaving)

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Take the connection, or refuse it when there are too many."""
        super().connection_made(transport)
        connections = self._guard.connections
        connections[self] = None
        if len(connections) > self._guard.most_connections and not self._guard.make_room(self):
            self._give_up(Overloaded("Too many connections are open.", retry_after=1))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection and whatever it waited for."""
        self._guard.connections.pop(self, None)
        self._leave_line()
        if self.running is not None and not self.running.response_complete:
            # Uvicorn tells the last that came, which may wait behind this one.
            self.running.disconnected = True
            self.running.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, and start the request that became known by it."""
        if not self._message_bytes and _UPGRADE.search(data):
            data = _without_upgrade(data)
        self._message_bytes += len(data)
        self._feeding = True
        try:
            super().data_received(data)
        finally:
            self._feeding = False
        # Trailers come after the body; the lines between the chunks of a body are no headers.
        head = self._message_bytes - self._body_bytes
        if head > LARGEST_HEAD + _CHUNK_LINE * self._body_bytes:
            self._give_up(HeadTooLarge(f"The headers are larger than {LARGEST_HEAD} bytes."))
        if self._unstarted is not None:
            self._start_or_refuse()

    def on_message_begin(self) -> None:
        """Note when the request arrived; there is an end to sending ahead."""
        if len(self.pipeline) >= MOST_AHEAD:
            self._give_up(Overloaded("Too many requests were sent ahead.", retry_after=1))
            raise _TooFarAheadError  # nothing else stops the parser
        super().on_message_begin()
        self._seconds = 0
        cast("Scope", self.scope)[ARRIVED] = time.monotonic()

    def on_headers_complete(self) -> None:
        """Go on to the body."""
        self.in_body = self.used = True
        self._seconds = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Count the body."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Go on to the next head; a row whose body came late enters the line now."""
        self.in_body = False
        self._seconds = self._message_bytes = self._body_bytes = 0
        super().on_message_complete()
        if self._unstarted is None and not self.pipeline and not self.cycle.response_complete:
            self._enter_line(self.cycle)

    def on_response_complete(self) -> None:
        """Leave the line."""
        self._leave_line()
        super().on_response_complete()

    def timeout_keep_alive_handler(self) -> None:
        """Close, unless something came while the loop stood still: timers run before sockets."""
        close = super().timeout_keep_alive_handler
        self.timeout_keep_alive_task = self.loop.call_later(_LAST_LOOK_SECONDS, close)

    def send_400_response(self, msg: str) -> None:
        """Say that this is not HTTP, in a problem document."""
        del msg
        self._give_up(MalformedRequest())

    def look(self) -> None:
        """End this connection if what it does takes too long. Called once a second."""
        if self.flow.write_paused or self.transport.is_closing():
            self._look_at_reader()  # closing takes as long as somebody reads
            return
        self._unread_seconds = 0
        if self.flow.read_paused:
            return  # nothing can arrive
        self._seconds += 1
        if self.in_body:
            if self.cycle.response_complete:  # it was refused; the client may still read why
                if self._seconds > ANSWERED_SECONDS:
                    self.transport.close()
            elif self._seconds > self._body_seconds():
                self._give_up(RequestTooSlow("The body did not arrive in time."))
        elif self._message_bytes and self._seconds > HEAD_SECONDS:
            self._give_up(RequestTooSlow("The headers did not arrive in time."))
        elif not self.used and self._seconds > SILENT_SECONDS:
            self.transport.close()

    def _body_seconds(self) -> float:
        # Who replaces a worker waits; who stops a server does not.
        if self._guard.stopping.is_set() and not self._guard.closing:
            return STOPPING_SECONDS
        return BODY_SECONDS + self._body_bytes / BODY_RATE

    def _look_at_reader(self) -> None:
        unread = self.transport.get_write_buffer_size()
        self._unread_seconds = self._unread_seconds + 1 if unread == self._unread else 0
        self._unread = unread
        if self._unread_seconds > UNREAD_SECONDS:
            _log.info("answer_not_read", extra={"seconds": self._unread_seconds})
            self.transport.abort()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Wait with it until all that was received is read: a refusal needs the whole request."""
        if self._guard.closing:
            cycle.keep_alive = False
        self.running = cycle
        if self._feeding:
            self._unstarted = (cycle, app)
        else:
            super()._start_asgi_task(cycle, app)

    def _start_or_refuse(self) -> None:
        if self._unstarted is None or self.transport.is_closing():
            return
        cycle, _ = self._unstarted
        if cycle.more_body or not _is_row(cycle):
            self.start()
        elif not self._guard.takes(self):
            self._refuse(cycle)
            if not self.pipeline:
                self._hold_off()
        elif self._stale():
            self._refuse(cycle)  # what it sends next is not stale, and has a place
        else:
            self._enter_line(cycle)
            self._guard.start_in_turn(self)

    def start(self) -> None:
        """Start the request that was read."""
        if self._unstarted is not None and not self.transport.is_closing():
            (cycle, app), self._unstarted = self._unstarted, None
            super()._start_asgi_task(cycle, app)

    def _refuse(self, cycle: RequestResponseCycle) -> None:
        self._unstarted = None
        arrived: float = cast("Scope", cycle.scope)[ARRIVED]
        self.transport.write(self._guard.refusal(arrived, last=not cycle.keep_alive))
        cycle.response_started = cycle.response_complete = True
        self._count(_ROW, HTTPStatus.SERVICE_UNAVAILABLE)
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _stale(self) -> bool:
        rows = self._guard.admission.rows
        stale = rows.refusing and not rows.idle and time.monotonic() < self._stale_until
        self._stale_until = 0.0
        return stale

    def _hold_off(self) -> None:
        """Read no more from this connection for as long as its client was told to wait, at least.

        Who sends on all the same would otherwise have the worker do nothing but refuse. What was
        sent meanwhile has waited too long by then.
        """
        self.flow.pause_reading()
        # Well before the keep-alive time is over: a close would lose what was sent.
        hold = min(HOLD_SECONDS, self.timeout_keep_alive / 3)
        # Not all at once: those that were refused together would come back together.
        self.loop.call_later(hold * (1 + random.random() / 2), self._read_again)  # noqa: S311

    def _read_again(self) -> None:
        if not self.transport.is_closing():
            self._stale_until = time.monotonic() + _STALE_SECONDS
            self.flow.resume_reading()

    def _give_up(self, error: PlacarError) -> None:
        """Answer with a problem, if no answer has begun, and close the connection."""
        if self.transport.is_closing():
            return
        first = self.running
        begun = first is not None and first.response_started and not first.response_complete
        if not begun:
            extra = [*self.server_state.default_headers, CLOSE_HEADER]
            self.transport.write(raw_problem(error, extra))
            self._count(UNMATCHED, status_of(type(error)) or HTTPStatus.BAD_REQUEST)
        self.transport.close()

    def _enter_line(self, cycle: RequestResponseCycle) -> None:
        if not self._waits and _is_row(cycle):
            self._waits = True
            self._guard.admission.rows.waiting += 1

    def _leave_line(self) -> None:
        if self._waits:
            self._waits = False
            self._guard.admission.rows.waiting -= 1

    def _count(self, route: str, status: int) -> None:
        scope = cast("Scope | None", self.scope) or {}
        seconds = time.monotonic() - scope.get(ARRIVED, math.inf)
        self._guard.meters.request(route, scope.get("method", "other"), status, max(0.0, seconds))


def _without_upgrade(data: bytes) -> bytes:
    """Return what came without the wish to speak something else, such as HTTP/2.

    Nobody has to follow it, but the parser would take what comes after the head for that other
    protocol, and the body would be lost. Java's client wishes for it in every request.
    """
    head, blank, rest = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"", head) + blank + rest if blank else data


def _is_row(cycle: RequestResponseCycle) -> bool:
    return cycle.scope["path"].endswith(_ROW) and cycle.scope["method"] == "POST"
