"""Loading a package into a Scorer that has proved itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from placar.errors import InvalidRow, PackageRefused
from placar.package.manifest import GoldenRow
from placar.package.reader import read_package
from placar.scoring.scorer import Scorer

TOLERANCE = 1e-6
"""Greatest difference in probability that another CPU's float32 sums may make."""


def load_scorer(folder: Path, version: str | None = None) -> Scorer:
    """Return the scorer of the package in ``folder``: verified, built, golden rows reproduced.

    Args:
        folder: the package.
        version: the 64-digit hash that it must have, when it is known.

    Raises:
        PackageDamaged: a file is missing or was changed.
        PackageTooNew: a later Placar wrote it.
        PackageRefused: it cannot be built, or does not give its golden answers.
    """
    package = read_package(folder, version)
    scorer = Scorer(package.manifest, package.model, package.version)
    for position, golden in enumerate(package.golden.rows):
        if not _reproduces(scorer, golden):
            raise PackageRefused(
                f"Golden row {position} of {len(package.golden.rows)} gets another answer here."
            )
    return scorer


def _reproduces(scorer: Scorer, golden: GoldenRow) -> bool:
    """Ask both ways of scoring: one row, and a matrix of rows."""
    try:
        answer = scorer.score_row(golden.row)
    except InvalidRow:
        return False
    encoded = scorer.row_encoder.encode(golden.row).values
    many = scorer.score_matrix(np.asarray([encoded, encoded], dtype=np.float32))
    chances = (answer.probability, *many.probabilities.tolist())
    if any(not abs(chance - golden.probability) <= TOLERANCE for chance in chances):
        return False
    # A score may step to its neighbour when the probability sits on a rounding edge.
    return all(abs(score - golden.score) <= 1 for score in (answer.score, *many.scores.tolist()))
