"""Lines inside of records: JSON log lines, JSON documents, Docker's own wrapping."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from placar.box.doctor.line import Line, level_name, parse_line
from placar.box.doctor.mask import plain

_TEXTS = ("message", "msg", "log", "event", "textPayload", "MESSAGE", "@message", "text")
_MORE = ("stack", "stacktrace", "stack_trace", "exc_info", "exc_text", "exception", "traceback")
_LEVELS = ("level", "severity", "levelname", "lvl", "log.level")
_MOST_LINES = 2000
_DEEPEST = 3
_OF_PLATFORMS = frozenset(
    {
        "ExitCode",
        "OOMKilled",
        "State",
        "apiVersion",
        "data",
        "details",
        "event",
        "failureReason",
        "items",
        "kind",
        "lastState",
        "terminated",
    }
)
"""Members of the documents of platforms; an object with none of them is the user's own."""


def read_line(number: int, text: str) -> Iterator[Line]:
    """Yield the lines that one line of a log holds: itself, or what its JSON record says.

    A record's message counts; its other members do not, because they are the user's own. A JSON
    document that is no record, such as what ``docker inspect`` or a platform's API prints, is
    taken apart into lines as if it had been printed with indentation.
    """
    text = plain(text)
    begin = 0 if text.startswith("[{") else text.find("{")
    if begin >= 0 and text.rstrip().endswith(("}", "]")) and len(text) > begin + 1:
        value = _decoded(text[begin:])
        if isinstance(value, dict):
            head = parse_line(number, text[:begin])
            if head.starts[-1].at >= len(text[:begin].rstrip()):
                yield from _record(number, value, 0, head.starts[-1].level)
                return
        elif isinstance(value, list) and begin == 0 and any(isinstance(v, dict) for v in value):
            yield from _document(number, value)
            return
    yield parse_line(number, text)


def _decoded(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None


def _record(number: int, value: dict[object, object], depth: int, level: str) -> Iterator[Line]:
    message = next((value[name] for name in _TEXTS if name in value), None)
    inner = value.get("jsonPayload")
    if message is None and isinstance(inner, dict) and depth < _DEEPEST:
        yield from _record(number, inner, depth + 1, level)
        return
    if not isinstance(message, str):
        if _OF_PLATFORMS & value.keys():
            yield from _document(number, value)
        return
    level = next((n for k in _LEVELS if (n := level_name(str(value.get(k, ""))))), level)
    parts = message.split("\n")[:_MOST_LINES]
    nested = _decoded(message) if message[:1] == "{" else None
    if isinstance(nested, dict) and depth < _DEEPEST:
        yield from _record(number, nested, depth + 1, level)
    else:
        for part in parts:
            yield parse_line(number, plain(part), level)
    for name in _MORE:
        more = value.get(name)
        if isinstance(more, str):
            for part in more.split("\n")[:_MOST_LINES]:
                yield parse_line(number, plain(part), level)


def _document(number: int, value: object) -> Iterator[Line]:
    """Yield a document's lines; those of a record's strings are the user's and stay out."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=1).decode()
    for part in text.split("\n")[: _MOST_LINES * 10]:
        yield parse_line(number, plain(part))
