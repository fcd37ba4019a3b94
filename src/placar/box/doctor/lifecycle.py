"""What the order of lines says beyond the lines: who was stopping, recycled, or booted quietly."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from placar.box.doctor.signs import Sighting

_EXPLAINS_A_BOOT = frozenset(
    {
        "leaving",
        "recycled",
        "uvicorn_end",
        "worker_timeout",
        "abort",
        "raw_status",
        "worker_sigkill",
        "worker_segv",
        "exit_3",
        "exit_4",
    }
)
_GRACE_SECONDS = 10.0
_GRACE_LINES = 60
_DRAIN_SECONDS = 900.0
_DRAIN_LINES = 20_000
_MOST_KEPT = 1024
_ROUNDING = 2.0


@dataclass(slots=True)
class _Place:
    line: int
    moment: float | None

    def near(self, other: Sighting, lines: int, seconds: float) -> bool:
        if self.moment is not None and other.moment is not None:
            return abs(other.moment - self.moment) <= seconds
        return other.line - self.line <= lines


class Lifecycle:
    """Follows masters and workers; renames what means something else at that moment."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._stopping: _Place | None = None
        self._started: _Place | None = None
        self._unexplained = 0
        self._recycled: OrderedDict[int | None, _Place] = OrderedDict()
        self._booted: OrderedDict[int | None, _Place] = OrderedDict()
        self._timeout: float | None = None
        self._uvicorn = False

    def feed(self, seen: Sighting) -> Iterator[Sighting]:
        """Yield the sighting, renamed where the moment says so, and what follows from it."""
        place = _Place(seen.line, seen.moment)
        match seen.sign:
            case "start" | "uvicorn_start":
                self._stopping, self._started, self._unexplained = None, place, 0
            case "reload":
                self._started = place
            case "term" | "platform_term":
                self._stopping = place
            case "recycled":
                _remember(self._recycled, seen.pid, place)
            case "timeout_set":
                self._timeout = float(seen.fields["seconds"][:6])
            case "uvicorn_worker":
                self._uvicorn = True
            case "worker_timeout" | "worker_sigkill":
                yield from self._ended(seen)
                return
            case "booting":
                yield from self._boot(seen, place)
            case _:
                pass
        if seen.sign in _EXPLAINS_A_BOOT:
            self._unexplained -= 1
        yield seen

    def _ended(self, seen: Sighting) -> Iterator[Sighting]:
        self._unexplained -= 1
        recycled = self._recycled.get(seen.pid)
        timed_out = seen.sign == "worker_timeout"
        if timed_out and recycled and recycled.near(seen, _DRAIN_LINES, _DRAIN_SECONDS):
            yield replace(seen, sign="timeout_draining")
        elif self._stopping and self._stopping.near(seen, _DRAIN_LINES, _DRAIN_SECONDS):
            yield replace(seen, sign="timeout_stopping" if timed_out else "sigkill_stopping")
        else:
            yield seen
            if timed_out:
                yield from self._early(seen)

    def _early(self, seen: Sighting) -> Iterator[Sighting]:
        """Say so when a worker was ended before it could have been silent for the time-out."""
        booted = self._booted.get(seen.pid)
        known = booted is not None and booted.moment is not None and seen.moment is not None
        if not (known and booted and self._timeout and self._uvicorn):
            return
        age = (seen.moment or 0) - (booted.moment or 0)
        if 0 <= age < self._timeout - _ROUNDING:
            fields = {"age": f"{age:.0f}", "seconds": f"{self._timeout:.0f}"}
            yield replace(seen, sign="early_timeout", fields=seen.fields | fields)

    def _boot(self, seen: Sighting, place: _Place) -> Iterator[Sighting]:
        """Say so when a worker is replaced though nothing says why the old one ended."""
        self._recycled.pop(seen.pid, None)
        _remember(self._booted, seen.pid, place)
        if self._started is None:
            self._started = place
        if self._started.near(seen, _GRACE_LINES, _GRACE_SECONDS):
            return
        self._unexplained = max(self._unexplained, -8) + 1
        if self._unexplained > 0:
            self._unexplained = 0
            yield replace(seen, sign="silent_boot")


def _remember(places: OrderedDict[int | None, _Place], pid: int | None, place: _Place) -> None:
    places.pop(pid, None)
    places[pid] = place
    if len(places) > _MOST_KEPT:
        places.popitem(last=False)
