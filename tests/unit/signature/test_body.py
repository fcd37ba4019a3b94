"""Request bytes: what is JSON, and what is said when it is not."""

from __future__ import annotations

import gzip

import pytest

from placar.errors import BodyTooLarge, MalformedBody
from placar.signature.body import LARGEST_ROW, decode_row, decode_rows


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b"", "not JSON: it is empty"),
        (b'{"a":NaN}', "NaN and Infinity are no JSON numbers"),
        (b'{"a":Infinity}', "NaN and Infinity are no JSON numbers"),
        (b'{"a":-Infinity}', "NaN and Infinity are no JSON numbers"),
        (b'{"a":nan}', "NaN and Infinity are no JSON numbers"),
        (b'{"a":[1, inf]}', "NaN and Infinity are no JSON numbers"),
        (b'{"a":nope}', r"not JSON: invalid character \(byte"),
        (b'\xef\xbb\xbf{"a":1}', "not JSON: it begins with a byte order mark"),
        (gzip.compress(b'{"a":1}'), "not JSON: it is compressed"),
        (b'{"a":1e400}', "out of range"),
        (b'{"a":' + b"9" * 10_000 + b"}", "out of range"),
        (b'{"a":1} x', "trailing"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "nested too deeply"),
        (b'{"a":1,"a":2}', "twice"),
        (b'{"a":"x:y","b":1,"b":2}', "twice"),
        (b'{"a":"\xff"}', "not UTF-8"),
        ('{"a":1}'.encode("utf-16"), "not JSON: it is UTF-16"),
        (b"[1]", "JSON object"),
        (b"17", "JSON object"),
    ],
)
def test_what_is_not_one_json_object_is_refused_with_the_reason(body: bytes, part: str) -> None:
    with pytest.raises(MalformedBody, match=part):
        decode_row(body)


def test_colons_in_texts_are_no_repeated_names() -> None:
    assert decode_row(b'{"a":"12:30","b":":"}') == {"a": "12:30", "b": ":"}


@pytest.mark.parametrize("body", [b"[]", b'{"rows":{}}', b'{"row":[]}', b'{"rows":[],"x":1}'])
def test_a_batch_must_be_a_list_of_rows(body: bytes) -> None:
    with pytest.raises(MalformedBody, match="rows"):
        decode_rows(body, 10)


@pytest.mark.parametrize(
    "body",
    [
        b'{"rows":[{"a":1}],"rows":[]}',
        b'{"rows": [] , "\\u0072ows" : [ { } ] } \n',
        b'{"rows":[{"a":":"}],"rows":[{}]}',
    ],
)
def test_a_second_list_of_rows_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedBody, match="twice"):
        decode_rows(body, 10)


@pytest.mark.parametrize(
    "body", [b'{"rows":[]}', b' { "rows" : [ ] } \r\n', b'{"rows":[{"a":":"}]}']
)
def test_blanks_and_colons_are_no_second_list(body: bytes) -> None:
    assert len(decode_rows(body, 10)) == body.count(b"a")


def test_a_row_of_megabytes_is_refused_before_it_is_decoded() -> None:
    (row,) = decode_rows(b'{"rows":[{"a":"' + b"x" * LARGEST_ROW + b'"}]}', 10)
    with pytest.raises(BodyTooLarge, match="row is larger"):
        decode_row(row)


def test_the_rows_of_a_batch_are_decoded_one_by_one() -> None:
    first, second = decode_rows(b'{"rows":[{"a":1},[2]]}', 10)
    assert decode_row(first) == {"a": 1}
    with pytest.raises(MalformedBody):
        decode_row(second)


def test_more_rows_than_may_be_are_refused() -> None:
    with pytest.raises(BodyTooLarge, match="3 rows"):
        decode_rows(b'{"rows":[{},{},{}]}', 2)


def test_millions_of_entries_that_are_no_rows_are_refused_before_they_are_made() -> None:
    with pytest.raises(BodyTooLarge, match="entries"):
        decode_rows(b'{"rows":[' + b"1," * 1_000_100 + b"1]}", 10)


def test_texts_may_hold_commas() -> None:
    row = b'{"note":"' + b"one, two, " * 500 + b'"}'
    assert len(decode_rows(b'{"rows":[' + row + b"]}", 10)) == 1
