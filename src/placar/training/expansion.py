"""What the logistic regression sees of a row: curves through quantiles, and one weight per level.

A number enters as a piecewise linear curve: for each interval between two neighbouring
quantiles, how far the value has come through it, 0…1 (the piecewise linear encoding of
Gorishniy, Rubachev, Babenko: On Embeddings for Numerical Features, NeurIPS 2022). Outside the
training range the curve stays level, so that no extreme value runs away. A missing number
stands at the average of each piece and has a weight of its own.

All constants are float32 and are used as such in training, so that the compiled graph repeats
the very same arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from placar.training.folded import thinned
from placar.training.slices import slices

Floats = NDArray[np.float32]

_MOST_PIECES = 8
"""Pieces per number; more did not lower the loss on the tables of benchmarks/quality."""
_MOST_WIDTH = 512
"""Pieces over all numbers; wide tables get fewer per number, at least one."""
_SAMPLE_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class Expansion:
    """How an encoded row (k columns) becomes p pieces, i missing marks and c codes.

    The first two are multiplied with weights, the codes look theirs up.
    """

    piece_column: NDArray[np.int64]
    """(p,) the encoded column each piece belongs to."""
    piece_low: Floats
    piece_width: Floats
    piece_mean: Floats
    missing_column: NDArray[np.int64]
    """(i,) the columns that had missing numbers."""
    code_column: NDArray[np.int64]
    """(c,) the columns of category codes."""
    code_offset: NDArray[np.int64]
    """(c,) where each one's weights begin in the flat list of all."""
    code_count: int

    @property
    def width(self) -> int:
        """Number of weights."""
        return self.dense_width + self.code_count

    @property
    def dense_width(self) -> int:
        """Number of weights that are multiplied with a value."""
        return len(self.piece_column) + len(self.missing_column)

    def dense(self, matrix: Floats) -> Floats:
        """Return the pieces and missing marks of encoded rows, (n, p + i).

        Pieces are less their mean, so a missing number is 0 in each of them.
        """
        pieces = self.pieces(matrix) - self.piece_mean
        marks = np.isnan(matrix[:, self.missing_column]).astype(np.float32)
        return np.concatenate([pieces, marks], axis=1)

    def pieces(self, matrix: Floats) -> Floats:
        """Return how far each value has come through each piece, 0…1, (n, p)."""
        with np.errstate(over="ignore"):
            ways = (matrix[:, self.piece_column] - self.piece_low) / self.piece_width
        np.clip(ways, np.float32(0.0), np.float32(1.0), out=ways)
        return np.where(np.isnan(ways), self.piece_mean, ways)

    def codes(self, matrix: Floats) -> NDArray[np.int64]:
        """Return the places of each row's category weights in the flat list, (n, c)."""
        return matrix[:, self.code_column].astype(np.int64) + self.code_offset


def fit_expansion(matrix: Floats, levels: Mapping[int, int]) -> Expansion:
    """Place the pieces by the quantiles of encoded training rows.

    Args:
        matrix: (n, k) encoded rows.
        levels: for each column of category codes, how many codes it may hold.
    """
    sample = matrix[thinned(np.arange(len(matrix)), _SAMPLE_ROWS)]
    numbers = [column for column in range(matrix.shape[1]) if column not in levels]
    most = max(1, min(_MOST_PIECES, _MOST_WIDTH // max(1, len(numbers))))
    places, lows, widths = [], [], []
    for column in numbers:
        knots = _knots(sample[:, column], most)
        places += [column] * (len(knots) - 1)
        lows.append(knots[:-1])
        widths.append(np.diff(knots))
    counts = np.array(list(levels.values()), dtype=np.int64)
    unplaced = Expansion(
        piece_column=np.array(places, dtype=np.int64),
        piece_low=np.concatenate([np.empty(0, np.float32), *lows]),
        piece_width=np.concatenate([np.empty(0, np.float32), *widths]),
        piece_mean=np.zeros(len(places), np.float32),
        missing_column=np.array(
            [column for column in numbers if np.isnan(sample[:, column]).any()], dtype=np.int64
        ),
        code_column=np.array(list(levels), dtype=np.int64),
        code_offset=np.cumsum(counts) - counts,
        code_count=int(counts.sum()),
    )
    return _centred(unplaced, sample)


def _knots(values: Floats, most: int) -> Floats:
    """Return ascending, distinct quantiles: at most ``most`` intervals."""
    present = values[~np.isnan(values)]
    if len(present) == 0:
        return np.empty(1, np.float32)
    knots = np.unique(np.quantile(present, np.linspace(0.0, 1.0, most + 1), method="nearest"))
    with np.errstate(over="ignore"):
        return knots if np.all(np.isfinite(np.diff(knots))) else knots[:1]


def _centred(expansion: Expansion, sample: Floats) -> Expansion:
    """Return the expansion with the mean of each piece over the numbers that are there."""
    totals = np.zeros(len(expansion.piece_column))
    counts = np.zeros(len(expansion.piece_column))
    for part in slices(len(sample), expansion.dense_width):
        known = ~np.isnan(sample[part][:, expansion.piece_column])
        totals += np.sum(expansion.pieces(sample[part]), axis=0, where=known, dtype=np.float64)
        counts += known.sum(axis=0)
    means = (totals / np.maximum(counts, 1)).astype(np.float32)
    return replace(expansion, piece_mean=means)
