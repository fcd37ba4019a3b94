"""A process's share of the box's CPU, and whether it has used it up.

A container that has used its quota of a period (100 ms, as a rule) is frozen until the next one
begins, every thread of it. Who stays a little below the quota is never frozen.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

SAFE: Final = 0.92
"""Share of the quota that may be used up: the rest is for whoever else is in the box."""
_BURST = 0.003
"""Seconds of CPU that may be used at once, after a quiet time."""
_DEBT = 0.02
"""Seconds that are owed at most: a second of hard work must not close for many."""

Clock = Callable[[], float]


class CpuShare:
    """Fills up with time, and is drawn from by what the process computes."""

    def __init__(
        self,
        cpus: float = math.inf,
        *,
        clock: Clock = time.monotonic,
        used: Clock = time.process_time,
    ) -> None:
        """Begin with a full share.

        Args:
            cpus: that the process may use on average; without a quota there is no end to it.
            clock: seconds that pass.
            used: seconds of CPU that the process used.
        """
        self.cpus = min(1.0, cpus)
        """That the process may use on average: one loop uses one at most."""
        self._endless = math.isinf(cpus)
        self._clock = clock
        self._used = used
        self._left = _BURST
        self._at = clock()
        self._drawn = used()

    def overdrawn(self) -> bool:
        """Tell whether the process has used more than its share."""
        if self._endless:
            return False
        now, drawn = self._clock(), self._used()
        self._left += self.cpus * (now - self._at) - (drawn - self._drawn)
        self._left = max(-_DEBT, min(_BURST, self._left))
        self._at, self._drawn = now, drawn
        return self._left < 0
