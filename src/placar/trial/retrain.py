"""A run beside live traffic: started with the caller's key, followed to its end, never promoted."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import suppress
from http import HTTPStatus

import msgspec

from placar.errors import DeploymentUnusable
from placar.trial.client import Answer, Door
from placar.trial.facts import Retrain, Step
from placar.trial.load import Load
from placar.trial.refusals import problem_of, reading
from placar.trial.smoke import Smoke

LONGEST = 900.0
"""Seconds that a run is followed."""

CONNECTIONS = 4
PAUSE = 0.05
"""Seconds that each connection rests after a score: steady traffic, not a flood."""

UNFOLLOWED = "not followed to its end"
NOT_STARTED = "not started"

_EVERY = 1.0
_PATIENCE = 10.0
_CANCEL_PATIENCE = 2.0
_WANTED = b'{"promote":false}'
_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
ENDINGS = frozenset({"succeeded", "failed", "timed_out", "out_of_memory", "cancelled", "lost"})


class _Failure(msgspec.Struct):
    message: str = ""
    way_out: str = ""


class _Run(msgspec.Struct):
    id: str = ""
    status: str = ""
    error: _Failure | None = None


class Retraining:
    """One run of one service."""

    def __init__(self, door: Door, smoke: Smoke, load: Load) -> None:
        """Prepare; nothing is started yet."""
        self._door = door
        self._smoke = smoke
        self._load = load
        self.found: Retrain | None = None
        """What is known of it, also after an interruption."""

    async def follow(self) -> None:
        """Start a run, ask for scores while it lasts, and keep what was found."""
        began = time.perf_counter()
        wanted = self._smoke.request("POST", "/run-pipeline", _WANTED)
        try:
            answer = await self._door.ask(wanted, _PATIENCE)
        except DeploymentUnusable as error:
            self.found = _not_started(error.sentence)
            return
        run = _read(answer)
        if answer.status != HTTPStatus.ACCEPTED or _ID.fullmatch(run.id) is None:
            said, way_out = problem_of(answer)
            self.found = _not_started(f"Status {answer.status}: {said} {way_out}".strip())
            return
        await self._beside_scores(run.id, began)

    async def _beside_scores(self, run_id: str, began: float) -> None:
        steps: list[Step] = []
        loading = asyncio.create_task(self._load.step(CONNECTIONS, LONGEST, steps, pause=PAUSE))
        run = _Run()
        try:
            run = await self._until_the_end(run_id, began)
        except asyncio.CancelledError:
            await self._cancel(run_id)
            run.error = _Failure("It was cancelled.")
            raise
        finally:
            loading.cancel()
            await asyncio.gather(loading, return_exceptions=True)
            error = run.error or _Failure()
            self.found = Retrain(
                run=run_id,
                outcome=run.status if run.status in ENDINGS else UNFOLLOWED,
                seconds=round(time.perf_counter() - began, 1),
                said=reading(f"{error.message} {error.way_out}"),
                step=steps[0] if steps else None,
            )

    async def _until_the_end(self, run_id: str, began: float) -> _Run:
        request = self._smoke.request("GET", f"/runs/{run_id}")
        run = _Run()
        while run.status not in ENDINGS and time.perf_counter() - began < LONGEST:
            await asyncio.sleep(_EVERY)
            with suppress(DeploymentUnusable):  # the probes and the scores count that
                answer = await self._door.ask(request, _PATIENCE)
                if answer.status == HTTPStatus.OK:
                    run = _read(answer)
        return run

    async def _cancel(self, run_id: str) -> None:
        """End the run that we started: nobody will look at it."""
        request = self._smoke.request("POST", f"/runs/{run_id}/cancel")
        with suppress(DeploymentUnusable):
            await self._door.ask(request, _CANCEL_PATIENCE)


def _not_started(said: str) -> Retrain:
    return Retrain(run=None, outcome=NOT_STARTED, seconds=0.0, said=reading(said), step=None)


def _read(answer: Answer) -> _Run:
    try:
        return msgspec.json.decode(answer.body, type=_Run)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Run()
