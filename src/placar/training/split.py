"""Which rows are kept for the test, and which fold each training row belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

TEST_SHARE = 0.2
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
    latest 20 % are, the folds are stretches of time, and a missing moment counts as the earliest.

    Args:
        positive: (n,) the outcome of each row; at least ten of each.
        seed: of the random choice.
        moments: (n,) anything that grows with time; NaN is missing.
    """
    random = np.random.default_rng(seed)
    if moments is None:
        test = _spread(positive, round(1 / TEST_SHARE), random) == 0
        return Split("stratified", test, _stratified_folds(positive[~test], random))
    order = np.argsort(np.where(np.isnan(moments), -np.inf, moments), kind="stable")
    test = np.zeros(len(positive), dtype=np.bool_)
    test[order[len(order) - round(TEST_SHARE * len(order)) :]] = True
    return Split("time", test, _time_folds(positive[~test], moments[~test], random))


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
    order = np.argsort(np.where(np.isnan(moments), -np.inf, moments), kind="stable")
    folds = np.empty(len(order), dtype=np.int64)
    folds[order] = np.arange(len(order)) * FOLDS // len(order)
    held = [np.bincount(folds[part], minlength=FOLDS).min() for part in (positive, ~positive)]
    return folds if min(held) > 0 else _stratified_folds(positive, random)


def _spread(
    positive: NDArray[np.bool_], parts: int, random: np.random.Generator
) -> NDArray[np.int64]:
    """Deal the rows of each class evenly to ``parts``, in random order."""
    dealt = np.empty(len(positive), dtype=np.int64)
    for rows in (np.flatnonzero(positive), np.flatnonzero(~positive)):
        dealt[random.permutation(rows)] = np.arange(len(rows)) % parts
    return dealt
