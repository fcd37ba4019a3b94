"""Loading a package into a Scorer that has proved itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from placar.errors import InvalidRow, PackageRefused
from placar.package.manifest import Golden, GoldenRow
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
    if not package.golden.rows:
        raise PackageRefused("The package has no golden rows to prove itself with.")
    try:
        scorer = Scorer(package.manifest, package.model, package.version)
        wrong = _first_wrong(scorer, package.golden)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        # Its hashes hold, but it was never a package that could score.
        raise PackageRefused(
            f"The package makes no sense to this Placar ({type(error).__name__})."
        ) from error
    if wrong is not None:
        raise PackageRefused(
            f"Golden row {wrong} of {len(package.golden.rows)} gets another answer here."
        )
    return scorer


def _first_wrong(scorer: Scorer, golden: Golden) -> int | None:
    """Return the position of the first golden row that gets another answer."""
    rows = enumerate(golden.rows)
    return next((position for position, row in rows if not _reproduces(scorer, row)), None)


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
    # A score may step to its neighbour when the probability sits on a rounding edge, and into
    # another band with it.
    scores = (answer.score, *many.scores.tolist())
    bands = (answer.band, *many.bands.tolist())
    return all(
        abs(score - golden.score) <= 1 and (band == golden.band or score != golden.score)
        for score, band in zip(scores, bands, strict=True)
    )
