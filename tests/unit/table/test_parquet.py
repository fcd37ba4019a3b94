"""Parquet: every type becomes numbers or text."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pytest

from .conftest import Opened, cells, column, names


def parquet(folder: Path, select: str) -> bytes:
    """Return the bytes of a Parquet file with what a query gives."""
    path = folder / "made.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet)")
    return path.read_bytes()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("7::TINYINT", 7.0),
        ("7::UBIGINT", 7.0),
        ("2.5::FLOAT", 2.5),
        ("1.25::DECIMAL(38, 2)", 1.25),
        ("'inf'::DOUBLE", np.inf),
        ("9007199254740992::BIGINT", 9007199254740992.0),
        ("9007199254740993::BIGINT", "9007199254740993"),
        ("-9007199254740993::BIGINT", "-9007199254740993"),
        ("18446744073709551615::UBIGINT", "18446744073709551615"),
        ("true", "true"),
        ("'  x '", "x"),
        ("' '", None),
        ("DATE '2020-01-02'", "2020-01-02"),
        ("TIMESTAMP '2020-01-02 03:04:05.5'", "2020-01-02 03:04:05.5"),
        ("TIMESTAMP_NS '2020-01-02 03:04:05.123456789'", "2020-01-02 03:04:05.123456789"),
        ("TIMESTAMPTZ '2020-01-02 03:04:05+02'", "2020-01-02 01:04:05Z"),
        ("TIME '03:04:05'", "03:04:05"),
        ("[1, 2]", "[1,2]"),
        ("{'k': 'v'}", '{"k":"v"}'),
        ("MAP {'k': 1}", '{"k":1}'),
        ("'e'::ENUM('e', 'f')", "e"),
        ("'x'::BLOB", "x"),
        ("NULL::VARCHAR", None),
    ],
)
def test_each_type_becomes_a_number_or_text(
    opened: Opened, tmp_path: Path, value: str, expected: float | str | None
) -> None:
    table = opened(parquet(tmp_path, f"SELECT {value} AS v, 1 AS other"), "table.csv")
    assert cells(table) == {"v": [expected], "other": [1.0]}
    assert table.columns[0].numeric is isinstance(expected, float)


def test_null_and_nan_are_missing_numbers(opened: Opened, tmp_path: Path) -> None:
    table = opened(parquet(tmp_path, "SELECT unnest([1.5, NULL, 'nan'::DOUBLE]) AS v"))
    assert column(table, "v").dtype == np.float64
    assert np.isnan(column(table, "v")).tolist() == [False, True, True]


def test_names_are_the_files_own(opened: Opened, tmp_path: Path) -> None:
    nested = '{\'a\': {\'b\': 1}} AS "x ""1"""'
    content = parquet(tmp_path, f"""SELECT {nested}, [{{'c': 2}}] AS " y.z ", 3 AS "ção, 🎯" """)
    assert names(opened(content)) == ['x "1"', "y.z", "ção, 🎯"]


def test_names_that_differ_in_case_are_different_columns(opened: Opened, tmp_path: Path) -> None:
    content = parquet(tmp_path, "SELECT 1 AS Age, 2 AS AgX").replace(b"AgX", b"age")
    assert cells(opened(content)) == {"Age": [1.0], "age": [2.0]}


def test_the_folders_name_adds_no_column(opened: Opened, tmp_path: Path) -> None:
    content = parquet(tmp_path, "SELECT 1 AS a")
    assert names(opened(content, "year=2020/[1].parquet")) == ["a"]


def test_rows_keep_the_files_order(opened: Opened, tmp_path: Path) -> None:
    content = parquet(tmp_path, "SELECT (i * 7919) % 300007 AS v FROM range(300000) t(i)")
    expected = [i * 7919 % 300007 for i in range(300_000)]
    assert column(opened(content, threads=2), "v").tolist() == expected
