"""The proof that the compiled graph answers as the trained members do, on every row."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from placar.errors import ParityFailed
from placar.package.manifest import Calibration
from placar.scoring.calibration import log_odds, probability
from placar.scoring.graph import Graph
from placar.training.slices import in_slices

TOLERANCE = 1e-5
"""Greatest difference in calibrated probability that float32 sums may make."""

Margins = Callable[[NDArray[np.float32]], NDArray[np.float64]]


def prove_parity(
    graph: Graph,
    trained: Margins,
    calibration: Calibration,
    matrices: Iterable[NDArray[np.float32]],
) -> float:
    """Return the greatest difference in probability over all rows of all matrices.

    Args:
        graph: the compiled model.
        trained: margins of the trained members for encoded rows.
        calibration: from margin to log-odds.
        matrices: encoded rows, (n, k) each.

    Raises:
        ParityFailed: some row differs by more than the tolerance.
    """
    worst = 0.0
    for matrix in matrices:
        compiled = probability(log_odds(calibration, in_slices(graph.margins, matrix)))
        wanted = probability(log_odds(calibration, trained(matrix)))
        differences = np.abs(compiled - wanted)
        # NaN must fail too: it is not within any tolerance.
        if not np.all(differences <= TOLERANCE):
            raise ParityFailed(
                "The compiled model differs from the trained one by "
                f"{np.nanmax(differences):.1e} in probability; {TOLERANCE:.0e} is allowed."
            )
        worst = max(worst, float(differences.max(initial=0.0)))
    return worst
