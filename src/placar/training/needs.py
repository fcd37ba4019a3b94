"""How much memory learning from a table takes, told before it is taken.

The figures are those of ``benchmarks/training/memory.py``, which prints them beside the estimate:
it lies between a twentieth below and a sixth above what was measured.
"""

from __future__ import annotations

from placar.errors import RunDoesNotFit
from placar.training.plan import MOST_BINS, shapes_for

FEWER_BINS = 63
"""To which numbers are rounded when memory is short."""
FEWER_SAMPLED = 50_000
"""Rows by which the bins are chosen then."""

_MIB = 1024 * 1024
_LIBRARIES = 62 * _MIB
"""Held once everything is imported."""
_PER_ROW = 100
"""Margins of every penalty and booster, gradients, outcomes, folds."""
_PER_CELL = 1.8
"""One byte in the binned table and again in the part of it that a booster learns from."""
_LINEAR = 30 * _MIB
"""The expanded rows of the regression at their most (see ``linear.py``), and what they pass
through; gone when the trees begin."""
_LINEAR_CELL = 40
_SAMPLED, _SAMPLED_CELL = 200_000, 8
"""Of these rows LightGBM copies every number to choose the bins; gone when they are chosen."""
_PER_BIN = 16
"""Of the histograms: one for each column and leaf."""
_SAFETY = 1.1


def learning_need(rows: int, columns: int, bins: int = MOST_BINS) -> int:
    """Return the bytes that learning takes (see ``memory.held_memory``).

    Args:
        rows: of the training part.
        columns: of the encoded matrix.
        bins: to which numbers are rounded.
    """
    sampled = _SAMPLED if bins == MOST_BINS else FEWER_SAMPLED
    leaves = max(shape.leaves for shape in shapes_for(rows))
    for_a_while = (
        min(_LINEAR, _LINEAR_CELL * rows * columns),
        min(sampled, rows) * columns * _SAMPLED_CELL,
        columns * bins * leaves * _PER_BIN,
    )
    lasting = _LIBRARIES + _PER_ROW * rows + _PER_CELL * rows * columns
    return int(_SAFETY * (lasting + max(for_a_while)))


def rows_within(memory: int, columns: int, bins: int = MOST_BINS) -> int:
    """Return the most training rows that can be learnt from in so many bytes, 0 if none."""
    low, high = 0, max(1, memory // _PER_ROW)
    while low < high:
        middle = (low + high + 1) // 2
        if learning_need(middle, columns, bins) <= memory:
            low = middle
        else:
            high = middle - 1
    return low


def check_fits(rows: int, columns: int, memory: int) -> None:
    """Refuse a table of which not even half can be learnt from.

    One that would fit by half is tried as a whole: the estimate is on the safe side, and a run
    that runs short begins again with less (see ``supervisor.py``).

    Args:
        rows: of the training part, ``columns`` of the encoded matrix.
        columns: see ``rows``.
        memory: bytes that learning may take.

    Raises:
        RunDoesNotFit: with the estimate, and how many rows would fit.
    """
    least = learning_need(rows // 2, columns, FEWER_BINS)
    if least <= memory:
        return
    whole = learning_need(rows, columns)
    raise RunDoesNotFit(
        f"Learning from {rows:,} rows of {_plural(columns)} would take about {megabytes(whole)}, "
        f"and from half of them still {megabytes(least)}; the run may use {megabytes(memory)}.",
        way_out=advice(rows, columns, memory),
    )


def advice(rows: int, columns: int, memory: int) -> str:
    """Return what would help: so much memory, or so many rows."""
    need = learning_need(rows, columns)
    fitting = min(rows, rows_within(memory, columns)) * 5 // 4  # a fifth of a table is the test
    digits = max(0, len(str(fitting)) - 2)
    told = f", or train on at most {fitting // 10**digits * 10**digits:,} rows" if fitting else ""
    return (
        f"Set PLACAR_RUN_MEMORY={megabytes(need, '')} (or --memory) in a box that has as much "
        f"left{told}."
    )


def megabytes(amount: int, blank: str = " ") -> str:
    """Return an amount of memory as people write it, rounded up."""
    return f"{-(-amount // _MIB)}{blank}MB"


def _plural(columns: int) -> str:
    return "1 column" if columns == 1 else f"{columns:,} columns"
