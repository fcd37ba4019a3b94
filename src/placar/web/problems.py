"""From errors to HTTP: the one place that knows status codes. Bodies follow RFC 9457.

*Handled* errors, those that Placar knows by name, become problem documents. Anything else is a
mistake of ours: the client gets a bare 500, the log the traceback, and the server the exception.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from placar.errors import (
    AccessError,
    BodyTooLarge,
    ConfigurationError,
    Conflict,
    DiskFull,
    HeadTooLarge,
    InputError,
    InvalidRequest,
    InvalidRow,
    Issue,
    MalformedBody,
    MalformedRequest,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    PackageError,
    PlacarError,
    RequestTooSlow,
    RouteNotFound,
    TrainingFailed,
    Unavailable,
    UnsupportedBody,
)
from placar.web.wire import App, encode_json, on_the_wire, send_json

_log = logging.getLogger(__name__)

STATUS: dict[type[PlacarError], int] = {
    MalformedBody: 400,
    MalformedRequest: 400,
    NotAuthenticated: 401,
    NotAllowed: 403,
    AccessError: 403,
    NotFound: 404,
    RequestTooSlow: 408,
    Conflict: 409,
    PackageError: 409,  # the version that was named is not in a state that can be used
    BodyTooLarge: 413,
    UnsupportedBody: 415,
    HeadTooLarge: 431,
    InputError: 422,
    TrainingFailed: 422,
    ConfigurationError: 422,  # the request relies on a setting that is not there
    Unavailable: 503,
    DiskFull: 507,
}
"""Looked up along the class's ancestors, nearest first."""

RETRY_AFTER = 5
"""Seconds after which what is unavailable may be back."""

_PROBLEM = b"application/problem+json"
_SERVER_ERROR = 500


class Problems:
    """Middleware that turns handled errors into problem documents."""

    def __init__(self, app: App) -> None:
        """Wrap ``app``."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer for the application when it raises instead of answering."""
        if scope["type"] != "http":
            await self._app(scope, receive, _in_one_sentence(send))
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except ClientDisconnect:
            _log.debug("client_went_away")
        except (PlacarError, HTTPException) as error:
            if started:
                raise
            await send_problem(scope, send, error)
        except Exception as error:  # the outermost loop of a request
            if not started:
                await send_problem(scope, send, error)
            raise


def _in_one_sentence(send: Send) -> Send:
    """Let a start that fails for a known reason say that reason, instead of a traceback."""

    async def plain(message: Message) -> None:
        error = sys.exception()
        if message["type"] == "lifespan.startup.failed" and isinstance(error, PlacarError):
            message["message"] = f"placar: {error.sentence}"
        await send(message)

    return plain


async def send_problem(scope: Scope, send: Send, error: Exception) -> None:
    """Send the problem document of an error."""
    status, document, headers = problem(scope, error)
    if status >= _SERVER_ERROR and not isinstance(error, Unavailable):
        _log.error("request_failed", extra={"status": status, "error": type(error).__name__})
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send_json(send, encode_json(document), status, _PROBLEM, pairs)


def raw_problem(error: PlacarError, extra: Sequence[tuple[bytes, bytes]] = ()) -> bytes:
    """Return a whole HTTP/1.1 answer, for requests that never reach the application."""
    status = HTTPStatus(status_of(type(error)) or _SERVER_ERROR)
    body = encode_json(_known(error, status)) + b"\n"
    headers = [
        (b"content-type", _PROBLEM),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        *((name.lower().encode(), value.encode()) for name, value in _headers_of(error).items()),
        *extra,
    ]
    lines = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join([*lines, b"", body])


def problem(scope: Scope, error: Exception) -> tuple[int, dict[str, object], dict[str, str]]:
    """Return an error's status, problem document and headers."""
    headers: dict[str, str] = {}
    if isinstance(error, HTTPException):
        headers.update(error.headers or {})
        error = RouteNotFound() if error.status_code == HTTPStatus.NOT_FOUND else error
    if isinstance(error, PlacarError) and status_of(type(error)) is not None:
        status = status_of(type(error)) or _SERVER_ERROR
        document = _known(error, status)
        headers.update(_headers_of(error))
    else:
        status = error.status_code if isinstance(error, HTTPException) else _SERVER_ERROR
        document = _unknown(status)
    document["instance"] = quote(scope["path"])
    document["request_id"] = scope.get("placar.request_id", "")
    return status, document, headers


def status_of(kind: type[PlacarError]) -> int | None:
    """Return the status of a class of errors; None for one that HTTP does not know."""
    for ancestor in kind.__mro__:
        if ancestor in STATUS:
            return STATUS[ancestor]
    return None


def _known(error: PlacarError, status: int) -> dict[str, object]:
    document: dict[str, object] = {
        "type": f"/docs#{error.code}",
        "title": type(error).default_message(),
        "status": status,
        "detail": error.message,
    }
    if error.way_out:
        document["way_out"] = error.way_out
    issues = _issues(error)
    if issues:
        document["errors"] = on_the_wire(issues)
    for name, value in error.fields.items():
        if name != "path":
            document.setdefault(name, value)
    return document


def _issues(error: PlacarError) -> tuple[Issue, ...]:
    if isinstance(error, InvalidRow | InvalidRequest):
        return error.issues
    path = error.fields.get("path")
    return (Issue(str(path), error.code, error.message),) if path is not None else ()


def _headers_of(error: PlacarError) -> dict[str, str]:
    if isinstance(error, NotAuthenticated):
        return {"WWW-Authenticate": 'Bearer realm="placar"'}
    if isinstance(error, Unavailable):
        return {"Retry-After": str(error.fields.get("retry_after") or RETRY_AFTER)}
    return {}


def _unknown(status: int) -> dict[str, object]:
    phrase = HTTPStatus(status).phrase
    document: dict[str, object] = {
        "type": f"/docs#{phrase.lower().replace(' ', '_')}",
        "title": phrase,
        "status": status,
    }
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        document["detail"] = "This address exists, but not for this method."
        document["way_out"] = "The Allow header names the methods there are."
    elif status == _SERVER_ERROR:
        document["detail"] = "This is a fault of the service; its log has the details."
    return document
