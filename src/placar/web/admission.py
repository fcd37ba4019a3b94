"""What one worker takes on, bounded in bytes and in rows, not in requests.

Whoever cannot be answered in good time is told so before any work is done, with the seconds after
which to ask again. Under pressure what matters least goes first: reasons, then batches, then
single rows; ``/health`` is always answered. All of it belongs to the event loop, but for
``box_use``, which the ticker assigns.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from starlette.types import Scope

from placar.errors import DeadlineUnmet, InvalidRequest, Issue, Overloaded
from placar.web.bodies import Bodies
from placar.web.line import LONGEST_WAIT, BatchRows, SingleRows
from placar.web.metrics import Meters
from placar.web.wire import header

ARRIVED = "placar.arrived"
"""Key of the ASGI scope: when the request's first byte was read, on the monotonic clock."""

SHED = b"placar-shed"
"""Header of an answer that lacks something for want of time or memory, and says what."""

_REASONS_WAIT, _BATCH_WAIT = 0.5 * LONGEST_WAIT, 0.75 * LONGEST_WAIT
"""Seconds that single rows wait when reasons, and batches, are no longer taken on."""
_TIGHT, _FULL = 0.85, 0.92
"""Share of the box's memory in use when reasons, and batches, are no longer taken on."""

_YIELD_WAIT = 0.005
"""Seconds that single rows wait when a batch that was taken lets them go first."""
_YIELD_PAUSE, _YIELD_TIMES = 0.005, 4
"""How long a slice of a batch stands back, and how often in a row: it must get on, too."""

LONGEST_DEADLINE: Final = 3600.0
"""Seconds."""
_BOX_RETRY = 5


class Admission:
    """Decides what this worker takes on, and what it leaves out."""

    def __init__(self, room: int, meters: Meters) -> None:
        """Begin with nothing to do.

        Args:
            room: bytes that the requests' bodies may take together.
            meters: counts what is left out.
        """
        self.bodies = Bodies(room)
        self.rows = SingleRows()
        self.batches = BatchRows()
        self.box_use = 0.0
        """Share of the box's memory that is in use."""
        self._meters = meters

    def take_row(self, deadline: float | None) -> None:
        """Take a single row on, or say why not.

        Raises:
            Overloaded: too many rows wait.
            DeadlineUnmet: it could not be answered in time.
        """
        if deadline is not None:
            _check_deadline(deadline, self.rows.seconds, self.rows.doubt)
        if self.rows.full:
            self._meters.shed["row"] += 1
            raise Overloaded(retry_after=self.rows.refuse())

    def expect_batch(self) -> None:
        """Refuse a batch before its body is read, where it has no chance.

        Raises:
            Overloaded: single rows, or the batches that were taken, need all there is.
        """
        if self.rows.wait > _BATCH_WAIT or self.rows.full:
            self._refuse_batch("Single rows take all the time there is.", self.rows.retry_after)
        if self.box_use > _FULL:
            self._refuse_batch("The box's memory is nearly full.", _BOX_RETRY)
        if self.batches.too_many(1):
            self._refuse_batch("Other batches wait already.", self.batches.retry_after)

    def take_batch(self, rows: int, deadline: float | None) -> None:
        """Take a batch on, or say why not; ``batches.begin`` follows.

        Raises:
            Overloaded: too many rows are ahead of it.
            DeadlineUnmet: it could not be answered in time.
        """
        if self.batches.too_many(rows):
            self._refuse_batch("Other batches wait already.", self.batches.retry_after)
        if deadline is not None:
            _check_deadline(deadline, self.batches.estimate(rows), self.batches.doubt)

    def sheds_reasons(self) -> bool:
        """Tell whether reasons have to be done without, and count it."""
        shed = self.rows.wait > _REASONS_WAIT or self.box_use > _TIGHT
        if shed:
            self._meters.shed["reasons"] += 1
        return shed

    async def give_way(self) -> None:
        """Let everything else have a turn; single rows, and the CPU quota, go first a while."""
        await asyncio.sleep(0)
        for _ in range(_YIELD_TIMES):
            if self.rows.wait <= _YIELD_WAIT and not self.rows.cpu.overdrawn():
                return
            await asyncio.sleep(_YIELD_PAUSE)

    def _refuse_batch(self, why: str, retry_after: int) -> None:
        self._meters.shed["batch"] += 1
        raise Overloaded(why, retry_after=retry_after)


def deadline_of(scope: Scope) -> float | None:
    """Return when the caller stops waiting, on the monotonic clock, if it says so.

    ``X-Request-Timeout`` holds the seconds it waits, counted from the arrival of the request.

    Raises:
        InvalidRequest: that is no number of seconds.
    """
    given = header(scope["headers"], b"x-request-timeout")
    if given is None:
        return None
    try:
        seconds = float(given)
    except ValueError:
        seconds = -1.0
    if not 0.0 < seconds <= LONGEST_DEADLINE:
        expected = f"seconds, above 0 and up to {LONGEST_DEADLINE:g}"
        issue = Issue("X-Request-Timeout", "out_of_range", f"Must be {expected}.", expected)
        raise InvalidRequest((issue,), "The header X-Request-Timeout cannot be used.")
    arrived: float = scope.get(ARRIVED) or time.monotonic()
    return arrived + seconds


def _check_deadline(deadline: float, needed: float, doubt: Callable[[], None]) -> None:
    left = deadline - time.monotonic()
    if left <= 0:
        raise DeadlineUnmet("The caller's time was over before the work began.")
    if left < needed:
        doubt()
        raise DeadlineUnmet(
            f"Answering takes about {needed:.3f} s more, and the caller waits {left:.3f} s."
        )
