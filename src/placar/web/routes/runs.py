"""Runs: ask for one, look at it, read its log, end it."""

from __future__ import annotations

import logging
from hashlib import sha256

import msgspec
from fastapi import BackgroundTasks
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from placar.errors import DiskFull, InvalidRequest, Issue, StoreUnavailable
from placar.runs.request import IdempotencyKey, RunRequest
from placar.web.address import CALLER
from placar.web.routes.events import event_stream
from placar.web.state import AppState
from placar.web.views import RunList, run_view
from placar.web.wire import decode, json_response, query, read_body, require_json, whole_number

_log = logging.getLogger(__name__)

MOST_RUNS = 200
NEXT_OFFSET = "X-Next-Offset"
"""Where the rest of a log begins, once there is more."""

_LARGEST_REQUEST = 64 * 1024
_LONGEST_KEY = 255
FARTHEST = 2**40


class RunRoutes:
    """Handlers of ``/run-pipeline`` and ``/runs``. What touches the store runs in a thread."""

    def __init__(self, state: AppState) -> None:
        """Use the worker's services."""
        self._state = state

    async def run_pipeline(self, request: Request) -> Response:
        """``POST /run-pipeline``: queue a run, answer, then launch and follow it.

        With an ``Idempotency-Key`` that came before, the answer is the run that it came with.
        """
        require_json(request.headers.raw)
        with self._state.admission.bodies.hold() as hold:
            body = await read_body(request.scope, request.receive, _LARGEST_REQUEST, hold)
            wanted = decode(body, RunRequest)
        key = _idempotency_key(request, wanted)
        runs = self._state.services.runs
        run = await run_in_threadpool(runs.request, wanted, origin="http", idempotency_key=key)
        tasks = BackgroundTasks()
        if run.status == "queued":
            tasks.add_task(self._follow, run.id)
        headers = {"Location": f"/runs/{run.id}"}
        return json_response(run_view(run), 202, headers, background=tasks)

    async def list(self, request: Request) -> Response:
        """``GET /runs``."""
        found = query(request.scope, ("limit",))
        limit = whole_number(found, "limit", 1, MOST_RUNS, 20)
        runs = await run_in_threadpool(self._state.services.runs.list, limit)
        return json_response(RunList(tuple(map(run_view, runs))))

    async def show(self, request: Request) -> Response:
        """``GET /runs/{run}``."""
        run = await run_in_threadpool(self._state.services.runs.get, request.path_params["run"])
        return json_response(run_view(run))

    async def log(self, request: Request) -> Response:
        """``GET /runs/{run}/log``: text from ``?offset=`` on, and where to go on from."""
        offset = whole_number(query(request.scope, ("offset",)), "offset", 0, FARTHEST, 0)
        text, following = await run_in_threadpool(
            self._state.services.runs.log, request.path_params["run"], offset
        )
        return Response(
            text.encode(),
            headers={NEXT_OFFSET: str(following)},
            media_type="text/plain; charset=utf-8",
        )

    async def cancel(self, request: Request) -> Response:
        """``POST /runs/{run}/cancel``."""
        run = await run_in_threadpool(self._state.services.runs.cancel, request.path_params["run"])
        return json_response(run_view(run), 202)

    async def events(self, request: Request) -> Response:
        """``GET /runs/{run}/events``: progress as it happens (server-sent events)."""
        return await event_stream(self._state, request)

    def _follow(self, run_id: str) -> None:
        """Launch the run and stay with it, in a thread of the server's pool.

        When the server begins to stop, the followers are told (``stopping.py``) and this
        returns at once: the run goes on, and another worker takes it up.
        """
        try:
            run = self._state.services.runs.follow(run_id)
            if run.promoted:
                self._state.keeper.refresh(self._state.services)
        except (StoreUnavailable, DiskFull) as error:  # who reaches the store adopts the run
            _log.warning("run_left", extra={"run": run_id, "why": error.message})


def _idempotency_key(request: Request, wanted: RunRequest) -> IdempotencyKey | None:
    """Return the caller's Idempotency-Key, if there is one.

    Raises:
        InvalidRequest: it is empty or too long.
    """
    given = request.headers.get("idempotency-key")
    if given is None:
        return None
    key = given.strip().strip('"')
    if not 0 < len(key) <= _LONGEST_KEY:
        expected = f"1 to {_LONGEST_KEY} characters"
        issue = Issue("Idempotency-Key", "out_of_range", f"Must have {expected}.", expected)
        raise InvalidRequest((issue,), "The Idempotency-Key cannot be used.")
    name = f"{request.scope[CALLER]} {key}".encode()
    return IdempotencyKey(sha256(name).hexdigest(), sha256(msgspec.json.encode(wanted)).hexdigest())
