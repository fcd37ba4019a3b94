"""Bad tables, and disks and memory that do not suffice. One test per fault."""

from __future__ import annotations

import gzip
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import numpy as np
import pytest

from placar.errors import DiskFull, PlacarError, RunOutOfMemory, TableRejected
from placar.table.engine import open_table
from placar.table.output import TableWriter

MEMORY = 128 * 1024**2
NOBODY = 65_534


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path / "scratch"


def rejection(path: Path, scratch: Path, content: bytes | None = None) -> TableRejected:
    """Return the error that a file ends in, after checking what holds for all of them."""
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TableRejected) as caught:
        open_table(path, scratch, memory=MEMORY)
    assert caught.value.message.endswith(".")
    assert caught.value.way_out.endswith(".")
    assert not scratch.exists() or list(scratch.iterdir()) == []
    return caught.value


def a_parquet(path: Path) -> bytes:
    select = "SELECT i, i * 1.5 AS x, 'text ' || i % 7 AS s FROM range(3000) t(i)"
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet)")
    return path.read_bytes()


# --- what is no table -----------------------------------------------------------------------


def test_a_missing_file(tmp_path: Path, scratch: Path) -> None:
    assert "There is no file" in rejection(tmp_path / "none.csv", scratch).message


def test_a_folder(tmp_path: Path, scratch: Path) -> None:
    assert "is a folder" in rejection(tmp_path, scratch).message


def test_a_path_through_a_file(tmp_path: Path, scratch: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be read" in rejection(tmp_path / "file" / "table.csv", scratch).message


def test_a_pipe_is_not_waited_for(tmp_path: Path, scratch: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    assert "not an ordinary file" in rejection(tmp_path / "pipe.csv", scratch).message


@pytest.mark.parametrize("content", [b"", b"\n\n \n", b"\xef\xbb\xbf", gzip.compress(b"")])
def test_an_empty_file(tmp_path: Path, scratch: Path, content: bytes) -> None:
    assert "table.csv is empty" in rejection(tmp_path / "table.csv", scratch, content).message


@pytest.mark.parametrize("content", [b"a,b\n", b"a,b", b"a,b\n\n\n", gzip.compress(b"a,b\n")])
def test_a_header_without_rows(tmp_path: Path, scratch: Path, content: bytes) -> None:
    error = rejection(tmp_path / "table.csv", scratch, content)
    assert "has column names but no rows" in error.message


def test_a_parquet_file_without_rows(tmp_path: Path, scratch: Path) -> None:
    path = tmp_path / "table.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT 1 AS a LIMIT 0) TO '{path}' (FORMAT parquet)")
    assert "has column names but no rows" in rejection(path, scratch).message


@pytest.mark.parametrize("packed", [False, True])
def test_a_binary_file_called_csv(tmp_path: Path, scratch: Path, *, packed: bool) -> None:
    noise = random.Random(0).randbytes(100_000)
    content = gzip.compress(noise) if packed else noise
    assert "is not text" in rejection(tmp_path / "table.csv", scratch, content).message


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"PK\x03\x04", "an Excel workbook"),
        (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
        (b"%PDF-1.7", "a PDF document"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"ARROW1\0\0", "an Arrow file"),
        (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
        (b"BZh9", "compressed with bzip2"),
        (b"\xfd7zXZ\0", "compressed with xz"),
    ],
)
def test_a_file_of_another_kind(tmp_path: Path, scratch: Path, start: bytes, what: str) -> None:
    assert what in rejection(tmp_path / "table.csv", scratch, start + b"a,b\n1,2\n").message


def test_several_columns_of_one_name(tmp_path: Path, scratch: Path) -> None:
    error = rejection(tmp_path / "table.csv", scratch, b"a,b, a ,c,c,d,d,e,e\n1,2,3,4,5,6,7,8,9\n")
    assert error.message == "Several columns have the same name: 'a', 'c', 'd' and 1 more."


