"""Placar with its defaults beside plain LightGBM with its own, on the same rows of real tables.

Placar is told the target and nothing else. The baseline gets more: the missing markers of each
table, its ids left out, and text columns as categories over all rows. Exit code 1 when Placar's
AUC on the test part is the lower one on any table.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import log_loss, roc_auc_score

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "src")]

from harness import ROOT, machine, write_results  # noqa: E402 - the path comes first
from harness import table as markdown  # noqa: E402

from placar.table.engine import open_table  # noqa: E402
from placar.training.split import SPLIT_SEED, split_rows  # noqa: E402
from placar.training.targets import read_outcomes  # noqa: E402

NAMES = (
    "german_credit",
    "bank_marketing",
    "telco_churn",
    "adult",
    "default_credit_card",
    "credit_data",
)
DEMO_TABLE = ROOT / "src/placar/cli/demo/credit_data.csv"
_READ_MEMORY = 512 * 1024**2


@dataclass(frozen=True, slots=True)
class Dataset:
    """A table with a known outcome, and what is known about it."""

    name: str
    path: Path
    target: str
    positive: str
    markers: tuple[str, ...]
    ids: tuple[str, ...]
    leaks: tuple[str, ...]
    """Columns that are known only after the outcome; neither side gets them."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The outcomes, and which rows are the test."""

    positive: NDArray[np.bool_]
    test: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Result:
    """Both sides on one table, with one seed."""

    rows: int
    test_rows: int
    auc: float
    half: float
    """Half of the 95 % interval of Placar's AUC."""
    baseline_auc: float
    loss: float
    baseline_loss: float
    seconds: float
    peak_mb: float


def datasets(data: Path, wanted: Sequence[str]) -> list[Dataset]:
    """Return the tables of the folder, or the built-in one where there is no folder."""
    index = data / "datasets.json"
    if not index.is_file():
        print(f"{data} has no datasets.json: only the built-in table is measured.", file=sys.stderr)
        return [Dataset("credit_data", DEMO_TABLE, "Status", "bad", ("", "NA"), (), ())]
    known = {entry["name"]: entry for entry in json.loads(index.read_bytes())}
    missing = [name for name in wanted if name not in known]
    if missing:
        sys.exit(f"{index} does not name {', '.join(missing)}.")
    return [_dataset(data, known[name]) for name in wanted]


def _dataset(data: Path, entry: dict[str, str | list[str]]) -> Dataset:
    return Dataset(
        name=str(entry["name"]),
        path=data / str(entry["file"]),
        target=str(entry["target"]),
        positive=str(entry["positive"]),
        markers=tuple(entry["missing_markers"]),
        ids=tuple(entry["id_columns"]),
        leaks=tuple(entry["leak_columns"]),
    )


def compare(dataset: Dataset, seed: int) -> Result:
    """Train both on the same rows, and measure both on the same others."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        summary = train_placar(dataset, seed, folder)
        parts = same_parts(dataset, folder)
    metrics = summary["metrics"]
    outcomes = parts.positive[parts.test]
    if metrics["rows"] != len(outcomes) or abs(metrics["base_rate"] - outcomes.mean()) > 1e-9:
        sys.exit(f"{dataset.name}: the split made here is not the one Placar used.")
    probabilities = baseline(dataset, parts)
    return Result(
        rows=len(parts.positive),
        test_rows=len(outcomes),
        auc=metrics["auc"],
        half=(metrics["auc_high"] - metrics["auc_low"]) / 2,
        baseline_auc=float(roc_auc_score(outcomes, probabilities)),
        loss=metrics["log_loss"],
        baseline_loss=float(log_loss(outcomes, probabilities)),
        seconds=summary["seconds"],
        peak_mb=summary["peak_memory_mb"],
    )


def train_placar(dataset: Dataset, seed: int, folder: Path) -> dict[str, Any]:
    """Return what ``placar train --json`` prints."""
    drops = [word for leak in dataset.leaks for word in ("--drop", leak)]
    command = [sys.executable, "-m", "placar", "train", str(dataset.path)]
    command += ["--target", dataset.target, *drops, "--seed", str(seed), "--json"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PLACAR_")}
    own = {"PLACAR_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        command, env=kept | own, cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{dataset.name}: placar train failed:\n{done.stderr[-2000:]}")
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def same_parts(dataset: Dataset, scratch: Path) -> Parts:
    """Return the split as training makes it, by training's own functions."""
    with open_table(dataset.path, scratch, memory=_READ_MEMORY) as opened:
        outcomes = read_outcomes(opened, dataset.target, None)
    if outcomes.target.positive != dataset.positive:
        chosen = outcomes.target.positive
        sys.exit(f"{dataset.name}: {chosen!r} was taken as the positive value.")
    return Parts(outcomes.positive, split_rows(outcomes.positive, SPLIT_SEED).test)


