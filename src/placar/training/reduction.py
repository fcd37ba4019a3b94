"""Learning from less, when memory is short: fewer rows of the training part, fewer bins.

What is left is as the whole was: of each fold and each outcome the same share, evenly spread
over the file, so that rates stay what they are. The test part stays whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from placar.errors import DiskFull
from placar.training.folded import thinned
from placar.training.matrix import map_matrix
from placar.training.needs import FEWER_BINS
from placar.training.prepare import Prepared
from placar.training.slices import slices

_FILE = "fewer.f32"


@dataclass(frozen=True, slots=True)
class Reduction:
    """How much less."""

    rows: int
    """Of the training part that are learnt from, about."""
    bins: int = FEWER_BINS
    """To which the trees round numbers."""

    def note(self, kept: int, of: int) -> str:
        """Return what the reader of the report must know."""
        return (
            f"Learnt from {kept:,} of {of:,} training rows, with numbers rounded to {self.bins} "
            "bins, because memory ran short during the run. With more of it the model may be "
            "better."
        )


def reduced(prepared: Prepared, reduction: Reduction, scratch: Path) -> Prepared:
    """Return the same with fewer training rows, their matrix in another file of the folder.

    Raises:
        DiskFull: the file cannot be written.
    """
    training = prepared.training
    kept = kept_rows(training.positive, training.folds, reduction.rows / len(training.positive))
    matrix = training.matrix
    try:
        with (scratch / _FILE).open("wb") as file:
            for part in slices(len(kept), matrix.shape[1]):
                file.write(matrix[kept[part]].tobytes())
    except OSError as error:
        raise DiskFull(f"Fewer rows could not be written: {error.strerror}.") from error
    fewer = map_matrix(scratch / _FILE, matrix.shape[1])
    test = prepared.split.test
    stays = test.copy()
    stays[np.flatnonzero(~test)[kept]] = True
    return replace(
        prepared,
        positive=prepared.positive[stays],
        split=replace(prepared.split, test=test[stays], folds=prepared.split.folds[kept]),
        encoded=replace(prepared.encoded, training=fewer),
        left_out=len(training.positive) - len(kept),
        notes=(*prepared.notes, reduction.note(len(kept), len(training.positive))),
    )


def kept_rows(
    positive: NDArray[np.bool_], folds: NDArray[np.int64], share: float
) -> NDArray[np.int64]:
    """Return which rows stay, ascending: of each outcome in each fold the share, at least one.

    Args:
        positive: (t,) outcomes.
        folds: (t,) the fold of each row.
        share: 0…1.
    """
    parts = []
    for fold in range(int(folds.max()) + 1):
        for outcome in (False, True):
            rows = np.flatnonzero((folds == fold) & (positive == outcome))
            parts.append(thinned(rows, max(1, round(share * len(rows)))))
    return np.sort(np.concatenate(parts))
