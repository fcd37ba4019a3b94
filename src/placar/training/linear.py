"""The logistic regression: the honest yardstick, and often a good partner of the trees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from placar.training.expansion import Expansion, fit_expansion
from placar.training.folded import Folded, thinned
from placar.training.logistic import Design, Doubles, fit_logistic
from placar.training.metrics import log_loss
from placar.training.progress import Advance
from placar.training.slices import in_slices, slices

PENALTIES = (30.0, 10.0, 3.0, 1.0, 0.3)
"""Strengths of the L2 penalty to choose from, strongest first."""

_MIB = 1024 * 1024
_MOST_BYTES, _LEAST_BYTES, _BYTES_PER_SECOND = 24 * _MIB, _MIB, _MIB // 2
"""Size of the expanded rows, which bounds both memory and time: half a MiB per second of the
budget. A table that needs more is fitted on evenly spread rows."""
_FEWEST_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Linear:
    """A fitted regression. Weights are float32, as they are in the compiled graph."""

    expansion: Expansion
    dense_weights: NDArray[np.float32]
    """(p + i,) of the pieces and the missing marks."""
    level_weights: NDArray[np.float32]
    """One per category code, in the order of the expansion's flat list."""
    intercept: float
    penalty: float
    out_of_fold: NDArray[np.float64]
    """(t,) margin of each training row by the fit that did not see it."""

    def margins(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the margin (n,) of encoded rows (n, k)."""
        weights = np.concatenate([self.dense_weights, self.level_weights, [self.intercept]])
        return _margins(self.expansion, weights, matrix)

    def spread(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return, for each encoded column, the standard deviation of what it adds: (k,)."""
        expansion = self.expansion
        parts = np.zeros((len(matrix), matrix.shape[1]))
        values = expansion.dense(matrix) * self.dense_weights
        owners = np.concatenate([expansion.piece_column, expansion.missing_column])
        for place, column in enumerate(owners.tolist()):
            parts[:, column] += values[:, place]
        parts[:, expansion.code_column] += self.level_weights[expansion.codes(matrix)]
        return np.asarray(parts.std(axis=0))


def fit_linear(data: Folded, budget: float, advance: Advance) -> Linear:
    """Fit with the penalty that has the lowest out-of-fold log loss.

    Args:
        data: the training part.
        budget: seconds that fitting may take, together with the trees.
        advance: told the share of the work that is done.
    """
    expansion = fit_expansion(data.matrix, data.categories)
    most = _rows_within(budget, expansion)
    margins = np.empty((len(PENALTIES), len(data.positive)))
    starts = np.zeros((len(PENALTIES), expansion.width + 1))
    for fold in range(data.fold_count):
        held = data.folds == fold
        design = _design(expansion, data, thinned(np.flatnonzero(~held), most))
        weights: Doubles | None = None
        for place, penalty in enumerate(PENALTIES):
            weights = fit_logistic(design, penalty, weights)
            margins[place, held] = _margins(expansion, weights, data.matrix[held])
            starts[place] += weights / data.fold_count
        advance((fold + 1) / (data.fold_count + 1))
    best = min(range(len(PENALTIES)), key=lambda place: log_loss(data.positive, margins[place]))
    design = _design(expansion, data, thinned(np.arange(len(data.positive)), most))
    weights = fit_logistic(design, PENALTIES[best], starts[best])
    advance(1.0)
    dense = expansion.dense_width
    return Linear(
        expansion=expansion,
        dense_weights=weights[:dense].astype(np.float32),
        level_weights=weights[dense:-1].astype(np.float32),
        intercept=float(weights[-1]),
        penalty=PENALTIES[best],
        out_of_fold=margins[best].copy(),  # of all the penalties only this one stays
    )


def _rows_within(budget: float, expansion: Expansion) -> int:
    room = min(_MOST_BYTES, max(_LEAST_BYTES, int(budget * _BYTES_PER_SECOND)))
    per_row = 4 * expansion.dense_width + 8 * len(expansion.code_column)
    return max(_FEWEST_ROWS, room // max(1, per_row))


def _design(expansion: Expansion, data: Folded, rows: NDArray[np.int64]) -> Design:
    dense = np.empty((len(rows), expansion.dense_width), dtype=np.float32)
    codes = np.empty((len(rows), len(expansion.code_column)), dtype=np.int64)
    for part in slices(len(rows), expansion.dense_width):
        matrix = data.matrix[rows[part]]
        dense[part], codes[part] = expansion.dense(matrix), expansion.codes(matrix)
    return Design(
        dense=dense,
        codes=codes,
        code_count=expansion.code_count,
        positive=data.positive[rows].astype(np.float32),
    )


def _margins(
    expansion: Expansion, weights: Doubles, matrix: NDArray[np.float32]
) -> NDArray[np.float64]:
    def margins(part: NDArray[np.float32]) -> NDArray[np.float64]:
        nothing = np.empty(0, dtype=np.float32)
        design = Design(expansion.dense(part), expansion.codes(part), expansion.code_count, nothing)
        return design.margins(weights)

    return in_slices(margins, matrix)
