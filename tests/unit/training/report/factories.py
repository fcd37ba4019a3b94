"""A manifest and an evaluation such as a run on a credit table makes, and variations of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from placar.package.manifest import (
    FORMAT,
    Band,
    Calibration,
    FeatureReference,
    Importance,
    Manifest,
    Metrics,
    Provenance,
    ScoreScale,
)
from placar.signature.model import (
    Boolean,
    Categorical,
    Feature,
    Moment,
    Numeric,
    SetAside,
    Signature,
    Target,
)
from placar.training.evaluation import (
    BandRow,
    Confusion,
    Evaluation,
    GainPoint,
    MemberResult,
    ReliabilityBin,
)

THRESHOLD = 0.31
BANDS = (("A", 600, 1000), ("B", 550, 599), ("C", 500, 549), ("D", 450, 499), ("E", 0, 449))


def a_number(name: str, low: float = 0.0, high: float = 100.0) -> Numeric:
    return Numeric(name=name, null="warn", low=low, high=high, whole=True, example=low)


def a_category(name: str, *vocabulary: str) -> Categorical:
    return Categorical(name=name, null="warn", vocabulary=vocabulary, example=vocabulary[0])


def some_features() -> tuple[Feature, ...]:
    return (
        a_number("Seniority", 0, 48),
        Numeric(
            name="Income",
            null="accept",
            markers=("unknown",),
            low=6,
            high=959,
            whole=True,
            example=129,
        ),
        a_category("Records", "no", "yes"),
        a_category("Job", "fixed", "freelance", "partime", "others"),
        a_number("Amount", 100, 5000),
        a_number("Price", 105, 11140),
        a_category("Home", "owner", "rent", "parents", "other", "priv", "ignore"),
        Numeric(name="Assets", null="accept", low=0, high=300000, whole=True, example=0),
        a_number("Age", 18, 68),
        a_number("Expenses", 35, 180),
        a_number("Time", 6, 72),
        Numeric(name="Debt", null="accept", low=0, high=30000, whole=True, example=0),
        a_category("Marital", "married", "single", "separated", "widow", "divorced"),
        Boolean(name="Guarantor", null="warn", example=True),
        Moment(
            name="Applied",
            null="warn",
            layout="dmy",
            parts=("days", "month", "weekday"),
            low="2019-01-02",
            high="2021-12-30",
            example="02/01/2019",
        ),
    )


def many_features(number: int) -> tuple[Feature, ...]:
    values = tuple(f"a value numbered {place}" for place in range(40))
    return tuple(
        a_category(f"a_long_feature_name_{place:03d}", *values)
        if place % 2
        else a_number(f"a_long_feature_name_{place:03d}")
        for place in range(number)
    )


def some_shares(features: tuple[Feature, ...]) -> tuple[Importance, ...]:
    raw = [0.86**place for place in range(len(features))]
    return tuple(
        Importance(feature=feature.name, share=share / sum(raw))
        for feature, share in zip(features, raw, strict=True)
    )


def a_signature(
    features: tuple[Feature, ...] | None = None, target: Target | None = None
) -> Signature:
    return Signature(
        features=features or some_features(),
        target=target or Target(name="Status", positive="bad", negative="good"),
        set_aside=(
            SetAside(name="Loan number", reason="id_like", detail="4,454 distinct whole numbers."),
            SetAside(name="Country", reason="constant", detail="Always “ES”."),
            SetAside(name="Remarks", reason="free_text", detail="Longest text: 812 characters."),
            SetAside(name="Days late", reason="dropped", detail="Named by --drop."),
        ),
    )


def a_manifest(signature: Signature | None = None, **changes: object) -> Manifest:
    signature = signature or a_signature()
    reference = FeatureReference(column="score", edges=(500.0,), shares=(0.4, 0.6), missing=0.0)
    manifest = Manifest(
        format=FORMAT,
        model="credit",
        signature=signature,
        calibration=Calibration(method="platt", margins=(-1.0, 1.0), log_odds=(-1.0, 1.0)),
        scale=ScoreScale(rising=False),
        bands=tuple(Band(name=name, low=low, high=high) for name, low, high in reversed(BANDS)),
        threshold=THRESHOLD,
        reference_row=(),
        importance=some_shares(signature.features),
        metrics=some_metrics(891),
        reference=(),
        score_reference=reference,
        training=a_provenance(),
        files={},
    )
    return msgspec.structs.replace(manifest, **changes)


def a_provenance() -> Provenance:
    return Provenance(
        table_sha256="8d2f" * 16,
        rows=4454,
        training_rows=3563,
        test_rows=891,
        unparsed_cells=0,
        split="at random, stratified by the target",
        seed=7,
        budget=60.0,
        settings={"learning_rate": "0.05", "num_leaves": "15", "folds": "5"},
        libraries={"lightgbm": "4.6.0", "numpy": "2.3.1", "placar": "0.1.0"},
        members={"boosted trees": 0.7, "logistic regression": 0.3},
    )


def some_metrics(rows: int, **changes: float) -> Metrics:
    metrics = Metrics(
        auc=0.836,
        auc_low=0.808,
        auc_high=0.864,
        log_loss=0.447,
        brier=0.144,
        ks=0.531,
        ece=0.019,
        base_rate=0.282,
        rows=rows,
    )
    return msgspec.structs.replace(metrics, **changes)


@dataclass(frozen=True)
class Scored:
    """Test rows: what the model said, and what was true."""

    probability: NDArray[np.float64]
    positive: NDArray[np.bool_]

    @property
    def score(self) -> NDArray[np.int64]:
        log_odds = np.log(self.probability / (1 - self.probability))
        points = np.rint(500 - 50 / math.log(2) * log_odds)
        return np.clip(points, 0, 1000).astype(np.int64)


def some_scored(rows: int, rate: float = 0.28, strength: float = 1.35) -> Scored:
    """Draw rows whose probabilities are calibrated but for noise."""
    random = np.random.default_rng(20240501)
    positive = random.random(rows) < rate
    signal = random.normal(size=rows) + strength * positive
    prior = math.log(rate / (1 - rate))
    log_odds = prior + strength * (signal - strength / 2) + random.normal(0, 0.12, rows)
    return Scored(1 / (1 + np.exp(-log_odds)), positive)


def an_evaluation(scored: Scored | None = None, **changes: object) -> Evaluation:
    scored = scored or some_scored(891)
    order = np.argsort(-scored.probability, kind="stable")
    evaluation = Evaluation(
        metrics=some_metrics(len(scored.positive)),
        roc=_roc(scored.positive[order]),
        reliability=_reliability(scored),
        gain=_gain(scored.positive[order]),
        confusion=a_confusion(scored, THRESHOLD),
        thresholds=tuple(a_confusion(scored, one / 10) for one in (1, 2, 3, 4, 5, 7)),
        bands=_bands(scored),
        score_counts_positive=_counts(scored.score[scored.positive]),
        score_counts_negative=_counts(scored.score[~scored.positive]),
        members=(
            MemberResult("boosted trees", 0.7, 0.4521, 0.831, 0.4532),
            MemberResult("logistic regression", 0.3, 0.4688, 0.815, 0.4702),
            MemberResult("blend", 1.0, 0.4490, 0.836, 0.4472),
        ),
        notes=("34 cells of “Income” could not be read as numbers and count as missing.",),
    )
    return replace(evaluation, **changes)  # type: ignore[arg-type]  # any field, by name


def a_confusion(scored: Scored, threshold: float) -> Confusion:
    called = scored.probability >= threshold
    return Confusion(
        threshold=threshold,
        true_positives=int((called & scored.positive).sum()),
        false_positives=int((called & ~scored.positive).sum()),
        true_negatives=int((~called & ~scored.positive).sum()),
        false_negatives=int((~called & scored.positive).sum()),
    )


def _roc(positive: NDArray[np.bool_]) -> tuple[tuple[float, float], ...]:
    found = np.cumsum(positive) / max(positive.sum(), 1)
    alarms = np.cumsum(~positive) / max((~positive).sum(), 1)
    places = np.linspace(0, len(positive) - 1, 150).astype(int)
    return ((0.0, 0.0), *((float(alarms[at]), float(found[at])) for at in places))


def _gain(positive: NDArray[np.bool_]) -> tuple[GainPoint, ...]:
    points = []
    for percentage in (1, 2, 5, *range(10, 101, 5)):
        rows = max(round(len(positive) * percentage / 100), 1)
        captured = float(positive[:rows].sum() / max(positive.sum(), 1))
        share = rows / len(positive)
        points.append(GainPoint(share=share, captured=captured, lift=captured / share))
    return tuple(points)


def _reliability(scored: Scored) -> tuple[ReliabilityBin, ...]:
    groups = np.array_split(np.argsort(scored.probability, kind="stable"), 10)
    return tuple(
        a_bin(
            float(scored.probability[group].mean()), int(scored.positive[group].sum()), len(group)
        )
        for group in groups
        if len(group)
    )


def a_bin(predicted: float, positives: int, rows: int) -> ReliabilityBin:
    """Return a bin with its Wilson interval."""
    observed, squared = positives / rows, 1.96**2
    middle = (observed + squared / (2 * rows)) / (1 + squared / rows)
    spread = observed * (1 - observed) / rows + squared / (4 * rows**2)
    half = 1.96 / (1 + squared / rows) * math.sqrt(spread)
    return ReliabilityBin(rows, predicted, observed, max(middle - half, 0), min(middle + half, 1))


def _bands(scored: Scored) -> tuple[BandRow, ...]:
    rows = []
    for name, low, high in reversed(BANDS):
        inside = (scored.score >= low) & (scored.score <= high)
        mean = float(scored.probability[inside].mean()) if inside.any() else math.nan
        positives = int((inside & scored.positive).sum())
        rows.append(BandRow(name, low, high, int(inside.sum()), positives, mean))
    return tuple(rows)


def _counts(scores: NDArray[np.int64]) -> tuple[int, ...]:
    counts, _ = np.histogram(scores, bins=100, range=(0, 1000))
    return tuple(int(number) for number in counts)
