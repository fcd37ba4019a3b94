"""The start-up report: what the box has, what the service takes of it, and whether that fits."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from pathlib import Path

from placar.box.limits import Limit, box_limit, cpu_quota, memory_use
from placar.box.sizing import (
    ServingCost,
    default_workers,
    largest_body,
    measure_serving,
    memory_for_bodies,
    usable,
    workers_that_fit,
)
from placar.settings import Settings

_log = logging.getLogger(__name__)

Fact = str | int | float | bool

_MOST_TOLD = 64
_MB = 1024**2
_LEAST_RUN = 128 * _MB
"""Importing what a run trains with takes nearly as much."""


@dataclass(frozen=True, slots=True)
class BoxReport:
    """What is known about the box; all memory in bytes."""

    limit: int
    limit_source: str
    in_use: int
    cpus: float
    master: int
    worker: int
    measured: bool
    workers: int
    """Web workers that will be started."""
    workers_that_fit: int
    """How many could be, beside one run."""
    run_memory: int
    """What one run may use."""
    left_for_run: int
    """What the web workers leave for it."""
    bodies: int
    """What the requests of one worker may hold together."""
    largest_batch: int
    """Bytes of the largest body that is taken."""

    @property
    def fits(self) -> bool:
        """The workers that will be started leave a run what it may use."""
        return self.workers <= self.workers_that_fit

    def as_dict(self) -> dict[str, Fact]:
        """Return every fact, for JSON and for the log."""
        return {**asdict(self), "fits": self.fits}

    def as_text(self) -> str:
        """Return the report for people, ending in its verdict."""
        seen = "measured here" if self.measured else "typical; it could not be measured here"
        facts = {
            "memory limit": f"{_mb(self.limit)} ({self.limit_source})",
            "in use now": _mb(self.in_use),
            "CPU": f"{self.cpus:g}",
            "master": f"{_mb(self.master)} ({seen})",
            "each web worker": f"{_mb(self.worker)} more",
            "web workers": f"{self.workers} wanted, {self._how_many()} beside a run",
            "a run may use": f"{_mb(self.run_memory)}; {_mb(self.left_for_run)} are left for it",
            "request bodies": f"{_mb(self.bodies)} in each worker; "
            f"a batch may have {_mb(self.largest_batch)}",
        }
        width = max(map(len, facts))
        lines = [f"{name:<{width}}  {fact}" for name, fact in facts.items()]
        return "\n".join([*lines, "", self.verdict])

    @property
    def verdict(self) -> str:
        """One sentence: it fits, or what to change."""
        if self.fits:
            return f"It fits, with a tenth of the memory kept free ({_mb(self._kept_free)})."
        ways = []
        if self.workers_that_fit:
            ways.append(f"WEB_CONCURRENCY={self.workers_that_fit}")
        if self.left_for_run >= _LEAST_RUN:
            ways.append(f"PLACAR_RUN_MEMORY={self.left_for_run // _MB}MB")
        if not ways:
            return "It does not fit. Choose a larger plan."
        return f"It does not fit. Set {', or '.join(ways)}, or choose a larger plan."

    @property
    def _kept_free(self) -> int:
        return self.limit - usable(self.limit)

    def _how_many(self) -> str:
        many = self.workers_that_fit >= _MOST_TOLD
        return f"{_MOST_TOLD} or more fit" if many else f"{self.workers_that_fit} fit"


def measure_box(settings: Settings) -> BoxReport:
    """Look at the box and measure what serving costs in it; takes a second or two."""
    limit = box_limit(settings)
    cost = measure_serving(package=_some_package(settings.packages))
    return box_report(
        settings, limit, cost, in_use=memory_use(), cpus=cpu_quota(plan_cpu=settings.plan_cpu)
    )


def box_report(
    settings: Settings, limit: Limit, cost: ServingCost, *, in_use: int, cpus: float
) -> BoxReport:
    """Put together what was found."""
    fit = workers_that_fit(
        limit.bytes, cost.master, cost.worker, settings.run_memory, most=_MOST_TOLD
    )
    workers = settings.workers or default_workers(limit.bytes, settings.run_memory)
    serving = cost.master + workers * cost.worker
    bodies = memory_for_bodies(limit.bytes, workers, settings.run_memory)
    return BoxReport(
        limit=limit.bytes,
        limit_source=limit.source,
        in_use=in_use,
        cpus=cpus,
        master=cost.master,
        worker=cost.worker,
        measured=cost.measured,
        workers=workers,
        workers_that_fit=fit,
        run_memory=settings.run_memory,
        left_for_run=max(0, usable(limit.bytes) - serving),
        bodies=bodies,
        largest_batch=min(settings.max_body, largest_body(bodies)),
    )


def log_report(report: BoxReport) -> None:
    """Log the report as one event: as a warning when it does not fit, with what to change."""
    level = logging.INFO if report.fits else logging.WARNING
    _log.log(level, "box_measured", extra={**report.as_dict(), "verdict": report.verdict})


def _some_package(packages: Path) -> Path | None:
    """Return the newest package, to stand for the champion: the box does not know the store."""
    try:
        found = [folder for folder in packages.iterdir() if (folder / "manifest.json").is_file()]
        return max(found, key=lambda folder: folder.stat().st_mtime, default=None)
    except OSError:
        return None


def _mb(amount: int) -> str:
    return f"{amount // _MB:,} MB"
