"""``python -m placar.box.probe MODULE:APP [PACKAGE]``: what serving costs, as one line of JSON.

A process of its own, started by ``sizing.measure_serving`` with an empty PLACAR_HOME. It does what
a master does and forks two workers as a master would; each starts the application and asks it
something. While all three are alive, what a worker shares with nobody is what one more would
take, and the rest of what they take together is there once: the sum over a real service comes
out. It takes two forks, because what only one of them has looks like its own.
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
from dataclasses import dataclass
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

_MEMORY = "placar.web.memory"
_FORKS = 2
_SERVED = b"."
_PATIENCE = 45
_ASKED = ("/health", "/ready", "/openapi.json") * 5


def main(arguments: list[str]) -> int:
    """Measure and print; a failure shows in the exit code."""
    target, *package = arguments
    module, _, name = target.partition(":")
    for server in _SERVER:
        importlib.import_module(server)
    app = cast("App", getattr(importlib.import_module(module), name))
    importlib.import_module(_MASTER).import_ahead()
    _make_store()
    importlib.import_module(_STORE).Store.open(read_settings()).close()
    gc.collect()
    gc.freeze()
    importlib.import_module(_MEMORY).unmap_clean_pages()
    workers = [_fork(app, package) for _ in range(_FORKS)]
    try:
        for each in workers:
            each.wait_until_it_served()
        whole = _whole([os.getpid(), *(each.pid for each in workers)])
        worker = max(_kilobytes(each.pid, "Private_Dirty") for each in workers)
    finally:
        for each in workers:
            each.end()
    once = whole - _FORKS * worker
    sys.stdout.write(json.dumps({"master": once * 1024, "worker": worker * 1024}) + "\n")
    return 0


@dataclass(frozen=True, slots=True)
class _Worker:
    """A fork that acts as a web worker."""

    pid: int
    told: int
    """File descriptor on which it tells that it served."""

    def wait_until_it_served(self) -> None:
        """Wait for its word."""
        if os.read(self.told, 1) != _SERVED:
            raise SystemExit("A worker did not start.")

    def end(self) -> None:
        """End it and wait."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def _make_store() -> None:
    """Make the store in a process of its own: a service that starts has one, as a rule.

    What makes a new one is heavy; a master that has to carries it from then on.
    """
    pid = os.fork()
    if pid == 0:
        try:
            importlib.import_module(_STORE).Store.open(read_settings()).close()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def _fork(app: App, package: list[str]) -> _Worker:
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        _serve_until_killed(app, package, tell)
    os.close(tell)
    return _Worker(pid, told)


def _serve_until_killed(app: App, package: list[str], tell: int) -> None:
    """Be the worker, tell the parent, and never return: what follows a fork is the parent's."""
    signal.alarm(_PATIENCE)  # an application that hangs must not outlive the parent
    try:
        loop = importlib.import_module(_LOOP).new_event_loop()
        asyncio.set_event_loop(loop)
        loop.run_until_complete(_as_worker(app, package, tell))
    finally:
        os._exit(0)


async def _as_worker(app: App, package: list[str], tell: int) -> None:
    """Start the application, ask it something, say so, and stay alive to be looked at."""
    started = asyncio.get_running_loop().create_future()
    lifespan = asyncio.create_task(_start(app, started))
    await asyncio.wait([started, lifespan], return_when=asyncio.FIRST_COMPLETED)
    if not started.done():
        await lifespan  # it failed before it answered
    started.result()
    load = importlib.import_module(_LOADER).load_scorer
    scorers = [load(Path(folder)) for folder in package]
    importlib.import_module(_MEMORY).give_memory_back()  # as a worker does that loaded a champion
    for path in _ASKED:
        await _get(app, path)
    gc.collect()
    os.write(tell, _SERVED)
    await asyncio.Event().wait()  # with all that was loaded still held
    del lifespan, scorers


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


def _whole(pids: list[int]) -> int:
    """Return the kilobytes that a family of processes takes, no page counted twice.

    Pages of files count as often as in the process that maps most of them, and not by their PSS:
    another service on this machine may map them too, and would seem to pay a part.
    """
    anonymous = sum(_kilobytes(pid, "Pss_Anon") for pid in pids)
    return anonymous + max(_kilobytes(pid, "Rss") - _kilobytes(pid, "Anonymous") for pid in pids)


def _kilobytes(pid: int, name: str) -> int:
    path = Path(f"/proc/{pid}/smaps_rollup")
    found = cgroup.read_line(path, name)
    if found is None:
        raise SystemExit(f"{path} does not tell {name}.")
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
