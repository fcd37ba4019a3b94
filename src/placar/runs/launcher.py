"""Starting a run's process: the one place that does.

The process is exec'd, never forked into: it inherits no heap, no threads and no open store. It
leads a session of its own, so that no signal meant for the service reaches it, and one signal
to its group reaches everything that it started. Its working directory is the run folder.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import placar
from placar.box.process import ProcessIdentity, identify, is_alive
from placar.errors import DiskFull, TrainingFailed
from placar.package.run_folder import RunFolder, RunSpec
from placar.runs.process import signal_group
from placar.settings import child_environment

_SMALL = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_TRIM_THRESHOLD_": "131072",
    "PYTHONUNBUFFERED": "1",
}
"""Read by their libraries before any code of ours could set them."""


class Child(Protocol):
    """A run's process, whoever started it."""

    @property
    def process(self) -> ProcessIdentity:
        """Its identity."""

    def ended(self) -> bool:
        """Tell whether it has ended, without waiting."""

    def send(self, number: signal.Signals) -> None:
        """Send a signal to its whole group."""

    def clear_away(self) -> int | None:
        """Once it ended: end what is left of its group, and return its exit code if known."""


class OwnChild:
    """A process that this process started, and may ask for its exit code."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        """Take over a process that was just started."""
        self.popen = popen
        # Without /proc nobody could recognise it later: a start that no process has.
        self.process = identify(popen.pid) or ProcessIdentity(popen.pid, 0)
        self._reaped_by_another = False

    def ended(self) -> bool:
        """See ``Child``. The process is not reaped: its id and group stay its own."""
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        try:
            return os.waitid(os.P_PID, self.popen.pid, flags) is not None
        except ChildProcessError:  # whoever handles SIGCHLD here was faster
            self._reaped_by_another = True
            return True

    def send(self, number: signal.Signals) -> None:
        """See ``Child``."""
        signal_group(self.process, number)

    def clear_away(self) -> int | None:
        """See ``Child``. The group goes first, while the unreaped leader keeps its number."""
        self.send(signal.SIGKILL)
        exit_code = self.popen.wait()
        return None if self._reaped_by_another else exit_code


class AdoptedChild:
    """A process that another process started; its exit code went to somebody else."""

    def __init__(self, process: ProcessIdentity) -> None:
        """Watch a process by its identity."""
        self.process = process

    def ended(self) -> bool:
        """See ``Child``."""
        return not is_alive(self.process)

    def send(self, number: signal.Signals) -> None:
        """See ``Child``."""
        signal_group(self.process, number)

    def clear_away(self) -> int | None:
        """See ``Child``."""
        self.send(signal.SIGKILL)
        return None


class Launcher:
    """Starts processes for runs."""

    def __init__(self, command: Sequence[str] | None = None) -> None:
        """Start ``command`` with the run folder as its last argument; training by default."""
        self._command = tuple(command or (sys.executable, "-m", "placar.training"))
        self._left: list[subprocess.Popen[bytes]] = []

    def launch(self, folder: RunFolder, spec: RunSpec) -> OwnChild:
        """Write the run folder and start the process in it.

        Raises:
            DiskFull: the folder could not be written.
            TrainingFailed: the process could not be started.
        """
        self._left = [popen for popen in self._left if popen.poll() is None]
        try:
            folder.write_spec(spec)
            # Appended to, so that the follower can cut a log that grows without end.
            log = folder.log.open("ab")
        except OSError as error:
            raise DiskFull(f"The run folder could not be written: {error.strerror}.") from error
        with log:
            return OwnChild(self._start(folder, log.fileno()))

    def leave(self, child: Child) -> None:
        """Let a process go on without us; it is reaped when it has ended, if we still live."""
        if isinstance(child, OwnChild):
            self._left.append(child.popen)

    def _start(self, folder: RunFolder, log: int) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                [*self._command, str(folder.root)],
                cwd=folder.root,
                env=child_environment() | _SMALL | _python_path(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                close_fds=True,
            )
        except OSError as error:
            raise TrainingFailed(
                f"The run's process could not be started: {error.strerror}.",
                way_out="The machine is probably short of memory or processes.",
            ) from error


def _python_path() -> dict[str, str]:
    """Let the child find what we found: it starts in another folder, perhaps not installed."""
    inherited = child_environment().get("PYTHONPATH", "").split(os.pathsep)
    entries = [str(Path(entry).absolute()) for entry in inherited if entry]
    source = Path(placar.__file__).absolute().parents[1]
    if source.name not in ("site-packages", "dist-packages"):  # never ahead of the standard library
        entries.insert(0, str(source))
    return {"PYTHONPATH": os.pathsep.join(entries)} if entries else {}
