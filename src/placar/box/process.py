"""Processes by what /proc says: who somebody is, and whether they live.

A process id alone names nobody: ids are used again. Together with the start time, in clock
ticks since boot, it names one process; a *machine* is what that pair means something on.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")

_STATE = 0
_STARTED = 19
"""Places among the fields of /proc/N/stat that follow the command's closing bracket."""


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process, for good."""

    pid: int
    started: int


def identify(pid: int) -> ProcessIdentity | None:
    """Return the identity of the process that has this id now, a zombie too."""
    fields = _stat(pid)
    return ProcessIdentity(pid, int(fields[_STARTED])) if fields else None


def is_alive(process: ProcessIdentity) -> bool:
    """Tell whether this very process still runs; a zombie does not."""
    fields = _stat(process.pid)
    return (
        fields is not None
        and int(fields[_STARTED]) == process.started
        and fields[_STATE] not in ("Z", "X")
    )


def machine() -> str:
    """Name this machine, until it boots again, and this space of process ids."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {(_PROC / 'self/ns/pid').readlink()}"
    except OSError:
        return platform.node()


def _stat(pid: int) -> list[str] | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    # The command stands in brackets and may hold brackets and blanks itself.
    return text.rpartition(")")[2].split()
