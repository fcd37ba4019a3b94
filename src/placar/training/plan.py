"""How much boosting a table gets: which shapes of trees, how many rounds, on how many rows.

A function of the table's size and the budget alone, so that the same run can be made again;
unless memory runs short, see ``reduction.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

ROUND_SECONDS = 1e-3
CELL_SECONDS = 15e-9
"""Estimated time of one boosting round: per round, and per cell of the matrix. Four times what
one core of a 2024 server needs, because small instances have shared halves of slower cores."""

MOST_BINS = 255
"""To which LightGBM rounds each number, unless it has to do with fewer."""

MOST_ROUNDS = 2000
FEWEST_ROUNDS = 20
FEWEST_ROWS = 1000

SLOW, BRISK, FAST = 0.05, 0.08, 0.1
"""Learning rates: for small tables, for large ones, and when time is short. On large tables the
slow rate costs twice the time, in scoring too, and the test AUC of benchmarks/quality is no
higher."""

_ENOUGH = 20.0
"""Most tables need about this many rounds, times one over the learning rate."""
_PATIENCE = 2.5
"""Rounds to wait for a lower loss, times one over the learning rate."""

_SMALL_TABLE, _LARGE_TABLE = 3_000, 10_000
"""Training rows below and from which other shapes of trees are tried."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How large the trees are, and what keeps them from learning noise."""

    name: str
    leaves: int
    columns: float
    """Share of the columns that each tree may use."""
    rows: float
    """Share of the rows that each tree sees."""
    l2: float


TINY = Shape("tiny", 4, 0.7, 1.0, 0.0)
SMALL = Shape("small", 8, 0.5, 0.8, 5.0)
MEDIUM = Shape("medium", 16, 0.7, 1.0, 0.0)
LARGE = Shape("large", 31, 0.7, 1.0, 0.0)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do within the budget."""

    shapes: tuple[Shape, ...]
    rounds: int
    """At most, per booster."""
    learning_rate: float
    patience: int
    """Rounds without a lower loss on the held fold after which a booster is done."""
    rows: int
    """At most, per booster."""
    seconds: float
    """Of CPU, after which what the plan did not end is ended."""
    bins: int = MOST_BINS
    """To which numbers are rounded."""


def make_plan(rows: int, columns: int, folds: int, budget: float) -> Plan:
    """Plan the boosting of ``rows`` training rows in ``folds`` folds.

    Two shapes are tried when there is time for both; then the learning rate is raised, then
    rows are left out.

    Args:
        rows: of the training part.
        columns: of the encoded matrix.
        folds: number of boosters per shape.
        budget: seconds that fitting may take.
    """
    shapes = shapes_for(rows)
    rate = SLOW if rows < _LARGE_TABLE else BRISK
    seen = rows - rows // folds  # the most that any fold leaves
    if _affordable(seen, columns, 2 * folds, budget) < _ENOUGH / rate:
        shapes = shapes[:1]
    turns = len(shapes) * folds
    rounds = _affordable(seen, columns, turns, budget)
    if rounds < _ENOUGH / rate:
        rate = FAST
    if rounds < _ENOUGH / rate:
        seconds = budget / turns / (_ENOUGH / rate) - ROUND_SECONDS
        seen = min(seen, max(FEWEST_ROWS, int(seconds / (CELL_SECONDS * columns))))
        rounds = _affordable(seen, columns, turns, budget)
    return Plan(
        shapes=shapes,
        rounds=min(MOST_ROUNDS, max(FEWEST_ROUNDS, rounds)),
        learning_rate=rate,
        patience=round(_PATIENCE / rate),
        rows=seen,
        seconds=budget,
    )


def shapes_for(rows: int) -> tuple[Shape, ...]:
    """Return the two shapes worth trying, the likelier one first."""
    if rows < _SMALL_TABLE:
        return (SMALL, TINY)
    return (SMALL, MEDIUM) if rows < _LARGE_TABLE else (MEDIUM, LARGE)


def _affordable(rows: int, columns: int, boosters: int, budget: float) -> int:
    return int(budget / boosters / (ROUND_SECONDS + CELL_SECONDS * rows * columns))
