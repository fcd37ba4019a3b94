"""The real service as a process, and what tests do with it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from run_scenes import eventually
from web_scenes import HEADERS, KEY

ROOT = Path(__file__).resolve().parents[1]
_SCRIPTS = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a JSON body."""

    status: int
    body: dict[str, object]


class ServiceProcess:
    """Starts a command with ``{port}`` in it; its home has a champion and an administrator."""

    def __init__(
        self,
        command: Sequence[str],
        home: Path,
        log: Path,
        *,
        cwd: Path = ROOT,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.log_path = log
        self.home = home
        name, *rest = [word.replace("{port}", str(self.port)) for word in command]
        inherited = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("PLACAR_", "GUNICORN_")) and key not in ("PYTHONPATH", "PORT")
        }
        given = {"PORT": str(self.port), "PLACAR_HOME": str(home), "PLACAR_ADMIN_KEY": KEY}
        extra = {
            key: value.replace("{port}", str(self.port))
            for key, value in (environment or {}).items()
        }
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [str(_SCRIPTS / name), *rest],
                cwd=cwd,
                env=inherited | given | extra,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        return self.log_path.read_text(encoding="utf-8")

    def ready(self) -> ServiceProcess:
        """Wait until it can score."""
        deadline = time.monotonic() + 30
        while self.status("/ready") != 200:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(self.log)
            time.sleep(0.05)
        return self

    def get(self, path: str) -> Answer:
        return self._ask("GET", path)

    def post(self, path: str, body: object = None) -> Answer:
        return self._ask("POST", path, body)

    def workers(self) -> list[int]:
        """Return the ids of the master's children."""
        master = self.process.pid
        text = Path(f"/proc/{master}/task/{master}/children").read_text()
        return [int(word) for word in text.split()]

    def stop(self, seconds: float = 10.0) -> int:
        """Ask it to end, wait, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def kill(self) -> None:
        """End it at once, with its workers."""
        if self.process.poll() is None:
            workers = self.workers()
            for pid in (self.process.pid, *workers):
                os.kill(pid, signal.SIGKILL)
            self.process.wait()

    def run(self, run_id: str) -> dict[str, object]:
        return self.get(f"/runs/{run_id}").body

    def ended(self, run_id: str, seconds: float = 40.0) -> dict[str, object]:
        """Wait for a run's end."""
        eventually(
            lambda: self.run(run_id).get("status") not in ("queued", "running", None), seconds
        )
        return self.run(run_id)

    def status(self, path: str) -> int:
        """Return the status of an open address; 0 while nobody answers."""
        try:
            return self._ask("GET", path).status
        except OSError:
            return 0

    def _ask(self, method: str, path: str, body: object = None) -> Answer:
        """Ask over a connection of its own, so that any worker may answer."""
        content = json.dumps(body) if body is not None else None
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, content, HEADERS)
            response = connection.getresponse()
            return Answer(response.status, json.loads(response.read()))
        finally:
            connection.close()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
