"""Ctrl-C at bad moments: it ends at once, without a traceback, and nobody blames memory."""

from __future__ import annotations

import os
import shlex
import signal
import time
from collections.abc import Callable

import pytest

from run_scenes import eventually
from service_process import ServiceProcess

pytestmark = pytest.mark.e2e
Start = Callable[..., ServiceProcess]

SERVE = "placar serve --port {port} --workers 2"
GUIDE = "gunicorn -w 2 -k uvicorn.workers.UvicornWorker -b 127.0.0.1:{port} src.api.scoring_api:app"


def assert_clean_end(service: ServiceProcess) -> None:
    service.process.wait(8)
    assert "Traceback" not in service.log
    assert "SIGKILL" not in service.log
    eventually(lambda: service.status("/health") == 0)


@pytest.mark.parametrize("after", [0.15, 0.3, 0.5, 0.8])
def test_while_it_starts(start: Start, after: float) -> None:
    service = start(*shlex.split(SERVE))
    time.sleep(after)
    os.killpg(service.process.pid, signal.SIGINT)
    assert_clean_end(service)


@pytest.mark.parametrize("command", [SERVE, GUIDE])
@pytest.mark.parametrize("after", [0.0, 0.05, 0.15])
def test_while_the_workers_start(start: Start, command: str, after: float) -> None:
    service = start(*shlex.split(command))
    eventually(lambda: "Listening at" in service.log)
    time.sleep(after)
    os.killpg(service.process.pid, signal.SIGINT)
    assert_clean_end(service)


@pytest.mark.parametrize("command", [SERVE, GUIDE])
def test_when_only_the_master_hears_of_it(start: Start, command: str) -> None:
    service = start(*shlex.split(command)).ready()
    service.process.send_signal(signal.SIGINT)
    assert_clean_end(service)