def test_ten_thousand_columns(tmp_path: Path, scratch: Path) -> None:
    header = ",".join(f"column_number_{n}" for n in range(10_000))
    content = f"{header}\n{',' * 9_999}\n".encode()
    error = rejection(tmp_path / "table.csv", scratch, content)
    assert error.message == "The table has 10,000 columns; Placar reads up to 2,000."
    assert "--drop" in error.way_out


def test_a_ragged_row_in_a_large_file(tmp_path: Path, scratch: Path) -> None:
    content = b"a,b\n" + b"1,2\n" * 500_000 + b"1,2,3\n" + b"1,2\n" * 500_000
    error = rejection(tmp_path / "table.csv", scratch, content)
    assert error.message == "Line 500,002 of table.csv has 3 cells, its header 2."


# --- files that are damaged -----------------------------------------------------------------


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_gzip_file_that_is_cut_short(tmp_path: Path, scratch: Path, share: float) -> None:
    noise = random.Random(0)
    rows = "".join(f"{noise.random()},{noise.random()}\n" for _ in range(50_000))
    whole = gzip.compress(f"a,b\n{rows}".encode())
    error = rejection(tmp_path / "table.csv.gz", scratch, whole[: int(len(whole) * share)])
    assert "cut short or damaged" in error.message


