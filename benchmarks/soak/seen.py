"""What clients are told to do, and what they saw: the borders between the processes."""

from __future__ import annotations

import msgspec
from material import BATCH_ROWS

ENDED = ("succeeded", "failed", "timed_out", "out_of_memory", "cancelled", "lost")
"""How a run may end."""


class Plan(msgspec.Struct, kw_only=True):
    """What one process of clients does."""

    roles: list[str]
    port: int
    seconds: float
    rows: str
    out: str
    connections: int = 16
    batch_every: float = 10.0
    batch_rows: int = BATCH_ROWS
    table: str = ""
    """File to send and train on, for the role ``runs``."""
    usual: bool = False
    """The service is the usual one: answers are not compared, its own addresses are used."""


class Failure(msgspec.Struct):
    """A request of a well-behaved client that came to nothing."""

    begin: float
    """Seconds of the monotonic clock."""
    end: float
    what: str


class Tally(msgspec.Struct):
    """What the clients of one role saw."""

    seconds: list[float] = []
    """Of each right kind of answer."""
    refusals: list[float] = []
    """Seconds of each deliberate refusal."""
    ends: dict[str, int] = {}
    failures: list[Failure] = []
    answers: list[tuple[str, int, float, int]] = []
    """Version, row, probability, how often."""
    not_sent: int = 0


class RunSeen(msgspec.Struct):
    """A run that the service said it would do."""

    id: str
    status: str
    stage: str | None = None
    seconds: float | None = None
    peak_memory: int | None = None
    version: str | None = None
    promoted: bool = False
    error: str | None = None


class Seen(msgspec.Struct, kw_only=True):
    """What a process of clients saw."""

    tallies: dict[str, Tally] = {}
    runs: list[RunSeen] = []
    run_seconds: float = 0.0
    """During which a run was active."""
    attacks: dict[str, dict[str, int]] = {}
    """How each ended, and how often."""
    wrong_ends: dict[str, int] = {}
    """Attacks that ended as they may not."""
    lag: float = 0.0
    """Greatest lag of the clients' own loop, in seconds."""
