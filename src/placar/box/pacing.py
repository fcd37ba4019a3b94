"""Keeping a process that computes without pause from using up the CPU quota of its box.

``nice`` decides who computes first on one core. It does not help where the quota is the limit: a
box with half a CPU on a machine with many cores uses its 50 ms up on several cores at once, and
then everything in it is frozen until the period of 100 ms is over, the web workers too. So who
has time is stopped now and then, before the kernel stops everybody.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from placar.box import cgroup
from placar.box.limits import cpu_quota

LOOK: Final = 0.02
"""Seconds between two looks, at most: a look is when a process is stopped or goes on."""

_SAFE = 0.9
"""Share of the quota that may be used up."""
_LEAST = 0.2
"""Share of the quota that the process gets however busy the others are."""
_BURST = LOOK
"""Seconds of CPU that may be used at once."""
_WINDOW = 0.5
"""Seconds over which the others' use is averaged."""

_ROOT = Path("/")
Clock = Callable[[], float]


class Pacer:
    """Stops one process and lets it go on, so that its box stays below its quota."""

    def __init__(
        self, pid: int, quota: float, others: Clock, *, clock: Clock = time.monotonic
    ) -> None:
        """Begin; ``look`` does the rest.

        Args:
            pid: the process.
            quota: CPUs that the box may use.
            others: seconds of CPU that the rest of the box has used.
            clock: seconds that pass.
        """
        self._pid = pid
        self._quota = quota
        self._others = others
        self._clock = clock
        self._at, self._used, self._used_by_others = clock(), used_by(pid), others()
        self._rate = 0.0
        """CPUs that the others use, on average."""
        self._left = _BURST
        self.stopped = False

    def look(self) -> None:
        """Stop the process when its share is used up, or let it go on when there is some left."""
        now, used, used_by_others = self._clock(), used_by(self._pid), self._others()
        passed = now - self._at
        if passed <= 0:
            return
        # A process that ended takes what it used out of the sum.
        rate = max(0.0, used_by_others - self._used_by_others) / passed
        self._rate += min(1.0, passed / _WINDOW) * (rate - self._rate)
        share = max(_LEAST * self._quota, _SAFE * self._quota - self._rate)
        self._left = min(_BURST, self._left + share * passed - (used - self._used))
        self._at, self._used, self._used_by_others = now, used, used_by_others
        if self.stopped != (self._left < 0):
            self._signal(signal.SIGCONT if self.stopped else signal.SIGSTOP)
            self.stopped = not self.stopped

    def release(self) -> None:
        """Let the process go on for good."""
        if self.stopped:
            self._signal(signal.SIGCONT)
            self.stopped = False

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.kill(self._pid, number)
        except ProcessLookupError:  # it has ended
            return


def pacer_for(pid: int, *, root: Path = _ROOT, plan_cpu: str | None = None) -> Pacer | None:
    """Return what paces a process, or None where there is no quota, or nothing tells who is here.

    Args:
        pid: a child of this process.
        root: where ``proc`` and ``sys`` are.
        plan_cpu: CPUs of the platform's plan, if it tells.
    """
    quota = cpu_quota(root, plan_cpu=plan_cpu)
    if quota >= len(os.sched_getaffinity(0)):
        return None
    members = _members(root)
    if members is None:
        return None
    return Pacer(pid, quota, lambda: _used_by_all(members) - used_by(pid))


def _members(root: Path) -> Path | None:
    """Return the file that lists the processes of this one's group."""
    for tree in cgroup.CPU:
        for folder in cgroup.folders(root, tree)[:1]:
            members = folder / "cgroup.procs"
            if str(os.getpid()) in cgroup.read_text(members).split():
                return members
    return None


def used_by(pid: int) -> float:
    """Return the seconds of CPU that a process has used, 0 once it is gone.

    The kernel numbers the clocks of processes by their ids (clock_getcpuclockid(3)).
    """
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def _used_by_all(members: Path) -> float:
    pids = cgroup.read_text(members).split()
    return sum(used_by(int(pid)) for pid in pids if pid.isdigit())