def test_a_gzip_file_with_a_flipped_bit(tmp_path: Path, scratch: Path) -> None:
    whole = bytearray(
        gzip.compress(b"a,b\n" + b"".join(b"%d,x\n" % n for n in range(9_999)), mtime=0)
    )
    for place in range(12, len(whole), len(whole) // 7):
        spoilt = bytearray(whole)
        spoilt[place] ^= 16
        rejection(tmp_path / "table.csv.gz", scratch, bytes(spoilt))


@pytest.mark.parametrize("share", [0.01, 0.5, 0.9, 0.999])
def test_a_parquet_file_that_is_cut_short(tmp_path: Path, scratch: Path, share: float) -> None:
    whole = a_parquet(tmp_path / "table.parquet")
    error = rejection(tmp_path / "table.parquet", scratch, whole[: max(8, int(len(whole) * share))])
    assert "cut short or damaged" in error.message


def test_a_parquet_file_with_flipped_bits_gives_an_answer_by_name(
    tmp_path: Path, scratch: Path
) -> None:
    whole = a_parquet(tmp_path / "table.parquet")
    path, chance = tmp_path / "spoilt.parquet", random.Random(1)
    for _ in range(40):
        spoilt = bytearray(whole)
        for _ in range(3):
            spoilt[chance.randrange(4, len(whole))] ^= 1 << chance.randrange(8)
        path.write_bytes(bytes(spoilt))
        with suppress(PlacarError), open_table(path, scratch, memory=MEMORY) as table:
            table.profile()


# --- what may not be read or written ----------------------------------------------------------


@contextmanager
def as_nobody() -> Iterator[Path]:
    """Give a folder that everybody may use, and act as a user who owns nothing else."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        user = os.geteuid()
        if user == 0:
            os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            os.seteuid(user)


def test_a_file_that_may_not_be_read() -> None:
    with as_nobody() as folder:
        path = folder / "table.csv"
        path.write_text("a\n1\n")
        path.chmod(0)
        assert "may not be read" in rejection(path, folder / "scratch").message


def test_a_scratch_folder_that_may_not_be_written_to() -> None:
    with as_nobody() as folder:
        (folder / "table.csv").write_text("a\n1\n")
        (folder / "scratch").mkdir(mode=0o500)
        with pytest.raises(DiskFull, match=r"scratch folder .* cannot be written to") as caught:
            open_table(folder / "table.csv", folder / "scratch", memory=MEMORY)
        assert "permissions" in caught.value.way_out


def test_a_scratch_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a\n1\n")
    with pytest.raises(DiskFull, match="cannot be written to"):
        open_table(tmp_path / "table.csv", tmp_path / "table.csv" / "x", memory=MEMORY)


def test_an_output_folder_that_may_not_be_written_to() -> None:
    with as_nobody() as folder:
        (folder / "out").mkdir(mode=0o500)
        writer = TableWriter(folder / "out" / "o.csv", [("a", "text")], memory=MEMORY)
        with pytest.raises(DiskFull, match=r"o\.csv could not be written") as caught:
            writer.__enter__()
        assert "permissions" in caught.value.way_out


# --- no room ----------------------------------------------------------------------------------


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def noise(rows: int) -> str:
    chance = random.Random(0)
    return "".join(f"{chance.random()},{chance.random()}\n" for _ in range(rows))


@pytest.mark.parametrize("end", ["", "last,one\r\n"])
def test_a_disk_that_is_full_while_a_table_is_read(
    tmp_path: Path, tiny_disk: Path, end: str
) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a,b\n" + noise(300_000) + end, newline="")
    with pytest.raises(DiskFull) as caught:
        open_table(path, tiny_disk / "scratch", memory=MEMORY)
    assert "space" in caught.value.way_out
    assert list((tiny_disk / "scratch").iterdir()) == []


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_a_disk_that_is_full_while_a_table_is_written(tiny_disk: Path, suffix: str) -> None:
    path = tiny_disk / f"out{suffix}"
    path.write_text("before")
    with pytest.raises(DiskFull) as caught:
        write_noise(path, slices=40)
    assert "space" in caught.value.way_out
    assert path.read_text() == "before"
    assert list(tiny_disk.iterdir()) == [path]


def write_noise(path: Path, slices: int) -> None:
    columns = [(f"c{n}", "float") for n in range(5)]
    chance = np.random.default_rng(0)
    with TableWriter(path, columns, memory=MEMORY) as writer:  # type: ignore[arg-type]  # a literal
        for _ in range(slices):
            writer.write({name: chance.random(5_000) for name, _ in columns})


LIMITED = """
import resource, sys
from pathlib import Path
from placar.errors import DiskFull
from placar.table.engine import open_table

resource.setrlimit(resource.RLIMIT_FSIZE, (2 * 1024**2, 2 * 1024**2))
try:
    open_table(Path(sys.argv[1]), Path(sys.argv[2]), memory=128 * 1024**2)
except DiskFull as error:
    print(error.sentence)
"""


def test_files_that_may_not_grow(tmp_path: Path, scratch: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a,b\n" + noise(300_000))
    command = [sys.executable, "-c", LIMITED, str(path), str(scratch)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    assert answer.stdout.startswith("There is no room")
    assert list(scratch.iterdir()) == []


def test_memory_that_does_not_suffice(tmp_path: Path, scratch: Path) -> None:
    path = tmp_path / "table.jsonl"
    path.write_text('{"a": "' + "x" * 12 * 1024**2 + '"}\n')
    with pytest.raises(RunOutOfMemory) as caught:
        open_table(path, scratch, memory=1)
    assert "--memory" in caught.value.way_out
    assert list(scratch.iterdir()) == []


# --- a process that is killed -----------------------------------------------------------------

ENDLESS = """
import sys
from pathlib import Path
import numpy as np
from placar.table.output import TableWriter

with TableWriter(Path(sys.argv[1]), [("a", "float")], memory=64 * 1024**2) as writer:
    for n in range(10**9):
        writer.write({"a": np.arange(1000.0)})
        if n == 100:
            print("writing", flush=True)
"""


def test_a_writer_that_is_killed_leaves_no_half_table(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("before")
    command = [sys.executable, "-c", ENDLESS, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.send_signal(signal.SIGKILL)
    assert path.read_text() == "before"


def test_a_table_that_is_closed_twice_stays_closed(tmp_path: Path, scratch: Path) -> None:
    (tmp_path / "table.csv").write_text("a\n1\n")
    table = open_table(tmp_path / "table.csv", scratch, memory=MEMORY)
    table.close()
    table.close()
    assert list(scratch.iterdir()) == []
