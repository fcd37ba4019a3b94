"""Writing tables."""

from __future__ import annotations

import csv
import gzip
import math
import stat
import string
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from placar.errors import ConfigurationError
from placar.table.engine import open_table
from placar.table.output import CellKind, TableWriter

from .conftest import MEMORY, cells, column

COLUMNS: list[tuple[str, CellKind]] = [("name", "text"), ("share", "float"), ("points", "integer")]
SUFFIXES = (".csv", ".csv.gz", ".parquet")


def texts(*values: str | None) -> NDArray[np.object_]:
    return np.array(values, dtype=object)


def a_slice(start: int = 0, rows: int = 2) -> dict[str, NDArray[Any]]:
    numbers = np.arange(start, start + rows)
    return {
        "name": texts(*(f"row {n}" for n in numbers)),
        "share": numbers / 4,
        "points": numbers,
    }


def write(path: Path, *slices: dict[str, NDArray[Any]]) -> Path:
    with TableWriter(path, COLUMNS, memory=MEMORY) as writer:
        for part in slices:
            writer.write(part)
    return path


def test_csv_is_written_as_rfc_4180_quotes_it(tmp_path: Path) -> None:
    path = write(
        tmp_path / "out.csv",
        {
            "name": texts("plain", 'a "b", c', "two\nlines", "a\rb", None, ""),
            "share": np.array([0.5, math.nan, 3.0, 1e-7, -0.1, 1e20]),
            "points": np.array([1, -2, 3, 4, 5, 600]),
        },
    )
    assert path.read_bytes().decode() == (
        'name,share,points\nplain,0.5,1\n"a ""b"", c",,-2\n"two\nlines",3,3\n"a\rb",1e-07,4\n'
        ",-0.1,5\n,1e+20,600\n"
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_slices_follow_each_other(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"out{suffix}", a_slice(0, 3), a_slice(3, 0), a_slice(3, 2))
    with open_table(path, tmp_path / "scratch", memory=MEMORY) as table:
        assert column(table, "name").tolist() == [f"row {n}" for n in range(5)]
        assert [float(n) for n in column(table, "points")] == [0, 1, 2, 3, 4]
        assert [float(n) for n in column(table, "share")] == [0, 0.25, 0.5, 0.75, 1]


def test_parquet_has_types(tmp_path: Path) -> None:
    late = np.full(3_000, None, dtype=object)
    late[-1] = "late"
    path = write(
        tmp_path / "out.parquet",
        {
            "name": late,
            "share": np.full(3_000, math.nan),
            "points": np.where(np.arange(3_000) % 2, 7.0, math.nan),
        },
        {"name": np.array(["x"]), "share": np.array([0.5]), "points": np.array([2**60])},
    )
    with duckdb.connect() as connection:
        rows = connection.execute(f"SELECT * FROM '{path}'")
        assert [str(column[1]) for column in rows.description] == ["VARCHAR", "DOUBLE", "BIGINT"]
        found = rows.fetchall()
    assert found[:2] == [(None, None, None), (None, None, 7)]
    assert found[2_999:] == [("late", None, 7), ("x", 0.5, 2**60)]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_same_rows_give_same_bytes(tmp_path: Path, suffix: str) -> None:
    first = write(tmp_path / f"one{suffix}", a_slice(0, 1_000))
    second = write(tmp_path / f"two{suffix}", a_slice(0, 1_000))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_names_may_hold_anything(tmp_path: Path, suffix: str) -> None:
    names = ['a "b", c', "two\nlines", "ção 🎯", "Age", "x.y", "--", "select"]
    path = tmp_path / f"out{suffix}"
    with TableWriter(path, [(name, "text") for name in names], memory=MEMORY) as writer:
        writer.write({name: texts(f"in {name}") for name in names})
    with open_table(path, tmp_path / "scratch", memory=MEMORY) as table:
        assert cells(table) == {name: [f"in {name}"] for name in names}


def test_an_empty_cell_of_a_single_column_is_no_blank_line(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with TableWriter(path, [("a", "text")], memory=MEMORY) as writer:
        writer.write({"a": texts("x", None, "y")})
    assert path.read_text() == 'a\nx\n""\ny\n'


def test_a_table_without_rows_has_its_header(tmp_path: Path) -> None:
    assert write(tmp_path / "out.csv").read_text() == "name,share,points\n"
    assert gzip.decompress(write(tmp_path / "out.csv.gz").read_bytes()) == b"name,share,points\n"
    assert write(tmp_path / "out.parquet").read_bytes().startswith(b"PAR1")


def test_suffixes_are_read_in_any_case(tmp_path: Path) -> None:
    assert write(tmp_path / "OUT.CSV", a_slice()).read_text().startswith("name,")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_nothing_stands_under_the_name_before_the_end(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    path.write_text("before")
    with TableWriter(path, COLUMNS, memory=MEMORY) as writer:
        writer.write(a_slice())
        assert path.read_text() == "before"
    assert path.read_bytes() != b"before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_exception_leaves_nothing_behind(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"

    def interrupted() -> None:
        with TableWriter(path, COLUMNS, memory=MEMORY) as writer:
            writer.write(a_slice(0, 10_000))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_file_has_the_permissions_that_others_have(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "other").touch()
    path = write(tmp_path / f"out{suffix}", a_slice())
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "other").stat().st_mode)


@pytest.mark.parametrize("name", ["out.txt", "out", "out.gz", "out.json"])
def test_an_unknown_suffix_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="no format that Placar writes") as caught:
        TableWriter(tmp_path / name, COLUMNS, memory=MEMORY)
    assert ".parquet" in caught.value.way_out


