"""A body that is read in pieces holds the same rows as one that is decoded at once."""

from __future__ import annotations

import json
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from placar.errors import BodyTooLarge, MalformedBody
from placar.signature import rows as module
from placar.signature.body import decode_rows
from placar.signature.rows import read_rows

TRICKY = st.sampled_from(["},{", "}, {", '"},{"', "]}", "[", "\\", "{", 'a":{', "é", "\n"])
TEXT = st.lists(TRICKY | st.text(max_size=3), max_size=4).map("".join)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
ROWS = st.lists(st.dictionaries(TEXT, VALUES, max_size=4) | VALUES, max_size=30)


def in_pieces(body: bytes, most: int = 1000) -> list[bytes]:
    """Read the body as if it were large."""
    with patch.object(module, "_SMALL", 0), patch.object(module, "_PIECE", 20):
        batch = read_rows(body, most)
        rows = [bytes(row) for _, rows in batch.slices(3) for row in rows]
        assert batch.count == len(rows)
        starts = [start for start, _ in batch.slices(3)]
        assert starts == sorted(starts)
        return rows


def at_once(body: bytes, most: int = 1000) -> list[bytes]:
    return [bytes(row) for row in decode_rows(body, most)]


@given(ROWS, st.sampled_from([None, 1]), st.sampled_from([(",", ":"), (" , ", " : ")]))
def test_the_rows_are_the_same(
    rows: list[object], indent: int | None, separators: tuple[str, str]
) -> None:
    body = json.dumps({"rows": rows}, indent=indent, separators=separators).encode()
    assert in_pieces(body) == at_once(body)


@given(ROWS, st.data())
@example([{"a": 1}, {"b": 2}], None)
def test_what_is_damaged_is_refused_alike(rows: list[object], data: st.DataObject | None) -> None:
    body = bytearray(json.dumps({"rows": rows}).encode())
    place = data.draw(st.integers(0, len(body) - 1)) if data else len(body) // 2
    body[place : place + 1] = data.draw(st.binary(max_size=2)) if data else b","
    outcomes = []
    for read in (in_pieces, at_once):
        try:
            outcomes.append(read(bytes(body)))
        except MalformedBody as error:
            outcomes.append([error.message.encode()])
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize(
    "body",
    [
        b'{"rows": [{"a":1},{"a":2},{"a":3},]}' + b" " * 50,
        b'{"rows": [{"a":1},{"a":2},{"a":3}], "more": 1}',
        b'{"rows": [{"a":1}], "rows": [{"a":2},{"a":3}]}',
        b'{"rows": [{"a":1},{"a":2}{"a":3},{"a":4},{"a":5}]}',
        b'{"rows": [{"a":1},{"a":2},{"a":3},{"a":4},{"a":5}]} x',
    ],
)
def test_what_is_no_batch_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedBody):
        in_pieces(body)


def test_too_many_rows_are_refused_as_soon_as_they_are_seen() -> None:
    body = json.dumps({"rows": [{"a": 1}] * 100}).encode()
    with pytest.raises(BodyTooLarge):
        in_pieces(body, most=99)
    assert len(in_pieces(body, most=100)) == 100


def test_a_large_body_is_read_in_pieces() -> None:
    body = bytearray(json.dumps({"rows": [{"a": "},{"}] * 100_000}).encode())
    batch = read_rows(body, 100_000)
    assert batch.count == 100_000
    assert len(batch.pieces) > 5


def test_millions_of_entries_that_are_no_rows_are_never_decoded() -> None:
    """As one piece they would take forty times the body's bytes."""
    body = b'{"rows":[{},' + b"0," * 1_100_000 + b"0]}"
    with patch.object(module, "_decode", side_effect=AssertionError), pytest.raises(BodyTooLarge):
        read_rows(body, 50_000)


@pytest.mark.parametrize("blank", [b"\v", b"\f"])
@pytest.mark.parametrize("place", [b"^", b"$", b"|"])
def test_what_only_looks_blank_is_refused(blank: bytes, place: bytes) -> None:
    body = b'^{"rows": [{"a":1},{"a":2},|{"a":3},{"a":4}]$}'.replace(place, blank)
    for other in (b"^", b"$", b"|"):
        body = body.replace(other, b"")
    with pytest.raises(MalformedBody):
        in_pieces(body)
