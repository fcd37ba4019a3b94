"""From request bytes to rows: strict JSON, and a clear word about what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from placar.errors import BodyTooLarge, MalformedBody


class _Rows(msgspec.Struct, forbid_unknown_fields=True):
    rows: list[msgspec.Raw]


_ANY: msgspec.json.Decoder[object] = msgspec.json.Decoder(object)
_ROWS = msgspec.json.Decoder(_Rows)

Bytes = bytes | bytearray | memoryview | msgspec.Raw
Decoded = TypeVar("Decoded")

_SPARE_COMMAS = 1_000_000
"""Commas that the texts of a batch may hold before it is taken for something else; as many entries
would take some 80 MB."""


def decode_row(body: Bytes) -> dict[str, object]:
    """Return the JSON object that ``body`` is.

    Raises:
        MalformedBody: not UTF-8, not JSON (``NaN`` and ``Infinity`` are not), a number no float
            holds, nested too deeply, not an object, or a name given twice.
    """
    row = _decode(_ANY, body)
    if not isinstance(row, dict):
        raise MalformedBody("The row must be a JSON object of features.")
    # Every name has a colon after it, so this many colons can only mean that each is there once.
    # Texts with colons in them take the slow, exact way.
    if bytes(body).count(b":") != len(row):
        _refuse_repeated_names(bytes(body))
    return row


def decode_rows(body: bytes, most: int) -> Sequence[msgspec.Raw]:
    """Return the undecoded rows of ``{"rows": [...]}``; each is for ``decode_row``.

    Args:
        body: the request's.
        most: rows that one request may have.

    Raises:
        BodyTooLarge: more rows than ``most``.
        MalformedBody: as ``decode_row`` does, or when there is no list of rows.
    """
    # A flat object has a colon for every comma, counting the one after it. Many more commas are
    # many entries that are no rows, each of which would cost forty times its bytes in memory.
    if body.count(b",") - body.count(b":") > _SPARE_COMMAS:
        raise BodyTooLarge("The body holds far more entries than rows of features.", limit=most)
    rows = _decode(_ROWS, body).rows
    if len(rows) > most:
        raise BodyTooLarge(
            f"The batch has {len(rows)} rows; one request may have {most}.", limit=most
        )
    return rows


def _decode(decoder: msgspec.json.Decoder[Decoded], body: Bytes) -> Decoded:
    try:
        return decoder.decode(body)
    except UnicodeDecodeError:
        raise MalformedBody("The body is not UTF-8.") from None
    except RecursionError:
        raise MalformedBody("The JSON is nested too deeply.") from None
    except msgspec.ValidationError as error:
        if "out of range" in str(error):
            raise MalformedBody("The body holds a number that is out of range.") from None
        raise MalformedBody(
            'The body must be {"rows": [...]}, a list of objects.', path="/rows"
        ) from None
    except msgspec.DecodeError as error:
        raise MalformedBody(f"The body is not JSON: {_without_prefix(str(error))}.") from None
    except ValueError:  # an integer with thousands of digits
        raise MalformedBody("The body holds a number that is out of range.") from None


def _without_prefix(text: str) -> str:
    """Keep the decoder's place and reason; it never quotes the input."""
    return text.removeprefix("JSON is malformed: ").rstrip(".")


def _refuse_repeated_names(body: bytes) -> None:
    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        names = dict(pairs)
        if len(names) != len(pairs):
            raise MalformedBody("A name occurs twice in the same JSON object.")
        return names

    try:
        json.loads(body, object_pairs_hook=once)
    except RecursionError:
        raise MalformedBody("The JSON is nested too deeply.") from None
    except ValueError:
        raise MalformedBody("The body holds a number that is out of range.") from None