def test_a_place_where_no_file_can_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ConfigurationError, match=r"folder\.csv is a folder"):
        TableWriter(tmp_path / "folder.csv", COLUMNS, memory=MEMORY)
    with pytest.raises(ConfigurationError, match="There is no folder"):
        TableWriter(tmp_path / "no" / "out.csv", COLUMNS, memory=MEMORY)


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="two columns named 'score'"):
        TableWriter(tmp_path / "o.csv", [("score", "text"), ("score", "float")], memory=MEMORY)


def test_names_that_differ_in_case_only_are_refused_in_parquet(tmp_path: Path) -> None:
    columns: list[tuple[str, CellKind]] = [("Age", "text"), ("age", "text")]
    with pytest.raises(ConfigurationError, match="differ in case only"):
        TableWriter(tmp_path / "out.parquet", columns, memory=MEMORY)
    path = tmp_path / "out.csv"
    with TableWriter(path, columns, memory=MEMORY) as writer:
        writer.write({"Age": texts("1"), "age": texts("2")})
    assert path.read_text() == "Age,age\n1,2\n"


WRITE_MANY = """
import sys
from pathlib import Path
import numpy as np
from placar.table.output import TableWriter

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024

before = peak()
columns = [(f"c{n}", "text" if n % 2 else "float") for n in range(10)]
texts = np.array([f"a text that is not short {n}" for n in range(20_000)], dtype=object)
with TableWriter(Path(sys.argv[1]), columns, memory=64 * 1024**2) as writer:
    for part in range(20):
        numbers = np.arange(20_000) / 3 + part
        writer.write({name: texts if kind == "text" else numbers for name, kind in columns})
print(peak() - before)
"""


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_memory_does_not_grow_with_the_table(tmp_path: Path, suffix: str) -> None:
    command = [sys.executable, "-c", WRITE_MANY, str(tmp_path / f"out{suffix}")]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(answer.stdout) < 120 * 1024**2


@given(
    st.lists(
        st.tuples(
            st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
            st.none() | st.text('",;\n\r \t' + string.ascii_letters, max_size=8),
        ),
        min_size=1,
        max_size=50,
    )
)
@settings(max_examples=30, deadline=None)
def test_what_is_written_as_csv_is_read_back(rows: Sequence[tuple[str | None, str | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "out.csv")
        first, second = zip(*rows, strict=True)
        written = {"a": texts(*first), "b": texts(*second)}
        with TableWriter(path, [("a", "text"), ("b", "text")], memory=MEMORY) as writer:
            writer.write(written)
        with path.open(newline="") as file:
            assert list(csv.reader(file))[1:] == [[cell or "" for cell in row] for row in rows]
        with open_table(path, Path(folder), memory=MEMORY) as table:
            universal = {
                name: [trimmed(cell) for cell in column.tolist()]
                for name, column in written.items()
            }
            assert {n: list(map(trimmed, c)) for n, c in cells(table).items()} == universal


def trimmed(cell: object) -> str | None:
    """Return a cell as a table gives it; lines that end in several ways become one kind."""
    return str(cell or "").replace("\r\n", "\n").replace("\r", "\n").strip() or None