def baseline(dataset: Dataset, parts: Parts) -> NDArray[np.float64]:
    """Return the probabilities of plain LightGBM for the test part."""
    frame = pd.read_csv(dataset.path, na_values=list(dataset.markers))
    if len(frame) != len(parts.positive):
        sys.exit(f"{dataset.name}: pandas and Placar read different numbers of rows.")
    frame = frame.drop(columns=[dataset.target, *dataset.ids, *dataset.leaks])
    texts = frame.select_dtypes(exclude="number").columns
    frame = frame.astype(dict.fromkeys(texts, "category"))
    model = lightgbm.LGBMClassifier(n_jobs=1, verbose=-1)
    model.fit(frame[~parts.test], parts.positive[~parts.test])
    return np.asarray(model.predict_proba(frame[parts.test]))[:, 1]


@dataclass(frozen=True, slots=True)
class Line:
    """One table's figures, as means over the seeds."""

    name: str
    results: tuple[Result, ...]

    def mean(self, field: str) -> float:
        """Return the mean of a figure."""
        return fmean(getattr(result, field) for result in self.results)

    @property
    def gain(self) -> float:
        """How much higher Placar's AUC is."""
        return self.mean("auc") - self.mean("baseline_auc")

    def cells(self) -> list[str]:
        """Return the row of the table of results."""
        first, mean = self.results[0], self.mean
        return [
            self.name,
            f"{first.rows:,}",
            f"{mean('auc'):.4f} ± {mean('half'):.3f}",
            f"{mean('baseline_auc'):.4f}",
            f"{self.gain:+.4f}",
            f"{mean('loss'):.4f}",
            f"{mean('baseline_loss'):.4f}",
            f"{mean('loss') - mean('baseline_loss'):+.4f}",
            f"{mean('seconds'):.1f}",
            f"{max(result.peak_mb for result in self.results):.0f}",
        ]


def page(lines: Sequence[Line], seeds: int) -> str:
    """Return the whole page of results."""
    header = ["table", "rows", "AUC Placar", "AUC LightGBM", "difference"]
    header += ["log loss Placar", "log loss LightGBM", "difference", "seconds", "peak MB"]
    worse = [line.name for line in lines if line.gain < 0]
    below = f"Placar's AUC is the lower one on: {', '.join(worse)}."
    verdict = below if worse else "Placar's AUC is not below the baseline's on any table."
    packages = ("placar", "lightgbm", "scikit-learn", "pandas", "duckdb", "onnxruntime")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    chance = "seed 0" if seeds == 1 else f"means over seeds 0 to {seeds - 1}"
    dropped = (
        "`duration` is left out of bank_marketing on both sides: it is known only after the call."
    )
    return f"""# Quality: Placar beside plain LightGBM

{machine()}; {versions}.

{markdown(header, [line.cells() for line in lines])}

**{verdict}**

Both trained on the same rows and measured on the same 20 % that neither saw ({chance}); ± is half
of the 95 % interval of Placar's AUC. Placar: `placar train TABLE --target T`, nothing else said.
LightGBM: `LGBMClassifier()` on the raw columns, texts as pandas categories, told the missing
markers and spared the ids. {dropped} Seconds and peak memory are those of Placar's whole run."""


def main() -> int:
    """Measure every table, report, and say whether Placar holds up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of tables"
    )
    parser.add_argument("--only", nargs="+", choices=NAMES, help="some tables; nothing is kept")
    parser.add_argument("--seeds", type=int, default=1, help="how many trainings to average over")
    options = parser.parse_args()
    lines = []
    for dataset in datasets(options.data.resolve(), options.only or NAMES):
        results = tuple(compare(dataset, seed) for seed in range(options.seeds))
        lines.append(Line(dataset.name, results))
        print(f"{dataset.name}: AUC {lines[-1].gain:+.4f}", file=sys.stderr)
    whole = options.only is None and len(lines) == len(NAMES)
    text = page(lines, options.seeds)
    write_results("quality", text, keep=whole)
    return int(any(line.gain < 0 for line in lines))


if __name__ == "__main__":
    sys.exit(main())
