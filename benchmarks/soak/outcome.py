"""What a soak found, and which promises it keeps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec
from seen import RunSeen, Seen, Tally

MB = 1024**2
HEALTH_P99 = 0.25
MEMORY_SHARE = 0.9
_SAME = 1e-6
"""Probabilities that differ by less are the same; what packages are checked with."""
_LOG_LINES = {
    "worker_timeouts": r"WORKER TIMEOUT",
    "workers_booted": r"Booting worker",
    "workers_killed": r"was sent SIG|was sent code|exited with code [1-9]|Fatal Python error",
    "tracebacks": r"Traceback \(most recent call last\)",
}


class Latency(msgspec.Struct, frozen=True):
    """Milliseconds, of ``count`` answers."""

    count: int
    p50: float
    p99: float
    highest: float


class Memory(msgspec.Struct, frozen=True):
    """Bytes; the peaks need not be of one moment."""

    limit: int
    peak: int
    """As the limit counts, page cache included."""
    working_set: int
    cache_then: int
    """Droppable page cache at the highest working set."""
    anonymous_then: int


class Cpu(msgspec.Struct, frozen=True):
    """The quota of the box."""

    cpus: float
    throttled_share: float
    """Of the periods of 100 ms."""
    used: float
    """CPU seconds per second, where the kernel counts them."""


class Client(msgspec.Struct, frozen=True):
    """One kind of well-behaved client."""

    ends: dict[str, int]
    latency: Latency
    refusal: Latency
    failed: int
    not_sent: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one soak of one service found."""

    service: str
    seconds: float
    boxed: str
    """What kind of box it was, or why there was none."""
    ended_early: int | None
    """The exit code, if the service ended before it was asked to."""
    kernel_kills: int | None
    """None where no box could be made."""
    log: dict[str, int]
    wrong: int | None
    """Wrong answers; None when answers were not compared."""
    compared: int
    versions: int
    """Versions that answered."""
    clients: dict[str, Client]
    attacks: dict[str, dict[str, int]]
    wrong_ends: dict[str, int]
    runs: list[RunSeen]
    run_share: float
    """Of the time, during which a run was active."""
    memory: Memory | None
    cpu: Cpu | None
    client_lag: float
    """Greatest lag of the loops that score single rows and probe, in milliseconds."""

    @property
    def failed(self) -> int:
        """Requests of well-behaved clients that came to nothing."""
        return sum(client.failed for client in self.clients.values())


class Promise(msgspec.Struct, frozen=True):
    """A promise and what became of it."""

    name: str
    wanted: str
    found: str
    kept: bool
    hard: bool
    """Whether it holds on a busy machine too: it is about right and wrong, not about time."""


def promises(found: Outcome) -> list[Promise]:
    """Return all promises of a soak."""
    made = [
        _none("kernel kills", found.kernel_kills),
        _none("`WORKER TIMEOUT` lines", found.log["worker_timeouts"]),
        _none("workers that died", found.log["workers_killed"]),
        _none("wrong answers", found.wrong),
        _none("errors of well-behaved clients", found.failed),
        _none("wrong endings of slow and broken clients", sum(found.wrong_ends.values())),
        _none("tracebacks in the log", found.log["tracebacks"]),
    ]
    if "runs" in found.clients:
        made.append(_runs(found.runs))
    for name in ("fresh health", "health"):
        p99 = found.clients[name].latency.p99
        wanted = f"< {HEALTH_P99 * 1000:.0f} ms"
        kept = 0 < p99 < HEALTH_P99 * 1000
        made.append(Promise(f"`/health` p99 ({name})", wanted, f"{p99:.0f} ms", kept, hard=False))
    if found.memory is not None:
        share = found.memory.working_set / found.memory.limit
        wanted = f"≤ {MEMORY_SHARE:.0%} of the limit"
        kept = share <= MEMORY_SHARE
        made.append(Promise("highest working set", wanted, f"{share:.0%}", kept, hard=True))
    return made


def _none(name: str, found: int | None) -> Promise:
    return Promise(name, "0", "unknown" if found is None else str(found), not found, hard=True)


def _runs(runs: Sequence[RunSeen]) -> Promise:
    """Every run has a named end, or goes on; none was killed or lost."""
    bad = [run for run in runs if run.status == "lost" or "signal" in (run.error or "")]
    counts = ", ".join(f"{n} {status}" for status, n in sorted(_statuses(runs).items())) or "none"
    kept = bool(runs) and not bad
    return Promise("runs with a named end, none lost", "all", counts, kept, hard=True)


def _statuses(runs: Sequence[RunSeen]) -> dict[str, int]:
    statuses = [run.status for run in runs]
    return {status: statuses.count(status) for status in statuses}


def latency(seconds: Sequence[float]) -> Latency:
    """Return percentiles of seconds, in milliseconds; zeros when there are none."""
    if not seconds:
        return Latency(0, 0.0, 0.0, 0.0)
    ranked = sorted(seconds)
    p50, p99 = ranked[len(ranked) // 2], ranked[min(len(ranked) - 1, len(ranked) * 99 // 100)]
    return Latency(len(ranked), p50 * 1e3, p99 * 1e3, ranked[-1] * 1e3)


def clients_of(seen: Sequence[Seen]) -> dict[str, Client]:
    """Return what the well-behaved clients saw."""
    return {
        name: Client(
            tally.ends,
            latency(tally.seconds),
            latency(tally.refusals),
            len(tally.failures),
            tally.not_sent,
        )
        for each in seen
        for name, tally in each.tallies.items()
        if name != "nasty"
    }


def count_wrong(tallies: Sequence[Tally], right: dict[str, list[float]]) -> tuple[int, int]:
    """Return how many answers were wrong, and how many were compared.

    Args:
        tallies: what was answered.
        right: for each version the probability of each row.
    """
    wrong = compared = 0
    for tally in tallies:
        for version, row, probability, count in tally.answers:
            compared += count
            known = right.get(version)
            if known is None or abs(known[row] - probability) > _SAME:
                wrong += count
    return wrong, compared


def count_lines(log: Path) -> dict[str, int]:
    """Return how many lines of the service's log say what nobody wants to read."""
    text = log.read_text(encoding="utf-8", errors="replace")
    return {name: len(re.findall(pattern, text)) for name, pattern in _LOG_LINES.items()}
