"""A worker's life: what it opens when it starts and gives back when it stops."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from placar.errors import StoreUnavailable
from placar.settings import worker_slot
from placar.web.attendance import attend, guard_connections
from placar.web.memory import keep_memory_lean
from placar.web.protocol import Guard
from placar.web.server import ensure_key
from placar.web.state import AppState
from placar.web.stopping import (
    listening_hosts,
    running_server,
    set_when_stopping,
    stop_on_quit,
)
from placar.web.ticker import Ticker

_log = logging.getLogger(__name__)

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def lifespan_of(state: AppState) -> Lifespan:
    """Return the lifespan of an application with this state."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:  # noqa: ARG001 - the framework's shape
        keep_memory_lean()
        server = running_server()
        guard = Guard(state.admission, state.meters, state.stopping)
        if server is not None:
            stop_on_quit(server)
            guard_connections(server, guard)
        await asyncio.to_thread(_open, state)
        ticker = Ticker(state)
        ticker.start()
        tasks = [asyncio.create_task(_watch(state)), asyncio.create_task(attend(server, guard))]
        try:
            yield
        finally:
            state.stopping.set()
            for task in tasks:
                task.cancel()
            await asyncio.to_thread(_close, state, ticker)

    return lifespan


def _open(state: AppState) -> None:
    state.start()
    try:
        state.open()
    except StoreUnavailable as error:
        # A service may be up before its database: keep trying, and say that we are not ready.
        state.readiness.store_lost(error)
        return
    server = running_server()
    if state.keys.empty and server is not None and worker_slot() is None:
        # With our gunicorn.conf.py the master has seen to it.
        ensure_key(state.services.keys, listening_hosts(server))
        state.keys.replace(state.services.keys.active())


def _close(state: AppState, ticker: Ticker) -> None:
    ticker.stop()
    state.files.flush()
    state.close()
    _log.info("worker_stopped")


async def _watch(state: AppState) -> None:
    await set_when_stopping(state.stopping)
    if state.stopping.is_set() and state.opened:
        # Followers give their leases up now, so that the server need not wait for their runs.
        await asyncio.to_thread(state.services.runs.close)
