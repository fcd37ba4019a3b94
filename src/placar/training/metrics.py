"""Single figures of how good probabilities are, in NumPy. The tests compare with scikit-learn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Z_95 = 1.959963984540054
"""Two-sided 95 % point of the normal distribution."""


class Estimate(NamedTuple):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


def log_loss(positive: NDArray[np.bool_], log_odds: NDArray[np.float64]) -> float:
    """Return the mean negative log-likelihood, in nats.

    Args:
        positive: (n,) outcomes.
        log_odds: (n,) of the positive outcome; taken instead of probabilities so that nothing
            is lost near 0 and 1.
    """
    return float(np.mean(np.logaddexp(0.0, log_odds) - np.where(positive, log_odds, 0.0)))


def brier(positive: NDArray[np.bool_], probability: NDArray[np.float64]) -> float:
    """Return the mean squared difference between probability and outcome.

    Brier: Verification of forecasts expressed in terms of probability (1950).
    """
    return float(np.mean(np.square(probability - positive)))


def auc(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> Estimate:
    """Return the area under the ROC curve with its 95 % interval.

    The interval is Newcombe's method 5 (Confidence intervals for an effect size measure based on
    the Mann-Whitney statistic, part 2, 2006). It asks which true areas the one that was found is
    not far from, with *their* spread, so it holds where few rows or a perfect order make the
    usual interval shrink to nothing.

    Args:
        positive: (n,) outcomes, both present.
        scores: (n,) anything that grows with the probability; ties count half.
    """
    cases = int(positive.sum())
    controls = len(positive) - cases
    ranks = _midranks(scores)[positive].sum()
    value = float((ranks - cases * (cases + 1) / 2) / (cases * controls))
    low = _edge(value, 0.0, cases, controls)
    high = _edge(value, 1.0, cases, controls)
    return Estimate(value, low, high)


_HALVINGS = 50


def _edge(value: float, end: float, cases: int, controls: int) -> float:
    """Return the area furthest towards ``end`` that ``value`` is within 1.96 deviations of."""
    inside, outside = value, end
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        if abs(value - middle) <= Z_95 * _deviation(middle, cases, controls):
            inside = middle
        else:
            outside = middle
    return inside


def _deviation(area: float, cases: int, controls: int) -> float:
    """Return the standard deviation of the estimate when the true area is this one.

    Hanley, McNeil: The Meaning and Use of the Area under a ROC Curve (1982), with the mean size
    of the two groups in place of each, as in Newcombe's method.
    """
    others = (cases + controls) / 2 - 1
    spread = 1 + others * ((1 - area) / (2 - area) + area / (1 + area))
    return math.sqrt(area * (1 - area) * spread / (cases * controls))


def _midranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ranks from 1; equal values share the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2.0)[places])


class Separation(NamedTuple):
    """How far two distributions are apart, and where the positive one is furthest ahead."""

    ks: float
    threshold: float
    """The level from which on rows count as positive, for the greatest J."""
    below: float
    """The next lower level, or the same when there is none."""


def separation(positive: NDArray[np.bool_], levels: NDArray[np.float64]) -> Separation:
    """Return the Kolmogorov-Smirnov distance of the classes, and the threshold that parts them.

    The threshold has the greatest true less false positive rate (Youden: Index for rating
    diagnostic tests, 1950).

    Args:
        positive: (n,) outcomes.
        levels: (n,) anything that grows with the probability.
    """
    distinct, places = np.unique(levels, return_inverse=True)
    cases = _shares_from(places[positive], len(distinct))
    controls = _shares_from(places[~positive], len(distinct))
    ahead = cases - controls
    best = int(np.argmax(ahead))
    return Separation(
        ks=float(np.abs(ahead).max()),
        threshold=float(distinct[best]),
        below=float(distinct[max(0, best - 1)]),
    )


def _shares_from(places: NDArray[np.intp], levels: int) -> NDArray[np.float64]:
    """Return, for each level, the share of the places at it or above."""
    counts = np.bincount(places, minlength=levels)
    return np.asarray(np.cumsum(counts[::-1])[::-1] / max(1, len(places)))


@dataclass(frozen=True, slots=True)
class Binned:
    """Rows grouped by neighbouring probability, ascending: one entry per group."""

    rows: NDArray[np.int64]
    predicted: NDArray[np.float64]
    positives: NDArray[np.int64]


def equal_mass(
    positive: NDArray[np.bool_], probability: NDArray[np.float64], groups: int
) -> Binned:
    """Group rows into at most ``groups`` groups of about equal size; equal values stay together."""
    ordered = np.sort(probability)
    edges = np.unique(ordered[np.arange(1, groups) * len(ordered) // groups])
    places = np.searchsorted(edges, probability, side="right")
    rows = np.bincount(places, minlength=len(edges) + 1)
    held = rows > 0
    sums = np.bincount(places, probability, len(edges) + 1)[held]
    hits = np.bincount(places[positive], minlength=len(edges) + 1)[held]
    return Binned(rows[held], sums / rows[held], hits)


def group_count(rows: int) -> int:
    """Return how many groups a calibration figure takes for so many rows: 2 to 15."""
    return max(2, min(15, rows // 60))


def ece(positive: NDArray[np.bool_], probability: NDArray[np.float64]) -> float:
    """Return the expected calibration error over groups of equal size.

    Naeini, Cooper, Hauskrecht: Obtaining Well Calibrated Probabilities Using Bayesian Binning
    (2015); equal mass, as the usual equal-width bins are empty where models rarely go.
    """
    binned = equal_mass(positive, probability, group_count(len(positive)))
    gaps = np.abs(binned.positives / binned.rows - binned.predicted)
    return float((gaps * binned.rows).sum() / len(positive))


def wilson(hits: float, rows: float) -> tuple[float, float]:
    """Return the 95 % interval of a share. Wilson: Probable inference (1927)."""
    if rows <= 0:
        return 0.0, 1.0
    share, square = hits / rows, Z_95 * Z_95
    middle = (share + square / (2 * rows)) / (1 + square / rows)
    half = Z_95 / (1 + square / rows) * np.sqrt(share * (1 - share) / rows + square / (4 * rows**2))
    # In exact arithmetic the share is always inside; at 0 and 1 it is an end.
    return min(share, max(0.0, float(middle - half))), max(share, min(1.0, float(middle + half)))
