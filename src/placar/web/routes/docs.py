"""``/docs`` and ``/openapi.json``: this service, with the champion's features and an example."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from placar.scoring.scorer import Scorer
from placar.web.address import Address
from placar.web.state import AppState
from placar.web.wire import encode_json

_POLICY = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HOST = re.compile(r"[A-Za-z0-9.\-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")
_SHORT_CACHE = "private, max-age=5"


class DocsRoutes:
    """Generated from the address table and the champion."""

    def __init__(self, state: AppState, addresses: Callable[[], Iterable[Address]]) -> None:
        """Describe what ``addresses`` gives."""
        self._state = state
        self._addresses = addresses
        self._document: tuple[Scorer | None, bytes] | None = None

    async def root(self, request: Request) -> Response:
        """``GET /``."""
        return RedirectResponse(request.scope.get("root_path", "") + "/docs")

    async def openapi(self, request: Request) -> Response:  # noqa: ARG002 - the framework's shape
        """``GET /openapi.json``; kept until the champion changes."""
        from placar.web.openapi import openapi_document  # noqa: PLC0415 - seldom needed

        champion = self._state.slot.current
        if self._document is None or self._document[0] is not champion:
            document = openapi_document(self._addresses(), champion)
            self._document = (champion, encode_json(document))
        headers = {"Cache-Control": _SHORT_CACHE, "Access-Control-Allow-Origin": "*"}
        return Response(self._document[1], headers=headers, media_type="application/json")

    async def docs(self, request: Request) -> Response:
        """``GET /docs``."""
        from placar.web.docs_page import docs_page  # noqa: PLC0415 - seldom needed

        root = request.scope.get("root_path", "")
        champion, settings = self._state.slot.current, self._state.settings
        content = docs_page(self._addresses(), champion, settings, _base(request) + root, root)
        headers = {
            "Content-Security-Policy": _POLICY,
            "Referrer-Policy": "no-referrer",
            "Cache-Control": _SHORT_CACHE,
        }
        return Response(content, headers=headers, media_type="text/html; charset=utf-8")


def _base(request: Request) -> str:
    """Return the address that the reader used, if it looks like one."""
    host = request.headers.get("host", "")
    if _HOST.fullmatch(host) is None:
        address, port = request.scope.get("server") or ("localhost", None)
        host = f"{address}:{port}" if port else "localhost"
    return f"{request.scope['scheme']}://{host}"
