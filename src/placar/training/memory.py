"""What processes hold, from the kernel."""

from __future__ import annotations

import resource
from pathlib import Path


def peak_memory() -> int:
    """Return the most resident memory that this process or a fork that ended ever had, in bytes."""
    forks = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return max(_status("VmHWM"), forks)


def held_memory(process: int | str = "self") -> int:
    """Return the memory of its own that a process holds now, in bytes (RssAnon).

    Pages of files, such as libraries and mapped matrices, do not count: the kernel can drop them.
    """
    return _status("RssAnon", process)


def _status(name: str, process: int | str = "self") -> int:
    """Return a figure, or 0 when there is none: not Linux, or the process is gone."""
    try:
        text = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    values = dict(line.split(":", 1) for line in text.splitlines())
    return int(values.get(name, "0").split()[0]) * 1024
