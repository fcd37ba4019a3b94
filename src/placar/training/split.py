"""Which rows are kept for the test, and which fold each training row belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from placar.errors import TableRejected

SPLIT_SEED = 0
"""Not the run's seed: versions made from one table are measured on the same rows of it."""
TEST_SHARE = 0.2
_FEWEST_TESTED, MOST_TESTED = 0.05, 0.5
"""Shares of test rows outside of which a time is too coarse to split by."""
FOLDS = 5
SAMPLES = 18

Method = Literal["stratified", "time"]


@dataclass(frozen=True, slots=True)
class Split:
    """The parts of a table of n rows, t of them for training."""

    method: Method
    test: NDArray[np.bool_]
    """(n,) true for the rows that nobody fits on."""
    folds: NDArray[np.int64]
    """(t,) the fold, 0…, of each training row, in file order."""

    @property
    def fold_count(self) -> int:
        """Number of folds, at least 2."""
        return int(self.folds.max()) + 1


def split_rows(
    positive: NDArray[np.bool_], seed: int, moments: NDArray[np.float64] | None = None
) -> Split:
    """Split rows into training and test, and the training part into folds.

    Without moments: 20 % of each class, chosen by the seed, are the test. With moments: the
    latest 20 % are, or as near to that as whole moments allow, the folds are stretches of time,
    and a missing moment counts as the earliest.

    Args:
        positive: (n,) the outcome of each row; at least ten of each.
        seed: of the random choice.
        moments: (n,) anything that grows with time; NaN is missing.

    Raises:
        TableRejected: moments are too few, such that the latest rows are under 5 % or half of all.
    """
    random = np.random.default_rng(seed)
    if moments is None:
        test = _spread(positive, round(1 / TEST_SHARE), random) == 0
        return Split("stratified", test, _stratified_folds(positive[~test], random))
    moments = np.where(np.isnan(moments), -np.inf, moments)
    test = moments >= _first_of_test(moments)
    return Split("time", test, _time_folds(positive[~test], moments[~test], random))


def _first_of_test(moments: NDArray[np.float64]) -> float:
    """Return the moment from which on rows are the test: no moment is on both sides."""
    values, counts = np.unique(moments, return_counts=True)
    test_rows = np.cumsum(counts[::-1])[::-1]  # if the test began with this value
    best = int(np.argmin(np.abs(test_rows - TEST_SHARE * len(moments))))
    share = test_rows[best] / len(moments)
    if not _FEWEST_TESTED <= share < MOST_TESTED:
        raise TableRejected(
            f"The times are too coarse to split by: the latest part of the rows that comes nearest "
            f"to 20 % holds {100 * share:.1f} %.",
            way_out="Name a finer time column, or train without --time.",
        )
    return float(values[best])


def sample_rows(test: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the positions in the table of rows spread evenly over its test part."""
    rows = np.flatnonzero(test)
    return rows[np.unique(np.arange(SAMPLES) * len(rows) // SAMPLES)]


def _stratified_folds(
    positive: NDArray[np.bool_], random: np.random.Generator
) -> NDArray[np.int64]:
    smallest = min(int(positive.sum()), int((~positive).sum()))
    return _spread(positive, max(2, min(FOLDS, smallest // 2)), random)


def _time_folds(
    positive: NDArray[np.bool_], moments: NDArray[np.float64], random: np.random.Generator
) -> NDArray[np.int64]:
    """Return stretches of time, or stratified folds when a stretch would hold one class only."""
    borders = np.sort(moments)[np.arange(1, FOLDS) * len(moments) // FOLDS]
    stretches = np.searchsorted(borders, moments, side="right")
    _, folds = np.unique(stretches, return_inverse=True)  # where moments are few, some are empty
    held = [
        np.bincount(folds[part], minlength=folds.max() + 1).min() for part in (positive, ~positive)
    ]
    return folds if min(held) > 0 and folds.max() > 0 else _stratified_folds(positive, random)


def _spread(
    positive: NDArray[np.bool_], parts: int, random: np.random.Generator
) -> NDArray[np.int64]:
    """Deal the rows of each class evenly to ``parts``, in random order."""
    dealt = np.empty(len(positive), dtype=np.int64)
    for rows in (np.flatnonzero(positive), np.flatnonzero(~positive)):
        dealt[random.permutation(rows)] = np.arange(len(rows)) % parts
    return dealt
