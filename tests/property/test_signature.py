"""One row and many rows are read alike, whatever comes."""

from __future__ import annotations

import contextlib
import json
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from factories import a_signature
from placar.errors import BodyTooLarge, InvalidRow, MalformedBody
from placar.signature.body import decode_row, decode_rows
from placar.signature.columns import ColumnEncoder
from placar.signature.model import Signature
from placar.signature.parse import parse_number
from placar.signature.row import RowEncoder


def strict(signature: Signature) -> Signature:
    """Return the signature of features none of which was ever missing in training."""
    features = tuple(structs.replace(one, null="warn") for one in signature.features)
    return structs.replace(signature, features=features)


SIGNATURES = (a_signature(), strict(a_signature()))
ROW_ENCODER = RowEncoder(SIGNATURES[0])
signatures = st.sampled_from(SIGNATURES)

number_texts = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True).map(repr),
    st.integers().map(str),
    st.sampled_from(
        ["", " 7 ", "1_000", "1,5", ".5", "5.", "+3", "0x10", "1e400", "\uff11", "NA", "?"]
    ),
    st.text(max_size=6),
)
cells = st.one_of(
    st.none(),
    number_texts,
    st.sampled_from(["rent", "owner", "true", "False", "2020-02-03"]),
    st.dates().map(str),
    st.datetimes().map(str),
)
rows = st.lists(
    st.fixed_dictionaries(dict.fromkeys(("income", "home", "married", "since"), cells)),
    min_size=1,
    max_size=8,
)


@given(signatures, rows)
def test_a_table_of_texts_is_read_exactly_as_its_rows_are(
    signature: Signature, table: list[dict[str, str | None]]
) -> None:
    """Same matrix, same bad rows, same issues."""
    row_encoder = RowEncoder(signature)
    columns = {name: np.array([row[name] for row in table], dtype=object) for name in table[0]}
    many = ColumnEncoder(signature).encode(columns, len(table))
    for position, row in enumerate(table):
        try:
            values = row_encoder.encode(row).values
        except InvalidRow as error:
            assert many.bad[position] == error.issues  # noqa: PT017 - either outcome is right
        else:
            assert position not in many.bad
            expected = np.array(values, dtype=np.float32)
            np.testing.assert_array_equal(many.matrix[position], expected)


@given(signatures, st.lists(st.floats(width=64) | st.integers(), min_size=1))
def test_a_column_of_numbers_is_read_exactly_as_its_rows_are(
    signature: Signature, numbers: list[float]
) -> None:
    numbers = [float(n) if abs(n) < 1e300 else math.inf for n in numbers]
    column = {
        "income": np.array(numbers, dtype=np.float64),
        "home": np.full(len(numbers), "rent", object),
        "married": np.full(len(numbers), "true", object),
        "since": np.full(len(numbers), "2020-02-03", object),
    }
    many = ColumnEncoder(signature).encode(column, len(numbers))
    row_encoder = RowEncoder(signature)
    for position, number in enumerate(numbers):
        row = {"income": number, "home": "rent", "married": True, "since": "2020-02-03"}
        try:
            values = row_encoder.encode(row).values
        except InvalidRow:
            assert position in many.bad
        else:
            np.testing.assert_array_equal(many.matrix[position, 0], np.float32(values[0]))


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_a_row_or_a_named_refusal(body: bytes) -> None:
    with contextlib.suppress(MalformedBody):
        decode_row(body)
    with contextlib.suppress(MalformedBody, BodyTooLarge):
        decode_rows(body, 3)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers()
    | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(
    st.dictionaries(
        st.sampled_from(["income", "home", "married", "since", "x", "Income"]), json_values
    )
)
def test_any_json_object_is_encoded_or_refused_by_name(row: dict[str, object]) -> None:
    try:
        decoded = decode_row(json.dumps(row).encode())
        values = ROW_ENCODER.encode(decoded).values
    except (InvalidRow, MalformedBody):
        return
    assert np.array([values], dtype=np.float32).shape == (1, 5)


@given(number_texts)
def test_the_number_grammar_is_pythons_without_its_liberties(text: str) -> None:
    number = parse_number(text)
    if number is not None:
        assert number == float(text)
        assert text.isascii()
        assert "_" not in text
