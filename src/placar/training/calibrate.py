"""Calibration: from the blend's margin to log-odds that can be taken at their word.

Platt scaling: Platt, Probabilistic Outputs for Support Vector Machines (1999), with the targets
drawn in slightly from 0 and 1 as there; fitted by Newton's method on out-of-fold margins.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from placar.package.manifest import Calibration
from placar.training.metrics import log_loss

_STEPS = 50
_CLOSE = 1e-10


def calibrate(
    margins: NDArray[np.float64], positive: NDArray[np.bool_], folds: NDArray[np.int64]
) -> Calibration:
    """Return Platt scaling if it lowers the loss on folds it was not fitted on, else the identity.

    Args:
        margins: (t,) out-of-fold margins of the blend.
        positive: (t,) outcomes.
        folds: (t,) the fold of each row.
    """
    crossed = np.empty_like(margins)
    for fold in range(int(folds.max()) + 1):
        held = folds == fold
        slope, offset = fit_platt(margins[~held], positive[~held])
        crossed[held] = slope * margins[held] + offset
    slope, offset = fit_platt(margins, positive)
    if slope <= 0.0 or log_loss(positive, crossed) >= log_loss(positive, margins):
        return Calibration(method="identity", margins=(0.0, 1.0), log_odds=(0.0, 1.0))
    return Calibration(method="platt", margins=(0.0, 1.0), log_odds=(offset, slope + offset))


def fit_platt(margins: NDArray[np.float64], positive: NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope and offset of log-odds = slope · margin + offset."""
    positives = int(positive.sum())
    negatives = len(positive) - positives
    wanted = np.where(positive, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    slope, offset = 1.0, 0.0
    loss = _loss(margins, wanted)
    for _ in range(_STEPS):
        down = _newton_step(slope, offset, margins, wanted)
        size = 1.0
        there = _loss_at(slope - down[0], offset - down[1], margins, wanted)
        while there > loss and size > _CLOSE:
            size *= 0.5
            there = _loss_at(slope - size * down[0], offset - size * down[1], margins, wanted)
        if loss - there <= _CLOSE * max(1.0, loss):
            break
        slope, offset, loss = slope - size * down[0], offset - size * down[1], there
    return slope, offset


def _newton_step(
    slope: float, offset: float, margins: NDArray[np.float64], wanted: NDArray[np.float64]
) -> tuple[float, float]:
    """Return gradient over curvature, from sums: nothing here has a second column."""
    chance = 0.5 * (1.0 + np.tanh(0.5 * (slope * margins + offset)))
    weights = np.maximum(chance * (1.0 - chance), 1e-12)
    chance -= wanted
    gradient = np.array([chance @ margins, chance.sum()])
    cross = float(weights @ margins)
    weighed = weights * margins
    curvature = np.array([[float(weighed @ margins), cross], [cross, float(weights.sum())]])
    step = np.linalg.solve(curvature + 1e-9 * np.eye(2), gradient)
    return float(step[0]), float(step[1])


def _loss_at(
    slope: float, offset: float, margins: NDArray[np.float64], wanted: NDArray[np.float64]
) -> float:
    return _loss(slope * margins + offset, wanted)


def _loss(margins: NDArray[np.float64], wanted: NDArray[np.float64]) -> float:
    return float((np.logaddexp(0.0, margins) - wanted * margins).sum())
