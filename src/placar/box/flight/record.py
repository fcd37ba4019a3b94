"""What is written down about a worker while it lives, and about its end."""

from __future__ import annotations

from typing import Literal

import msgspec

Cause = Literal[
    "blocked_loop",
    "timed_out",
    "out_of_memory",
    "fatal_signal",
    "exited",
    "killed",
    "killed_with_everything",
    "master_killed",
    "stop_cut_short",
]
"""Why a worker ended that was not asked to, or that had not finished when asked to."""


class Activity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a worker was busy with."""

    requests: dict[str, int] = {}
    """Requests in flight, by route."""
    oldest_request: float = 0.0
    """Seconds since the oldest of them came."""
    runs: tuple[str, ...] = ()
    """Ids of runs that it followed."""
    champion: str = ""
    """Model and version."""
    stopping: bool = False


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Memory in bytes, of the worker and of the box that it shared with others."""

    worker: int
    """Resident, with what it shares."""
    box: int
    """Working set of everything in the box."""
    limit: int
    oom_kills: int = 0
    """Processes that the kernel had killed for memory here until then."""


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which the event loop did nothing else."""

    seconds: float
    stack: tuple[str, ...]
    """Where it was, as ``File "…", line N in name``, innermost first; no values."""
    over: bool = False


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's state, written about once a second. Times are seconds since 1970."""

    pid: int
    parent: tuple[int, int]
    """Process id and start time in ticks of who started it: its master, mostly."""
    machine: str
    began: float
    seen: float
    """When this was written."""
    memory: Memory
    activity: Activity = Activity()
    lag: float = 0.0
    """Seconds that the loop last took to answer."""
    block: Block | None = None
    """The last time that it was blocked."""
    orphaned: bool = False
    """Its master was gone."""
    ended: bool = False
    """It stopped as it should; nothing is to be reported."""


class Crash(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A worker's end that nobody had asked for."""

    id: str
    """Names its file; sorts by time."""
    cause: Cause
    certain: bool
    """False where the cause is the likeliest one only."""
    sentence: str
    pid: int
    slot: int
    found: float
    """When its end was found; seconds since 1970, as all times here."""
    began: float
    seen: float
    """When it last wrote down how it was."""
    memory: Memory
    activity: Activity = Activity()
    lag: float = 0.0
    signal: str | None = None
    exit_code: int | None = None
    stack: tuple[str, ...] = ()
    """Where its loop was, innermost first; empty when it was not blocked."""
    fault: str = ""
    """What faulthandler wrote: the stacks of all threads."""


class CrashBook(msgspec.Struct, kw_only=True):
    """What is kept of all crashes, also of those whose files were removed for newer ones."""

    counts: dict[str, int] = {}
    """By cause."""
    last: Crash | None = None
    told: str = ""
    """Id of the latest crash that a start has reported."""
