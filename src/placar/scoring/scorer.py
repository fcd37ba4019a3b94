"""The Scorer: one version, ready to answer. Immutable; a new model is a new Scorer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from placar.errors import Issue
from placar.package.manifest import VERSION_LENGTH, Manifest
from placar.scoring import scale
from placar.scoring.calibration import (
    ScalarCalibration,
    log_odds,
    probability,
    scalar_probability,
)
from placar.scoring.graph import Graph
from placar.scoring.reasons import Explainer, Reason
from placar.signature.columns import ColumnEncoder
from placar.signature.row import RowEncoder


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one row gets."""

    prediction: str
    probability: float
    """Calibrated probability of the positive value."""
    score: int
    band: str
    reasons: tuple[Reason, ...] | None = None
    warnings: tuple[Issue, ...] = ()


@dataclass(frozen=True, slots=True)
class Scores:
    """What many rows get, one entry per row."""

    probabilities: NDArray[np.float64]
    scores: NDArray[np.int64]
    bands: NDArray[np.object_]
    predictions: NDArray[np.object_]


class Scorer:
    """Answers rows with one version of one model. Safe to share between threads."""

    def __init__(self, manifest: Manifest, model: bytes, version: str) -> None:
        """Build everything that scoring needs.

        Raises:
            PackageRefused: the graph cannot be built or does not fit the signature.
        """
        self.manifest = manifest
        self.model = manifest.model
        self.version = version[:VERSION_LENGTH]
        self.row_encoder = RowEncoder(manifest.signature)
        self.column_encoder = ColumnEncoder(manifest.signature)
        self._graph = Graph(model, len(manifest.signature.columns))
        self._calibrate = ScalarCalibration(manifest.calibration)
        self._scale = manifest.scale
        self._band_names = tuple(band.name for band in manifest.bands)
        self._band_lows = tuple(band.low for band in manifest.bands)
        self._threshold = manifest.threshold
        target = manifest.signature.target
        self._values = (target.negative, target.positive)
        self._explainer = Explainer(manifest, self._exact_points)

    @property
    def reason_cells(self) -> int:
        """Cells that the model goes through to find the reasons of one row."""
        columns = len(self.manifest.reference_row)
        return columns * (len(self.manifest.signature.features) + 1)

    def score_row(self, row: Mapping[str, object], reasons: int = 0, path: str = "") -> Answer:
        """Return the answer to one JSON row.

        Args:
            row: JSON values by feature name.
            reasons: how many reasons to find; 0 for none.
            path: JSON pointer of the row in its request, prefixed to every issue.

        Raises:
            InvalidRow: the row does not fit the signature.
        """
        values, warnings = self.row_encoder.encode(row, path)
        matrix = np.array((values,), dtype=np.float32)
        odds = self._calibrate(self._graph.margin(matrix))
        chance = scalar_probability(odds)
        points = scale.whole_points(self._scale, odds)
        return Answer(
            prediction=self._values[chance >= self._threshold],
            probability=chance,
            score=points,
            band=self._band_names[scale.band_of(self._band_lows, points)],
            reasons=self._explainer.reasons(matrix, reasons) if reasons else None,
            warnings=warnings,
        )

    def margins(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return raw margins (n,) of encoded rows (n, columns)."""
        return self._graph.margins(matrix)

    def probabilities(self, margins: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return calibrated probabilities (n,) of raw margins (n,)."""
        return probability(log_odds(self.manifest.calibration, margins))

    def score_matrix(self, matrix: NDArray[np.float32]) -> Scores:
        """Return the answers to encoded rows (n, columns), without reasons."""
        odds = log_odds(self.manifest.calibration, self._graph.margins(matrix))
        chances = probability(odds)
        points = scale.points(self._scale, odds)
        return Scores(
            probabilities=chances,
            scores=points,
            bands=np.asarray(self._band_names, dtype=object)[
                scale.band_index(self.manifest.bands, points)
            ],
            predictions=np.asarray(self._values, dtype=object)[
                (chances >= self._threshold).astype(np.intp)
            ],
        )

    def reasons(self, encoded: NDArray[np.float32], most: int) -> tuple[Reason, ...]:
        """Return up to ``most`` reasons for one encoded row (1, columns)."""
        return self._explainer.reasons(encoded, most)

    def _exact_points(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        odds = log_odds(self.manifest.calibration, self._graph.margins(matrix))
        offset = self._scale.base_score - scale.factor(self._scale) * np.log(self._scale.base_odds)
        exact: NDArray[np.float64] = offset + scale.factor(self._scale) * odds
        return exact
