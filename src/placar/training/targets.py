"""The target: which column, which of its two values is the positive one, and can it be learnt."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from placar.errors import TargetRejected
from placar.signature.model import MARKERS, Target
from placar.signature.parse import canonical_text, parse_number
from placar.table.engine import Table

FEWEST_ROWS = 10
"""Rows that each of the two values must have: fewer cannot be split into parts and folds."""

_POSITIVES = frozenset(
    ["1", "true", "yes", "y", "t", "sim", "s", "bad", "positive", "default", "churn", ">50k"]
)
"""Values that usually mean the thing to be predicted, in small letters."""

_TWO = 2
_MOST_VALUES = 100
"""Different values after which counting them ends: two are what can be learnt."""
_SHOWN = 5
_MOST_CLASSES = 20
_SHOWN_NAMES = 10


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The target and what it is in each of n rows."""

    target: Target
    positive: NDArray[np.bool_]
    """(n,)"""
    inferred: bool
    """The positive value was not named by anybody."""


def read_outcomes(table: Table, name: str, wanted: str | None) -> Outcomes:
    """Read the target column.

    Args:
        table: what to read.
        name: of the column to predict.
        wanted: the value that counts as 1; None to choose it (see ``choose_positive``).

    Raises:
        TargetRejected: there is no such column, or it cannot be learnt.
    """
    names = [column.name for column in table.columns]
    if name not in names:
        raise TargetRejected(
            f"The table has no column named {name!r}.", way_out=suggestion(name, names)
        )
    counts, codes = _count_values(table, name)
    _check_values(name, counts, int(np.count_nonzero(codes < 0)))
    positive = choose_positive(counts) if wanted is None else _find(wanted, counts, name)
    (negative,) = counts.keys() - {positive}
    return Outcomes(
        target=Target(name=name, positive=positive, negative=negative),
        positive=codes == list(counts).index(positive),
        inferred=wanted is None,
    )


def choose_positive(counts: dict[str, int]) -> str:
    """Return which of two values is the one to be predicted.

    The one that usually means so (``1``, ``yes``, ``bad`` …), else the rarer one.
    """
    usual = [value for value in counts if value.lower() in _POSITIVES]
    if len(usual) == 1:
        return usual[0]
    return min(counts, key=lambda value: (counts[value], value))


def canonical_value(value: str | float) -> str:
    """Return the one text of a target value: ``1``, ``1.0`` and ``1e0`` are the same.

    >>> canonical_value("1.0"), canonical_value(1.0), canonical_value(" bad ")
    ('1', '1', 'bad')
    """
    if isinstance(value, str):
        text = value.strip()
        number = parse_number(text)
        return text if number is None or math.isinf(number) else canonical_text(number)
    return canonical_text(float(value))


def _count_values(table: Table, name: str) -> tuple[dict[str, int], NDArray[np.int32]]:
    """Return rows per value in order of appearance, and each row's place in it (-1 missing)."""
    values: dict[str, int] = {}
    codes = np.empty(table.rows, dtype=np.int32)
    at = 0
    for part in table.slices([name]):
        cells = part[name].tolist()
        places = {value: _place(value, values) for value in dict.fromkeys(cells)}
        codes[at : at + len(cells)] = [places[value] for value in cells]
        at += len(cells)
        if len(values) > _MOST_VALUES:  # a table of millions of rows need not be counted out
            raise _too_many(name, f"more than {_MOST_VALUES} different values", values)
    counts = np.bincount(codes[codes >= 0], minlength=len(values))
    return dict(zip(values, counts.tolist(), strict=True)), codes


def _place(value: str | float | None, values: dict[str, int]) -> int:
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return -1
    if isinstance(value, str) and value.strip() in MARKERS:
        return -1
    return values.setdefault(canonical_value(value), len(values))


def _check_values(name: str, counts: dict[str, int], missing: int) -> None:
    if not counts:
        raise TargetRejected(
            f"The target {name!r} has no value in any row.",
            way_out="Name a column whose outcome is known.",
        )
    if missing:
        many = "1 row" if missing == 1 else f"{missing:,} rows"
        raise TargetRejected(
            f"The target {name!r} is missing in {many}.",
            way_out="Leave these rows out: training needs rows whose outcome is known.",
        )
    if len(counts) == 1:
        raise TargetRejected(
            f"The target {name!r} has one value only, {_listed(counts)}: nothing to tell apart.",
            way_out="Use a table that has rows of both outcomes.",
        )
    if len(counts) > _TWO:
        raise _too_many(name, f"{len(counts):,} different values", counts)
    rare = min(counts, key=lambda value: counts[value])
    rows = counts[rare]
    if rows < FEWEST_ROWS:
        raise TargetRejected(
            f"Only {rows} of {sum(counts.values()):,} rows have the target value {rare!r}.",
            way_out=f"Each of the two values needs at least {FEWEST_ROWS} rows.",
        )


def _too_many(name: str, how_many: str, values: Iterable[str]) -> TargetRejected:
    return TargetRejected(
        f"The target {name!r} has {how_many} ({_listed(values)}); "
        "Placar predicts targets with exactly two.",
        way_out="Name another column, or make one with two values, such as yes and no.",
    )


def _find(wanted: str, counts: Iterable[str], name: str) -> str:
    """Return the value that the caller means, in whatever case it was written."""
    canonical = canonical_value(wanted)
    values = list(counts)
    if canonical in values:
        return canonical
    alike = [value for value in values if value.lower() == canonical.lower()]
    if len(alike) == 1:
        return alike[0]
    raise TargetRejected(
        f"The target {name!r} never has the value {wanted!r}.",
        way_out=f"Its values are {_listed(values)}.",
    )


def _listed(values: Iterable[str]) -> str:
    """Return the first few values, quoted. Classes may be shown; many values are people's data."""
    shown = [repr(value[:40]) for value in sorted(values)]
    if len(shown) > _MOST_CLASSES:
        return "too many to be classes"
    more = ", …" if len(shown) > _SHOWN else ""
    if len(shown) == _TWO:
        return " and ".join(shown)
    return ", ".join(shown[:_SHOWN]) + more


def suggestion(name: str, names: Sequence[str]) -> str:
    """Return a sentence that helps with a column name that is not there."""
    close = difflib.get_close_matches(name.lower(), [known.lower() for known in names], n=1)
    if close:
        (best,) = [known for known in names if known.lower() == close[0]][:1]
        return f"Did you mean {best!r}?"
    shown = ", ".join(repr(known) for known in names[:_SHOWN_NAMES])
    return f"Its columns are {shown}{', …' if len(names) > _SHOWN_NAMES else ''}."
