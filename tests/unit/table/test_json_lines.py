"""JSON lines: types are kept, keys come and go."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from placar.errors import TableRejected

from .conftest import MEMORY, Opened, cells, column, names


def lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_numbers_are_numbers_and_the_rest_is_text(opened: Opened) -> None:
    table = opened(
        lines(
            {"n": 1, "x": 2.5, "s": " 007 ", "b": True, "d": "2020-01-02", "o": {"k": [1]}},
            {"n": None, "x": -3, "s": "", "b": None, "d": "12:30", "o": [1, "a"]},
        ),
        "table.jsonl",
    )
    assert cells(table) == {
        "n": [1.0, pytest.approx(np.nan, nan_ok=True)],
        "x": [2.5, -3.0],
        "s": ["007", None],
        "b": ["true", None],
        "d": ["2020-01-02", "12:30"],
        "o": ['{"k":[1]}', '[1,"a"]'],
    }
    assert [column.numeric for column in table.columns] == [True, True, False, False, False, False]


def test_a_column_of_numbers_and_texts_is_text(opened: Opened) -> None:
    assert cells(opened(lines({"a": 1}, {"a": "007"}, {"a": False}))) == {
        "a": ["1", "007", "false"]
    }


def test_a_column_without_values_is_text(opened: Opened) -> None:
    assert cells(opened(lines({"a": None, "b": 1}, {"b": 2}))) == {"a": [None, None], "b": [1, 2]}


def test_whole_numbers_that_a_double_would_round_are_text(opened: Opened) -> None:
    table = opened('{"id": 9007199254740993}\n{"id": -1}\n{"id": 123456789012345678901234567890}\n')
    assert cells(table) == {"id": ["9007199254740993", "-1", "123456789012345678901234567890"]}


def test_numbers_beyond_the_largest_double_stay_visible(opened: Opened) -> None:
    assert cells(opened('{"a": 1e999}\n{"a": 1}\n')) == {"a": [np.inf, 1.0]}


def test_nan_is_missing(opened: Opened) -> None:
    assert np.isnan(column(opened('{"a": NaN}\n{"a": 1}\n'), "a")).tolist() == [True, False]


def test_columns_come_in_the_order_of_their_first_row(opened: Opened) -> None:
    rows = [{"b": 1, "a": 2}] * 3_000 + [{"z": 1, "a": 3, "B": 4}]
    table = opened(lines(*rows))
    assert names(table) == ["b", "a", "z", "B"]
    assert column(table, "a")[-1] == 3.0


@pytest.mark.parametrize(
    "key", ["a/b", "m~n", 'say "hi"', "it's", "$.a", "0", " é🎯", "a.b", "[0]"]
)
def test_keys_may_hold_anything(opened: Opened, key: str) -> None:
    assert cells(opened(lines({key: "x"}, {"other": 1}))) | {"other": None} == {
        key.strip(): ["x", None],
        "other": None,
    }


def test_a_key_without_a_name_is_numbered(opened: Opened) -> None:
    assert cells(opened(lines({"a": 1, "": "x"}))) == {"a": [1.0], "column_2": ["x"]}


def test_blank_lines_line_ends_and_marks_do_not_matter(opened: Opened) -> None:
    content = b'\xef\xbb\xbf{"a": 1}\r\n\r\n{"a": 2}\r\n'
    assert cells(opened(content)) == {"a": [1.0, 2.0]}
    assert cells(opened(gzip.compress(content), "table.jsonl.gz")) == {"a": [1.0, 2.0]}


def test_many_keys_are_read_in_parts(opened: Opened) -> None:
    row = {f"k{n}": n if n % 2 else f"t{n}" for n in range(400)}
    table = opened(lines(row, row), memory=MEMORY)
    assert cells(table) == {key: [value, value] for key, value in row.items()}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('{"a": 1}\n{"a": \n', "Line 2 of table.jsonl is not JSON"),
        ('{"a": 1}\n\n{"a": 1} x\n', "Line 3 of table.jsonl is not JSON"),
        ('{"a": 1}{"a": 2}\n', "Line 1 of table.jsonl is not JSON"),
        ('{"a": 1}\n[1]\n', "Line 2 of table.jsonl is JSON, but not an object"),
        ('{"a": 1}\nnull\n', "Line 2 of table.jsonl is JSON, but not an object"),
        ('{"a": 1}\n{"a": 1, "a": 2}\n', "Line 2 of table.jsonl holds the same key twice"),
        ('{\n  "a": 1\n}\n', "Line 1 of table.jsonl is not JSON"),
        ('{"a": "\\ud800"}\n', "Line 1 of table.jsonl holds half of a character"),
        ("{}\n{}\n", "objects in table.jsonl are all empty"),
        ('[{"a": 1}]', "table.jsonl is one JSON array"),
        ('{"a": 1, " a": 2}\n', "Several columns have the same name: 'a'"),
        (json.dumps({f"k{n}": n for n in range(2_001)}), "2,001 columns"),
    ],
)
def test_what_is_not_json_lines_is_an_error_that_names_the_line(
    opened: Opened, content: str, problem: str
) -> None:
    with pytest.raises(TableRejected) as caught:
        opened(content, "table.jsonl")
    assert problem in caught.value.message
    assert caught.value.way_out


def test_an_endless_line_is_an_error_that_names_it(opened: Opened) -> None:
    with pytest.raises(TableRejected, match=r"Line 2 of table\.jsonl is longer than 16 MB"):
        opened('{"a": "x"}\n{"a": "' + "x" * 40 * 1024**2 + '"}\n', "table.jsonl")


def test_values_nested_without_end_are_no_reason_to_crash(opened: Opened) -> None:
    nested = '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}\n"
    with pytest.raises(TableRejected, match=r"^Line 2 of table\.jsonl is nested too deeply\."):
        opened('{"a": 1}\n' + nested + "{\n", "table.jsonl")
