"""The curves and tables of the evaluation: ROC, gain, reliability, confusion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from placar.training.evaluation import Confusion, GainPoint, ReliabilityBin
from placar.training.metrics import equal_mass, group_count, wilson

_MOST_POINTS = 200
_GAIN_SHARES = (0.01, 0.02, *(step / 20 for step in range(1, 21)))

Outcomes = NDArray[np.bool_]
Probabilities = NDArray[np.float64]


def roc(positive: Outcomes, probability: Probabilities) -> tuple[tuple[float, float], ...]:
    """Return (false, true positive rate) at every threshold, thinned to 200 points."""
    cases, controls = _captured(positive, probability)
    false_rate, true_rate = controls / controls[-1], cases / cases[-1]
    if len(cases) > _MOST_POINTS:
        # Evenly spaced by the length of the way, so that steep stretches keep their shape.
        way = np.linspace(0.0, 2.0, _MOST_POINTS)
        kept = np.unique(np.searchsorted(false_rate + true_rate, way).clip(max=len(cases) - 1))
        false_rate, true_rate = false_rate[kept], true_rate[kept]
    return tuple(zip(false_rate.tolist(), true_rate.tolist(), strict=True))


def gain(positive: Outcomes, probability: Probabilities) -> tuple[GainPoint, ...]:
    """Return what the most probable rows capture of all positives.

    Rows of equal probability are taken in equal parts, so that their order does not matter.
    """
    cases, controls = _captured(positive, probability)
    rows = (cases + controls) / len(positive)
    captured = np.interp(_GAIN_SHARES, rows, cases / cases[-1])
    return tuple(
        GainPoint(share=share, captured=float(found), lift=float(found) / share)
        for share, found in zip(_GAIN_SHARES, captured, strict=True)
    )


def _captured(
    positive: Outcomes, probability: Probabilities
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return positives and negatives above each distinct probability, from none to all."""
    levels, places = np.unique(-probability, return_inverse=True)
    cases = np.bincount(places[positive], minlength=len(levels))
    controls = np.bincount(places[~positive], minlength=len(levels))
    return np.append(0.0, np.cumsum(cases)), np.append(0.0, np.cumsum(controls))


def reliability(positive: Outcomes, probability: Probabilities) -> tuple[ReliabilityBin, ...]:
    """Return groups of about equal size: what was said, and what happened."""
    binned = equal_mass(positive, probability, group_count(len(positive)))
    bins = []
    for rows, predicted, hits in zip(
        binned.rows.tolist(), binned.predicted.tolist(), binned.positives.tolist(), strict=True
    ):
        low, high = wilson(hits, rows)
        bins.append(ReliabilityBin(rows, predicted, hits / rows, low, high))
    return tuple(bins)


def confusion(positive: Outcomes, probability: Probabilities, threshold: float) -> Confusion:
    """Return the counts when rows count as positive from the threshold on."""
    called = probability >= threshold
    return Confusion(
        threshold=threshold,
        true_positives=int((called & positive).sum()),
        false_positives=int((called & ~positive).sum()),
        true_negatives=int((~called & ~positive).sum()),
        false_negatives=int((~called & positive).sum()),
    )
