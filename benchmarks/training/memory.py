"""What a run holds in memory, by the size of its table: the figures behind ``training/needs.py``.

``python benchmarks/training/memory.py [--memory 256MB] [ROWSxCOLUMNS …]`` trains on tables of
random numbers, looks at the run's processes a hundred times a second, and prints for each half of
the run the most that it held (``RssAnon``) and the most that it had reserved without touching it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import ROOT, SMALL, machine, write_results
from harness import table as markdown

from placar.package.run_folder import RunFolder, RunSpec
from placar.settings import parse_size
from placar.training.memory import held_memory
from placar.training.needs import learning_need

SIZES = (
    "1000x10", "50000x10", "200000x10", "1500000x1",
    "200000x40", "64000x64", "20000x500", "4000x1900",
)  # fmt: skip
MB = 1024**2
_BETWEEN_LOOKS = 0.01
_RESERVED = ("reserved by reading", "by learning")
_EXPLAINED = (
    "A run that may use 256 MB, on a table of random numbers: the most that each half held "
    "(RssAnon), what `training/needs.py` estimates for learning, and the most that each half had "
    "reserved without touching it."
)
_READING = frozenset({"read", "split", "profile"})
_SLICE = 20_000


@dataclass
class Peak:
    """The most of each, in bytes."""

    held: int = 0
    reserved: int = 0
    """Private, writable address space beyond what is held."""


def main(arguments: list[str]) -> None:
    """Measure each size and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", type=parse_size, default="256MB", help="that a run may use")
    parser.add_argument("sizes", nargs="*", default=SIZES, metavar="ROWSxCOLUMNS")
    options = parser.parse_args(arguments)
    lines = []
    for size in options.sizes:
        rows, columns = map(int, size.split("x"))
        with tempfile.TemporaryDirectory() as folder:
            reading, learning = measure(Path(folder), (rows, columns), options.memory)
        said = learning_need(rows - rows // 5, columns)
        cells = [reading.held, learning.held, said, reading.reserved, learning.reserved]
        lines.append([f"{rows:,} x {columns:,}", *(f"{cell / MB:.0f}" for cell in cells)])
        print(*lines[-1], flush=True)
    titles = ("MB, by rows x columns", "reading", "learning", "estimate", *_RESERVED)
    heading = f"# Training: memory of a run\n\n{machine()}. {_EXPLAINED}"
    text = f"{heading}\n\n{markdown(titles, lines)}"
    kept = options.sizes == SIZES and options.memory == parse_size("256MB")
    write_results("training", text, keep=kept)


def measure(folder: Path, size: tuple[int, int], memory: int) -> tuple[Peak, Peak]:
    """Train on a table of random numbers and return the peaks of both halves."""
    table = folder / "table.csv"
    write_table(table, *size)
    run = RunFolder(folder / "run")
    run.write_spec(RunSpec(table=str(table), target="y", memory=memory))
    environment = os.environ | SMALL | {"PYTHONPATH": str(ROOT / "src")}
    peaks = Peak(), Peak()
    with run.log.open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "placar.training", str(run.root)],
            env=environment, stdout=log, stderr=log,
        )  # fmt: skip
        while child.poll() is None:
            told = run.read_progress()
            peak = peaks[0 if not told or told[-1].stage in _READING else 1]
            for fork in forks_of(child.pid):
                held = held_memory(fork)
                peak.held = max(peak.held, held)
                peak.reserved = max(peak.reserved, data_of(fork) - held)
            time.sleep(_BETWEEN_LOOKS)
    report = run.read_report()
    if report is None or not report.succeeded:
        sys.exit(f"{size}: {msgspec.json.encode(report).decode()}\n{run.log.read_text()}")
    return peaks


def write_table(path: Path, rows: int, columns: int) -> None:
    """Write random numbers of about ten digits, and a target that depends on the first."""
    chance = np.random.default_rng(0)
    with path.open("w", encoding="ascii") as file:
        file.write(",".join(["y", *(f"x{n}" for n in range(columns))]) + "\n")
        for start in range(0, rows, _SLICE):
            cells = chance.normal(size=(min(_SLICE, rows - start), columns))
            outcome = chance.random(len(cells)) < 1 / (1 + np.exp(1.5 - cells[:, 0]))
            np.savetxt(file, np.column_stack([outcome, cells]), "%.6g", ",")


def forks_of(pid: int) -> Iterator[int]:
    """Yield the children of a process."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return
    yield from map(int, text.split())


def data_of(pid: int) -> int:
    """Return what RLIMIT_DATA counts of a process, in bytes (VmData)."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    lines = (line for line in text.splitlines() if line.startswith("VmData:"))
    return sum(int(line.split()[1]) * 1024 for line in lines)


if __name__ == "__main__":
    main(sys.argv[1:])
