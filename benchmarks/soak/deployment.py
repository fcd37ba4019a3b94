"""The service as a platform keeps it: started, started again when it ended, stopped."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, Self

from harness import KEY, RESULTS, ROOT, SMALL, Ask, Home, placar_command, request

from box import Box

Kind = Literal["master", "worker", "run supervisor", "run fork"]


@dataclass(frozen=True, slots=True)
class Process:
    """A process of the service."""

    pid: int
    kind: Kind


class Deployment:
    """One service with 2 workers; its processes are known by the home they work in."""

    def __init__(self, home: Home, port: int, name: str, box: Box | None) -> None:
        self.port = port
        self._home = home
        self._box = box
        self._log_path = RESULTS / "logs" / f"{name}.log"
        self._log: BinaryIO | None = None
        self._master: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        self._log = self._log_path.open("wb")
        self.start_again()
        return self

    def __exit__(self, *_: object) -> None:
        self._end_all()
        if self._log is not None:
            self._log.close()

    def start_again(self) -> None:
        """Start the master; one that was killed is waited for, as its parent has to."""
        if self._master is not None:
            self._master.wait(10)
        command = placar_command(self.port, 2)
        env = {**os.environ, **SMALL, **self._home.env, "PLACAR_LOG_LEVEL": "info"}
        self._master = subprocess.Popen(
            self._box.enter(command) if self._box else command,
            cwd=ROOT,
            env=env,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )

    def wait_until_ready(self, patience: float) -> None:
        """Wait until it can score; a master that ended by itself is started again."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if self._master is not None and self._master.poll() is not None:
                self.start_again()
            with contextlib.suppress(OSError, http.client.HTTPException):
                if not self._orphans() and self._ask("/ready", 2.0)[0] == http.client.OK:
                    return
            time.sleep(0.02)
        raise SystemExit(f"It did not get ready within {patience:.0f} s; see {self._log_path}")

    def _orphans(self) -> list[int]:
        """Return workers of a master that is gone: they may answer, but not for long."""
        master = self._master.pid if self._master is not None else 0
        workers = [each.pid for each in self.processes() if each.kind == "worker"]
        return [pid for pid in workers if _parent(pid) != master]

    def get(self, path: str) -> tuple[int, bytes]:
        """Ask for something; a connection that fails is tried again for a while."""
        for _ in range(20):
            with contextlib.suppress(OSError, http.client.HTTPException):
                return self._ask(path, 30.0)
            time.sleep(0.5)
        return 0, b""

    def _ask(self, path: str, timeout: float) -> tuple[int, bytes]:
        return request(self.port, Ask(path, None, {"X-API-Key": KEY}), timeout)

    def processes(self) -> list[Process]:
        """Return all that run now, those of runs included."""
        parents = {pid: _parent(pid) for pid in _pids_of(self._home.folder)}
        return [Process(pid, self._kind(pid, parents)) for pid in parents]

    def _kind(self, pid: int, parents: dict[int, int]) -> Kind:
        if self._master is not None and pid == self._master.pid:
            return "master"
        if not _trains(pid):
            return "worker"
        return "run fork" if _trains(parents[pid]) else "run supervisor"

    def terminate(self, patience: float) -> int | None:
        """Send SIGTERM; return the exit code, None if it did not end in time."""
        assert self._master is not None
        self._master.send_signal(signal.SIGTERM)
        try:
            return self._master.wait(patience)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, patience: float) -> list[str]:
        """End the service; return the kinds of the processes that are still there then."""
        self.terminate(patience)
        deadline = time.monotonic() + 5
        while self.processes() and time.monotonic() < deadline:
            time.sleep(0.1)
        return [process.kind for process in self.processes()]

    def _end_all(self) -> None:
        for process in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        if self._master is not None:
            self._master.wait(10)


def _pids_of(home: Path) -> list[int]:
    """Return the processes whose environment or command names the home; ours does not."""
    wanted, found = str(home).encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            text = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
            if wanted in text:
                found.append(int(folder.name))
    return sorted(found)


def _parent(pid: int) -> int:
    with contextlib.suppress(OSError):
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return int(stat.rpartition(")")[2].split()[1])
    return 0


def _trains(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return b"placar.training" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False
