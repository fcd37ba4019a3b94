"""One row: what is accepted, what is warned about, what is refused, and where."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
from msgspec import structs

from factories import a_row, a_signature
from placar.errors import InvalidRow, Issue
from placar.signature.model import Categorical
from placar.signature.row import RowEncoder, closest, pointer


def encode(row: Mapping[str, object]) -> tuple[list[float], list[tuple[str, str]]]:
    encoded = RowEncoder(a_signature()).encode(row)
    return encoded.values, [(issue.path, issue.code) for issue in encoded.warnings]


def refusals(row: Mapping[str, object], path: str = "") -> dict[str, Issue]:
    with pytest.raises(InvalidRow) as caught:
        RowEncoder(a_signature()).encode(row, path)
    return {issue.path: issue for issue in caught.value.issues}


def test_a_clean_row_has_no_warning() -> None:
    assert encode(a_row()) == ([300, 2.0, 1.0, 18295.0, 2.0], [])


@pytest.mark.parametrize(
    ("name", "value", "position", "number"),
    [
        ("income", "12", 0, 12.0),
        ("income", " 1e2 ", 0, 100.0),
        ("income", True, 0, 1.0),
        ("married", "true", 2, 1.0),
        ("married", "FALSE", 2, 0.0),
        ("married", 1, 2, 1.0),
        ("married", 0.0, 2, 0.0),
    ],
)
def test_safe_coercions_are_accepted_and_warned_about(
    name: str, value: object, position: int, number: float
) -> None:
    values, warnings = encode({**a_row(), name: value})
    assert values[position] == number
    assert warnings == [(f"/{name}", "coerced")]


@pytest.mark.parametrize("value", [None, "", "NA", "?", "null", "  "])
def test_null_and_missing_markers_are_missing(value: object) -> None:
    values, warnings = encode({**a_row(), "income": value})
    assert math.isnan(values[0])
    assert warnings == []


def test_for_a_null_that_training_never_saw_a_typical_value_stands_in() -> None:
    features = tuple(structs.replace(one, null="warn") for one in a_signature().features)
    encoder = RowEncoder(structs.replace(a_signature(), features=features))
    nothing = encoder.encode(dict.fromkeys(a_row()))
    assert nothing.values == encoder.encode(a_row()).values
    assert {issue.code for issue in nothing.warnings} == {"unexpected_null"}


@pytest.mark.parametrize("value", ["1.0", "1", 1, 1.0])
def test_a_category_that_is_a_number_may_be_sent_as_one(value: object) -> None:
    grade = Categorical(name="grade", null="warn", vocabulary=("2.0", "1.0", "A"), example="2.0")
    encoder = RowEncoder(structs.replace(a_signature(), features=(grade,)))
    encoded = encoder.encode({"grade": value})
    assert encoded.values == [3.0]
    assert all(issue.code == "coerced" for issue in encoded.warnings)


def test_an_absent_feature_that_may_be_missing_is_warned_about() -> None:
    row = a_row()
    del row["income"]
    values, warnings = encode(dict(row))
    assert math.isnan(values[0])
    assert warnings == [("/income", "absent")]


def test_an_unseen_category_counts_as_other_and_is_warned_about() -> None:
    values, warnings = encode({**a_row(), "home": "castle"})
    assert values[1] == 1.0
    assert warnings == [("/home", "unseen_category")]


def test_a_value_outside_the_training_range_is_warned_about() -> None:
    assert encode({**a_row(), "income": -1})[1] == [("/income", "outside_training_range")]
    assert encode({**a_row(), "since": "1999-01-01"})[1] == [("/since", "outside_training_range")]


def test_all_failures_are_collected_with_a_path_and_what_was_expected() -> None:
    found = refusals(
        {"income": "much", "home": ["rent"], "married": "perhaps", "since": "yesterday"}, "/rows/3"
    )
    assert {path: (issue.code, issue.expected) for path, issue in found.items()} == {
        "/rows/3/income": ("not_a_number", "number"),
        "/rows/3/home": ("wrong_type", "string"),
        "/rows/3/married": ("not_a_boolean", "boolean"),
        "/rows/3/since": ("not_a_date", "date such as 2020-02-03"),
    }


def test_a_refusal_never_repeats_the_value() -> None:
    found = refusals({**a_row(), "income": "secret-4711"})
    assert not any("4711" in str(issue) for issue in found.values())


def test_a_misspelt_feature_is_refused_with_the_likely_name() -> None:
    row = a_row()
    row["Maried"] = row.pop("married")
    found = refusals(dict(row))
    assert list(found) == ["/Maried"]
    assert found["/Maried"].did_you_mean == "married"


def test_an_extra_name_is_ignored_with_a_warning() -> None:
    assert encode({**a_row(), "branch": 7})[1] == [("/branch", "unknown_feature")]


def test_the_target_and_columns_that_were_set_aside_are_ignored_silently() -> None:
    assert encode({**a_row(), "Status": "good", "id": 17})[1] == []


def test_a_number_that_no_float32_holds_is_refused() -> None:
    assert refusals({**a_row(), "income": 1e39})["/income"].code == "too_large"
    assert refusals({**a_row(), "income": 10**400})["/income"].code == "too_large"


def test_a_row_with_thousands_of_unknown_names_is_cut_off() -> None:
    row = a_row() | {f"x{number}": 1 for number in range(5000)}
    assert len(RowEncoder(a_signature()).encode(row).warnings) <= 100


def test_pointer_escapes_as_rfc_6901_says() -> None:
    assert pointer("rows", "3", "a/b~c") == "/rows/3/a~1b~0c"


def test_closest_compares_without_case_and_separators() -> None:
    assert closest("MONTHLY_income", ["monthly income", "age"]) == "monthly income"
    assert closest("zzz", ["monthly income", "age"]) is None
    assert closest("a" * 1000, ["a" * 999]) is None
