"""Every way of starting the service that a deployment file or the first guide names."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.files import ROOT, instructions, procfile_command, render_service

pytestmark = pytest.mark.e2e

PATIENCE = 60.0
VARIABLES = ("LANG", "LC_ALL", "TMPDIR", "TZ")
GUIDE = (
    "gunicorn -w 2 -k uvicorn.workers.UvicornWorker -b 0.0.0.0:$PORT --timeout 120 "
    "--graceful-timeout 60 --keep-alive 5 --log-level debug src.api.scoring_api:app"
)
GUIDE_IN_DOCKER = GUIDE.replace("-w 2", "-w 4").replace(
    " src.api", " --max-requests 1000 --max-requests-jitter 50 --worker-tmp-dir /dev/shm src.api"
)
BY_RENDER = {"GUNICORN_CMD_ARGS": "--preload --access-logfile - --bind=0.0.0.0:10000"}
"""What Render's Python runtime puts into the environment."""


@dataclass(frozen=True, slots=True)
class Started:
    """A service that was started, and answers."""

    process: subprocess.Popen[bytes]
    port: int
    environment: dict[str, str]
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")


@contextmanager
def started(command: list[str], tmp_path: Path, port: int, **variables: str) -> Iterator[Started]:
    """Start a command at the root of the repository, wait for /health, and stop it afterwards."""
    environment = {name: os.environ[name] for name in VARIABLES if name in os.environ}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PORT": str(port),
        "PLACAR_HOME": str(tmp_path / "home"),
        "PLACAR_ADMIN_KEY": "only-for-this-test",
        **variables,
    }
    log_file = tmp_path / "log.txt"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    service = Started(process, port, environment, log_file)
    try:
        wait_for_health(service)
        yield service
    finally:
        stop(process)


def wait_for_health(service: Started) -> None:
    deadline = time.monotonic() + PATIENCE
    while status(service.port, render_service()["healthCheckPath"]) != 200:
        assert service.process.poll() is None, service.log
        assert time.monotonic() < deadline, service.log
        time.sleep(0.1)


def workers_of(service: Started, expected: int) -> int:
    """Return how many workers have booted: one that answers may have siblings still to come."""
    deadline = time.monotonic() + PATIENCE
    while True:
        booted = set(re.findall(r"Booting worker with pid: (\d+)", service.log))
        if len(booted) >= expected or time.monotonic() > deadline:
            return len(booted)
        time.sleep(0.1)


def status(port: int, path: str) -> int:
    """Return what an address answers, 0 when nobody does."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the service's first process to stop, as a platform does; insist on its whole session."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=30)


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_procfile_starts(tmp_path: Path, port: int) -> None:
    honcho = [sys.executable, "-m", "honcho", "-f", str(ROOT / "Procfile")]
    command = [*honcho, "-d", str(ROOT), "start", "-p", str(port), "web"]
    with started(command, tmp_path, port) as service:
        assert "web workers" in service.log
    assert status(port, "/health") == 0


def test_the_dockerfiles_command_starts(tmp_path: Path, port: int) -> None:
    (command,), (check,) = instructions("CMD"), instructions("HEALTHCHECK")
    probe = check.rest.partition("CMD ")[2]
    with started(command.words, tmp_path, port) as service:
        assert service_is_healthy(probe, service.environment)
        assert first_process_is_gunicorn(service)
    assert service.process.returncode == 0
    assert not service_is_healthy(probe, service.environment)


def service_is_healthy(probe: str, environment: dict[str, str]) -> bool:
    done = subprocess.run(
        json.loads(probe), env=environment, capture_output=True, timeout=30, check=False
    )
    return done.returncode == 0


def first_process_is_gunicorn(service: Started) -> bool:
    """Tell whether the shells are gone, so that a platform's signal reaches gunicorn."""
    line = Path(f"/proc/{service.process.pid}/cmdline").read_bytes()
    return b"gunicorn" in line and b"sh\0-c\0" not in line


@pytest.mark.parametrize("variables", [{}, BY_RENDER], ids=["alone", "with render's arguments"])
def test_renders_command_starts(tmp_path: Path, port: int, variables: dict[str, str]) -> None:
    command = ["sh", "-c", render_service()["startCommand"]]
    with started(command, tmp_path, port, WEB_CONCURRENCY="2", **variables) as service:
        assert f"Listening at: http://0.0.0.0:{port}" in service.log
        assert workers_of(service, 2) == 2
    assert service.process.returncode == 0


@pytest.mark.parametrize(
    ("command", "workers"), [(GUIDE, 2), (GUIDE_IN_DOCKER, 4)], ids=["on render", "in docker"]
)
@pytest.mark.parametrize("variables", [{}, BY_RENDER], ids=["alone", "with render's arguments"])
def test_the_first_guides_commands_start_as_written(
    tmp_path: Path, port: int, command: str, workers: int, variables: dict[str, str]
) -> None:
    if "/dev/shm" in command and not Path("/dev/shm").is_dir():
        pytest.skip("this machine has no /dev/shm")
    with started(["sh", "-c", f"exec {command}"], tmp_path, port, **variables) as service:
        assert f"Listening at: http://0.0.0.0:{port}" in service.log
        assert workers_of(service, workers) == workers
    assert service.process.returncode == 0


def test_without_a_key_a_public_address_is_refused_in_one_sentence(
    tmp_path: Path, port: int
) -> None:
    with (
        pytest.raises(AssertionError),
        started(["sh", "-c", procfile_command()], tmp_path, port, PLACAR_ADMIN_KEY=""),
    ):
        pass
    log = (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert "PLACAR_ADMIN_KEY" in log
    assert "Traceback" not in log
