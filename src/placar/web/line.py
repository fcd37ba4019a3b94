"""The rows that wait in one worker: how many, how fast they go, how long the last one waits."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

from placar.box.cpu_share import CpuShare

LONGEST_WAIT: Final = 0.03
"""Seconds that a single row may wait for those before it. No less is left than …"""
_LEAST, _LEAST_BATCH = 0.0005, 0.00001
"""… so many seconds, alone and in a batch: or senseless deadlines would talk the line away."""
SHORT_WAIT: Final = 0.002
"""The same while rows are being refused: a long line would serve none of them better."""
LONGEST_BATCH_WAIT: Final = 20.0
"""Seconds in which a batch and those before it should be scored: routers give up at 30."""

_CALM = 3.0
"""Seconds without a refusal after which the line may grow again."""
_IDLE = 0.1
"""Seconds without a row after which a worker that refuses rows takes whatever comes."""
_ALWAYS = 2
"""Single rows that may wait however slow the model is."""
_FIRST_GUESS, _FIRST_BATCH_GUESS = 0.0005, 0.0001
"""Seconds that a row takes, alone and in a batch, until one has been seen."""
_NEWEST = 0.05
"""Weight of a newly scored row in the average."""
_CROWD, _NEWEST_CROWD = 50, 0.3
"""Rows that are looked at together while others wait, and their weight."""
_NEWEST_SLICE, _WHOLE_SLICE = 0.5, 500
"""Weight of a batch's slice with so many rows; a smaller one counts less."""
_LONGEST_RETRY = 60
_SURPRISE = 10
"""Times the average that one measurement counts at most: a process that was frozen for seconds has
not become slow."""
_DOUBT = 0.9
"""What is left of an average for whose sake something was refused: what is refused cannot correct
it."""

Clock = Callable[[], float]


class SingleRows:
    """Single rows that are complete and wait for their turn on the event loop."""

    def __init__(self, cpu: CpuShare | None = None, clock: Clock = time.monotonic) -> None:
        """Begin with nobody waiting.

        Args:
            cpu: what this worker may use of the box's CPU.
            clock: seconds that pass.
        """
        self.waiting = 0
        self.cpu = cpu or CpuShare()
        self.seconds = _FIRST_GUESS
        """That one row takes, on average, with all that is done for it."""
        self._clock = clock
        self._crowded_since: float | None = None
        self._scored = 0
        """Rows since then."""
        self._refused_at = self._done_at = -math.inf
        self._window = 0.0
        self._taken = self._refused = 0
        self._excess = 1.0
        """How many rows were sent for each that was taken, in the last whole second."""

    @property
    def wait(self) -> float:
        """Seconds that the last one in the line has to wait, about."""
        return self.waiting * self.seconds / (self.cpu.cpus if self.refusing else 1.0)

    @property
    def refusing(self) -> bool:
        """Rows were refused a moment ago."""
        return self._clock() - self._refused_at < _CALM

    @property
    def full(self) -> bool:
        """Whoever comes now would wait too long."""
        if self.refusing:
            return self.waiting > self.places
        return self.waiting > _ALWAYS and self.wait > LONGEST_WAIT

    @property
    def places(self) -> int:
        """How many may wait together while rows are refused."""
        return max(_ALWAYS, int(SHORT_WAIT * self.cpu.cpus / self.seconds))

    @property
    def idle(self) -> bool:
        """No row has been scored for a moment."""
        return self._clock() - self._done_at > _IDLE

    @property
    def resting(self) -> bool:
        """No row may start just now.

        While rows are refused anyway, the CPU's quota is not used up: so those that are taken are
        not frozen with the whole box until the next period.
        """
        return self.refusing and self.cpu.overdrawn()

    @property
    def retry_after(self) -> int:
        """Whole seconds after which to try again.

        Where ten times as many rows come as can be taken, each had better come a tenth as often.
        """
        return max(1, min(_LONGEST_RETRY, math.ceil(self._excess)))

    def done(self, seconds: float) -> None:
        """Note that a row was scored, and in what time.

        Where others wait, what counts is how many are done in a while: reading requests, writing
        answers and being frozen by the CPU's quota keep them waiting, too.
        """
        self._taken += 1
        now = self._done_at = self._clock()
        if self.waiting <= _ALWAYS:
            self._crowded_since = None
            self._average(seconds, _NEWEST)
        elif self._crowded_since is None:
            self._crowded_since, self._scored = now, 0
        else:
            self._scored += 1
            if self._scored == _CROWD:
                self._average((now - self._crowded_since) / _CROWD, _NEWEST_CROWD)
                self._crowded_since, self._scored = now, 0

    def _average(self, seconds: float, weight: float) -> None:
        self.seconds += weight * (min(seconds, _SURPRISE * self.seconds) - self.seconds)

    def doubt(self) -> None:
        """Note that a row was refused only because of what a row takes."""
        self.seconds = max(min(_LEAST, self.seconds), _DOUBT * self.seconds)

    def refuse(self) -> int:
        """Note that a row is refused, and return ``retry_after``."""
        now = self._refused_at = self._clock()
        if now - self._window >= 1.0:
            self._excess = (self._taken + self._refused) / max(1, self._taken)
            self._window, self._taken, self._refused = now, 0, 0
        self._refused += 1
        return self.retry_after


class BatchRows:
    """Rows of batches that were taken and are not scored yet."""

    def __init__(self) -> None:
        """Begin with none."""
        self.ahead = 0
        self.seconds = _FIRST_BATCH_GUESS
        """That one row takes in the pool, on average, with whatever else runs meanwhile."""

    @property
    def retry_after(self) -> int:
        """Whole seconds after which the rows ahead should be scored."""
        return max(1, min(_LONGEST_RETRY, math.ceil(self.estimate(0))))

    def estimate(self, rows: int) -> float:
        """Return the seconds until so many more rows would be scored."""
        return (self.ahead + rows) * self.seconds

    def too_many(self, rows: int) -> bool:
        """So many more would wait too long for those ahead; alone, any number is taken."""
        return self.ahead > 0 and self.estimate(rows) > LONGEST_BATCH_WAIT

    def begin(self, rows: int) -> None:
        """Take a batch."""
        self.ahead += rows

    def done(self, rows: int, seconds: float, *, whole: bool = True) -> None:
        """Note that a slice was scored, and in what time.

        Args:
            rows: of the slice.
            seconds: that it took.
            whole: it has as many rows as a slice can have; each of fewer takes longer, which says
                nothing about a large batch.
        """
        self.ahead -= rows
        if seconds > rows * self.seconds and not whole:
            return
        weight = _NEWEST_SLICE * min(1.0, rows / _WHOLE_SLICE)
        each = min(seconds / rows, _SURPRISE * self.seconds)
        self.seconds += weight * (each - self.seconds)

    def doubt(self) -> None:
        """Note that a batch was refused only because of what its rows take."""
        self.seconds = max(min(_LEAST_BATCH, self.seconds), _DOUBT * self.seconds)

    def drop(self, rows: int) -> None:
        """Forget the rest of a batch that nobody waits for any more."""
        self.ahead -= rows
