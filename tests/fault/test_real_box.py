"""Real runs in a group of the kernel's own that is too small: nobody is killed for it.

Each run goes through the command line in a process of the group, as in a small container.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from placar.box import limits
from placar.package.run_folder import RunFolder
from run_scenes import eventually
from unit.box.test_real_group import GROUPS, MB, a_group

SOURCE = Path(limits.__file__).resolve().parents[2]
JOIN = "echo $$ > {group}/cgroup.procs && exec "
EATER = """
import sys, time
held = []
for _ in range(int(sys.argv[1]) // 4):
    held.append(b"x" * 4 * 1024**2)
    time.sleep(0.01)
print("held", flush=True)
time.sleep(600)
"""


@dataclass(frozen=True, slots=True)
class Box:
    """A group with a memory limit, and a home for what is trained in it."""

    group: Path
    home: Path

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command in the group."""
        words = ["sh", "-c", JOIN.format(group=self.group) + '"$@"', "sh", *command]
        environment = os.environ | {
            "PYTHONPATH": str(SOURCE),
            "PLACAR_HOME": str(self.home),
            "PLACAR_RUN_MEMORY": "2GB",
            "COLUMNS": "1000",
        }
        pipe = subprocess.PIPE
        return subprocess.Popen(words, env=environment, text=True, stdout=pipe, stderr=pipe)

    def train(self, table: Path, *options: str) -> subprocess.Popen[str]:
        """Start ``placar train`` in the group."""
        code = "from placar.cli import main; main()"
        return self.start(
            sys.executable, "-c", code, "train", str(table), "--target", "y", "--json", *options
        )  # fmt: skip

    def run(self) -> RunFolder:
        """Return the folder of the one run."""
        eventually(lambda: list(self.home.glob("runs/run_*")), 30)
        (folder,) = self.home.glob("runs/run_*")
        return RunFolder(folder)

    def reaches(self, stage: str) -> None:
        """Wait until the run is in a stage."""

        def there() -> bool:
            told = self.run().read_progress()
            return bool(told) and told[-1].stage == stage

        eventually(there, 60)

    def kills(self) -> int:
        """Return how many processes the kernel killed in the group."""
        for name in ("memory.events", "memory.oom_control"):
            if (self.group / name).exists():
                lines = (self.group / name).read_text().splitlines()
                return int(dict(line.split() for line in lines)["oom_kill"])
        raise AssertionError("the group does not tell")

    @contextmanager
    def eaten(self, megabytes: int) -> Iterator[subprocess.Popen[str]]:
        """Hold memory in another process of the group."""
        with self.start(sys.executable, "-I", "-S", "-c", EATER, str(megabytes)) as eater:
            try:
                assert eater.stdout is not None
                assert eater.stdout.readline() == "held\n"
                yield eater
            finally:
                eater.kill()


@contextmanager
def a_box(megabytes: int, home: Path) -> Iterator[Box]:
    """Make a group of the first version that lets us."""
    amount = str(megabytes * MB)
    if (GROUPS / "cgroup.controllers").is_file():
        group = a_group(GROUPS, {"memory.max": amount})
    else:
        group = a_group(GROUPS / "memory", {"memory.limit_in_bytes": amount})
    try:
        yield Box(group, home)
    finally:
        deadline = time.monotonic() + 10
        while group.exists():  # its last process may still be leaving
            try:
                group.rmdir()
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.05)


@pytest.fixture(scope="module")
def long_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table whose rows take some 215 MB to learn from, and half of them 150 MB."""
    return a_table(tmp_path_factory.mktemp("tables") / "long.csv", 1_500_000)


def a_table(path: Path, rows: int) -> Path:
    chance = np.random.default_rng(0)
    cells = chance.integers(0, 1000, rows)
    outcome = chance.random(rows) < 0.1 + 0.8 * cells / 1000
    with path.open("w", encoding="ascii") as file:
        file.write("y,x\n")
        file.writelines(f"{int(y)},{x}\n" for y, x in zip(outcome, cells, strict=True))
    return path


def test_a_table_too_large_for_the_box_is_refused_with_figures(
    tmp_path: Path, long_table: Path
) -> None:
    with a_box(240, tmp_path) as box:
        _, told = box.train(long_table).communicate(timeout=120)
        assert "would take about 2" in told, told
        assert "from half of them still" in told
        assert "PLACAR_RUN_MEMORY=" in told
        report = box.run().read_report()
        assert box.kills() == 0
    assert report is not None
    assert report.failure is not None
    assert report.failure.code == "run_does_not_fit"


def test_a_box_with_no_room_for_any_run_refuses_it_before_it_starts(
    tmp_path: Path, long_table: Path
) -> None:
    with a_box(300, tmp_path) as box, box.eaten(120) as eater:
        _, told = box.train(long_table).communicate(timeout=120)
        assert "any run needs 80 MB at least" in told, told
        assert "WEB_CONCURRENCY" in told
        assert not list(tmp_path.glob("runs/run_*/spec.json"))
        assert eater.poll() is None
        assert box.kills() == 0


def test_a_run_that_needs_more_than_it_may_use_goes_on_with_half_of_the_rows_and_says_so(
    tmp_path: Path, long_table: Path
) -> None:
    with a_box(512, tmp_path) as box:
        training = box.train(long_table, "--memory", "172MB", "--budget", "10s")
        told, errors = training.communicate(timeout=200)
        assert box.kills() == 0
    assert training.returncode == 0, errors
    made = json.loads(told)
    (note,) = [note for note in made["notes"] if "memory ran short" in note]
    assert re.search(r"Learnt from (600,000|599,99\d) of 1,(200,000|199,99\d) training rows", note)
    manifest = json.loads((Path(made["package"]) / "manifest.json").read_text())
    assert manifest["training"]["rows"] == 1_500_000
    assert manifest["training"]["training_rows"] == pytest.approx(600_000, abs=10)
    assert manifest["training"]["test_rows"] == pytest.approx(300_000, abs=10)
    assert manifest["training"]["settings"]["bins"] == "63"
    assert "memory ran short" in Path(made["report"]).read_text()
    assert box.run().read_progress()[-1].done == 1.0


@pytest.mark.parametrize("megabytes", [270, 360])
def test_a_run_whose_box_fills_up_gives_way_and_the_other_process_lives(
    tmp_path: Path, long_table: Path, megabytes: int
) -> None:
    """It goes on with less if that fits, else it ends by name; the kernel has no reason to act."""
    with a_box(512, tmp_path) as box:
        training = box.train(long_table, "--budget", "10s")
        box.reaches("fit")
        with box.eaten(megabytes) as eater:
            told, errors = training.communicate(timeout=200)
            assert eater.poll() is None
        log = box.run().log.read_text()
        report = box.run().read_report()
        assert box.kills() == 0
    assert "The box ran short of memory" in log + errors
    assert report is not None
    if training.returncode == 0:
        assert any("memory ran short" in note for note in json.loads(told)["notes"])
    else:
        assert report.failure is not None
        assert report.failure.code == "run_out_of_memory"
        assert "WEB_CONCURRENCY" in errors
