"""The rows of a batch, without decoding all of a large body at once.

A decoder keeps every other thread waiting until it is done, and for tens of megabytes that is too
long. So a large body is read in pieces, each ending between two objects. Such a place is found by
its bytes alone, and may be inside a text or inside a row; but then the piece that ends there is no
JSON, so that another place is tried. Whatever looks unusual is left to the decoder as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from placar.errors import BodyTooLarge
from placar.signature.body import LARGEST_ROW, Body, decode_rows

Rows = Sequence[msgspec.Raw]

_PIECE = 128 * 1024
"""Bytes of a piece, about: a fraction of a millisecond."""
_SMALL = 1024**2
"""A body that is decoded at once."""
_LONGEST = 2 * LARGEST_ROW
"""Bytes of a piece at most: more are no rows, but perhaps millions of entries."""
_TRIES = 8
"""Places that are tried for the end of one piece."""

_HEAD = re.compile(rb'[ \t\r\n]*\{[ \t\r\n]*"rows"[ \t\r\n]*:[ \t\r\n]*\[')
_BETWEEN = re.compile(rb"\}[ \t\r\n]*,[ \t\r\n]*(?=\{)")
_TAIL = re.compile(rb"\][ \t\r\n]*\}[ \t\r\n]*\Z")
_ROWS = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True)
class RowBatch:
    """Undecoded rows; each is for ``decode_row``."""

    count: int
    pieces: Sequence[Rows | memoryview]
    """What was decoded already, and bytes that were found to be rows with commas between them."""

    def slices(self, most: int) -> Iterator[tuple[int, Rows]]:
        """Return the position of the first row, and up to ``most`` rows, again and again."""
        position = 0
        for piece in self.pieces:
            rows = _decode(piece) if isinstance(piece, memoryview) else piece
            for start in range(0, len(rows), most):
                yield position + start, rows[start : start + most]
            position += len(rows)


def read_rows(body: Body, most: int) -> RowBatch:
    """Return the rows of ``{"rows": [...]}``.

    Raises:
        BodyTooLarge: more rows than ``most``.
        MalformedBody: as ``decode_rows`` does.
    """
    batch = _in_pieces(body, most) if len(body) > _SMALL else None
    if batch is not None:
        return batch
    rows = decode_rows(body, most)
    return RowBatch(len(rows), (rows,))


def _in_pieces(body: Body, most: int) -> RowBatch | None:
    """Return the rows, or None where the body has to be looked at as a whole."""
    head, tail = _HEAD.match(body), _TAIL.search(body, max(0, len(body) - _PIECE))
    if head is None or tail is None:
        return None
    pieces: list[memoryview] = []
    start, end, count = head.end(), tail.start(), 0
    while start < end:
        found = _next_piece(body, start, end)
        if found is None:
            return None
        piece, rows, start = found
        pieces.append(piece)
        count += rows
        if count > most:
            raise BodyTooLarge(f"The batch has more than {most} rows.", limit=most)
    return RowBatch(count, pieces)


def _next_piece(body: Body, start: int, end: int) -> tuple[memoryview, int, int] | None:
    """Return a piece, its number of rows, and where the next one starts."""
    look = start + _PIECE
    for _ in range(_TRIES):
        between = _BETWEEN.search(body, look, end) if look < end else None
        stop, following = (between.start() + 1, between.end()) if between else (end, end)
        if stop - start > _LONGEST:
            return None
        piece = memoryview(body)[start:stop]
        try:
            return piece, len(_decode(piece)), following
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            look = following
            if between is None:
                return None
    return None


def _decode(piece: memoryview) -> Rows:
    return _ROWS.decode(b"".join((b"[", piece, b"]")))
