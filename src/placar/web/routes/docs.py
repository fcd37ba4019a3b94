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
_MOST_KEPT = 8
"""Pages kept: one for each address under which readers know the service."""
_SHORT_CACHE = "private, max-age=5"


class DocsRoutes:
    """Generated from the address table and the champion, off the loop, once for each champion."""

    def __init__(self, state: AppState, addresses: Callable[[], Iterable[Address]]) -> None:
        """Describe what ``addresses`` gives."""
        self._state = state
        self._addresses = addresses
        self._champion: Scorer | None = None
        self._made: dict[tuple[str, ...], bytes] = {}

    async def root(self, request: Request) -> Response:
        """``GET /``."""
        return RedirectResponse(request.scope.get("root_path", "") + "/docs")

    async def openapi(self, request: Request) -> Response:  # noqa: ARG002 - the framework's shape
        """``GET /openapi.json``."""
        content = await self._content(self._openapi)
        headers = {"Cache-Control": _SHORT_CACHE, "Access-Control-Allow-Origin": "*"}
        return Response(content, headers=headers, media_type="application/json")

    async def docs(self, request: Request) -> Response:
        """``GET /docs``."""
        root = request.scope.get("root_path", "")
        content = await self._content(self._docs, _base(request) + root, root)
        headers = {
            "Content-Security-Policy": _POLICY,
            "Referrer-Policy": "no-referrer",
            "Cache-Control": _SHORT_CACHE,
        }
        return Response(content, headers=headers, media_type="text/html; charset=utf-8")

    async def _content(self, make: Callable[..., bytes], *words: str) -> bytes:
        """Return what ``make`` makes of the champion and these words; kept while both last."""
        champion = self._state.slot.current
        if champion is not self._champion or len(self._made) > _MOST_KEPT:
            self._champion, self._made = champion, {}
        key = (make.__name__, *words)
        content = self._made.get(key)
        if content is None:
            made = self._made
            content = made[key] = await self._state.compute(make, champion, *words)
        return content

    def _openapi(self, champion: Scorer | None) -> bytes:
        from placar.web.openapi import openapi_document  # noqa: PLC0415 - seldom needed

        return encode_json(openapi_document(self._addresses(), champion))

    def _docs(self, champion: Scorer | None, base: str, root: str) -> bytes:
        from placar.web.docs_page import docs_page  # noqa: PLC0415 - seldom needed

        return docs_page(self._addresses(), champion, self._state.settings, base, root)


def _base(request: Request) -> str:
    """Return the address that the reader used, if it looks like one."""
    host = request.headers.get("host", "")
    if _HOST.fullmatch(host) is None:
        address, port = request.scope.get("server") or ("localhost", None)
        host = f"{address}:{port}" if port else "localhost"
    # Nobody but the reader sees what a forged header does here, and a proxy that ends TLS is
    # seldom one that the server was told to trust.
    forwarded = request.headers.get("x-forwarded-proto", "")
    scheme = "https" if forwarded == "https" else request.scope["scheme"]
    return f"{scheme}://{host}"
