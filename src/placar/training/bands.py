"""Bands: five intervals of the score that held about equally many rows in training."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from placar.package.manifest import Band
from placar.scoring.scale import HIGHEST, LOWEST

_CUTS = (0.2, 0.4, 0.6, 0.8)
_NAMES = "ABCDE"


def make_bands(scores: NDArray[np.int64], *, rising: bool = True) -> tuple[Band, ...]:
    """Cut the scale at the quintiles of out-of-fold scores; A is the least likely positive.

    Quintiles that fall together give fewer bands.

    Args:
        scores: (t,) whole points of the training part, out of fold.
        rising: whether the score grows with the probability of the positive value.
    """
    cuts = np.quantile(scores, _CUTS, method="higher").astype(np.int64)
    lows = [LOWEST, *(cut for cut in np.unique(cuts).tolist() if LOWEST < cut <= HIGHEST)]
    highs = [low - 1 for low in lows[1:]] + [HIGHEST]
    names = _NAMES[: len(lows)]
    return tuple(
        Band(name=name, low=low, high=high)
        for name, low, high in zip(names if rising else names[::-1], lows, highs, strict=True)
    )
