"""Reading what another process writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from placar.runs.tail import MOST_AT_ONCE, ProgressTail, cut_log, read_end, read_text


def test_text_is_read_piece_by_piece(tmp_path: Path) -> None:
    file = tmp_path / "log.txt"
    file.write_bytes(b"one two")
    assert read_text(file, 0, 3) == ("one", 3)
    assert read_text(file, 3) == (" two", 7)
    assert read_text(file, 7) == ("", 7)


def test_a_missing_log_is_an_empty_one(tmp_path: Path) -> None:
    assert read_text(tmp_path / "log.txt", 5) == ("", 5)
    assert read_end(tmp_path / "log.txt", 5) == ""


@pytest.mark.parametrize("limit", range(1, 9))
def test_characters_are_never_split(tmp_path: Path, limit: int) -> None:
    file = tmp_path / "log.txt"
    file.write_text("aé🎉b", encoding="utf-8")
    text, offset = "", 0
    while offset < file.stat().st_size:
        piece, offset = read_text(file, offset, max(limit, 4))
        text += piece
    assert text == "aé🎉b"


def test_a_limit_below_one_character_does_not_stand_still(tmp_path: Path) -> None:
    file = tmp_path / "log.txt"
    file.write_text("🎉", encoding="utf-8")
    assert read_text(file, 0, 1) == ("\N{REPLACEMENT CHARACTER}", 1)


def test_a_half_written_character_waits_for_its_rest(tmp_path: Path) -> None:
    file = tmp_path / "log.txt"
    file.write_bytes("olá".encode()[:-1])
    assert read_text(file, 0) == ("ol", 2)
    file.write_text("olá", encoding="utf-8")
    assert read_text(file, 2) == ("á", 4)


def test_what_is_no_text_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "log.txt"
    file.write_bytes(b"a\xff\x00b")
    assert read_text(file, 0) == ("a\N{REPLACEMENT CHARACTER}\x00b", 4)


@pytest.mark.parametrize(("offset", "expected"), [(-5, ("abc", 3)), (99, ("", 3))])
def test_an_offset_outside_the_log_is_brought_inside(
    tmp_path: Path, offset: int, expected: tuple[str, int]
) -> None:
    file = tmp_path / "log.txt"
    file.write_bytes(b"abc")
    assert read_text(file, offset) == expected


def test_a_call_never_returns_more_than_its_share(tmp_path: Path) -> None:
    file = tmp_path / "log.txt"
    file.write_bytes(b"x" * (MOST_AT_ONCE + 10))
    text, offset = read_text(file, 0, 10**9)
    assert (len(text), offset) == (MOST_AT_ONCE, MOST_AT_ONCE)
    assert read_end(file, 4) == "xxxx"


def test_a_log_that_grows_too_long_is_cut_and_its_writer_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "log.txt"
    with file.open("ab", buffering=0) as writer:
        writer.write(b"a" * 100)
        cut_log(file, longest=100, kept=10)
        assert file.stat().st_size == 100
        writer.write(b"a")
        cut_log(file, longest=100, kept=10)
        writer.write(b"b")
    text = file.read_text()
    assert text.startswith("a" * 10 + "\n[the log")
    assert text.endswith("cut]\nb")


def test_progress_comes_line_by_line_and_nonsense_is_skipped(tmp_path: Path) -> None:
    file = tmp_path / "progress.jsonl"
    tail = ProgressTail(file)
    assert tail.new() == ()
    file.write_bytes(b'{"stage":"read","done":0.1}\nnonsense\n{"stage":"fit","done":0.5}\n{"sta')
    assert [(step.stage, step.done) for step in tail.new()] == [("read", 0.1), ("fit", 0.5)]
    assert tail.new() == ()
    with file.open("ab") as writer:
        writer.write(b'ge":"package","done":1.0}\n')
    assert [step.stage for step in tail.new()] == ["package"]


def test_one_endless_line_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "progress.jsonl"
    file.write_bytes(b"x" * (MOST_AT_ONCE + 5) + b'\n{"stage":"fit","done":0.5}\n')
    tail = ProgressTail(file)
    assert tail.new() == ()
    assert [step.stage for step in tail.new()] == ["fit"]
