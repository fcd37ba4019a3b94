"""How the two members are put together, decided on out-of-fold log loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from placar.training.metrics import log_loss

NOISE = 0.0005
"""A gain in log loss below this does not pay for a second member."""

_STEPS = 20


@dataclass(frozen=True, slots=True)
class Blend:
    """Weights of the members' margins; they sum to 1, and a weight of 0 leaves a member out."""

    trees: float
    linear: float

    def margins(
        self, trees: NDArray[np.float64] | float, linear: NDArray[np.float64] | float
    ) -> NDArray[np.float64]:
        """Return the weighted sum of the members' margins (n,)."""
        return np.asarray(self.trees * trees + self.linear * linear)


def choose_blend(
    positive: NDArray[np.bool_], trees: NDArray[np.float64], linear: NDArray[np.float64]
) -> Blend:
    """Return the blend with the lowest log loss, or a single member that is as good.

    Args:
        positive: (t,) outcomes.
        trees: (t,) out-of-fold margins of the boosted trees.
        linear: (t,) out-of-fold margins of the logistic regression.
    """
    shares = [round(step / _STEPS, 2) for step in range(_STEPS + 1)]
    blends = [Blend(share, round(1.0 - share, 2)) for share in shares]
    losses = [log_loss(positive, blend.margins(trees, linear)) for blend in blends]
    lowest = min(losses)
    # The regression is the simpler member, so it is asked first.
    for single in (0, _STEPS):
        if losses[single] < lowest + NOISE:
            return blends[single]
    return blends[losses.index(lowest)]
