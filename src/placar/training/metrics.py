"""Single figures of how good probabilities are, in NumPy. The tests compare with scikit-learn."""

from __future__ import annotations

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
    """Return the area under the ROC curve with DeLong's interval.

    DeLong, DeLong, Clarke-Pearson (1988), in the O(n log n) form of Sun, Xu: Fast
    Implementation of DeLong's Algorithm (2014).

    Args:
        positive: (n,) outcomes, both present.
        scores: (n,) anything that grows with the probability; ties count half.
    """
    cases, controls = scores[positive], scores[~positive]
    m, n = len(cases), len(controls)
    ranks = _midranks(scores)
    value = (ranks[positive].sum() - m * (m + 1) / 2) / (m * n)
    of_cases = (ranks[positive] - _midranks(cases)) / n
    of_controls = 1.0 - (ranks[~positive] - _midranks(controls)) / m
    variance = _variance(of_cases) / m + _variance(of_controls) / n
    half = Z_95 * float(np.sqrt(variance))
    return Estimate(float(value), max(0.0, float(value) - half), min(1.0, float(value) + half))


def _variance(values: NDArray[np.float64]) -> float:
    return float(np.var(values, ddof=1)) if len(values) > 1 else 0.25


def _midranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ranks from 1; equal values share the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2.0)[places])


class Separation(NamedTuple):
    """Where two distributions are furthest apart."""

    ks: float
    threshold: float


def separation(positive: NDArray[np.bool_], probability: NDArray[np.float64]) -> Separation:
    """Return the Kolmogorov-Smirnov distance between the classes, and where it is reached.

    It is the greatest true less false positive rate (Youden's J) when a row counts as positive
    from the threshold on.
    """
    levels, places = np.unique(probability, return_inverse=True)
    cases = _shares_from(places[positive], len(levels))
    controls = _shares_from(places[~positive], len(levels))
    best = int(np.argmax(cases - controls))
    return Separation(float(cases[best] - controls[best]), float(levels[best]))


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
