"""``GET /metrics``: one series set for all workers."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from placar.errors import StoreUnavailable
from placar.web.state import AppState

_LATEST = 10
"""Runs looked at: an active one is among the newest."""


class MetricsRoute:
    """Adds up the workers' files and renders them."""

    def __init__(self, state: AppState) -> None:
        """Use the worker's own numbers, live."""
        self._state = state

    async def show(self, request: Request) -> Response:
        """``GET /metrics``."""
        accept = request.headers.get("accept", "")
        content, content_type = await run_in_threadpool(self._render, accept)
        return Response(content, headers={"Content-Type": content_type})

    def _render(self, accept: str) -> tuple[bytes, str]:
        from placar.web.exposition import Present, exposition  # noqa: PLC0415 - seldom needed

        champion, crash = self._state.slot.current, self._state.recorder.last_crash
        present = Present(
            champion=(champion.model, champion.version) if champion else None,
            active_runs=self._active_runs(),
            ready=not self._state.readiness.reasons(),
            crashes=self._state.recorder.book.counts,
            last_crash=crash.found if crash else None,
        )
        return exposition(self._state.files.total(), present, accept)

    def _active_runs(self) -> int | None:
        try:
            runs = self._state.services.runs.list(limit=_LATEST)
        except StoreUnavailable:  # the counters are worth having all the same
            return None
        return sum(run.active for run in runs)
