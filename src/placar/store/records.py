"""What the store holds, as immutable structs. Times are seconds since the epoch, UTC."""

from __future__ import annotations

from typing import Literal

import msgspec

from placar.package.manifest import VERSION_LENGTH, Metrics
from placar.package.run_folder import Failure, RunSpec, Stage

VersionStatus = Literal["champion", "candidate", "retired"]
"""It answers; it never did; it did once."""

PromotionKind = Literal["promote", "rollback"]

RunStatus = Literal[
    "queued",
    "running",
    "succeeded",
    "failed",
    "timed_out",
    "out_of_memory",
    "cancelled",
    "lost",
]
ACTIVE: tuple[RunStatus, ...] = ("queued", "running")
"""A run is in one of these until it ends; it never comes back to them."""


class ModelRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A named line of versions."""

    name: str
    created_at: float
    champion: str | None
    """All 64 digits."""
    versions: int


class VersionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A registered version, with what lists and gates need of its manifest."""

    model: str
    version: str
    """All 64 digits."""
    status: VersionStatus
    created_at: float
    promoted_at: float | None
    """When it last became the champion."""
    run_id: str | None
    target: str
    positive: str
    rows: int
    """Rows of the training table."""
    metrics: Metrics

    @property
    def short(self) -> str:
        """The version as it is shown and addressed."""
        return self.version[:VERSION_LENGTH]


class PromotionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One change of champion."""

    id: int
    model: str
    kind: PromotionKind
    version: str
    previous: str | None
    actor: str
    at: float


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a package that a run produced."""

    version: VersionRecord
    promoted: bool
    """It is the champion now."""
    gate: tuple[str, ...] = ()
    """Why the gates would not promote it; empty when they would."""


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of the training pipeline."""

    id: str
    model: str
    status: RunStatus
    origin: str
    """Who asked: ``cli``, ``http``, …"""
    spec: RunSpec
    promote: bool
    """The version is to become the champion if the gates let it."""
    folder: str
    """Absolute path of the run folder."""
    requested_at: float
    started_at: float | None
    ended_at: float | None
    heartbeat_at: float
    """When its follower last said that it follows."""
    stage: Stage | None
    done: float
    """Share of the run that is done, 0…1."""
    cancel_requested: bool
    follower: str | None
    """Token of whoever holds the lease; None: nobody does."""
    machine: str | None
    """Where its process is; a process id means nothing elsewhere."""
    pid: int | None
    pid_started: int | None
    """Start time in clock ticks since boot: the same id with another start is another process."""
    seconds: float | None
    peak_memory: int | None
    version: str | None
    promoted: bool
    gate: str
    """Why the gates did not promote it, one sentence per line."""
    error: Failure | None

    @property
    def active(self) -> bool:
        """It has not ended."""
        return self.status in ACTIVE


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended."""

    status: RunStatus
    error: Failure | None = None
    stage: Stage | None = None
    """The last stage entered, when the child said so in its report."""
    seconds: float | None = None
    peak_memory: int | None = None
    publication: Publication | None = None
