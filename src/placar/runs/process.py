"""A run's processes: since when they run, which group to end, and what left it."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from placar.box.process import ProcessIdentity, identify

_PROC = Path("/proc")

_SWEEPS = 5
"""Looks for strays: one that is being killed may have started another."""


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
    for pid in _pids():
        try:
            arguments = (_PROC / str(pid) / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
            if arguments[-1] == wanted and os.getsid(pid) == pid:
                return identify(pid)
        except OSError:  # it ended while we looked
            continue
    return None


def age(process: ProcessIdentity) -> float | None:
    """Return the seconds since a process started, by a clock that nobody can set; None: unknown."""
    if process.started <= 0:
        return None
    return time.clock_gettime(time.CLOCK_BOOTTIME) - process.started / os.sysconf("SC_CLK_TCK")


def end_strays(mark: str) -> int:
    """Kill every process that was started with ``mark`` in its environment; return how many.

    Whatever leaves its group and session, as daemons do, still carries the environment of what
    started it. Processes of other users are out of reach, and out of sight.

    Args:
        mark: a ``NAME=value`` that no other process has.
    """
    ended: set[int] = set()
    for _ in range(_SWEEPS):
        found = {pid for pid in _pids() if pid != os.getpid() and _carries(pid, mark)}
        for pid in found - ended:
            _kill_if_marked(pid, mark)
        if found <= ended:
            break
        ended |= found
    return len(ended)


def _kill_if_marked(pid: int, mark: str) -> None:
    """Kill by a handle, so that a process id that is used again meanwhile harms nobody."""
    try:
        handle = os.pidfd_open(pid)
    except OSError:  # it is gone
        return
    try:
        if _carries(pid, mark):
            with suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
    finally:
        os.close(handle)


def _carries(pid: int, mark: str) -> bool:
    try:
        environment = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return False
    return os.fsencode(mark) in environment.split(b"\0")


def _pids() -> list[int]:
    try:
        return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal()]
    except OSError:
        return []
