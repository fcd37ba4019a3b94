"""A worker's life: what it opens when it starts and gives back when it stops."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI
from uvicorn import Server

from placar.errors import StoreUnavailable
from placar.settings import worker_slot
from placar.web.attendance import attend, guard_connections
from placar.web.guard import Guard
from placar.web.lookout import Lookout
from placar.web.memory import keep_memory_lean
from placar.web.recycling import Leaving, Recycling
from placar.web.server import ensure_key, share_of_memory
from placar.web.state import AppState
from placar.web.stopping import (
    listening_hosts,
    running_server,
    set_when_stopping,
    stop_on_quit,
)
from placar.web.ticker import Chore, Ticker

_log = logging.getLogger(__name__)

_LOOK_AT_SIZE = 5.0
"""Seconds; to find out what only this process holds takes the kernel a few milliseconds."""

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
        async with Lookout(state):
            await asyncio.to_thread(_open, state)
            ticker = Ticker(state, *_chores(state, server, guard))
            ticker.start()
            tasks = [
                asyncio.create_task(_watch(state)),
                asyncio.create_task(attend(server, guard)),
            ]
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


def _chores(state: AppState, server: Server | None, guard: Guard) -> tuple[Chore, ...]:
    """Return what only a worker with a master does: who else would start another one?"""
    if server is None or server.config.callback_notify is None:
        return ()
    loop, leaving = asyncio.get_running_loop(), Leaving(server, guard)
    share = share_of_memory(state.settings)
    recycling = Recycling(share, state.admission, state.settings.home)

    def recycle() -> None:
        if recycling.due():
            asyncio.run_coroutine_threadsafe(leaving.leave(), loop)

    return (Chore(_LOOK_AT_SIZE, recycle),)


async def _watch(state: AppState) -> None:
    await set_when_stopping(state.stopping)
    if state.stopping.is_set():
        await asyncio.to_thread(state.recorder.write)  # whatever ends us now cut a stop short
    if state.stopping.is_set() and state.opened:
        # Followers give their leases up now, so that the server need not wait for their runs.
        await asyncio.to_thread(state.services.runs.close)
