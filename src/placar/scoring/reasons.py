"""Why a row has its score: what each feature's value contributes, in points.

The method is *replacement by a typical value* (one-at-a-time ablation): a feature's points are
the row's score minus its score with this feature alone set to the package's reference row.
Contributions need not add up when features interact.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from placar.package.manifest import Manifest
from placar.signature.model import feature_columns

_NOT_WORD = re.compile(r"[^0-9A-Za-z]+")


class Reason(msgspec.Struct, frozen=True):
    """One feature's part in a score. Never holds the value itself."""

    feature: str
    points: int
    code: str
    text: str


class Explainer:
    """Finds reasons by rerunning one row with single features replaced. Immutable."""

    def __init__(
        self, manifest: Manifest, score: Callable[[NDArray[np.float32]], NDArray[np.float64]]
    ) -> None:
        """Take the model as a function from matrix (n, k) to exact points (n,)."""
        self._names = tuple(f.name for f in manifest.signature.features)
        self._columns = _column_ranges(manifest)
        self._reference = np.asarray(manifest.reference_row, dtype=np.float32)
        self._score = score

    def reasons(self, encoded: NDArray[np.float32], most: int) -> tuple[Reason, ...]:
        """Return up to ``most`` reasons, the largest contribution first.

        Args:
            encoded: one row, (1, k).
            most: how many; features that change nothing are left out.
        """
        rows = np.repeat(encoded, len(self._columns) + 1, axis=0)
        for position, (start, end) in enumerate(self._columns, 1):
            rows[position, start:end] = self._reference[start:end]
        scores = self._score(rows)
        return self._ranked(scores[0] - scores[1:], most)

    def _ranked(self, contributions: NDArray[np.float64], most: int) -> tuple[Reason, ...]:
        order = np.argsort(-np.abs(contributions), kind="stable")[:most]
        found = ((self._names[i], round(float(contributions[i]))) for i in order)
        return tuple(_reason(name, points) for name, points in found if points)


def _column_ranges(manifest: Manifest) -> Sequence[tuple[int, int]]:
    ranges, start = [], 0
    for feature in manifest.signature.features:
        end = start + len(feature_columns(feature))
        ranges.append((start, end))
        start = end
    return ranges


def _reason(name: str, points: int) -> Reason:
    direction = "raises" if points > 0 else "lowers"
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    code = _NOT_WORD.sub("_", plain).strip("_").upper() + ("_UP" if points > 0 else "_DOWN")
    unit = "point" if abs(points) == 1 else "points"
    return Reason(name, points, code, f"{name} {direction} the score by {abs(points)} {unit}")
