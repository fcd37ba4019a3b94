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

_NOT_WORD = re.compile(r"[\W_]+")


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
        self._codes = _codes(self._names)
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
        found = ((i, round(float(contributions[i]))) for i in order.tolist())
        return tuple(_reason(self._names[i], self._codes[i], p) for i, p in found if p)


def _column_ranges(manifest: Manifest) -> Sequence[tuple[int, int]]:
    ranges, start = [], 0
    for feature in manifest.signature.features:
        end = start + len(feature_columns(feature))
        ranges.append((start, end))
        start = end
    return ranges


def _codes(names: Sequence[str]) -> tuple[str, ...]:
    """Return a code for each name: letters and digits in capitals, no two alike."""
    codes: list[str] = []
    for name in names:
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        base = _NOT_WORD.sub("_", plain).strip("_") or _NOT_WORD.sub("_", name).strip("_")
        code = base = base.upper() or "FEATURE"
        number = 1
        while code in codes:
            number += 1
            code = f"{base}_{number}"
        codes.append(code)
    return tuple(codes)


def _reason(name: str, code: str, points: int) -> Reason:
    rises = points > 0
    unit = "point" if abs(points) == 1 else "points"
    return Reason(
        feature=name,
        points=points,
        code=code + ("_UP" if rises else "_DOWN"),
        text=f"{name} {'raises' if rises else 'lowers'} the score by {abs(points)} {unit}",
    )
