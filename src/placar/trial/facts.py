"""What a trial finds out: plain facts, as ``--json`` prints them. All times in milliseconds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import msgspec

Status = Literal["ok", "note", "warn", "fail"]

FEWEST = {0.5: 5, 0.9: 20, 0.99: 100}
"""Samples below which a percentile would be a guess, and is not given."""


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """How long something took; a percentile of too few samples is None."""

    count: int
    p50: float | None
    p90: float | None
    p99: float | None
    worst: float | None


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    name: str
    status: Status
    """A note says something worth knowing that is neither good nor bad."""
    found: str
    to_do: str = ""
    """What to change; empty when nothing is to be done."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """Load by some connections, each of which asks again once it is answered."""

    connections: int
    seconds: float
    """How long it lasted."""
    latency: Latency
    """Of good answers."""
    connecting: Latency
    refused: int
    """Answered 503 or 429 with a Retry-After, which was waited for."""
    shed: int
    """Good answers without their extras, as the header placar-shed says."""
    errors: dict[str, int]
    """Everything else that went wrong, by name."""
    own_lag: Latency
    """How late this computer's own event loop was."""
    own_cpu: float
    """Share of one CPU that this computer spent on asking."""
    ended: Literal["time", "count", "interrupted"]

    @property
    def rate(self) -> float:
        """Good answers per second."""
        return self.latency.count / self.seconds if self.seconds else 0.0

    @property
    def failed(self) -> int:
        """How many requests went wrong."""
        return sum(self.errors.values())

    @property
    def asked(self) -> int:
        """How many requests there were."""
        return self.latency.count + self.refused + self.failed


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """``/health`` during one phase, each time over a connection of its own."""

    phase: str
    latency: Latency
    errors: dict[str, int]


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """One batch."""

    rows: int
    outcome: Literal["scored", "too large", "refused", "failed"]
    seconds: float
    said: str = ""
    """Why it was not scored."""

    @property
    def rate(self) -> float:
        """Rows per second."""
        return self.rows / self.seconds if self.seconds else 0.0


class Retrain(msgspec.Struct, frozen=True, kw_only=True):
    """A run beside the load."""

    run: str | None
    """Its id; None when none was started."""
    outcome: str
    """The run's status, or ``not started``, or ``not followed to its end``."""
    seconds: float
    said: str
    step: Step | None
    """Scores that were asked for meanwhile."""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was found out."""

    url: str
    at: str
    """When it began, in ISO 8601."""
    seconds: float
    placar: str
    """Version of the service; empty where it is not Placar."""
    model: str
    version: str
    asked: str
    """What the load asked for, such as ``POST /predict``."""
    own: bool
    """The service's host is the computer that asked."""
    loaded: bool
    interrupted: bool
    status: Status
    verdict: str
    checks: tuple[Check, ...]
    steps: tuple[Step, ...]
    batches: tuple[Batch, ...]
    health: tuple[Health, ...]
    retrain: Retrain | None


def latency_of(seconds: Sequence[float]) -> Latency:
    """Return how long things took, from seconds."""
    ordered = sorted(seconds)
    return Latency(
        count=len(ordered),
        p50=_percentile(ordered, 0.5),
        p90=_percentile(ordered, 0.9),
        p99=_percentile(ordered, 0.99),
        worst=_milliseconds(ordered[-1]) if ordered else None,
    )


def _percentile(ordered: Sequence[float], share: float) -> float | None:
    """Return the smallest sample that at least this share of all does not exceed."""
    if len(ordered) < FEWEST[share]:
        return None
    return _milliseconds(ordered[math.ceil(share * len(ordered)) - 1])


def milliseconds(value: float) -> str:
    """Return milliseconds as text, no finer than they are worth.

    >>> milliseconds(0.42), milliseconds(1234.5)
    ('0.4 ms', '1,234 ms')
    """
    return f"{value:,.0f} ms" if value >= 10 else f"{value:.1f} ms"  # noqa: PLR2004


def connections_of(step: Step) -> str:
    """Return a step's name."""
    return "1 connection" if step.connections == 1 else f"{step.connections} connections"


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1e3, 3)
