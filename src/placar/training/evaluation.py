"""What the evaluation found on the test part, as the report shows it. Data only."""

from __future__ import annotations

from dataclasses import dataclass

from placar.package.manifest import Metrics

SCORE_BIN = 10
"""Points of score that are counted, and drawn, together."""


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Rows of similar probability: what was said, and what happened."""

    rows: int
    predicted: float
    """Mean probability."""
    observed: float
    """Share of positives."""
    low: float
    high: float
    """95 % interval of the observed share (Wilson)."""


@dataclass(frozen=True, slots=True)
class GainPoint:
    """The rows with the highest probabilities, up to ``share`` of all."""

    share: float
    captured: float
    """Share of all positives among them."""
    lift: float


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts at one threshold on the probability."""

    threshold: float
    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int


@dataclass(frozen=True, slots=True)
class BandRow:
    """What one band held on the test part."""

    name: str
    low: int
    high: int
    rows: int
    positives: int
    predicted: float
    """Mean probability; NaN when the band is empty."""


@dataclass(frozen=True, slots=True)
class MemberResult:
    """One candidate of the blend, and how it did out of fold and on the test part."""

    name: str
    """``boosted trees``, ``logistic regression`` or ``blend``."""
    weight: float
    out_of_fold_log_loss: float
    test_auc: float
    test_log_loss: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything the report draws that the manifest does not hold."""

    metrics: Metrics
    roc: tuple[tuple[float, float], ...]
    """(false positive rate, true positive rate), ascending, at most 200 points."""
    reliability: tuple[ReliabilityBin, ...]
    gain: tuple[GainPoint, ...]
    confusion: Confusion
    thresholds: tuple[Confusion, ...]
    """The same at a few other thresholds, ascending."""
    bands: tuple[BandRow, ...]
    score_counts_positive: tuple[int, ...]
    score_counts_negative: tuple[int, ...]
    """Test rows per ``SCORE_BIN`` points, from 0; the last bin holds 1000 as well."""
    members: tuple[MemberResult, ...]
    notes: tuple[str, ...]
    """Plain sentences for the reader, such as cells that could not be read."""
