"""In the master: how a worker ended, for the flight recorder and the log.

Gunicorn's hook comes after it has collected the worker's exit status, and does not tell it. The
kernel tells it to whoever asks before that: so the signal that announces the end of a child is
answered first here, with a look that leaves the status in place, and then by gunicorn.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType

import msgspec

from placar.box.cgroup import oom_kills
from placar.box.flight.crashes import CrashFolder, log_crash
from placar.box.flight.verdict import Witness

_LOOK = os.WEXITED | os.WNOHANG | os.WNOWAIT


class WorkerEndings:
    """Remembers exit statuses until the hook asks for them."""

    def __init__(self, folder: Path) -> None:
        """Name the flight recorder's folder."""
        self._crashes = CrashFolder(folder)
        self._seen: dict[int, tuple[str | None, int | None]] = {}
        """By process id: the signal's name, or the exit code."""

    def watch(self, pids: Callable[[], Iterable[int]]) -> None:
        """Look at each ended child before gunicorn does.

        Args:
            pids: returns the process ids of the workers.
        """
        theirs = signal.getsignal(signal.SIGCHLD)

        def look_first(number: int, frame: FrameType | None) -> None:
            for pid in pids():
                self._look(pid)
            if callable(theirs):
                theirs(number, frame)

        signal.signal(signal.SIGCHLD, look_first)

    def ended(self, pid: int, *, timed_out: bool) -> None:
        """Explain the end of a worker, unless it stopped as it should.

        What faulthandler wrote goes to stderr, where it would have gone without a recorder.

        Args:
            pid: the worker's.
            timed_out: gunicorn ended it for its time-out.
        """
        name, code = self._seen.pop(pid, (None, None))
        witness = Witness(
            timed_out=timed_out,
            signal=name,
            exit_code=code,
            oom_kills=oom_kills(),
            master_lives=True,
        )
        for crash in self._crashes.recover(pid, witness):
            if crash.fault:
                sys.stderr.write(crash.fault)
                sys.stderr.flush()
                crash = msgspec.structs.replace(crash, stack=crash.stack[:1])  # noqa: PLW2901
            log_crash("worker_crashed", crash, logging.ERROR)

    def _look(self, pid: int) -> None:
        try:
            seen = os.waitid(os.P_PID, pid, _LOOK)
        except ChildProcessError:  # collected already
            return
        if seen is None:
            return
        if seen.si_code == os.CLD_EXITED:
            self._seen[pid] = (None, seen.si_status)
        else:
            self._seen[pid] = (_name(seen.si_status), None)


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # one of the real-time signals
        return f"signal {number}"
