"""From calibrated log-odds to score points and bands.

The score scale is the scorecard convention of *points to double the odds*: see Siddiqi,
*Credit Risk Scorecards* (2006), chapter 6.
"""

from __future__ import annotations

import math
from bisect import bisect_right

import numpy as np
from numpy.typing import NDArray

from placar.package.manifest import Band, ScoreScale

LOWEST, HIGHEST = 0, 1000


def factor(scale: ScoreScale) -> float:
    """Return points per unit of log-odds, negative when the score falls with the positive value."""
    size = scale.points_to_double / math.log(2.0)
    return size if scale.rising else -size


def exact_points(scale: ScoreScale, log_odds: float) -> float:
    """Return the score of one row before rounding and without the ends of the scale."""
    return scale.base_score + factor(scale) * (log_odds - math.log(scale.base_odds))


def points(scale: ScoreScale, log_odds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return whole scores (n,) within 0…1000; halves round to even, as Python's ``round`` does."""
    exact = scale.base_score + factor(scale) * (log_odds - math.log(scale.base_odds))
    return np.clip(np.rint(exact), LOWEST, HIGHEST).astype(np.int64)


def whole_points(scale: ScoreScale, log_odds: float) -> int:
    """Return the score of one row."""
    return min(max(round(exact_points(scale, log_odds)), LOWEST), HIGHEST)


def band_index(bands: tuple[Band, ...], scores: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return the position of each score's band (n,)."""
    lows = np.asarray([band.low for band in bands])
    return np.searchsorted(lows, scores, side="right") - 1


def band_of(lows: tuple[int, ...], score: int) -> int:
    """Return the position of one score's band, given the bands' lower ends."""
    return bisect_right(lows, score) - 1
