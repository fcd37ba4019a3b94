"""Counters of one worker, and how the workers' counters become one series set.

Only the worker itself counts, in plain dictionaries, without a lock. Every second it leaves its
numbers in the file of its *slot*; a worker that follows in the slot goes on from there, so that
counters never go back and files never pile up. Whoever answers ``/metrics`` brings its own file up
to date and adds up those of all slots.
"""

from __future__ import annotations

import logging
import os
import time
from bisect import bisect_left
from collections import Counter
from pathlib import Path
from threading import Lock

import msgspec
from starlette.types import Scope

from placar.web.address import ROUTE, UNMATCHED

_log = logging.getLogger(__name__)

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds, in seconds, of the latency histogram; one more bucket holds the rest."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Latency(msgspec.Struct):
    """A histogram of the time to an answer."""

    counts: list[int]
    total: float

    @classmethod
    def empty(cls) -> Latency:
        """Return one that has seen nothing."""
        return cls([0] * (len(BUCKETS) + 1), 0.0)

    def add(self, seconds: float) -> None:
        """Count one answer."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds

    def merge(self, other: Latency) -> None:
        """Add what another one has seen, unless its buckets were cut otherwise."""
        if len(other.counts) == len(self.counts):
            self.counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
            self.total += other.total

    def copy(self) -> Latency:
        """Return what was seen until now."""
        return Latency(self.counts.copy(), self.total)


class Snapshot(msgspec.Struct, kw_only=True):
    """The numbers of one slot, as its file holds them."""

    requests: list[tuple[str, str, int, int]] = []
    """Route, method, status, count."""
    latency: dict[str, Latency] = {}
    """By route."""
    rows: list[tuple[str, str, str, int]] = []
    """Model, version, ``scored`` or ``rejected``, count."""
    warnings: list[tuple[str, str, int]] = []
    """Model, code, count."""
    shed: list[tuple[str, int]] = []
    """What, count."""
    swaps: int = 0
    lag: Latency = msgspec.field(default_factory=Latency.empty)
    blocks: int = 0
    stalls: int = 0


class Meters:
    """What one worker counts. Written by the event loop and the pool, read by anybody."""

    def __init__(self) -> None:
        """Start at zero; ``resume`` goes on from a file."""
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self.latency: dict[str, Latency] = {}
        self.rows_seen: Counter[tuple[str, str, str]] = Counter()
        self.warned: Counter[tuple[str, str]] = Counter()
        self.shed: Counter[str] = Counter()
        """What was not done for want of time or memory: ``row``, ``batch`` or ``reasons``."""
        self.swaps = 0
        self.answering: dict[int, tuple[float, Scope]] = {}
        """Requests in flight, by the identity of their scope, with when they came."""
        self.lag = Latency.empty()
        """Of the event loop, as its watchdog sees it."""
        self.blocks = 0
        self.stalls = 0

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count an answer."""
        self.requests[route, method if method in _METHODS else "other", status] += 1
        latency = self.latency.get(route)
        if latency is None:
            latency = self.latency[route] = Latency.empty()
        latency.add(seconds)

    def rows(self, model: str, version: str, *, scored: int = 0, rejected: int = 0) -> None:
        """Count rows that were scored or rejected."""
        if scored:
            self.rows_seen[model, version, "scored"] += scored
        if rejected:
            self.rows_seen[model, version, "rejected"] += rejected

    def warning(self, model: str, code: str, count: int = 1) -> None:
        """Count a warning that came with an answer."""
        self.warned[model, code] += count

    def in_flight(self) -> tuple[dict[str, int], float]:
        """Return how many requests are being answered, by route, and the oldest one's age."""
        answering = self.answering.copy().values()
        routes = Counter(scope.get(ROUTE, UNMATCHED) for _, scope in answering)
        oldest = min((began for began, _ in answering), default=None)
        return dict(routes), 0.0 if oldest is None else time.perf_counter() - oldest

    def loop_answered(self, lag: float) -> None:
        """Count how many seconds the event loop took to answer its watchdog."""
        self.lag.add(lag)

    def loop_blocked(self) -> None:
        """Count a time in which the loop was blocked."""
        self.blocks += 1

    def process_stalled(self) -> None:
        """Count a time in which the whole worker stood still."""
        self.stalls += 1

    def snapshot(self) -> Snapshot:
        """Return the numbers of this moment."""
        # Copying a dictionary is one step for other threads; iterating over it is not.
        return Snapshot(
            requests=[(*key, count) for key, count in self.requests.copy().items()],
            latency={route: latency.copy() for route, latency in self.latency.copy().items()},
            rows=[(*key, count) for key, count in self.rows_seen.copy().items()],
            warnings=[(*key, count) for key, count in self.warned.copy().items()],
            shed=list(self.shed.copy().items()),
            swaps=self.swaps,
            lag=self.lag.copy(),
            blocks=self.blocks,
            stalls=self.stalls,
        )

    def add(self, other: Snapshot) -> None:
        """Add the numbers of a snapshot."""
        for route, method, status, count in other.requests:
            self.requests[route, method, status] += count
        for route, latency in other.latency.items():
            self.latency.setdefault(route, Latency.empty()).merge(latency)
        for model, version, outcome, count in other.rows:
            self.rows_seen[model, version, outcome] += count
        for model, code, count in other.warnings:
            self.warned[model, code] += count
        for what, count in other.shed:
            self.shed[what] += count
        self.swaps += other.swaps
        self.lag.merge(other.lag)
        self.blocks += other.blocks
        self.stalls += other.stalls


class MeterFiles:
    """The files of all slots in one folder, of which one is ours."""

    def __init__(self, folder: Path, slot: int, meters: Meters) -> None:
        """Name the folder; nothing is read or made yet."""
        self._folder = folder
        self._own = folder / f"slot-{slot}.json"
        self._meters = meters
        self._lock = Lock()
        self._written = b""
        self._complained = False

    def resume(self) -> None:
        """Go on from where the last worker of this slot stopped. May block."""
        self._meters.add(_read(self._own))

    def flush(self) -> Snapshot:
        """Leave our numbers in our file, all at once, and return them. May block."""
        with self._lock:
            numbers = self._meters.snapshot()
            content = msgspec.json.encode(numbers)
            if content == self._written:
                return numbers
            half = self._own.with_suffix(".tmp")
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                half.write_bytes(content)
                os.replace(half, self._own)  # noqa: PTH105 - atomic, and said so
            except OSError as error:
                self._complain(error)
            else:
                self._written = content
                self._complained = False
            return numbers

    def total(self) -> Meters:
        """Return the sum over all slots' files, ours brought up to date first. May block.

        What one worker told is in its file from then on, so no worker tells less later.
        """
        total = Meters()
        total.add(self.flush())  # also where a full disk does not take them
        for path in sorted(self._folder.glob("slot-*.json")):
            if path != self._own:
                total.add(_read(path))
        return total

    def _complain(self, error: OSError) -> None:
        if not self._complained:
            _log.warning("metrics_not_kept", extra={"error": error.strerror})
        self._complained = True


def _read(path: Path) -> Snapshot:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Snapshot)
    except (OSError, msgspec.MsgspecError):  # not there yet, or of another version of Placar
        return Snapshot()
