"""What a run may use: what was asked for, within what the box has left."""

from __future__ import annotations

from pathlib import Path

import pytest

from placar.box.cgroup import MEMORY
from placar.box.guard import Gauge
from placar.errors import RunDoesNotFit
from placar.package.run_folder import RunSpec
from placar.runs import allowance
from placar.settings import Settings

MB = 1024**2
SPEC = RunSpec(table="/t.csv", target="y")


def in_a_box(monkeypatch: pytest.MonkeyPatch, root: Path, *, limit: int, held: int) -> None:
    (root / "memory.current").write_text(str(held * MB))
    gauge = Gauge(limit * MB, limit * MB // 10, root, root, MEMORY[0])
    monkeypatch.setattr(allowance, "find_gauge", lambda _: gauge)


def test_a_box_with_room_gives_what_was_asked_for_and_is_watched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    in_a_box(monkeypatch, tmp_path, limit=512, held=122)
    given = allowance.allow(Settings(home=tmp_path), SPEC)
    assert (given.memory, given.box) == (256 * MB, 512 * MB)
    assert (given.table, given.target) == (SPEC.table, SPEC.target)


def test_a_fuller_box_gives_what_it_has_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    in_a_box(monkeypatch, tmp_path, limit=512, held=300)
    given = allowance.allow(Settings(home=tmp_path), SPEC)
    assert given.memory // MB == 461 - 300 - 32 - 1


def test_a_full_box_refuses_with_figures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    in_a_box(monkeypatch, tmp_path, limit=512, held=400)
    with pytest.raises(RunDoesNotFit) as caught:
        allowance.allow(Settings(home=tmp_path), SPEC)
    assert "Of the box's 512 MB, 400 MB are held now, which leaves 28 MB" in caught.value.message
    assert "larger plan" in caught.value.way_out


def test_too_little_memory_for_any_run_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(RunDoesNotFit, match="may use 64 MB") as caught:
        allowance.allow(Settings(home=tmp_path), RunSpec(table="/t", target="y", memory=64 * MB))
    assert "PLACAR_RUN_MEMORY=80MB" in caught.value.way_out


def test_where_nothing_is_known_of_the_box_the_setting_counts_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(allowance, "find_gauge", lambda _: None)
    assert allowance.allow(Settings(home=tmp_path), SPEC) == SPEC
