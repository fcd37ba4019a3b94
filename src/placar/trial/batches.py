"""Batches of rising size, up to what the service takes."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus

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
        batch = await _send(door, smoke, row, rows)
        if batch.outcome == "refused":
            batch = await _send(door, smoke, row, rows)  # it came again when it was told to
        into.append(batch)
        if batch.outcome != "scored" or batch.seconds > _SLOW:
            return


async def _send(door: Door, smoke: Smoke, row: bytes, rows: int) -> Batch:
    body = await asyncio.to_thread(batch_body, row, rows)
    request = smoke.request("POST", "/predict/batch", body)
    began = time.perf_counter()
    try:
        answer = await door.ask(request, PATIENCE)
    except DeploymentUnusable as error:
        took = time.perf_counter() - began
        return Batch(rows=rows, outcome="failed", seconds=round(took, 3), said=error.message)
    said = problem_of(answer)[0] or f"Status {answer.status}."
    wait = retry_after(answer)
    if answer.status == HTTPStatus.OK:
        return Batch(rows=rows, outcome="scored", seconds=round(answer.seconds, 3))
    if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return Batch(rows=rows, outcome="too large", seconds=round(answer.seconds, 3), said=said)
    if wait is not None:
        await asyncio.sleep(min(wait, _LONGEST_WAIT))
        return Batch(rows=rows, outcome="refused", seconds=round(answer.seconds, 3), said=said)
    return Batch(rows=rows, outcome="failed", seconds=round(answer.seconds, 3), said=said)
