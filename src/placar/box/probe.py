"""``python -m placar.box.probe MODULE:APP [PACKAGE]``: what serving costs, as one line of JSON.

A process of its own, started by ``sizing.measure_serving`` with an empty PLACAR_HOME. It imports
what a master imports and reports its memory; then it forks as a master does, and the fork starts
the application and asks it something as a worker would, and reports the memory that it shares
with nobody: that much more does one more worker take.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import cast

from placar.box import cgroup
from placar.settings import read_settings

Message = MutableMapping[str, object]
App = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]

# By name, because the box lies below everything that it measures.
_SERVER = ("gunicorn.app.wsgiapp", "uvicorn_worker")
_MASTER = "placar.web.server"
_STORE = "placar.store.database"
_LOOP = "uvloop"
_LOADER = "placar.scoring.load"

_MEMORY = Path("/proc/self/smaps_rollup")
_PATIENCE = 45
_ASKED = ("/health", "/ready", "/openapi.json") * 5


def main(arguments: list[str]) -> int:
    """Measure and print; a failure shows in the exit code."""
    target, *package = arguments
    module, _, name = target.partition(":")
    for each in _SERVER:
        importlib.import_module(each)
    app = cast("App", getattr(importlib.import_module(module), name))
    importlib.import_module(_MASTER).import_ahead()
    # As the master does: what makes a new store is heavy, and stays out of the workers.
    importlib.import_module(_STORE).Store.open(read_settings()).close()
    gc.collect()
    gc.freeze()
    master = _kilobytes("Rss")
    answer, question = os.pipe()
    if os.fork() == 0:
        _report_and_leave(app, package, question)
    os.close(question)
    with os.fdopen(answer, encoding="ascii") as pipe:
        worker = int(pipe.read())
    sys.stdout.write(json.dumps({"master": master * 1024, "worker": worker * 1024}) + "\n")
    return 0


def _report_and_leave(app: App, package: list[str], question: int) -> None:
    """Be the worker, tell the parent, and never return: what follows a fork is the parent's."""
    signal.alarm(_PATIENCE)  # an application that hangs must not outlive the parent
    try:
        loop = importlib.import_module(_LOOP).new_event_loop()
        asyncio.set_event_loop(loop)
        kilobytes = loop.run_until_complete(_as_worker(app, package))
        os.write(question, str(kilobytes).encode("ascii"))
    finally:
        os._exit(0)


async def _as_worker(app: App, package: list[str]) -> int:
    """Start the application, ask it something, and return the kilobytes that only we hold."""
    started = asyncio.get_running_loop().create_future()
    lifespan = asyncio.create_task(_start(app, started))
    await asyncio.wait([started, lifespan], return_when=asyncio.FIRST_COMPLETED)
    if not started.done():
        await lifespan  # it failed before it answered
    started.result()
    load = importlib.import_module(_LOADER).load_scorer
    scorers = [load(Path(folder)) for folder in package]
    for path in _ASKED:
        await _get(app, path)
    gc.collect()
    own = _kilobytes("Private_Clean") + _kilobytes("Private_Dirty")
    del lifespan, scorers
    return own


async def _start(app: App, started: asyncio.Future[None]) -> None:
    """Speak the lifespan protocol up to the answer to its first message."""
    first = True

    async def receive() -> Message:
        nonlocal first
        if not first:
            await asyncio.Event().wait()  # until this process ends
        first = False
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        if message["type"] == "lifespan.startup.complete":
            started.set_result(None)
        else:
            started.set_exception(RuntimeError(str(message["type"])))

    await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)


async def _get(app: App, path: str) -> None:
    """Ask for one address, and ignore what comes back."""

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        del message

    scope: Message = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("ascii"),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    await app(scope, receive, send)


def _kilobytes(name: str) -> int:
    found = cgroup.read_line(_MEMORY, name)
    if found is None:
        raise SystemExit(f"{_MEMORY} does not tell {name}.")
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
