"""What a target may be, and what is said when it cannot be learnt."""

from __future__ import annotations

from pathlib import Path

import pytest

from placar.errors import TargetRejected
from placar.table.engine import open_table
from placar.training.targets import Outcomes, canonical_value, choose_positive, read_outcomes
from unit.training.learning import a_csv


def outcomes_in(
    folder: Path, values: list[object], wanted: str | None = None, name: str = "y"
) -> Outcomes:
    path = a_csv(folder, {"x": list(range(len(values))), "y": values})
    with open_table(path, folder / "scratch", memory=2**27) as table:
        return read_outcomes(table, name, wanted)


def test_outcomes_follow_the_file_s_order(tmp_path: Path) -> None:
    found = outcomes_in(tmp_path, ["no", "yes", "no"] * 10)
    assert (found.target.positive, found.target.negative) == ("yes", "no")
    assert found.positive.tolist() == [False, True, False] * 10
    assert found.inferred


def test_numbers_written_differently_are_one_value(tmp_path: Path) -> None:
    found = outcomes_in(tmp_path, ["1", "1.0", "0", "0.0"] * 10)
    assert (found.target.positive, found.target.negative) == ("1", "0")
    assert found.positive.tolist() == [True, True, False, False] * 10


@pytest.mark.parametrize(
    ("values", "positive"),
    [
        (("good", "bad"), "bad"),
        (("<=50K", ">50K"), ">50K"),
        (("True", "False"), "True"),
        (("sim", "não"), "sim"),
        (("left", "right"), "right"),
        (("bad", "yes"), "yes"),
    ],
)
def test_the_positive_value_is_the_usual_one_or_the_rarer_one(
    values: tuple[str, str], positive: str
) -> None:
    assert choose_positive({values[0]: 30, values[1]: 20}) == positive


def test_of_equally_frequent_values_the_choice_is_always_the_same() -> None:
    assert choose_positive({"b": 5, "a": 5}) == choose_positive({"a": 5, "b": 5}) == "a"


@pytest.mark.parametrize("wanted", ["GOOD", " good "])
def test_a_named_value_may_be_written_in_another_case(tmp_path: Path, wanted: str) -> None:
    found = outcomes_in(tmp_path, ["good", "bad"] * 20, wanted)
    assert found.target.positive == "good"
    assert not found.inferred


def test_a_named_number_may_be_written_otherwise(tmp_path: Path) -> None:
    assert outcomes_in(tmp_path, [2, 1] * 20, "2.0").target.positive == "2"


@pytest.mark.parametrize(
    ("values", "wanted", "words"),
    [
        (["a", "b"] * 20 + [None], None, ["missing in 1 row", "outcome is known"]),
        (["a", "b"] * 20 + ["NA", "?"], None, ["missing in 2 rows"]),
        ([None] * 10, None, ["no value in any row"]),
        (["a"] * 30, None, ["one value only, 'a'", "both outcomes"]),
        (list("abcdefg") * 10, None, ["7 different values ('a', 'b', 'c', 'd', 'e', …)"]),
        (
            [n / 7 for n in range(300)],
            None,
            ["more than 100 different values (too many to be classes)", "exactly two"],
        ),
        (["a"] * 30 + ["b"] * 9, None, ["Only 9 of 39 rows", "'b'", "at least 10 rows"]),
        (["a"], None, ["one value only"]),
        (["good", "bad"] * 20, "worse", ["never has the value 'worse'", "'bad' and 'good'"]),
    ],
)
def test_what_cannot_be_learnt_is_rejected_in_one_sentence(
    tmp_path: Path, values: list[object], wanted: str | None, words: list[str]
) -> None:
    with pytest.raises(TargetRejected) as caught:
        outcomes_in(tmp_path, values, wanted)
    assert all(word in caught.value.sentence for word in words)
    assert caught.value.way_out


def test_a_misspelt_column_gets_a_suggestion(tmp_path: Path) -> None:
    path = a_csv(tmp_path, {"Status": ["a", "b"] * 20, "Income": [1, 2] * 20})
    with open_table(path, tmp_path / "scratch", memory=2**27) as table:
        with pytest.raises(TargetRejected, match=r"no column named 'status'") as caught:
            read_outcomes(table, "status", None)
        assert "Did you mean 'Status'?" in caught.value.way_out
        with pytest.raises(TargetRejected) as caught:
            read_outcomes(table, "zzz", None)
        assert "Its columns are 'Status', 'Income'." in caught.value.way_out


@pytest.mark.parametrize(
    ("value", "text"),
    [("1e0", "1"), (1.0, "1"), (0.5, "0.5"), (" yes ", "yes"), ("1e999", "1e999"), ("007", "7")],
)
def test_canonical_values(value: str | float, text: str) -> None:
    assert canonical_value(value) == text
