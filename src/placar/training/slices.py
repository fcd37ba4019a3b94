"""Going through long arrays in slices, so that nothing is as long as the table in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

_CELLS = 250_000
"""Cells of a slice: a megabyte of float32, and few enough to stay near the processor."""
_MOST_ROWS = 20_000


def slices(rows: int, width: int) -> Iterator[slice]:
    """Yield consecutive slices that cover ``rows`` rows of ``width`` cells."""
    step = min(_MOST_ROWS, max(1, _CELLS // max(1, width)))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def in_slices(
    function: Callable[[NDArray[np.float32]], NDArray[np.float64]], matrix: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return ``function`` of each row of an encoded matrix (n, k), slice by slice: (n,)."""
    result = np.empty(len(matrix), dtype=np.float64)
    for part in slices(*matrix.shape):
        result[part] = function(np.ascontiguousarray(matrix[part]))
    return result
