"""The tables folder: whole files only, and nothing left of what was not kept."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from placar.errors import DiskFull
from placar.runs.tables import Draft, TableFolder


@contextmanager
def drafted(folder: TableFolder, name: str) -> Iterator[Draft]:
    draft = folder.draft(name)
    try:
        yield draft
    finally:
        draft.discard()


@pytest.fixture
def small_files() -> Iterator[int]:
    """Files may not grow beyond so many bytes: a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, before[1]))
    yield 64 * 1024
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)


def test_a_draft_is_not_listed(tmp_path: Path) -> None:
    folder = TableFolder(tmp_path)
    with drafted(folder, "t.csv") as draft:
        draft.write(b"a\n1\n")
        assert folder.tables() == ()
        kept = draft.keep()
    (listed,) = folder.tables()
    assert (listed.name, listed.bytes, listed.changed_at) == ("t.csv", 4, kept.changed_at)


def test_a_full_disk_has_a_name_and_leaves_nothing(tmp_path: Path, small_files: int) -> None:
    with drafted(TableFolder(tmp_path), "t.csv") as draft, pytest.raises(DiskFull):
        draft.write(b"x" * 2 * small_files)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_way_is_said(tmp_path: Path) -> None:
    (tmp_path / "t.csv").mkdir()
    with drafted(TableFolder(tmp_path), "t.csv") as draft:
        draft.write(b"x")
        with pytest.raises(DiskFull, match="folder"):
            draft.keep()
    assert TableFolder(tmp_path).tables() == ()


def test_a_place_that_cannot_be_a_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "tables").write_text("a file")
    with pytest.raises(DiskFull):
        TableFolder(tmp_path / "tables").draft("t.csv")


def test_a_draft_whose_process_died_is_swept_up_later(tmp_path: Path) -> None:
    folder = TableFolder(tmp_path)
    (tmp_path / ".old.csv.1a2b3c4d.draft").write_bytes(b"x")
    os.utime(tmp_path / ".old.csv.1a2b3c4d.draft", (1.0, 1.0))
    (tmp_path / ".new.csv.1a2b3c4d.draft").write_bytes(b"x")
    with drafted(folder, "t.csv"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [".new.csv.1a2b3c4d.draft"]
