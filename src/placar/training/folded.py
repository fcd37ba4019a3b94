"""The training part, as both members take it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Folded:
    """t encoded training rows (t, k) with their outcome and fold, in file order."""

    matrix: NDArray[np.float32]
    positive: NDArray[np.bool_]
    folds: NDArray[np.int64]
    categories: dict[int, int]
    """For each column of category codes, how many codes it may hold."""

    @property
    def fold_count(self) -> int:
        """Number of folds."""
        return int(self.folds.max()) + 1


def thinned(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return at most ``most`` of the rows, evenly spread."""
    if len(rows) <= most:
        return rows
    return rows[np.arange(most) * len(rows) // most]
