"""Processes by what /proc says: who is alive, which group to end, what the kernel killed.

A process id alone names nobody: ids are used again. Together with the start time, in clock
ticks since boot, it names one process; a *machine* is what that pair means something on.
"""

from __future__ import annotations

import os
import platform
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")

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


def signal_group(process: ProcessIdentity, number: signal.Signals) -> None:
    """Send a signal to everything in the group that the process leads, or led.

    The kernel does not give a group's number to a new process while a member lives. So a
    number whose owner is gone still means the old group; one with another owner does not.
    """
    owner = identify(process.pid)
    if owner is not None and owner != process:
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def find_by_argument(argument: str) -> ProcessIdentity | None:
    """Return a session leader that was started with ``argument`` as its last one."""
    wanted = os.fsencode(argument)
    for entry in _PROC.iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            arguments = (entry / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
            if arguments[-1] == wanted and os.getsid(int(entry.name)) == int(entry.name):
                return identify(int(entry.name))
        except OSError:  # it ended while we looked
            continue
    return None


def machine() -> str:
    """Name this machine, until it boots again, and this space of process ids."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {(_PROC / 'self/ns/pid').readlink()}"
    except OSError:
        return platform.node()


def oom_kills() -> int:
    """Return how many processes of our cgroup the kernel has killed for memory, as far as told."""
    for file in (_own_cgroup() / "memory.events", _CGROUPS / "memory/memory.oom_control"):
        try:
            lines = file.read_text().splitlines()
        except OSError:
            continue
        counts = dict(line.split(" ", 1) for line in lines if " " in line)
        return int(counts.get("oom_kill", 0))
    return 0


def _own_cgroup() -> Path:
    try:
        lines = (_PROC / "self/cgroup").read_text().splitlines()
    except OSError:
        return _CGROUPS
    names = [line.removeprefix("0::/") for line in lines if line.startswith("0::/")]
    return _CGROUPS / names[0] if names else _CGROUPS


def _stat(pid: int) -> list[str] | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    # The command stands in brackets and may hold brackets and blanks itself.
    return text.rpartition(")")[2].split()
