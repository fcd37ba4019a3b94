"""What a column is taken for, and why some are set aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from placar.errors import TableRejected
from placar.package.run_folder import RunSpec
from placar.signature.columns import ColumnEncoder
from placar.signature.model import (
    Boolean,
    Categorical,
    Feature,
    Moment,
    Numeric,
    Signature,
    Target,
)
from placar.signature.row import RowEncoder
from placar.table.engine import open_table
from placar.training.infer import check_names, infer_signature
from placar.training.matrix import Encoded, encode_table
from placar.training.moments import read_time
from unit.training.learning import a_csv, loans

ROWS = 120
RANDOM = np.random.default_rng(1)
TARGET = Target(name="y", positive="1", negative="0")
Columns = Mapping[str, Sequence[object]]


def signature_of(folder: Path, columns: Columns, **options: object) -> Signature:
    rows = len(next(iter(columns.values())))
    path = a_csv(folder, {**columns, "y": [0, 1] * (rows // 2)})
    spec = RunSpec(table=str(path), target="y", **options)  # type: ignore[arg-type]  # of each test
    with open_table(path, folder / "scratch", memory=2**27) as table:
        check_names(table, spec)
        return infer_signature(table, TARGET, spec).signature


def feature_of(folder: Path, cells: Sequence[object]) -> Feature:
    (feature,) = signature_of(folder, {"x": cells}).features
    return feature


def aside_of(folder: Path, cells: Sequence[object], name: str = "x") -> str:
    columns = {name: cells, "other": ["a", "b"] * (len(cells) // 2)}
    (aside,) = signature_of(folder, columns).set_aside
    assert aside.name == name
    assert aside.detail.endswith(".")
    return aside.reason


def test_numbers(tmp_path: Path) -> None:
    found = feature_of(tmp_path, [0.5, 1.5, 2.5, None] * 30)
    assert found == Numeric(name="x", null="accept", low=0.5, high=2.5, whole=False, example=1.5)
    found = feature_of(tmp_path, [1, 2, 3] * 40)
    assert found == Numeric(name="x", null="warn", low=1, high=3, whole=True, example=2)


def test_a_few_odd_texts_among_numbers_are_markers_of_missing(tmp_path: Path) -> None:
    found = feature_of(
        tmp_path, [*range(0, 1140, 10), "unknown", "unknown", "-", "none", "none", "none"]
    )
    assert isinstance(found, Numeric)
    assert (found.markers, found.null) == (("-", "none", "unknown"), "accept")


def test_odd_texts_among_few_numbers_are_codes_like_them(tmp_path: Path) -> None:
    """Such as the kinds of holiday 0, a, b and c, of which 0 is by far the most frequent."""
    found = feature_of(tmp_path, ["0"] * 580 + ["a"] * 7 + ["b"] * 7 + ["c"] * 6)
    assert isinstance(found, Categorical)
    assert found.vocabulary == ("0", "a", "b", "c")


def test_the_middle_of_a_column_of_dates_is_its_example(tmp_path: Path) -> None:
    cells = [f"20{year:02}-06-01" for year in range(1, 100)]
    found = feature_of(tmp_path, [*reversed(cells), None])
    assert isinstance(found, Moment)
    assert 2030 < int(found.example[:4]) < 2070


def test_slips_among_many_numbers_do_not_make_categories(tmp_path: Path) -> None:
    cells = [*RANDOM.normal(size=396).round(2).tolist(), "1,5", "2..0", "l0", "O.1"]
    found = feature_of(tmp_path, cells)
    assert isinstance(found, Numeric)
    assert (found.markers, found.null) == ((), "accept")


def test_texts_are_categories_most_frequent_first(tmp_path: Path) -> None:
    found = feature_of(tmp_path, ["b"] * 50 + ["a"] * 50 + ["rare"] * 4 + ["c"] * 14 + [None] * 2)
    assert found == Categorical(name="x", null="accept", vocabulary=("a", "b", "c"), example="a")


def test_small_tables_learn_rarer_levels(tmp_path: Path) -> None:
    found = feature_of(tmp_path, ["a"] * 20 + ["b"] * 18 + ["c"] * 2)
    assert isinstance(found, Categorical)
    assert found.vocabulary == ("a", "b", "c")


def test_numbers_and_letters_mixed_are_categories(tmp_path: Path) -> None:
    assert isinstance(feature_of(tmp_path, ["1", "2", "A1", "B2"] * 30), Categorical)


def test_true_and_false_are_booleans_in_any_case(tmp_path: Path) -> None:
    found = feature_of(tmp_path, ["True", "false", None] * 40 + ["TRUE", "true"])
    assert found == Boolean(name="x", null="accept", example=True)
    found = feature_of(tmp_path, ["true", "True", "TRUE", "false", "false"] * 24)
    assert found == Boolean(name="x", null="warn", example=True)


@pytest.mark.parametrize(
    ("cells", "origin"),
    [
        ([20240100.0 + day for day in range(1, 31)], 20240116.0),  # dates written as whole numbers
        ([0, 5_000_000, 40_000_000], 0.0),
        ([-999_999_999, *(n / 64 for n in range(40))], 0.0),  # one marker of missing, far away
        ([-1.5, 2000.25], 0.0),
    ],
)
def test_numbers_far_from_zero_are_told_apart(
    tmp_path: Path, cells: list[float], origin: float
) -> None:
    found = feature_of(tmp_path, cells * 20)
    assert isinstance(found, Numeric)
    assert found.origin == pytest.approx(origin, abs=1)
    signature = Signature(features=(found,), target=TARGET)
    column = np.array(cells)
    encoded = ColumnEncoder(signature).encode({"x": column}, len(cells)).matrix[:, 0]
    assert len(set(encoded.tolist())) == len(cells)
    rows = [RowEncoder(signature).encode({"x": cell}).values[0] for cell in cells]
    assert np.array_equal(encoded, np.array(rows, dtype=np.float32))


@pytest.mark.parametrize(
    ("cells", "layout", "low", "high", "parts"),
    [
        (["2020-02-03", "2021-12-24"], "iso", "2020-02-03", "2021-12-24", 3),
        (["03/02/2020", "24/12/2021"], "dmy", "2020-02-03", "2021-12-24", 3),
        (["02/03/2020", "12/24/2021"], "mdy", "2020-02-03", "2021-12-24", 3),
        (["02/03/2020", "04/05/2021"], "dmy", "2020-03-02", "2021-05-04", 3),
        (
            ["2020-02-03 04:05", "2021-01-01T00:30:00+02:00"],
            "iso",
            "2020-02-03T04:05:00",
            "2020-12-31T22:30:00",
            4,
        ),
    ],
)
def test_dates_in_every_layout(
    tmp_path: Path, cells: list[str], layout: str, low: str, high: str, parts: int
) -> None:
    found = feature_of(tmp_path, cells * 60)
    assert isinstance(found, Moment)
    assert (found.layout, found.low, found.high) == (layout, low, high)
    assert (len(found.parts), found.example in cells) == (parts, True)


def test_a_few_unreadable_dates_count_as_missing(tmp_path: Path) -> None:
    found = feature_of(tmp_path, [f"2020-01-{day:02}" for day in range(1, 21)] * 10 + ["soon"] * 2)
    assert isinstance(found, Moment)
    assert found.null == "accept"


@pytest.mark.parametrize(
    ("cells", "name", "reason"),
    [
        ([None, "NA"] * 60, "x", "all_missing"),
        (["same"] * ROWS, "x", "constant"),
        ([7] * ROWS, "x", "constant"),
        (RANDOM.permutation(ROWS).tolist(), "x", "id_like"),
        ((RANDOM.permutation(ROWS) * 1000).tolist(), "loan_id", "id_like"),
        ((RANDOM.permutation(ROWS) * 1000).tolist(), "loanID", "id_like"),
        ([*range(ROWS - 3), None, 5, 5], "x", "id_like"),
        ([*(RANDOM.permutation(ROWS - 2) * 1000).tolist(), None, 0], "account_id", "id_like"),
        ([f"L{number}" for number in range(ROWS)], "x", "id_like"),
        ([f"word {number * 2 // 3}" for number in range(600)], "x", "free_text"),
        ([f"w{number // 4}" for number in range(180)] + ["a"] * 2, "x", "free_text"),
    ],
)
def test_columns_that_cannot_help_are_set_aside(
    tmp_path: Path, cells: list[object], name: str, reason: str
) -> None:
    assert aside_of(tmp_path, cells, name) == reason


@pytest.mark.parametrize("name", ["amount", "paid", "grid", "valid"])
def test_amounts_that_are_all_different_are_kept(tmp_path: Path, name: str) -> None:
    cells = (RANDOM.permutation(ROWS) * 1000).tolist()
    (feature,) = signature_of(tmp_path, {name: cells}).features
    assert isinstance(feature, Numeric)


def test_a_value_that_is_there_or_missing_is_kept(tmp_path: Path) -> None:
    found = feature_of(tmp_path, ["yes", None] * 60)
    assert isinstance(found, Categorical)


def test_columns_named_by_the_caller_are_set_aside(tmp_path: Path) -> None:
    columns = {name: [1, 2, 3] * 40 for name in ("a", "b", "c", "d")}
    found = signature_of(tmp_path, columns, drop=("a",), ids=("b",), time="c")
    assert [(one.name, one.reason) for one in found.set_aside] == [
        ("a", "dropped"),
        ("b", "named_id"),
        ("c", "time"),
    ]
    assert [feature.name for feature in found.features] == ["d"]


@pytest.mark.parametrize("option", [{"drop": ("agee",)}, {"ids": ("agee",)}, {"time": "agee"}])
def test_a_misspelt_option_is_not_ignored(tmp_path: Path, option: dict[str, object]) -> None:
    with pytest.raises(TableRejected, match="'agee'") as caught:
        signature_of(tmp_path, {"age": [1, 2, 3] * 40}, **option)
    assert "Did you mean 'age'?" in caught.value.way_out


def test_the_target_cannot_be_dropped(tmp_path: Path) -> None:
    with pytest.raises(TableRejected, match="target 'y' cannot"):
        signature_of(tmp_path, {"age": [1, 2, 3] * 40}, drop=("y",))


def test_no_feature_left_says_why(tmp_path: Path) -> None:
    with pytest.raises(TableRejected, match="No column is left") as caught:
        signature_of(tmp_path, {"age": [1] * ROWS})
    assert "'age': Every row has the same value." in caught.value.way_out
    with pytest.raises(TableRejected, match="No column is left") as caught:
        signature_of(tmp_path, {"y": [0, 1] * 60})
    assert "besides the target" in caught.value.way_out


def test_numbers_beyond_float32_are_rejected_by_name(tmp_path: Path) -> None:
    with pytest.raises(TableRejected, match="'x' holds numbers beyond"):
        feature_of(tmp_path, [1.5, 2.5, 1e39] * 40)


def encoded(folder: Path, columns: Columns, samples: list[int]) -> tuple[Signature, Encoded]:
    path = a_csv(folder, columns)
    spec = RunSpec(table=str(path), target="Status")
    target = Target(name="Status", positive="bad", negative="good")
    with open_table(path, folder / "scratch", memory=2**27) as table:
        signature = infer_signature(table, target, spec).signature
        test = np.arange(table.rows) % 5 == 0
        found = encode_table(table, signature, test, folder / "scratch", np.array(samples))
    return signature, found


def test_the_table_becomes_two_matrices_in_the_file_s_order(tmp_path: Path) -> None:
    columns = loans(300)
    signature, found = encoded(tmp_path, columns, [0, 7, 299])
    assert [feature.name for feature in signature.features] == [
        "Income",
        "Home",
        "Married",
        "Since",
    ]
    assert found.training.shape == (240, len(signature.columns))
    assert found.test.shape == (60, len(signature.columns))
    income = np.array([np.nan if cell is None else cell for cell in columns["Income"]], np.float32)
    assert np.array_equal(found.test[:, 0], income[::5], equal_nan=True)
    assert np.array_equal(found.training[:, 0], np.delete(income, np.s_[::5]), equal_nan=True)
    assert [sample["Home"] for sample in found.samples] == [
        columns["Home"][row] for row in (0, 7, 299)
    ]
    assert found.unparsed == {}


def test_cells_that_cannot_be_read_are_counted_and_missing(tmp_path: Path) -> None:
    columns = loans(300)
    for row, slip in ((3, "1,2"), (10, "12O"), (17, "--"), (150, "..")):
        columns["Income"][row] = slip
    _, found = encoded(tmp_path, columns, [3])
    assert found.unparsed == {"Income": 4}
    assert np.isnan(found.training[2, 0])
    assert not np.isnan(found.training[2, 1])


@pytest.mark.parametrize("cells", [["2020-01-02", "2019-05-06", None], ["7", "3", "NA"]])
def test_time_is_read_as_numbers_that_grow(tmp_path: Path, cells: list[str | None]) -> None:
    path = a_csv(tmp_path, {"t": cells, "x": [1, 2, 3]})
    with open_table(path, tmp_path / "scratch", memory=2**27) as table:
        moments = read_time(table, table.profile()[0])
    assert moments[0] > moments[1]
    assert np.isnan(moments[2])


@pytest.mark.parametrize(
    "cells", [["soon", "2020-01-01"], ["2020-01-01T24:30:00", "2020-01-02T99:00:00"]]
)
def test_a_time_that_is_none_is_rejected(tmp_path: Path, cells: list[str]) -> None:
    path = a_csv(tmp_path, {"t": cells, "x": [1, 2]})
    with (
        open_table(path, tmp_path / "scratch", memory=2**27) as table,
        pytest.raises(TableRejected, match="time column 't'"),
    ):
        read_time(table, table.profile()[0])
