"""A table, once it is open."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from placar.table.engine import ColumnInfo, open_table

from .conftest import MEMORY, Opened, cells, column

BESIDE = Path(__file__).resolve().parents[4] / "shared" / "data"
SHARED_TABLES = Path(os.environ.get("PLACAR_TEST_TABLES", BESIDE))


def counting(rows: int) -> str:
    return "n,parity\n" + "".join(f"{n},{'odd' if n % 2 else ''}\n" for n in range(rows))


def test_facts_about_a_table(opened: Opened) -> None:
    content = gzip.compress(b"a,b\n1,2\n3,4\n")
    table = opened(content, "table.csv.gz")
    assert table.columns == (ColumnInfo("a", numeric=False), ColumnInfo("b", numeric=False))
    assert table.rows == 2
    assert table.sha256 == hashlib.sha256(content).hexdigest()
    assert table.notes == ()


def test_a_table_of_one_row_is_a_table(opened: Opened) -> None:
    table = opened("a,b\n1,\n")
    assert (table.rows, cells(table)) == (1, {"a": ["1"], "b": [None]})
    assert [profile.distinct for profile in table.profile()] == [1, 0]


def test_slices_come_in_the_files_order_and_fit_together(opened: Opened) -> None:
    table = opened(counting(50_001))
    parts = list(table.slices(["parity", "n"], rows=7_000))
    assert [len(part["n"]) for part in parts] == [7_000] * 7 + [1_001]
    assert all(list(part) == ["parity", "n"] for part in parts)
    numbers = [number for part in parts for number in part["n"].tolist()]
    assert numbers == [str(n) for n in range(50_001)]
    assert parts[0]["parity"][:2].tolist() == [None, "odd"]
    assert parts[0]["parity"].dtype == np.object_


def test_slices_of_many_columns_are_shorter(opened: Opened) -> None:
    header, row = (",".join(f"{prefix}{n}" for n in range(1_000)) for prefix in ("c", "v"))
    table = opened(f"{header}\n" + f"{row}\n" * 300)
    sizes = [len(part["c7"]) for part in table.slices([f"c{n}" for n in range(1_000)])]
    assert sum(sizes) == 300
    assert max(sizes) < 300


def test_wide_tables_are_read_column_by_column_and_row_by_row(opened: Opened) -> None:
    header = ",".join(f"c{n}" for n in range(300))
    rows = "".join(",".join(str(row * 1_000 + n) for n in range(300)) + "\n" for row in range(5))
    table = opened(f"{header}\n{rows}")
    wanted = ["c299", "c0", "c150", "c1"]
    (part,) = table.slices(wanted)
    assert list(part) == wanted
    assert part["c299"].tolist() == [str(row * 1_000 + 299) for row in range(5)]
    assert [profile.low for profile in table.profile()] == [float(n) for n in range(300)]


def test_a_column_that_is_not_there_is_a_key_error(opened: Opened) -> None:
    table = opened("a\n1\n")
    with pytest.raises(KeyError):
        next(table.slices(["a", "b"]))


def test_a_part_is_a_table_of_some_of_the_rows(opened: Opened) -> None:
    rows = 50_000
    table = opened(counting(rows))
    kept = np.arange(rows) % 3 == 1
    part = table.part(kept)
    assert part.rows == kept.sum()
    assert column(part, "n").tolist() == [str(n) for n in np.flatnonzero(kept)]
    (profile,) = part.profile(["n"])
    assert (profile.rows, profile.distinct, profile.low) == (part.rows, part.rows, 1.0)
    assert dict(part.frequencies("parity", 5)) == {"odd": 8334}
    assert table.profile(["n"])[0].distinct == rows  # the whole table is as it was
    part.close()
    assert table.part(~kept).rows == rows - part.rows


def test_the_number_of_threads_changes_nothing(opened: Opened) -> None:
    content = counting(300_000)
    one, two = opened(content), opened(content, threads=2)
    assert one.profile() == two.profile()
    assert column(one, "n").tolist() == column(two, "n").tolist()
    assert one.frequencies("n", 10) == two.frequencies("n", 10)


def test_two_tables_share_a_scratch_folder(opened: Opened) -> None:
    first, second = opened("a\n1\n", "x.csv"), opened("a\n2\n", "y.csv")
    assert (cells(first), cells(second)) == ({"a": ["1"]}, {"a": ["2"]})


def test_closing_leaves_no_file_and_no_thread(tmp_path: Path) -> None:
    path, scratch = tmp_path / "table.csv", tmp_path / "deep" / "scratch"
    path.write_text(counting(1_000))
    before = threads()
    with open_table(path, scratch, memory=MEMORY, threads=2) as table:
        assert list(scratch.iterdir())
        table.profile()
    assert list(scratch.iterdir()) == []
    assert threads() == before
    assert open_files(scratch) == []


def threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def open_files(folder: Path) -> list[str]:
    links = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return [link for link in links if link.startswith(str(folder))]


READ_MANY = """
import sys
from pathlib import Path
from placar.table.engine import open_table

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024

before = peak()
with open_table(Path(sys.argv[1]), Path(sys.argv[2]), memory=64 * 1024**2) as table:
    names = [column.name for column in table.columns]
    assert sum(len(part[names[0]]) for part in table.slices(names)) == 400_000
    table.profile()
print(peak() - before)
"""


def test_memory_does_not_grow_with_the_table(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    words = [f"a text that is not short {n}" for n in range(1_000)]
    with path.open("w") as file:
        file.write(",".join(f"c{n}" for n in range(10)) + "\n")
        for n in range(400_000):
            file.write(f"{n},{n * 7},{words[n % 1_000]},x,{n / 3},{words[n % 7]},,1,2,{n % 97}\n")
    command = [sys.executable, "-c", READ_MANY, str(path), str(tmp_path / "scratch")]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(answer.stdout) < 150 * 1024**2


@pytest.mark.parametrize(
    ("name", "rows", "columns", "missing"),
    [
        ("adult.csv.gz", 48_842, 15, 6_465),
        ("ames_housing.csv", 2_930, 74, 0),
        ("bank_marketing.csv.gz", 45_211, 17, 0),
        ("credit_data.csv", 4_454, 14, 455),
        ("default_credit_card.csv.gz", 30_000, 25, 0),
        ("german_credit.csv", 1_000, 21, 0),
        ("hr_attrition.csv", 1_470, 35, 0),
        ("telco_churn.csv", 7_043, 21, 11),
        ("wine_quality_white.csv", 4_898, 12, 0),
    ],
)
@pytest.mark.skipif(not SHARED_TABLES.is_dir(), reason="no public tables beside the project")
def test_well_known_tables_have_their_known_figures(
    tmp_path: Path, name: str, rows: int, columns: int, missing: int
) -> None:
    with open_table(SHARED_TABLES / name, tmp_path, memory=MEMORY) as table:
        assert (table.rows, len(table.columns)) == (rows, columns)
        assert sum(profile.missing for profile in table.profile()) == missing
