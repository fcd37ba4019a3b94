"""The package manifest, as data.

A package is an immutable folder: ``manifest.json``, ``model.onnx`` (float32 matrix → margin),
``golden.json`` (rows with their exact answers), ``report.html``. Its identity, the *version*,
is the SHA-256 of ``manifest.json``, which holds the SHA-256 of every other file. Nothing in a
package depends on the clock, on paths or on the run that made it: same table, settings, seed
and library versions give the same bytes.
"""

from __future__ import annotations

import msgspec

from placar.signature.model import Signature

FORMAT = 1
"""See ``reader.py`` for the procedure of changing it."""

MANIFEST_FILE = "manifest.json"
MODEL_FILE = "model.onnx"
GOLDEN_FILE = "golden.json"
REPORT_FILE = "report.html"

VERSION_LENGTH = 12
"""Hexadecimal digits of the SHA-256 that name a version on screen and in addresses."""


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Calibration(_Part, frozen=True, kw_only=True):
    """A monotone, piecewise linear map from margin to calibrated log-odds.

    ``margins`` ascend strictly; outside them the first and last segments go on. Platt scaling
    is the case of two knots.
    """

    method: str
    margins: tuple[float, ...]
    log_odds: tuple[float, ...]


class ScoreScale(_Part, frozen=True, kw_only=True):
    """Points: ``base_score`` at ``base_odds`` of the positive value, and how many double them.

    ``score = base_score ± points_to_double / ln 2 · (log_odds - ln base_odds)``, plus when
    ``rising``, rounded and kept within 0…1000. Fixed constants: the same points mean the same
    odds across retrains.
    """

    base_score: float = 500.0
    base_odds: float = 1.0
    points_to_double: float = 20.0
    """The usual figure of scorecards; 0 and 1000 lie beyond odds of one in 30 million."""
    rising: bool = True


class Band(_Part, frozen=True, kw_only=True):
    """An interval of scores, ``low`` and ``high`` included. Bands partition 0…1000, ascending."""

    name: str
    low: int
    high: int


class Metrics(_Part, frozen=True, kw_only=True):
    """Figures on the test part, which nobody fitted on."""

    auc: float
    auc_low: float
    auc_high: float
    """95 % confidence interval (Newcombe)."""
    log_loss: float
    brier: float
    ks: float
    ece: float
    base_rate: float
    rows: int


class Importance(_Part, frozen=True, kw_only=True):
    """How much one feature matters: share of the total, 0…1."""

    feature: str
    share: float


class FeatureReference(_Part, frozen=True, kw_only=True):
    """Training distribution of one encoded column.

    Numbers: ``edges`` ascend and ``shares`` has one entry more than there are edges.
    Categories: ``edges`` is empty and ``shares`` follows the codes 1 (other), 2… (vocabulary).
    """

    column: str
    edges: tuple[float, ...]
    shares: tuple[float, ...]
    missing: float


class Provenance(_Part, frozen=True, kw_only=True):
    """Where the model comes from; enough to make it again."""

    table_sha256: str
    rows: int
    training_rows: int
    test_rows: int
    unparsed_cells: int
    split: str
    seed: int
    budget: float
    """Seconds that fitting was given."""
    settings: dict[str, str]
    libraries: dict[str, str]
    members: dict[str, float]
    """Weight of each member of the blend, in log-odds; they sum to 1."""


class Manifest(_Part, frozen=True, kw_only=True):
    """Everything about a package but the model's own bytes."""

    format: int
    model: str
    signature: Signature
    calibration: Calibration
    scale: ScoreScale
    bands: tuple[Band, ...]
    threshold: float
    """Probability from which the prediction is the positive value."""
    reference_row: tuple[float, ...]
    """A typical row, encoded: medians and most frequent codes. Reasons compare with it."""
    importance: tuple[Importance, ...]
    """Of every feature, the largest share first."""
    metrics: Metrics
    reference: tuple[FeatureReference, ...]
    score_reference: FeatureReference
    """Distribution of the scores of the training part, out of fold."""
    training: Provenance
    files: dict[str, str]
    """SHA-256 of every other file of the package."""


class GoldenRow(_Part, frozen=True, kw_only=True):
    """A row as a client would send it, and the exact answer."""

    row: dict[str, str | float | int | bool | None]
    probability: float
    score: int
    band: str


class Golden(_Part, frozen=True, kw_only=True):
    """``golden.json``."""

    rows: tuple[GoldenRow, ...]
