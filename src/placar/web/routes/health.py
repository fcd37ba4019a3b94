"""``/health`` and ``/ready``: what platforms and load balancers ask. Never touches the store."""

from __future__ import annotations

from starlette.types import Receive, Scope, Send

from placar.errors import NotAllowed, NotAuthenticated
from placar.web.problems import RETRY_AFTER
from placar.web.state import AppState
from placar.web.wire import encode_json, send_json

_ALIVE = b'{"status":"ok"}'


class Health:
    """The loop is alive; nothing else is claimed."""

    async def __call__(
        self,
        scope: Scope,  # noqa: ARG002 - the shape of ASGI
        receive: Receive,  # noqa: ARG002 - the same
        send: Send,
    ) -> None:
        """Say so."""
        await send_json(send, _ALIVE)


class Ready:
    """This worker can score: champion loaded and proven, store reachable."""

    def __init__(self, state: AppState) -> None:
        """Look at the worker's memory."""
        self._state = state

    async def __call__(
        self,
        scope: Scope,
        receive: Receive,  # noqa: ARG002 - the shape of ASGI
        send: Send,
    ) -> None:
        """Say yes, or why not."""
        readiness, champion = self._state.readiness, self._state.slot.current
        reasons, details = readiness.reasons(), self._details(scope)
        if reasons or champion is None:
            await _not_ready(scope, send, reasons, details)
            return
        content: dict[str, object] = {
            "status": "ready",
            "model": champion.model,
            "version": champion.version,
            "notes": readiness.notes(),
            **details,
        }
        await send_json(send, encode_json(content))

    def _details(self, scope: Scope) -> dict[str, object]:
        """Return what only callers with a key of scope ``read`` are told."""
        try:
            self._state.keys.admit(scope["headers"], "read")
        except (NotAuthenticated, NotAllowed):  # whoever asks may, but is told no more
            return {}
        return {"last_crash": self._state.recorder.last_crash}


async def _not_ready(
    scope: Scope, send: Send, reasons: tuple[str, ...], details: dict[str, object]
) -> None:
    document = {
        "type": "/docs#not_ready",
        "title": "This worker is not ready to score.",
        "status": 503,
        "detail": " ".join(reasons),
        "reasons": reasons,
        "instance": scope["path"],
        "request_id": scope.get("placar.request_id", ""),
        **details,
    }
    retry = (b"retry-after", str(RETRY_AFTER).encode())
    await send_json(send, encode_json(document), 503, b"application/problem+json", [retry])
