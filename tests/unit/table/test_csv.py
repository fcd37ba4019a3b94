"""CSV in all the ways in which people write it."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from placar.errors import TableRejected

from .conftest import Opened, cells, column, names


def test_cells_are_text_as_written(opened: Opened) -> None:
    table = opened("id,sum\n007,1.50\n008,2\n")
    assert cells(table) == {"id": ["007", "008"], "sum": ["1.50", "2"]}
    assert [column.numeric for column in table.columns] == [False, False]


def test_cells_are_trimmed_of_every_blank_that_python_knows(opened: Opened) -> None:
    table = opened('a,b\n  x y ,\t1\n\u00a0é\u3000,"\n2\n"\n')
    assert cells(table) == {"a": ["x y", "é"], "b": ["1", "2"]}


def test_only_an_empty_cell_is_missing(opened: Opened) -> None:
    table = opened('a,b\nNULL,\\N\nNA,""\n , null\n,None\n')
    assert cells(table) == {"a": ["NULL", "NA", None, None], "b": ["\\N", None, "null", "None"]}


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found(opened: Opened, separator: str) -> None:
    table = opened(f"a{separator}b\n1{separator}x, or; y\n".replace("x, or; y", '"x, or; y"'))
    assert cells(table) == {"a": ["1"], "b": ["x, or; y"]}


def test_decimal_commas_do_not_hide_the_separator(opened: Opened) -> None:
    assert cells(opened("a;b\n1,5;2,5\n3,5;4,5\n")) == {"a": ["1,5", "3,5"], "b": ["2,5", "4,5"]}


def test_the_separator_that_fits_the_rows_wins_over_one_in_a_name(opened: Opened) -> None:
    assert names(opened("name, first;name, last;age\nAnn;Lee;3\nBo;Li;4\n")) == [
        "name, first", "name, last", "age",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("name\nAnn\nBo\n", {"name": ["Ann", "Bo"]}),
        ("1,2\n3,4\n", {"1": ["3"], "2": ["4"]}),
        ("name,town\nAnn,Rome\n", {"name": ["Ann"], "town": ["Rome"]}),
        ("2020-01-01,x\n2020-01-02,y\n", {"2020-01-01": ["2020-01-02"], "x": ["y"]}),
        ("#a,b\n#1,2\n", {"#a": ["#1"], "b": ["2"]}),
        ("\n\na,b\n1,2\n", {"a": ["1"], "b": ["2"]}),
        ("name\n7", {"name": ["7"]}),
    ],
)
def test_the_first_line_is_always_the_header(
    opened: Opened, content: str, expected: dict[str, list[str]]
) -> None:
    assert cells(opened(content)) == expected


def test_names_may_hold_anything(opened: Opened) -> None:
    table = opened('"a, b","two\nlines","say ""hi""", ção 🎯 ,a.b,"select ""*"";--"\n1,2,3,4,5,6\n')
    assert names(table) == ["a, b", "two\nlines", 'say "hi"', "ção 🎯", "a.b", 'select "*";--']
    assert column(table, "a.b").tolist() == ["5"]


def test_names_that_differ_in_case_are_different_columns(opened: Opened) -> None:
    assert cells(opened("Age,age,AGE\n1,2,3\n")) == {"Age": ["1"], "age": ["2"], "AGE": ["3"]}


def test_columns_without_a_name_are_numbered(opened: Opened) -> None:
    assert names(opened(",a, ,column_1,\n1,2,3,4,5\n")) == [
        "column_1_", "a", "column_3", "column_1", "column_5",
    ]  # fmt: skip


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_is_read(opened: Opened, end: str) -> None:
    table = opened(f'a,b{end}1,"x\ny"{end}2,z{end}')
    assert cells(table) == {"a": ["1", "2"], "b": ["x\ny", "z"]}


def test_mixed_line_ends_are_read(opened: Opened) -> None:
    assert cells(opened("a,b\n1,2\r\n3,4\n5,6\r\n")) == {"a": ["1", "3", "5"], "b": ["2", "4", "6"]}


@pytest.mark.parametrize(
    "content", ["a,b\n1,é\n", '"a",b\n1,é\n', '"a\nx",b\n1,é\n', '\n"a, x",b\n1,é\n']
)
def test_a_byte_order_mark_is_no_part_of_a_name(opened: Opened, content: str) -> None:
    table = opened(b"\xef\xbb\xbf" + content.encode())
    assert names(table)[0].startswith("a")
    assert column(table, "b").tolist() == ["é"]


def test_windows_text_is_read_and_noted(opened: Opened) -> None:
    table = opened("città,b\nForlì €,2\n".encode("cp1252") + b"\x81,3\n")
    assert cells(table) == {"città": ["Forlì €", "\ufffd"], "b": ["2", "3"]}
    assert "Windows-1252" in table.notes[0]


