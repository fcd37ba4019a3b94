"""Replacing a worker that has grown: by measured memory, one worker at a time, no request lost.

Counting requests (``--max-requests``) replaces healthy workers, as it counts health checks too.
Here a worker goes that holds more than its share of the box, when it is between large requests:
it closes its connections after their next answer, stops listening, answers what has come, and
ends; the master starts another one meanwhile.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from uvicorn import Server

from placar.web.admission import Admission
from placar.web.guard import Guard
from placar.web.memory import give_memory_back, private_memory

_log = logging.getLogger(__name__)

YOUNGEST = 60.0
"""Seconds that a worker lives at least: else a share that is too small would replace them all the
time."""
APART = 30.0
"""Seconds between two replacements, whichever worker's."""
_LAST_LARGE = 60.0
"""Seconds for bodies that come and batches that are scored, in which the worker still listens."""
_LAST_ANSWERS = 3.0
"""Seconds for what was sent before the worker stopped listening."""
_PAUSE = 0.05


class Recycling:
    """Decides when this worker goes. Belongs to the ticker's thread."""

    def __init__(self, share: int, admission: Admission, folder: Path) -> None:
        """Begin.

        Args:
            share: bytes that this worker may hold alone.
            admission: tells whether something large is being done.
            folder: where the workers' lock is.
        """
        self._share = share
        self._admission = admission
        self._lock = folder / "recycling.lock"
        self._began = time.monotonic()
        self._held: int | None = None
        self._trimmed = False

    def due(self) -> bool:
        """Tell whether this worker should be replaced now; to be asked every few seconds."""
        if self._held is not None or time.monotonic() - self._began < YOUNGEST:
            return False
        busy = self._admission.bodies.held or self._admission.batches.ahead
        if busy or private_memory() <= self._share:
            self._trimmed = False
            return False
        if not self._trimmed:  # perhaps it is only the allocator that keeps it
            give_memory_back()
            self._trimmed = True
            return False
        return self._take_turn()

    def _take_turn(self) -> bool:
        """Take the workers' lock, which goes with this process."""
        try:
            lock = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return False
        if not _turn_has_come(lock):
            os.close(lock)
            return False
        self._held = lock
        megabytes = {"private_mb": private_memory() >> 20, "share_mb": self._share >> 20}
        _log.warning("worker_recycled", extra=megabytes)
        return True


def _turn_has_come(lock: int) -> bool:
    """Tell whether no worker is being replaced, and none was a moment ago; if so, note this one."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        before = os.fstat(lock)
        # A clock that was set says nothing; then it was not a moment ago.
        if before.st_size and 0 <= time.time() - before.st_mtime < APART:
            return False
        os.pwrite(lock, b"%d\n" % os.getpid(), 0)
    except OSError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Leaving:
    """How a worker goes. Belongs to the event loop."""

    server: Server
    guard: Guard

    async def leave(self) -> None:
        """End the server without losing a request."""
        self.guard.closing = True
        await asyncio.sleep(self.server.config.timeout_keep_alive + 0.5)
        await self._wait(lambda: self.guard.busy, _LAST_LARGE)
        for listening in self.server.servers:
            listening.close()
        await self._wait(lambda: bool(self.guard.connections), _LAST_ANSWERS)
        self.server.should_exit = True

    async def _wait(self, last: Callable[[], bool], longest: float) -> None:
        deadline = time.monotonic() + longest
        while last() and time.monotonic() < deadline:  # noqa: ASYNC110 - see stopping
            await asyncio.sleep(_PAUSE)
