"""Both halves in their forks, and what happens when memory runs short in one of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from placar.box.cgroup import MEMORY as MEMORY_TREES
from placar.box.guard import Gauge
from placar.errors import RunOutOfMemory, TableRejected
from placar.package.run_folder import Made, RunFolder, RunSpec
from placar.training import supervisor as module
from placar.training.memory import held_memory
from placar.training.progress import ProgressLog
from placar.training.supervisor import Extent, Supervisor, Word

MB = 1024**2
MEMORY = 160 * MB
MADE = Word(made=Made(version="f" * 64, verdict="Fine."))
READ = Word(extent=Extent(rows=1000, columns=3))


@dataclass
class Attempts:
    """Files that the forks leave, so that the test sees what they were asked."""

    folder: Path

    def note(self, what: object) -> None:
        with (self.folder / "attempts").open("a") as file:
            file.write(f"{what}\n")

    @property
    def all(self) -> list[str]:
        return (self.folder / "attempts").read_text().splitlines()


@pytest.fixture
def attempts(tmp_path: Path) -> Attempts:
    return Attempts(tmp_path)


def hoard() -> None:
    """Hold more and more, until somebody ends us."""
    blocks = []
    for _ in range(2000):
        blocks.append(b"x" * MB)
        time.sleep(0.001)
    raise AssertionError("nobody did")


Supervised = Callable[..., Supervisor]


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Supervised]:
    """Make a supervisor of a run that may hold 160 MB more than this process does."""
    folder = RunFolder(tmp_path)
    folder.scratch.mkdir()

    def make(box: int | None = None) -> Supervisor:
        memory = held_memory() + MEMORY
        spec = RunSpec(table="/t.csv", target="y", memory=memory, box=box)
        return Supervisor(spec, folder, progress)

    with ProgressLog(folder.progress) as progress:
        yield make


def a_read(attempts: Attempts, fault: Callable[[float], None]) -> Callable[..., Word]:
    def read(spec: RunSpec, folder: RunFolder, log: ProgressLog, share: float = 1.0) -> Word:
        del spec
        attempts.note(f"read {share:g} {sorted(p.name for p in folder.scratch.iterdir())}")
        (folder.scratch / "left").touch()
        log.enter("read")
        fault(share)
        return READ

    return read


def a_learn(attempts: Attempts, fault: Callable[[int | None], None]) -> Callable[..., Word]:
    def learn(spec: RunSpec, folder: RunFolder, log: ProgressLog, rows: int | None = None) -> Word:
        del spec
        attempts.note(f"learn {rows} {folder.package.exists()}")
        folder.package.mkdir(exist_ok=True)
        log.enter("fit")(0.5)
        fault(rows)
        return MADE

    return learn


def nothing(_: object) -> None:
    pass


def only_at_first(less: object) -> None:
    if less in (1.0, None):
        hoard()


def always(_: object) -> None:
    hoard()


def refused(less: object) -> None:
    if less in (1.0, None):
        raise MemoryError


def play(
    monkeypatch: pytest.MonkeyPatch,
    attempts: Attempts,
    *,
    read: Callable[[object], None] = nothing,
    learn: Callable[[object], None] = nothing,
) -> None:
    monkeypatch.setattr(module, "_read_table", a_read(attempts, read))
    monkeypatch.setattr(module, "_make_package", a_learn(attempts, learn))


def test_both_halves_are_done_once(
    monkeypatch: pytest.MonkeyPatch, attempts: Attempts, supervised: Supervised
) -> None:
    play(monkeypatch, attempts)
    assert supervised().run() == MADE
    assert attempts.all == ["read 1 []", "learn None False"]


@pytest.mark.parametrize("fault", [only_at_first, refused])
def test_a_table_engine_that_needs_too_much_is_given_less(
    monkeypatch: pytest.MonkeyPatch,
    attempts: Attempts,
    supervised: Supervised,
    fault: Callable[[object], None],
) -> None:
    play(monkeypatch, attempts, read=fault)
    assert supervised().run() == MADE
    assert attempts.all == ["read 1 []", "read 0.5 []", "learn None False"]


@pytest.mark.parametrize("fault", [only_at_first, refused])
def test_learning_that_needs_too_much_begins_again_with_half_of_the_rows(
    monkeypatch: pytest.MonkeyPatch,
    attempts: Attempts,
    supervised: Supervised,
    tmp_path: Path,
    fault: Callable[[object], None],
) -> None:
    play(monkeypatch, attempts, learn=fault)
    assert supervised().run() == MADE
    assert attempts.all == ["read 1 []", "learn None False", "learn 500 False"]
    shares = [line.done for line in RunFolder(tmp_path).read_progress()]
    assert shares == sorted(shares)


def test_a_second_shortage_ends_the_run_with_advice(
    monkeypatch: pytest.MonkeyPatch, attempts: Attempts, supervised: Supervised
) -> None:
    play(monkeypatch, attempts, learn=always)
    with pytest.raises(RunOutOfMemory, match="half of the rows already") as caught:
        supervised().run()
    assert "PLACAR_RUN_MEMORY=" in caught.value.way_out
    assert "rows" in caught.value.way_out
    assert len(attempts.all) == 3


def test_learning_that_would_not_fit_by_half_does_not_begin_again(
    monkeypatch: pytest.MonkeyPatch, attempts: Attempts, supervised: Supervised
) -> None:
    play(monkeypatch, attempts, learn=always)
    monkeypatch.setattr(module, "learning_need", lambda *_: 2**40)
    with pytest.raises(RunOutOfMemory, match="needed more than the"):
        supervised().run()
    assert len(attempts.all) == 2


def test_another_failure_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, attempts: Attempts, supervised: Supervised
) -> None:
    def reject(_: object) -> None:
        raise TableRejected("No.")

    play(monkeypatch, attempts, read=reject)
    word = supervised().run()
    assert word.failure is not None
    assert word.failure.code == "table_rejected"
    assert len(attempts.all) == 1


def a_box(monkeypatch: pytest.MonkeyPatch, root: Path, *, held: int) -> Path:
    """Give supervisors a box of 1000 MB; the file that is returned says what is in use."""
    usage = root / "memory.current"
    usage.write_text(str(held * MB))
    gauge = Gauge(1000 * MB, 100 * MB, root, root, MEMORY_TREES[0])
    monkeypatch.setattr(module, "find_gauge", lambda _: gauge)
    return usage


def test_a_box_that_runs_short_makes_the_run_begin_again_with_less(
    monkeypatch: pytest.MonkeyPatch, attempts: Attempts, supervised: Supervised, tmp_path: Path
) -> None:
    usage = a_box(monkeypatch, tmp_path, held=200)

    def somebody_takes_memory(rows: object) -> None:
        if rows is None:
            usage.write_text(str(950 * MB))
            time.sleep(0.03)
            usage.write_text(str(950 * MB))
            time.sleep(30)

    def given_back(error: RunOutOfMemory) -> RunSpec:
        usage.write_text(str(200 * MB))
        return left(watched, error)

    play(monkeypatch, attempts, learn=somebody_takes_memory)
    watched = supervised(box=1000 * MB)
    left = Supervisor._what_is_left
    monkeypatch.setattr(watched, "_what_is_left", given_back)
    assert watched.run() == MADE
    assert attempts.all[-1] == "learn 500 False"


def test_a_box_that_stays_short_ends_the_run_with_figures(
    monkeypatch: pytest.MonkeyPatch, attempts: Attempts, supervised: Supervised, tmp_path: Path
) -> None:
    usage = a_box(monkeypatch, tmp_path, held=200)

    def somebody_takes_memory(_: object) -> None:
        usage.write_text(str(950 * MB))
        time.sleep(30)

    play(monkeypatch, attempts, learn=somebody_takes_memory)
    with pytest.raises(RunOutOfMemory, match="950 of 1000 MB were held") as caught:
        supervised(box=1000 * MB).run()
    assert "0 MB are left, too little to begin again" in caught.value.message
    assert "WEB_CONCURRENCY" in caught.value.way_out
