"""A run's progress as server-sent events (https://html.spec.whatwg.org/#server-sent-events)."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from placar.package.run_folder import Progress
from placar.store.records import RunRecord
from placar.web.state import AppState
from placar.web.views import run_view
from placar.web.wire import encode_json

_LOOK = 0.5
_KEEP_ALIVE = 15.0
LONGEST = 300.0
"""Seconds after which a stream ends and its client comes back with ``Last-Event-ID``."""


async def event_stream(state: AppState, request: Request) -> Response:
    """Return the stream of one run.

    Events are ``progress`` (one per step, numbered) and ``end`` (the run as it ended). A client
    that lost the stream names the last number it saw and gets the rest.

    Raises:
        RunNotFound: there is none of this id.
    """
    run_id = request.path_params["run"]
    run = await run_in_threadpool(state.services.runs.get, run_id)
    seen = _last_seen(request.headers.get("last-event-id", ""))
    headers = {"X-Accel-Buffering": "no"}  # proxies shall not hold events back
    if request.method == "HEAD":
        return Response(headers=headers, media_type="text/event-stream")
    return StreamingResponse(
        _events(state, run, seen), media_type="text/event-stream", headers=headers
    )


async def _events(state: AppState, run: RunRecord, seen: int) -> AsyncIterator[bytes]:
    yield b"retry: 1000\n\n"
    until = time.monotonic() + LONGEST
    spoken = time.monotonic()
    while time.monotonic() < until and not state.stopping.is_set():
        run, steps = await run_in_threadpool(_look, state, run.id)
        for number, step in enumerate(steps[seen:], seen + 1):
            yield _event("progress", step, number)
            seen, spoken = number, time.monotonic()
        if not run.active:
            yield _event("end", run_view(run))
            return
        if time.monotonic() - spoken > _KEEP_ALIVE:
            yield b": still here\n\n"
            spoken = time.monotonic()
        await asyncio.sleep(_LOOK)


def _look(state: AppState, run_id: str) -> tuple[RunRecord, tuple[Progress, ...]]:
    # The record first: once it has ended, every step has been written.
    run = state.services.runs.get(run_id)
    return run, state.services.runs.progress(run_id)


def _event(name: str, content: object, number: int | None = None) -> bytes:
    identity = f"id: {number}\n" if number is not None else ""
    return f"event: {name}\n{identity}data: ".encode() + encode_json(content) + b"\n\n"


def _last_seen(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0
