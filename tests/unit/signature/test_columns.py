"""Many rows: whole columns at once."""

from __future__ import annotations

import numpy as np
import pytest

from factories import a_row, a_signature
from placar.errors import InvalidRow
from placar.signature.columns import Column, ColumnEncoder
from placar.signature.row import RowEncoder


def texts(*values: str | None) -> Column:
    return np.array(values, dtype=object)


def columns(**changes: Column) -> dict[str, Column]:
    base = {
        "income": texts("300", None, "1e2"),
        "home": texts("rent", "owner", "rent"),
        "married": texts("true", "false", "true"),
        "since": texts("2020-02-03", None, "2020-02-04"),
    }
    return base | changes


def test_text_columns_become_numbers_and_codes_without_warnings() -> None:
    encoded = ColumnEncoder(a_signature()).encode(columns(), 3)
    expected = [[300, 2, 1, 18295, 2], [np.nan, 3, 0, np.nan, np.nan], [100, 2, 1, 18296, 2]]
    np.testing.assert_array_equal(encoded.matrix, np.array(expected, dtype=np.float32))
    assert encoded.bad == {}
    assert encoded.warnings == {}


def test_bad_cells_are_missing_in_the_matrix_and_name_their_rows() -> None:
    bad = columns(income=texts("300", "much", "1"), since=texts("?", "soon", "2020-01-01"))
    encoded = ColumnEncoder(a_signature()).encode(bad, 3)
    assert {row: [i.path for i in issues] for row, issues in encoded.bad.items()} == {
        1: ["/income", "/since"]
    }
    assert np.isnan(encoded.matrix[1, 0])


def test_number_columns_are_taken_whole() -> None:
    encoded = ColumnEncoder(a_signature()).encode(
        columns(income=np.array([1.5, np.nan, 2000.0])), 3
    )
    np.testing.assert_array_equal(
        encoded.matrix[:, 0], np.array([1.5, np.nan, 2000.0], dtype=np.float32)
    )
    assert encoded.warnings == {("income", "outside_training_range"): 1}


def test_a_number_that_no_float32_holds_makes_only_its_row_bad() -> None:
    encoded = ColumnEncoder(a_signature()).encode(columns(income=np.array([1.0, 1e39, 2.0])), 3)
    assert list(encoded.bad) == [1]


@pytest.mark.parametrize(
    ("names", "path", "code", "meant"),
    [
        (["income", "married", "since"], "/home", "missing_feature", None),
        (["income", "hom", "married", "since"], "/hom", "unknown_feature", "home"),
        (["Incomee", "home", "married", "since"], "/Incomee", "unknown_feature", "income"),
    ],
)
def test_columns_that_do_not_fit_are_named_before_any_row_is_read(
    names: list[str], path: str, code: str, meant: str | None
) -> None:
    """The very names for which a single row is refused, those that may be missing included."""
    (issue,) = ColumnEncoder(a_signature()).misfits(names)
    assert (issue.path, issue.code, issue.did_you_mean) == (path, code, meant)
    row = {name: a_row().get(name, "x") for name in names}
    with pytest.raises(InvalidRow) as caught:
        RowEncoder(a_signature()).encode(row)
    assert (path, code, meant) in {(i.path, i.code, i.did_you_mean) for i in caught.value.issues}


@pytest.mark.parametrize(
    "names", [["home", "married"], ["home", "married", "id", "Status", "colour"]]
)
def test_what_may_be_left_out_and_what_is_known_fits(names: list[str]) -> None:
    assert ColumnEncoder(a_signature()).misfits(names) == ()
