"""A worker's start under a server without a master: the first key, and refusals in one sentence."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from uvicorn import Config, Server

from placar.settings import Settings
from placar.web import lifespan, memory
from placar.web.app import create_app
from web_scenes import running, settings_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def keyless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("PLACAR_WORKER_SLOT", raising=False)
    return settings_of(tmp_path, admin_key=None)


def listen_on(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(Config("nothing:here", host=host))
    monkeypatch.setattr(lifespan, "running_server", lambda: server)


async def start(settings: Settings) -> list[dict[str, str]]:
    """Send only the start event and return what the application says to it."""
    said: list[dict[str, str]] = []

    async def receive() -> dict[str, str]:
        return {"type": "lifespan.startup" if not said else "lifespan.shutdown"}

    async def send(message: dict[str, str]) -> None:
        said.append(message)

    scope = {"type": "lifespan", "state": {}, "asgi": {"version": "3.0"}}
    with suppress(Exception):  # the server logs it; what was said is looked at
        await create_app(settings)(scope, receive, send)  # type: ignore[arg-type]
    return said


async def test_on_loopback_the_first_key_is_made(
    keyless: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listen_on("127.0.0.1", monkeypatch)
    async with running(keyless) as service:
        secret = capsys.readouterr().err.split()[-1]
        answer = await service.client.get("/models", headers={"X-API-Key": secret})
        assert answer.status_code == 200


async def test_on_a_public_address_the_start_is_refused_in_one_sentence(
    keyless: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen_on("0.0.0.0", monkeypatch)
    (said,) = await start(keyless)
    assert said["type"] == "lifespan.startup.failed"
    assert said["message"].startswith("placar: The service would listen on 0.0.0.0 without")


async def test_under_a_master_no_worker_makes_keys(
    keyless: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen_on("127.0.0.1", monkeypatch)
    monkeypatch.setenv("PLACAR_WORKER_SLOT", "1")
    async with running(keyless) as service:
        assert service.state.services.keys.active() == ()
        assert service.state.files._own.name == "slot-1.json"


async def test_a_start_and_a_stop_leave_nothing_behind(keyless: Settings) -> None:
    said = await start(keyless)
    assert [message["type"] for message in said] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


def test_pages_that_only_importing_needed_are_let_go_and_come_back() -> None:
    code = (
        "import re, numpy, onnxruntime\n"
        "from pathlib import Path\n"
        "from placar.web.memory import unmap_clean_pages\n"
        "def mapped():\n"
        "    text = Path('/proc/self/status').read_text()\n"
        "    return int(re.search(r'RssFile:\\s+(\\d+)', text)[1])\n"
        "before = mapped()\n"
        "unmap_clean_pages()\n"
        "after = mapped()\n"
        "assert numpy.linalg.solve(numpy.eye(3), numpy.ones(3)).sum() == 3\n"
        "assert onnxruntime.get_available_providers()\n"
        "print(before > 2 * after)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout == "True\n"


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_name: object) -> object:
        raise OSError

    memory.keep_memory_lean()
    memory.give_memory_back()
    monkeypatch.setattr(ctypes, "CDLL", none)
    memory.keep_memory_lean()
    memory.give_memory_back()
    memory.unmap_clean_pages()
