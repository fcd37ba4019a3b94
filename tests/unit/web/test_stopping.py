"""Hearing that the server stops, before it waits for what still runs."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from threading import Event
from types import SimpleNamespace

import pytest
from uvicorn import Config, Server

from placar.web import stopping as module
from placar.web.stopping import (
    is_stopping,
    listening_hosts,
    running_server,
    set_when_stopping,
)
from web_scenes import Service


class Listener:
    serving = True

    def is_serving(self) -> bool:
        return self.serving


class GunicornWorker:
    def __init__(self, cfg: SimpleNamespace) -> None:
        self.cfg = cfg

    async def callback_notify(self) -> None: ...


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(Config("nothing:here"))
    before = signal.signal(signal.SIGTERM, made.handle_exit)
    yield made
    signal.signal(signal.SIGTERM, before)


def test_the_server_is_known_by_its_signal_handler(server: Server) -> None:
    assert running_server() is server


def test_without_a_server_there_is_none() -> None:
    assert running_server() is None


def test_a_gunicorn_worker_listens_where_gunicorn_says(server: Server) -> None:
    """Its uvicorn was told no address and believes to be on loopback."""
    assert listening_hosts(server) == ["127.0.0.1"]
    addresses = [("0.0.0.0", 8000), "/run/placar.sock"]
    worker = GunicornWorker(SimpleNamespace(address=addresses))
    server.config.callback_notify = worker.callback_notify
    assert listening_hosts(server) == ["0.0.0.0", "/run/placar.sock"]


def test_where_an_inherited_socket_listens_nobody_knows(server: Server) -> None:
    server.config.fd = 3
    assert listening_hosts(server) == [""]


def test_a_signal_or_a_closed_socket_means_stopping(server: Server) -> None:
    assert not is_stopping(server)
    listener = Listener()
    server.servers = [listener]  # type: ignore[list-item]
    assert not is_stopping(server)
    listener.serving = False
    assert is_stopping(server)
    server.servers = []
    server.handle_exit(signal.SIGTERM, None)
    assert is_stopping(server)


@pytest.mark.anyio
async def test_the_event_is_set_while_the_server_still_waits(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0.01)
    stopping = Event()
    watch = asyncio.create_task(set_when_stopping(stopping))
    await asyncio.sleep(0.05)
    assert not stopping.is_set()
    server.should_exit = True
    await asyncio.wait_for(watch, 2)
    assert stopping.is_set()


@pytest.mark.anyio
async def test_without_a_server_nothing_is_watched() -> None:
    stopping = Event()
    await asyncio.wait_for(set_when_stopping(stopping), 2)
    assert not stopping.is_set()


@pytest.mark.anyio
async def test_a_stopped_worker_adopts_nothing(service: Service) -> None:
    service.state.services.runs.close()
    assert service.state.services.runs.adopt_stale() is None
