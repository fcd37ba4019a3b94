"""Small learnable tables for the tests of training."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from placar.training.folded import Folded
from placar.training.logistic import probabilities
from placar.training.split import split_rows

LEVELS = 12


def a_matrix(rows: int, seed: int = 0) -> NDArray[np.float32]:
    """Two numbers, one of them often missing, and a column of category codes."""
    random = np.random.default_rng(seed)
    matrix = np.empty((rows, 3), dtype=np.float32)
    matrix[:, 0] = random.normal(size=rows)
    matrix[:, 1] = np.where(random.random(rows) < 0.2, np.nan, random.lognormal(6, 2, rows))
    matrix[:, 2] = random.integers(0, LEVELS, rows)
    return matrix


def outcomes_of(matrix: NDArray[np.float32], seed: int = 0) -> NDArray[np.bool_]:
    """Outcomes that depend on every column of ``a_matrix``."""
    random = np.random.default_rng(seed + 1)
    effects = np.random.default_rng(99).normal(size=LEVELS)
    margins = (
        1.5 * np.sin(2.0 * matrix[:, 0])
        + np.where(np.isnan(matrix[:, 1]), 1.0, 0.0)
        + effects[matrix[:, 2].astype(int)]
    )
    return np.asarray(random.random(len(matrix)) < probabilities(margins.astype(np.float64)))


def a_folded(rows: int = 1500, seed: int = 0) -> Folded:
    """A training part that can be learnt."""
    matrix = a_matrix(rows, seed)
    positive = outcomes_of(matrix, seed)
    split = split_rows(positive, seed)
    kept = ~split.test
    return Folded(np.ascontiguousarray(matrix[kept]), positive[kept], split.folds, {2: LEVELS})


def a_csv(folder: Path, columns: Mapping[str, Sequence[object]], name: str = "table.csv") -> Path:
    """Write columns as a CSV file; None becomes an empty cell."""
    path = folder / name
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def loans(rows: int = 600, seed: int = 0) -> dict[str, list[object]]:
    """A table with a feature of each kind, an id, a constant and a learnable ``Status``."""
    random = np.random.default_rng(seed)
    income = random.lognormal(7, 0.6, rows)
    home = random.choice(["rent", "owner", "parents"], rows, p=[0.5, 0.4, 0.1])
    days = random.integers(0, 2000, rows)
    margins = 6.5 - np.log(income) + (home == "rent") * 1.5
    bad = random.random(rows) < probabilities(margins.astype(np.float64))
    start = date(2018, 1, 1)
    return {
        "LoanID": [f"L{number:06}" for number in random.permutation(rows)],
        "Income": [None if i % 11 == 0 else round(v, 2) for i, v in enumerate(income.tolist())],
        "Home": home.tolist(),
        "Married": random.choice(["true", "false"], rows).tolist(),
        "Since": [(start + timedelta(days=int(day))).isoformat() for day in days],
        "Currency": ["EUR"] * rows,
        "Status": np.where(bad, "bad", "good").tolist(),
    }
