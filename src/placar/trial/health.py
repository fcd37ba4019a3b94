"""Asking ``/health`` all the time, as a platform does: over a connection of its own each time."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from placar.errors import DeploymentUnusable
from placar.trial.client import Door, Request
from placar.trial.facts import Health, latency_of
from placar.trial.refusals import good

EVERY = 0.1
"""Seconds between two probes, however slow the answers are."""

PATIENCE = 10.0
_MOST_OPEN = 50


class HealthProbe:
    """Probes by the clock, so that a blocked service is seen by every probe that it makes wait."""

    def __init__(self, door: Door, request: Request) -> None:
        """Prepare; ``running`` starts it."""
        self._door = door
        self._request = request
        self._took: dict[str, list[float]] = defaultdict(list)
        self._errors: dict[str, Counter[str]] = defaultdict(Counter)
        self.phase = "at rest"
        """Under what name the probes are counted from now on."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Probe until the block ends."""
        probing = asyncio.create_task(self._probe())
        try:
            yield
        finally:
            probing.cancel()
            await asyncio.gather(probing, return_exceptions=True)

    def health(self) -> tuple[Health, ...]:
        """Return what was found, phase by phase."""
        phases = dict.fromkeys([*self._took, *self._errors])
        return tuple(
            Health(
                phase=phase,
                latency=latency_of(self._took[phase]),
                errors=dict(sorted(self._errors[phase].items())),
            )
            for phase in phases
        )

    async def _probe(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        open_probes: set[asyncio.Task[None]] = set()
        try:
            while True:
                if len(open_probes) < _MOST_OPEN:
                    task = asyncio.create_task(self.ask_once(self.phase))
                    open_probes.add(task)
                    task.add_done_callback(open_probes.discard)
                due = max(due + EVERY, loop.time())
                await asyncio.sleep(due - loop.time())
        finally:
            for task in open_probes:
                task.cancel()
            await asyncio.gather(*open_probes, return_exceptions=True)

    async def ask_once(self, phase: str) -> None:
        """Probe once; the connection's making counts, as it does for a platform."""
        began = time.perf_counter()  # finer than the loop's own clock
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await self._door.ask(self._request, PATIENCE)
        except DeploymentUnusable as error:
            self._errors[phase][error.code] += 1
        except TimeoutError:
            self._errors[phase]["answer_timed_out"] += 1
        else:
            if good(answer):
                self._took[phase].append(time.perf_counter() - began)
            else:
                self._errors[phase][f"status_{answer.status}"] += 1
