"""Bytes in, bytes out: reading a request's parameters and body, sending JSON."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar
from urllib.parse import parse_qsl

import msgspec
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from placar.errors import BodyTooLarge, InvalidRequest, Issue, MalformedBody, UnsupportedBody
from placar.signature.body import Body, refuse_repeated_names
from placar.web.bodies import Hold

RawHeaders = Iterable[tuple[bytes, bytes]]
T = TypeVar("T")

encode_json = msgspec.json.Encoder().encode

_JSON = b"application/json"
_CURL_DEFAULT = b"application/x-www-form-urlencoded"
"""What ``curl -d`` says of any body. Forms are not read here, so it can only mean JSON; a page
cannot misuse it, for keys come in a header of their own."""


_STEP = 1024**2
"""Bytes of the room that a body takes at a time."""


class App(Protocol):
    """An ASGI application, as far as HTTP goes."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""


class WireIssue(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing wrong with (or worth saying about) what was sent."""

    pointer: str
    """JSON pointer (RFC 6901) into the request, or the name of a query parameter."""
    code: str
    message: str
    expected: str | None = None
    did_you_mean: str | None = None


def on_the_wire(issues: Iterable[Issue]) -> tuple[WireIssue, ...]:
    """Return issues as clients see them."""
    return tuple(
        WireIssue(issue.path, issue.code, issue.message, issue.expected, issue.did_you_mean)
        for issue in issues
    )


def header(headers: RawHeaders, name: bytes) -> bytes | None:
    """Return the first header of a lower-case name."""
    for key, value in headers:
        if key == name:
            return value
    return None


def require_json(headers: RawHeaders) -> None:
    """Refuse a body that does not claim to be JSON in UTF-8; no claim at all is fine.

    Raises:
        UnsupportedBody: another content type, charset or encoding.
    """
    for name, value in headers:
        if name == b"content-type" and value != _JSON:
            _check_content_type(value)
        elif name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            raise UnsupportedBody(
                "The body is compressed, which is not read here.",
                way_out="Send it without Content-Encoding.",
            )


def _check_content_type(value: bytes) -> None:
    media_type, *parameters = (part.strip().lower() for part in value.split(b";"))
    if media_type not in (b"", _JSON, _CURL_DEFAULT) and not media_type.endswith(b"+json"):
        raise UnsupportedBody("The Content-Type is not JSON.")
    for parameter in parameters:
        name, _, charset = parameter.partition(b"=")
        if name.strip() == b"charset" and charset.strip(b" \"'") not in (b"utf-8", b"utf8"):
            raise UnsupportedBody("The charset is not UTF-8.")


async def read_body(scope: Scope, receive: Receive, limit: int, hold: Hold) -> Body:
    """Return the whole body, or stop at its limit.

    Args:
        scope: the request's.
        receive: the same.
        limit: bytes that it may have.
        hold: takes the memory of a body that does not come in one piece.

    Raises:
        BodyTooLarge: it is, or says it is, longer than ``limit`` bytes.
        Overloaded: there is no memory for it just now.
        ClientDisconnect: the client went away.
    """
    declared = header(scope["headers"], b"content-length")
    length = int(declared) if declared is not None and declared.isdigit() else None
    if length is not None and length > limit:
        raise _too_large(limit)
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        body: bytes = message.get("body", b"")
        if len(body) > limit:
            raise _too_large(limit)
        return body
    if length is not None:
        return await _read_declared(message, receive, length, hold)
    return await _read_on(message, receive, limit, hold)


async def _read_declared(
    message: Mapping[str, Any], receive: Receive, length: int, hold: Hold
) -> bytearray:
    """Read into one place: pieces that are joined in the end take their memory twice."""
    hold.foresee(length)
    body = bytearray(length)  # memory comes to it as it is written to
    size = held = 0
    while message["type"] == "http.request":
        piece = message.get("body", b"")
        if size + len(piece) > held:  # what is only announced must not keep others out
            step = min(max(len(piece), _STEP), length - held)
            hold.grow(step)
            held += step
        body[size : size + len(piece)] = piece
        size += len(piece)
        if not message.get("more_body", False):
            return body
        message = await receive()
    raise ClientDisconnect


async def _read_on(
    message: Mapping[str, Any], receive: Receive, limit: int, hold: Hold
) -> bytearray:
    body = bytearray()
    while message["type"] == "http.request":
        piece = message.get("body", b"")
        if len(body) + len(piece) > limit:
            raise _too_large(limit)
        # Twice, for a growing body is moved now and then.
        hold.grow(2 * len(piece))
        body += piece
        if not message.get("more_body", False):
            return body
        message = await receive()
    raise ClientDisconnect


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than {limit} bytes.", limit=limit)


def query(scope: Scope, known: Sequence[str]) -> dict[str, str]:
    """Return the query parameters that this address knows.

    As with features: an unknown name is ignored, one that must be a misspelling is refused.

    Raises:
        InvalidRequest: a misspelt or repeated parameter.
    """
    found: dict[str, str] = {}
    for name, value in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True):
        if name not in known:
            _refuse_misspelt(name, known)
        elif name in found:
            raise bad_parameter(name, "repeated", "Is given more than once.")
        else:
            found[name] = value
    return found


def _refuse_misspelt(name: str, known: Sequence[str]) -> None:
    meant = difflib.get_close_matches(name[:40].lower(), known, n=1, cutoff=0.75)
    if meant:
        issue = Issue(name[:40], "unknown_parameter", "There is no such parameter.", None, meant[0])
        raise InvalidRequest((issue,), "A query parameter is misspelt.")


def whole_number(found: Mapping[str, str], name: str, low: int, high: int, default: int) -> int:
    """Return a whole number among the query parameters.

    Raises:
        InvalidRequest: it is none, or lies outside ``low``…``high``.
    """
    text = found.get(name)
    if text is None:
        return default
    whole = re.fullmatch(r"-?[0-9]{1,19}", text) is not None
    if not whole or not low <= int(text) <= high:
        expected = f"a whole number from {low} to {high}"
        code = "out_of_range" if whole else "not_a_number"
        raise bad_parameter(name, code, f"Must be {expected}.", expected)
    return int(text)


def bad_parameter(
    name: str, code: str, message: str, expected: str | None = None
) -> InvalidRequest:
    """Return the error for one query parameter."""
    return InvalidRequest(
        (Issue(name, code, message, expected),), f"The query parameter {name} cannot be used."
    )


def decode(body: Body, kind: type[T]) -> T:
    """Return a JSON body as a struct; an empty body is the struct's defaults.

    Raises:
        MalformedBody: it is not JSON.
        InvalidRequest: it is, but does not fit.
    """
    try:
        decoded = msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.ValidationError as error:
        issue = _misfit(str(error), getattr(kind, "__struct_fields__", ()))
        raise InvalidRequest((issue,), "The body does not fit this address.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedBody from None
    refuse_repeated_names(body or b"{}")
    return decoded


_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_EXPECTED = re.compile(r"Expected `(\w+)(?: \| null)?`(?:, got| (of length )?(<=|>=) (\d+))?")
_KINDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
}
_BOUNDS = {"<=": "at most", ">=": "at least"}


def _misfit(error: str, members: Sequence[str]) -> Issue:
    """Return the decoder's complaint in our words, with its place."""
    complaint, _, place = error.partition(" - at `$")
    path = place.rstrip("`").replace(".", "/").replace("[", "/").replace("]", "")
    unknown = _UNKNOWN.fullmatch(complaint)
    if unknown is not None:
        name = unknown[1][:40]
        meant = difflib.get_close_matches(name.lower(), members, n=1, cutoff=0.7)
        code, message = "unknown_member", "There is no such member."
        return Issue(f"{path}/{name}", code, message, None, meant[0] if meant else None)
    found = _EXPECTED.match(complaint)
    if found is None:
        return Issue(path, "invalid", complaint + ".")
    expected = _KINDS.get(found[1], found[1])
    if found[3]:
        length = " characters" if found[2] else ""
        return Issue(path, "out_of_range", f"Must be {_BOUNDS[found[3]]} {found[4]}{length}.")
    return Issue(path, "wrong_type", f"Must be {expected}.", expected)


async def send_json(
    send: Send,
    body: bytes,
    status: int = 200,
    content_type: bytes = _JSON,
    headers: Sequence[tuple[bytes, bytes]] = (),
) -> None:
    """Send a whole answer, with an end of line for those who read it in a terminal."""
    body += b"\n"
    length = str(len(body)).encode()
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", content_type), (b"content-length", length), *headers],
        }
    )
    await send({"type": "http.response.body", "body": body})


def json_response(
    content: object,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    background: BackgroundTask | None = None,
) -> Response:
    """Return ``content`` as JSON, for addresses that are not hot."""
    body = encode_json(content) + b"\n"
    return Response(body, status, headers, "application/json", background)
