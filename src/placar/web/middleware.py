"""What happens around every request, as plain ASGI. ``app.py`` folds them in this order."""

from __future__ import annotations

import logging
import os
import re
import time

from starlette.types import Message, Receive, Scope, Send

from placar.web.address import ROUTE, UNMATCHED
from placar.web.logs import ACCESS, REQUEST_ID
from placar.web.metrics import Meters
from placar.web.wire import App, header

_access = logging.getLogger(ACCESS)

_ACCEPTABLE_ID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")

STRICT_POLICY = b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""Content security policy of everything that does not set its own."""

_NO_SNIFFING = (b"x-content-type-options", b"nosniff")
_UNLESS_SET = (
    (b"content-security-policy", STRICT_POLICY),
    (b"cache-control", b"no-store"),
)


class RequestIds:
    """Gives every request an id: the client's own when it is harmless, else a fresh one."""

    def __init__(self, app: App) -> None:
        """Wrap ``app``."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Name the request for the log, for problems, and in the answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = header(scope["headers"], b"x-request-id")
        if given is None or _ACCEPTABLE_ID.fullmatch(given) is None:
            given = os.urandom(16).hex().encode()
        name = given.decode()
        scope["placar.request_id"] = name
        REQUEST_ID.set(name)

        async def labelled(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", given)]
            await send(message)

        await self._app(scope, receive, labelled)


class SecurityHeaders:
    """Adds what keeps browsers from making more of an answer than it is."""

    def __init__(self, app: App) -> None:
        """Wrap ``app``."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers; an answer's own policy and caching win."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"] = [*message.get("headers", ()), _NO_SNIFFING]
                names = {name for name, _ in headers}
                headers.extend(each for each in _UNLESS_SET if each[0] not in names)
            await send(message)

        await self._app(scope, receive, secured)


class Observed:
    """Counts and times requests, and writes the access log when it is on."""

    def __init__(self, app: App, meters: Meters) -> None:
        """Wrap ``app``."""
        self._app = app
        self._meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Watch one request until its answer begins."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._record(scope, message["status"], time.perf_counter() - began)
            await send(message)

        self._meters.answering[id(scope)] = (began, scope)
        try:
            await self._app(scope, receive, watched)
        finally:
            del self._meters.answering[id(scope)]

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = scope.get(ROUTE, UNMATCHED)
        self._meters.request(route, scope["method"], status, seconds)
        if _access.isEnabledFor(logging.INFO):
            fields = {
                "method": scope["method"],
                "path": scope["path"],  # never the query: it may hold anything
                "status": status,
                "milliseconds": round(seconds * 1000, 2),
            }
            _access.info("request", extra=fields)
