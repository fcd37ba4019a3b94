"""What the connections of one worker share: their line, their number, their last answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass, field
from threading import Event
from typing import Final, Protocol

from placar.errors import Overloaded
from placar.web.admission import Admission
from placar.web.metrics import Meters
from placar.web.problems import raw_problem

_log = logging.getLogger(__name__)

MOST_CONNECTIONS: Final = 1000
"""Per worker. Each may hold some tens of kilobytes."""

_REST = 0.001
"""Seconds after which to see whether rows may start again."""
_STAY = 1.0
"""Seconds for which a connection is served before another one has its turn."""
_ABSENCE = 0.05
"""Seconds without a row after which its place is another one's."""


class Connection(Protocol):
    """What a guard knows of a connection."""

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    used: bool
    in_body: bool

    @property
    def idle(self) -> bool:
        """Nothing is being read, done or sent."""

    def look(self) -> None:
        """End this connection if what it does takes too long."""

    def start(self) -> None:
        """Start the request that was read."""


@dataclass(slots=True)
class _Guest:
    """A connection that is served; moments of the monotonic clock."""

    since: float
    seen: float


@dataclass(slots=True)
class Guard:
    """What the connections of one worker share."""

    admission: Admission
    meters: Meters
    stopping: Event
    most_connections: int = MOST_CONNECTIONS
    closing: bool = False
    """Every connection is to be closed after its next answer."""
    connections: dict[Connection, None] = field(default_factory=dict)
    """The oldest come first."""
    _resting: deque[Connection] = field(default_factory=deque)
    """Connections whose row is in the line and may not start yet."""
    _guests: dict[Connection, _Guest] = field(default_factory=dict)
    """Connections that are served while others are refused."""
    _refusals: dict[int, list[bytes]] = field(default_factory=dict)
    """Head and body of answers, by the seconds that they name: made once."""

    @property
    def busy(self) -> bool:
        """A body is coming, or something large is being done."""
        large = self.admission.bodies.held or self.admission.batches.ahead
        return bool(large) or any(each.in_body for each in self.connections)

    def make_room(self, newcomer: Connection) -> bool:
        """Close a connection that nobody uses, and tell whether there was one.

        Else whoever opens connections and says nothing would keep ``/health`` from being answered.
        """
        others = (each for each in self.connections if each is not newcomer)
        unused = next((each for each in others if not each.used and each.idle), None)
        others = (each for each in self.connections if each is not newcomer)
        leaves = unused or next((each for each in others if each.idle), None)
        if leaves is not None:
            leaves.transport.close()
        return leaves is not None

    def look_around(self) -> None:
        """End what takes too long. To be called once a second."""
        for connection in tuple(self.connections):
            try:
                connection.look()
            except Exception:  # noqa: BLE001 - an outermost loop: the others are looked at
                _log.exception("connection_not_looked_at")

    def takes(self, connection: Connection) -> bool:
        """Tell whether a row of this connection may enter the line.

        While rows are refused, a few connections are served and the others are not. Picking rows
        instead would refuse now this one, now that one, and leave the line empty in between: each
        refusal costs, and no connection would get on. The few change every second.
        """
        rows = self.admission.rows
        if not rows.refusing:
            return not rows.full
        now = time.monotonic()
        guest = self._guests.get(connection)
        if guest is None or now - guest.since > _STAY:
            for each, known in tuple(self._guests.items()):
                if now - known.since > _STAY or now - known.seen > _ABSENCE:
                    del self._guests[each]
            if len(self._guests) >= rows.places:
                return False
            guest = self._guests[connection] = _Guest(now, now)
        guest.seen = now
        return True

    def start_in_turn(self, connection: Connection) -> None:
        """Start a row that is in the line, now or as soon as the worker need not rest."""
        if not self._resting and not self.admission.rows.resting:
            connection.start()
            return
        self._resting.append(connection)
        if len(self._resting) == 1:
            connection.loop.call_later(_REST, self._start_resting)

    def _start_resting(self) -> None:
        try:
            while self._resting and not self.admission.rows.resting:
                self._resting.popleft().start()
        finally:
            if self._resting:
                self._resting[0].loop.call_later(_REST, self._start_resting)

    def refusal(self, arrived: float, *, last: bool) -> bytes:
        """Note that a single row is refused, and return the whole answer to it.

        Args:
            arrived: when its first byte was read, on the monotonic clock.
            last: the connection is closed after it.
        """
        self.meters.shed["row"] += 1
        seconds = self.admission.rows.refuse()
        parts = self._refusals.get(seconds)
        if parts is None:
            whole = raw_problem(Overloaded(retry_after=seconds))
            parts = self._refusals[seconds] = whole.split(b"\r\n\r\n", 1)
        took = 1000 * (time.monotonic() - arrived)
        closing = b"connection: close\r\n" if last else b""
        end = (took, closing, parts[1])
        return b"%b\r\nserver-timing: app;dur=%.3f\r\n%b\r\n%b" % (parts[0], *end)
