"""Batches of rising size, up to what the service takes."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import Literal

from placar.errors import DeploymentUnusable
from placar.trial.client import Door
from placar.trial.facts import Batch
from placar.trial.refusals import problem_of, retry_after
from placar.trial.smoke import Smoke, batch_body

SIZES = (1_000, 5_000, 20_000, 50_000, 200_000)
"""Rows."""

PATIENCE = 60.0
"""Seconds that a batch may take."""

_SLOW = 15.0
"""Seconds; after a batch that took longer none follows."""

_LARGEST_BODY = 64 * 1024**2
_LONGEST_WAIT = 30.0


async def send_batches(door: Door, smoke: Smoke, row: bytes, into: list[Batch]) -> None:
    """Send batches until one is not scored, or slow; each is added to ``into``."""
    for rows in SIZES:
        if rows * len(row) > _LARGEST_BODY:
            return
        batch, wait = await _send(door, smoke, row, rows)
        if wait is not None:
            await asyncio.sleep(min(wait, _LONGEST_WAIT))
            batch, _ = await _send(door, smoke, row, rows)
        into.append(batch)
        if batch.outcome != "scored" or batch.seconds > _SLOW:
            return


async def _send(door: Door, smoke: Smoke, row: bytes, rows: int) -> tuple[Batch, float | None]:
    """Return what became of a batch, and when it may come again if it was refused for now."""
    body = await asyncio.to_thread(batch_body, row, rows)
    request = smoke.request("POST", "/predict/batch", body)
    began = time.perf_counter()
    try:
        answer = await door.ask(request, PATIENCE)
    except DeploymentUnusable as error:
        took = round(time.perf_counter() - began, 3)
        return Batch(rows=rows, outcome="failed", seconds=took, said=error.message), None
    took = round(answer.seconds, 3)
    if answer.status == HTTPStatus.OK:
        return Batch(rows=rows, outcome="scored", seconds=took), None
    said = problem_of(answer)[0] or f"Status {answer.status}."
    if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return Batch(rows=rows, outcome="too large", seconds=took, said=said), None
    wait = retry_after(answer)
    outcome: Literal["failed", "refused"] = "failed" if wait is None else "refused"
    return Batch(rows=rows, outcome=outcome, seconds=took, said=said), wait
