"""One trial from the first request to the verdict."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import uvloop

from placar.trial.batches import send_batches
from placar.trial.client import Door, Request
from placar.trial.facts import Trial
from placar.trial.health import HealthProbe
from placar.trial.load import Load, is_worse, rising
from placar.trial.retrain import Retraining
from placar.trial.smoke import Smoke
from placar.trial.target import Target
from placar.trial.verdict import Found, judge

Tell = Callable[[float, str], None]
"""Called with the share that is done (0…1) and a short note."""

_QUIET_PROBES = 5
"""Probes of /health where nothing else may be done."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What may be done to a deployment."""

    target: Target
    key: str | None
    load: bool
    """More than a handful of requests."""
    retrain: bool = False
    seconds: float = 5.0
    """Of each step of the load."""
    connections: int = 64
    """Of the heaviest step."""


def run_trial(plan: Plan, tell: Tell) -> Trial:
    """Try a deployment; Ctrl-C ends it at once, with what was measured until then.

    Raises:
        DeploymentUnusable: not even a first connection can be had.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_interruptible(_Course(plan, tell)))


async def _interruptible(course: _Course) -> Trial:
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(course.take())
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        course.found.interrupted = True
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
    return course.trial()


@dataclass(slots=True)
class _Course:
    """A trial that is under way."""

    plan: Plan
    tell: Tell
    door: Door = field(init=False)
    smoke: Smoke = field(init=False)
    probe: HealthProbe = field(init=False)
    found: Found = field(init=False)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    began: float = field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        self.door = Door(self.plan.target)
        self.smoke = Smoke(self.door, self.plan.key)
        self.probe = HealthProbe(self.door, self.smoke.open_request("/health"))
        self.found = Found(own=self.plan.target.own, loaded=self.plan.load)

    async def take(self) -> None:
        """Try everything that may be tried."""
        self.tell(0.0, "a handful of requests")
        await self.smoke.checks(self.found.checks)
        if not self.smoke.healthy:
            self.probe = HealthProbe(self.door, self.smoke.open_request("/"))
        if not self.plan.load:
            for _ in range(_QUIET_PROBES):
                await self.probe.ask_once("at rest")
            return
        async with self.probe.running():
            await self._load()

    async def _load(self) -> None:
        load = Load(self.door, self._asked())
        steps = rising(self.plan.connections)
        parts = len(steps) + 1 + self.plan.retrain
        for number, connections in enumerate(steps):
            self.tell((number + 0.5) / (parts + 1), f"{connections} at once")
            self.probe.phase = "under load"
            await load.step(connections, self.plan.seconds, self.found.steps)
            self.found.stopped = is_worse(self.found.steps[-1])
            if self.found.stopped:
                break
        if self.smoke.scored is None or self.smoke.interface.row is None:
            return
        self.probe.phase = "beside batches"
        self.tell((len(steps) + 0.5) / (parts + 1), "large batches")
        await send_batches(self.door, self.smoke, self.smoke.interface.row, self.found.batches)
        if self.plan.retrain:
            self.probe.phase = "beside a run"
            self.tell((len(steps) + 1.5) / (parts + 1), "a run beside the load")
            retraining = Retraining(self.door, self.smoke, load)
            try:
                await retraining.follow()
            finally:
                self.found.retrain = retraining.found

    def _asked(self) -> Request:
        """Return what the load asks for: a score where that can be had."""
        row = self.smoke.interface.row
        if self.smoke.scored is not None and row is not None:
            self.found.asked = "POST /predict"
            return self.smoke.request("POST", "/predict", row)
        path = "/health" if self.smoke.healthy else "/"
        self.found.asked = f"GET {path}"
        return self.smoke.open_request(path)

    def trial(self) -> Trial:
        """Return what was found, judged."""
        self.found.health = list(self.probe.health())
        scored = self.smoke.scored
        verdict = judge(self.found)
        return Trial(
            url=self.plan.target.url,
            at=self.at.isoformat(timespec="seconds"),
            seconds=round(time.perf_counter() - self.began, 1),
            placar=self.smoke.interface.placar,
            model=scored.model if scored else "",
            version=scored.version if scored else "",
            asked=self.found.asked,
            own=self.found.own,
            loaded=self.found.loaded,
            interrupted=self.found.interrupted,
            status=verdict.status,
            verdict=verdict.sentence,
            checks=verdict.checks,
            steps=tuple(self.found.steps),
            batches=tuple(self.found.batches),
            health=tuple(self.found.health),
            retrain=self.found.retrain,
        )
