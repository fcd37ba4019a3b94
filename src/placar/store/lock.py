"""A lock between processes, on a file; the kernel frees it when its holder dies."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from placar.errors import DiskFull, StoreUnavailable

_PAUSE = 0.02


@contextmanager
def file_lock(path: Path, timeout: float = 60.0) -> Iterator[None]:
    """Hold the lock; wait for it at most ``timeout`` seconds.

    The file stays: removing it would let two processes lock two files of one name.

    Raises:
        DiskFull: the file cannot be made.
        StoreUnavailable: somebody else held it for too long.
    """
    try:
        file = path.open("ab")
    except OSError as error:
        raise DiskFull(f"{path.name} could not be made: {error.strerror}.") from error
    with file:
        deadline = time.monotonic() + timeout
        while not _taken(file.fileno()):
            if time.monotonic() > deadline:
                raise StoreUnavailable(f"Another process has held {path.name} for too long.")
            time.sleep(_PAUSE)
        yield


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
