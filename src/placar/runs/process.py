"""A run's processes: which group to end, whose child it was, what the kernel killed."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from placar.box.process import ProcessIdentity, identify

_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")


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
