"""Bytes to lines: encodings, line ends, gzip, long lines."""

from __future__ import annotations

import gzip
import io
import tracemalloc

import pytest

from placar.box.doctor.log import diagnose_log
from placar.box.doctor.reading import LONGEST_LINE, line_blocks
from placar.errors import LogUnreadable

from .conftest import Diagnose

TIMEOUT = "[2025-11-25 10:02:00 +0000] [7] [CRITICAL] WORKER TIMEOUT (pid:9)"


def lines_of(raw: bytes) -> list[str]:
    return [line for lines in line_blocks(io.BytesIO(raw)) for line in lines]


@pytest.mark.parametrize(
    "raw",
    [
        b"a\nb",
        b"a\r\nb\r\n",
        b"a\rb\r",
        b"\xef\xbb\xbfa\nb\n",
        "\ufeffa\r\nb\r\n".encode("utf-16-le"),
        "\ufeffa\nb".encode("utf-16-be"),
        gzip.compress(b"a\nb\n"),
    ],
)
def test_lines_are_the_same_however_written(raw: bytes) -> None:
    assert [line.rstrip("\r") for line in lines_of(raw)] == ["a", "b"]


def test_utf_16_without_a_mark_is_noticed() -> None:
    assert lines_of("hello\nworld\n".encode("utf-16-le")) == ["hello", "world"]


def test_bytes_that_are_no_text_do_not_matter(diagnose: Diagnose) -> None:
    assert [f.id for f in diagnose(b"\xfa\x80junk\x00", b"\x80\x81", TIMEOUT)]


def test_the_rest_of_a_huge_line_is_skipped() -> None:
    lines = lines_of(b"x" * (3 * LONGEST_LINE) + b"\nnext\n")
    assert [len(lines[0]), lines[1]] == [LONGEST_LINE, "next"]


def test_a_gzip_file_cut_off_is_said_so() -> None:
    whole = gzip.compress(b"some text that is long enough to be cut" * 100)
    with pytest.raises(LogUnreadable, match="gzip"):
        lines_of(whole[:40])


class Endless(io.RawIOBase):
    """Megabytes of a log that nobody holds in memory."""

    def __init__(self, block: bytes, times: int) -> None:
        self.block, self.left = block, times

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        if not self.left:
            return 0
        self.left -= 1
        view = memoryview(buffer)
        part = self.block[: len(view)]
        view[: len(part)] = part
        return len(part)


def test_memory_does_not_grow_with_the_log() -> None:
    block = (TIMEOUT + "\n").encode() * 20
    tracemalloc.start()
    try:
        findings, lines = diagnose_log(io.BufferedReader(Endless(block, 500)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert lines == 10_000
    assert "10,000 times" in findings[0].what
    assert peak < 4 * 1024**2


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "part",
    ["gunicorn --preloa ", "[INFO] ", "Worker (pid:1", "a: ", '{"a":', "code=H12 ", "2025-11-25 "],
)
def test_a_line_made_to_be_slow_is_not(diagnose: Diagnose, part: str) -> None:
    line = part * (LONGEST_LINE // len(part)) + " --preload WORKER TIMEOUT Killed"
    assert diagnose(*[line] * 3) == []
