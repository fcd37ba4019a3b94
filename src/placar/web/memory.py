"""Keeping the allocator from hoarding: what it keeps back is missing in a small box.

glibc gives each thread an arena of its own, up to eight per core of the host, and keeps what is
freed in them. ``MALLOC_ARENA_MAX`` and ``MALLOC_TRIM_THRESHOLD_`` say otherwise, but only at
exec; ``mallopt(3)`` says the same from inside, and ``malloc_trim(3)`` gives back what is free.
With another C library nothing happens.
"""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

from placar.box.cgroup import read_line

_TRIM_THRESHOLD = (-1, 128 * 1024)
_ARENA_MAX = (-8, 2)
_DONTNEED = 4

_AREA = re.compile(r"^(?=[0-9a-f]+-[0-9a-f]+ )", re.MULTILINE)
_CLEAN = re.compile(r"([0-9a-f]+)-([0-9a-f]+) r-[x-]p \S+ \S+ \d+ +/")
_UNWRITTEN = re.compile(r"^Anonymous: +0 kB$", re.MULTILINE)


def keep_memory_lean() -> None:
    """Limit what the allocator keeps from now on."""
    for parameter, value in (_TRIM_THRESHOLD, _ARENA_MAX):
        _call("mallopt", parameter, value)


def give_memory_back() -> None:
    """Return what is free to the kernel: building a model leaves megabytes. Takes milliseconds."""
    _call("malloc_trim", 0)


def private_memory() -> int:
    """Return the bytes that this process shares with nobody, 0 where the kernel does not tell."""
    own = Path("/proc/self/smaps_rollup")
    names = ("Private_Clean", "Private_Dirty")
    return sum(read_line(own, name) or 0 for name in names) * 1024


def unmap_clean_pages() -> None:
    """Let go of code and constants that only importing needed; what is used again comes back.

    For the master, while it has one thread: a page of a library that nobody else maps counts
    against the box as long as the master maps it. Pages that were written to are left alone.
    """
    try:
        text = Path("/proc/self/smaps").read_text(encoding="utf-8", errors="replace")
    except OSError:  # no Linux
        return
    for area in _AREA.split(text)[1:]:
        found = _CLEAN.match(area)
        if found is not None and _UNWRITTEN.search(area):
            start, end = int(found[1], 16), int(found[2], 16)
            _call("madvise", ctypes.c_void_p(start), ctypes.c_size_t(end - start), _DONTNEED)


def _call(name: str, *arguments: int | ctypes.c_void_p | ctypes.c_size_t) -> None:
    try:
        function = getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError):
        return
    function(*arguments)
