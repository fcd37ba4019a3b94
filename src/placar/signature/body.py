"""From request bytes to rows: strict JSON, and a clear word about what is wrong with it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from placar.errors import BodyTooLarge, MalformedBody


class _Batch(msgspec.Struct, forbid_unknown_fields=True):
    rows: msgspec.Raw


_ANY: msgspec.json.Decoder[object] = msgspec.json.Decoder(object)
_BATCH = msgspec.json.Decoder(_Batch)
_ROWS = msgspec.json.Decoder(list[msgspec.Raw])

Body = bytes | bytearray
Bytes = Body | memoryview | msgspec.Raw
Decoded = TypeVar("Decoded")

LARGEST_ROW = 1024**2
"""Bytes of one row. A wide row has tens of kilobytes; decoded, it takes many times as much."""

_SPARE_COMMAS = 1_000_000
"""Commas that the texts of a batch may hold before it is taken for something else; as many entries
would take some 80 MB."""


def decode_row(body: Bytes) -> dict[str, object]:
    """Return the JSON object that ``body`` is.

    Raises:
        BodyTooLarge: it is longer than ``LARGEST_ROW``.
        MalformedBody: not UTF-8, not JSON (``NaN`` and ``Infinity`` are not), a number no float
            holds, nested too deeply, not an object, or a name given twice.
    """
    text = bytes(body)
    if len(text) > LARGEST_ROW:
        raise BodyTooLarge(f"A row is larger than {LARGEST_ROW} bytes.", limit=LARGEST_ROW)
    row = _decode(_ANY, text)
    if not isinstance(row, dict):
        raise MalformedBody("The row must be a JSON object of features.")
    # Every name has a colon after it, so this many colons can only mean that each is there once.
    # Texts with colons in them take the slow, exact way.
    if text.count(b":") != len(row):
        refuse_repeated_names(text)
    return row


def decode_rows(body: Body, most: int) -> Sequence[msgspec.Raw]:
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
    listed = _decode(_BATCH, body).rows
    _refuse_repeated_rows(body, len(memoryview(listed)))
    rows = _decode(_ROWS, listed)
    if len(rows) > most:
        raise BodyTooLarge(
            f"The batch has {len(rows)} rows; one request may have {most}.", limit=most
        )
    return rows


def refuse_repeated_names(body: Body) -> None:
    """Refuse JSON in which an object has a name twice.

    Raises:
        MalformedBody: it has, or is nested too deeply.
    """

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


def _refuse_repeated_rows(body: Body, length: int) -> None:
    """Refuse a batch with a second list of rows, of which the decoder sees the last only.

    Behind that list of ``length`` bytes there is the closing brace; before it, only its name and
    one colon, if it is the only one.
    """
    end = body.rindex(b"}")
    while body[end - 1 : end] in _BLANKS:
        end -= 1
    if body.count(b":", 0, end - length) > 1:
        raise MalformedBody("A name occurs twice in the same JSON object.", path="/rows")


_BLANKS = (b" ", b"\t", b"\r", b"\n")


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
            'The body must be {"rows": [...]}, a list of objects.', path=""
        ) from None
    except msgspec.DecodeError as error:
        raise MalformedBody(f"The body is not JSON: {_why(bytes(body), str(error))}.") from None
    except ValueError:  # an integer with thousands of digits
        raise MalformedBody("The body holds a number that is out of range.") from None


def _why(body: bytes, reason: str) -> str:
    """Return what a person would say is wrong, else the decoder's reason; neither quotes much."""
    for start, meaning in _STARTS.items():
        if body.startswith(start):
            return meaning
    if not body.strip():
        return "it is empty"
    place = re.search(r"byte (\d+)", reason)
    if place is not None and _NO_NUMBER.match(body, max(0, int(place[1]) - _BACK)):
        return f"NaN and Infinity are no JSON numbers, send null (byte {place[1]})"
    return reason.removeprefix("JSON is malformed: ").rstrip(".")


_STARTS = {
    b"\xef\xbb\xbf": "it begins with a byte order mark",
    b"\xff\xfe": "it is UTF-16",
    b"\xfe\xff": "it is UTF-16",
    b"\x1f\x8b": "it is compressed",
}
_BACK = 5
"""Bytes before the one that the decoder stumbles over in which a word may begin."""
_NO_NUMBER = re.compile(rb".{0,5}?[\s:\[,][-+]?(?:NaN|Inf)", re.IGNORECASE | re.DOTALL)
