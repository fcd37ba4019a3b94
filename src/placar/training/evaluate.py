"""Evaluation on the test part, which nobody fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from placar.package.manifest import Band, Calibration, Metrics, ScoreScale
from placar.scoring.calibration import log_odds, probability
from placar.scoring.scale import HIGHEST, band_index, points
from placar.training import curves, metrics
from placar.training.evaluation import (
    SCORE_BIN,
    BandRow,
    Confusion,
    Evaluation,
    MemberResult,
)
from placar.training.members import LINEAR, TREES, Learned

_THRESHOLDS = (0.1, 0.2, 0.3, 0.5, 0.7)
_DIGITS, _EXACT = 3, 18
"""Digits of a threshold: enough for people, and as many as a float has."""

Outcomes = NDArray[np.bool_]
Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rules:
    """What turns a margin into an answer, all decided out of fold on the training part."""

    calibration: Calibration
    scale: ScoreScale
    bands: tuple[Band, ...]
    threshold: float


def choose_threshold(positive: Outcomes, margins: Doubles, calibration: Calibration) -> float:
    """Return the probability where the classes are furthest apart.

    It lies between the lowest row that it calls positive and the next one, in as few digits as
    that takes.

    Args:
        positive: (t,) outcomes of the training part.
        margins: (t,) out-of-fold margins of the blend.
        calibration: from margin to log-odds.
    """
    parted = metrics.separation(positive, log_odds(calibration, margins))
    odds = np.array([parted.below, (parted.below + parted.threshold) / 2, parted.threshold])
    low, middle, high = probability(odds).tolist()
    for digits in range(_DIGITS, _EXACT):
        threshold = float(f"{middle:.{digits}g}")
        if low < threshold <= high:
            return threshold
    return float(high)


def evaluate(
    rules: Rules,
    margins: Doubles,
    positive: Outcomes,
    members: Sequence[MemberResult],
    notes: Sequence[str],
) -> Evaluation:
    """Return everything the report shows of the test part.

    Args:
        rules: from margin to answer.
        margins: (n,) of the compiled model on the test rows.
        positive: (n,) their outcomes, both present.
        members: results of the members, see ``member_results``.
        notes: sentences for the reader.
    """
    odds = log_odds(rules.calibration, margins)
    chances = probability(odds)
    scores = points(rules.scale, odds)
    return Evaluation(
        metrics=measure(positive, odds),
        roc=curves.roc(positive, chances),
        reliability=curves.reliability(positive, chances),
        gain=curves.gain(positive, chances),
        confusion=curves.confusion(positive, chances, rules.threshold),
        thresholds=_other_thresholds(positive, chances, rules.threshold),
        bands=_band_rows(rules.bands, scores, chances, positive),
        score_counts_positive=_score_counts(scores[positive]),
        score_counts_negative=_score_counts(scores[~positive]),
        members=tuple(members),
        notes=tuple(notes),
    )


def measure(positive: Outcomes, odds: Doubles) -> Metrics:
    """Return the figures of calibrated log-odds (n,)."""
    chances = probability(odds)
    area = metrics.auc(positive, odds)
    return Metrics(
        auc=area.value,
        auc_low=area.low,
        auc_high=area.high,
        log_loss=metrics.log_loss(positive, odds),
        brier=metrics.brier(positive, chances),
        ks=metrics.separation(positive, chances).ks,
        ece=metrics.ece(positive, chances),
        base_rate=float(positive.mean()),
        rows=len(positive),
    )


def member_results(
    learned: Learned,
    training: Outcomes,
    test_matrix: NDArray[np.float32],
    test: Outcomes,
) -> tuple[MemberResult, ...]:
    """Return how each member, and their blend when it has both, did.

    Args:
        learned: the trained members.
        training: (t,) outcomes of the training part.
        test_matrix: (n, k) encoded test rows.
        test: (n,) their outcomes.
    """
    trees, linear = learned.boosted.margins(test_matrix), learned.linear.margins(test_matrix)
    blend = learned.blend
    rows = [
        (TREES, blend.trees, learned.boosted.out_of_fold, trees),
        (LINEAR, blend.linear, learned.linear.out_of_fold, linear),
    ]
    if len(learned.weights) > 1:
        rows.append(("blend", 1.0, learned.out_of_fold, blend.margins(trees, linear)))
    return tuple(
        MemberResult(
            name=name,
            weight=weight,
            out_of_fold_log_loss=metrics.log_loss(training, out_of_fold),
            test_auc=metrics.auc(test, margins).value,
            test_log_loss=metrics.log_loss(test, margins),
        )
        for name, weight, out_of_fold, margins in rows
    )


def _other_thresholds(positive: Outcomes, chances: Doubles, chosen: float) -> tuple[Confusion, ...]:
    """Return counts at a few round thresholds, and at half and twice the chosen one."""
    wanted = {*_THRESHOLDS, float(f"{chosen / 2:.3g}"), float(f"{min(0.95, chosen * 2):.3g}")}
    return tuple(curves.confusion(positive, chances, one) for one in sorted(wanted - {chosen}))


def _band_rows(
    bands: tuple[Band, ...], scores: NDArray[np.int64], chances: Doubles, positive: Outcomes
) -> tuple[BandRow, ...]:
    places = band_index(bands, scores)
    rows = np.bincount(places, minlength=len(bands))
    hits = np.bincount(places, positive, len(bands))
    sums = np.bincount(places, chances, len(bands))
    return tuple(
        BandRow(
            name=band.name,
            low=band.low,
            high=band.high,
            rows=int(rows[place]),
            positives=int(hits[place]),
            predicted=float(sums[place] / rows[place]) if rows[place] else float("nan"),
        )
        for place, band in enumerate(bands)
    )


def _score_counts(scores: NDArray[np.int64]) -> tuple[int, ...]:
    bins = HIGHEST // SCORE_BIN
    places = np.minimum(scores // SCORE_BIN, bins - 1)
    return tuple(np.bincount(places, minlength=bins).tolist())
