"""Load in rising steps: some connections, each of which asks again once it is answered."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

from placar.errors import DeploymentUnusable
from placar.trial.client import Answer, Connection, Door, Request
from placar.trial.facts import Step, latency_of
from placar.trial.refusals import good, retry_after

MOST_REQUESTS = 50_000
"""In one step: it ends then, however much time is left."""

PATIENCE = 10.0
"""Seconds that an answer may take."""

WORST_P99 = 2_000.0
"""Milliseconds; a step that is slower is the last one."""

_MOST_ERRORS = 0.01
_MOST_REFUSED = 0.5
_PAUSE_AFTER_ERROR = 0.1
_TICK = 0.005


@dataclass(slots=True)
class _Tally:
    """What a step has counted so far; times in seconds."""

    took: list[float] = field(default_factory=list)
    connecting: list[float] = field(default_factory=list)
    own_lag: list[float] = field(default_factory=list)
    sent: int = 0
    refused: int = 0
    shed: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    def count(self, answer: Answer) -> float:
        """Count an answer, and return the seconds to wait before the next request."""
        if good(answer):
            self.took.append(answer.seconds)
            self.shed += "placar-shed" in answer.headers
            return 0.0
        wait = retry_after(answer)
        if wait is None:
            self.errors[f"status_{answer.status}"] += 1
            return _PAUSE_AFTER_ERROR
        self.refused += 1
        return wait


class Load:
    """Asks one thing of one service, over and over."""

    def __init__(self, door: Door, request: Request) -> None:
        """Prepare; nothing is asked yet."""
        self._door = door
        self._request = request

    async def step(
        self, connections: int, seconds: float, into: list[Step], *, pause: float = 0.0
    ) -> None:
        """Ask for some seconds; what was measured is added to ``into``, also when interrupted.

        Args:
            connections: how many ask at the same time.
            seconds: for how long; a last answer may take longer.
            into: where the step is added.
            pause: seconds that each connection rests after an answer.
        """
        tally = _Tally()
        ended: Literal["time", "count", "interrupted"] = "interrupted"
        began, cpu = time.perf_counter(), time.process_time()
        try:
            async with _watching_own_lag(tally), asyncio.TaskGroup() as group:
                for _ in range(connections):
                    group.create_task(self._ask_on(tally, began + seconds, pause))
            ended = "count" if tally.sent >= MOST_REQUESTS else "time"
        finally:
            lasted = time.perf_counter() - began
            into.append(
                Step(
                    connections=connections,
                    seconds=round(lasted, 3),
                    latency=latency_of(tally.took),
                    connecting=latency_of(tally.connecting),
                    refused=tally.refused,
                    shed=tally.shed,
                    errors=dict(sorted(tally.errors.items())),
                    own_lag=latency_of(tally.own_lag),
                    own_cpu=round((time.process_time() - cpu) / lasted, 3),
                    ended=ended,
                )
            )

    async def _ask_on(self, tally: _Tally, end: float, pause: float) -> None:
        connection: Connection | None = None
        try:
            while (left := end - time.perf_counter()) > 0 and tally.sent < MOST_REQUESTS:
                tally.sent += 1
                wait = _PAUSE_AFTER_ERROR
                try:
                    if connection is None or not connection.usable:
                        connection = await self._connect(tally)
                    wait = tally.count(await connection.ask(self._request, PATIENCE)) or pause
                except DeploymentUnusable as error:
                    tally.errors[error.code] += 1
                if wait:
                    await asyncio.sleep(min(wait, left))
        finally:
            if connection is not None:
                connection.close()

    async def _connect(self, tally: _Tally) -> Connection:
        began = time.perf_counter()
        connection = await self._door.connect()
        tally.connecting.append(time.perf_counter() - began)
        return connection


@asynccontextmanager
async def _watching_own_lag(tally: _Tally) -> AsyncIterator[None]:
    """Measure how late our own loop is: what it is late is no fault of the service."""

    async def watch() -> None:
        while True:
            due = time.perf_counter() + _TICK
            await asyncio.sleep(_TICK)
            tally.own_lag.append(max(0.0, time.perf_counter() - due))

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


def is_worse(step: Step) -> str:
    """Return why no heavier step may follow; empty when one may."""
    if step.failed > _MOST_ERRORS * step.asked:
        return f"{step.failed:,} of {step.asked:,} requests went wrong"
    slow = step.latency.p99 if step.latency.p99 is not None else step.latency.worst
    if slow is not None and slow > WORST_P99:
        return f"answers took longer than {WORST_P99 / 1e3:g} s"
    if step.refused > _MOST_REFUSED * step.asked:
        return f"{step.refused:,} of {step.asked:,} requests were refused for now"
    return ""


def rising(most: int) -> tuple[int, ...]:
    """Return the numbers of connections of the steps.

    >>> rising(64), rising(20), rising(1)
    ((1, 4, 16, 64), (1, 4, 16, 20), (1,))
    """
    steps = [step for step in (1, 4, 16, 64, 256) if step < most]
    return (*steps, most)
