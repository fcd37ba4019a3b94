"""What the connections of one worker share: their line, their number, their last answer."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from threading import Event
from typing import Final, Protocol

from placar.errors import Overloaded
from placar.web.admission import Admission
from placar.web.metrics import Meters
from placar.web.problems import raw_problem

MOST_CONNECTIONS: Final = 1000
"""Per worker. Each may hold some tens of kilobytes."""

_REST = 0.002
"""Seconds after which to see whether rows may start again."""


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
            connection.look()

    def start_in_turn(self, connection: Connection) -> None:
        """Start a row that is in the line, now or as soon as the worker need not rest."""
        if not self._resting and not self.admission.rows.resting:
            connection.start()
            return
        self._resting.append(connection)
        if len(self._resting) == 1:
            connection.loop.call_later(_REST, self._start_resting)

    def _start_resting(self) -> None:
        while self._resting and not self.admission.rows.resting:
            self._resting.popleft().start()
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