def test_utf_16_is_read_and_noted(opened: Opened) -> None:
    table = opened("a\tb\r\n1\té\r\n".encode("utf-16"))
    assert cells(table) == {"a": ["1"], "b": ["é"]}
    assert "UTF-16" in table.notes[0]


def test_the_content_decides_the_format_not_the_name(opened: Opened) -> None:
    assert cells(opened(gzip.compress(b"a,b\n1,2\n"), "table.csv")) == {"a": ["1"], "b": ["2"]}
    assert cells(opened("a,b\n1,2\n", "table.csv.gz")) == {"a": ["1"], "b": ["2"]}
    assert cells(opened("a,b\n1,2\n", "table.parquet")) == {"a": ["1"], "b": ["2"]}


def test_a_gzip_file_of_several_members_is_read_whole(opened: Opened) -> None:
    packed = gzip.compress(b"a,b\n1,2\n") + gzip.compress(b"3,4\n")
    assert cells(opened(packed, "table.csv.gz")) == {"a": ["1", "3"], "b": ["2", "4"]}


@pytest.mark.parametrize("name", ["[1]*?.csv", "it's.csv", "year=2020/part.csv", "tábla.csv"])
def test_a_path_means_itself(opened: Opened, name: str) -> None:
    opened("z\nwrong\n", "1x.csv")
    assert cells(opened("a\n1\n", name)) == {"a": ["1"]}


def test_blank_lines_between_rows_are_skipped(opened: Opened) -> None:
    assert opened("a,b\n1,2\n\n3,4\n\n").rows == 2


def test_a_blank_line_of_a_single_column_is_a_missing_cell(opened: Opened) -> None:
    assert cells(opened("a\n1\n\n3\n")) == {"a": ["1", None, "3"]}


def test_quotes_inside_cells_are_kept(opened: Opened) -> None:
    assert cells(opened('a,b\n"x ""y"", z",5" pipe\n')) == {"a": ['x "y", z'], "b": ['5" pipe']}


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("a,b\n1,2\n3\n4,5\n", 3),
        ("a,b\n1,2\n3,3,3\n", 3),
        ('a,b\n"1\n\n1",2\n3,3,3\n', 5),
        ('"a\nx",b\n\n1,2\n3\n', 5),
        ("a,b\n" + "1,2\n" * 30_000 + "1,2,3\n", 30_002),
        ("a,b\r\n1,2\r\n3,3,3\r\n", 3),
        ("comment\nfine\nnot, so fine\n", 3),
        ("a,b\n1,2\n  \n", 3),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_ragged_row_is_an_error_that_names_its_line(
    opened: Opened, content: str, line: int, *, packed: bool
) -> None:
    with pytest.raises(TableRejected, match=rf"^Line {line:,} of table\.csv has \d cells?, "):
        opened(gzip.compress(content.encode()) if packed else content, threads=2)


@pytest.mark.parametrize(
    "content",
    [
        'a,b\n1,2\n"3,3\n4,5\n',
        'a,b\n1,2\n"3"x,3\n',
        'a,b\n1,2\n3,"x\\"y"\n',
    ],
)
def test_wrong_quotes_are_an_error_that_names_their_line(opened: Opened, content: str) -> None:
    with pytest.raises(TableRejected, match=r"quotes on line 3 of table\.csv"):
        opened(content)


def test_an_endless_line_is_an_error_that_names_it(opened: Opened) -> None:
    with pytest.raises(TableRejected, match=r"Line 3 of table\.csv is longer than 2 MB"):
        opened("a,b\n1,2\n" + "x" * (3 * 1024**2) + ",2\n")


def test_a_header_that_does_not_end_is_an_error(opened: Opened) -> None:
    with pytest.raises(TableRejected, match=r"first line of table\.csv does not end"):
        opened("a,b" * 1024**2)


def test_messages_hold_no_cells(opened: Opened) -> None:
    with pytest.raises(TableRejected) as caught:
        opened("a,b\n1,2\nsecret,secret,secret\n")
    assert "secret" not in caught.value.sentence
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_broken_character_in_utf_8_is_an_error_that_names_its_line(opened: Opened) -> None:
    with pytest.raises(TableRejected, match="line 3 holds a broken character"):
        opened("a,b\né,2\n".encode() + b"3,\xff\n")
    with pytest.raises(TableRejected, match="line 2 holds a broken character"):
        opened("a,b\né,ã".encode()[:-1])


def test_no_copy_of_a_rewritten_text_is_left(opened: Opened, tmp_path: Path) -> None:
    opened("a,b\n1,2\r\n")
    assert not list(tmp_path.rglob("*.txt"))
