"""What a column holds: one query over its distinct values, weighted by how often they occur.

The grammars of numbers and dates are those of ``signature/parse.py``, written once more for the
engine; ``tests/unit/table/test_profile.py`` holds the two together.
"""

# ruff: noqa: S608 - identifiers are the engine's own (c0, part_0, …); texts go through literal()

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

from placar.signature.model import MARKERS
from placar.table.database import Database, literal
from placar.table.reading import ColumnInfo, number_text

_NUMBER: Final = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
_CLOCK: Final = (
    r"([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d([.,]\d{1,9})?)?[ \t\n\r\f\v]?(Z|[+-]\d{2}:?\d{2})?)?"
)
_ISO: Final = r"\d{4}-\d{2}-\d{2}" + _CLOCK
_SLASHED: Final = r"\d{1,2}/\d{1,2}/\d{4}" + _CLOCK

_ODD_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """A column summed up. Texts are trimmed; those of ``MARKERS`` count as missing."""

    name: str
    numeric: bool
    rows: int
    missing: int
    distinct: int
    """Different values that are not missing."""
    numbers: int
    """Cells that are finite numbers."""
    whole: bool
    """There are numbers, and all of them are whole."""
    low: float | None
    """The least number."""
    high: float | None
    """The greatest number."""
    median: float | None
    odd: tuple[str, ...]
    """The most frequent texts that are neither missing nor numbers, at most five."""
    odd_distinct: int
    """How many different such texts there are."""
    iso: int
    """Cells that are valid dates, year first."""
    dmy: int
    """Cells that are valid dates, day first. A cell can count here and in ``mdy``."""
    mdy: int
    """Cells that are valid dates, month first."""
    with_time: int
    """Dates that have a time of day."""
    booleans: int
    """Cells that are true or false, in any case."""


def profile_column(database: Database, cells: str, column: ColumnInfo, rows: int) -> ColumnProfile:
    """Return the profile of a column.

    Args:
        database: where it is.
        cells: its cells, as a relation with one column, v.
        column: its name and type.
        rows: how many cells there are.
    """
    _count_values(database, cells, numeric=column.numeric)
    facts = _facts(database)
    odd = database.rows(
        f"SELECT s FROM counted WHERE x IS NULL ORDER BY n DESC, s LIMIT {_ODD_SHOWN}"
    )
    present = cast("int", facts.pop("present"))
    return ColumnProfile(
        name=column.name,
        numeric=column.numeric,
        rows=rows,
        missing=rows - present,
        median=_median(database) if facts["numbers"] else None,
        odd=tuple(cast("str", text) for (text,) in odd),
        **facts,  # type: ignore[arg-type]  # the query's names and types are the fields'
    )


def _count_values(database: Database, cells: str, *, numeric: bool) -> None:
    """Leave the distinct values in the table ``counted``.

    Its columns are the text s, the finite number x that it is (or NULL), and how often it occurs
    as n.
    """
    if numeric:
        text, number = number_text("v"), "CASE WHEN isfinite(v) THEN v END"
        where = "TRUE"
    else:
        markers = ", ".join(literal(marker) for marker in sorted(MARKERS))
        text, number = "v", _finite_number("v")
        where = f"v NOT IN ({markers})"
    database.run(
        f"CREATE OR REPLACE TEMP TABLE counted AS SELECT {text} AS s, {number} AS x, n "
        f"FROM (SELECT v, count(*) AS n FROM {cells} "
        f"WHERE v IS NOT NULL AND {where} GROUP BY v)"
    )


def _facts(database: Database) -> dict[str, object]:
    """Return all that one pass over the distinct values can tell, by field name."""
    wanted = {
        "present": _weight("TRUE"),
        "distinct": "count(*)",
        "numbers": _weight("x IS NOT NULL"),
        "whole": "coalesce(bool_and(x = trunc(x)), FALSE)",
        "low": "min(x)",
        "high": "max(x)",
        "odd_distinct": "count(*) FILTER (x IS NULL)",
        "iso": _weight("iso"),
        "dmy": _weight("dmy"),
        "mdy": _weight("mdy"),
        "with_time": _weight("(iso OR dmy OR mdy) AND contains(s, ':')"),
        "booleans": _weight("lower(s) IN ('true', 'false')"),
    }
    [values] = database.rows(
        f"SELECT {', '.join(wanted.values())} FROM (SELECT *, "
        f"{_is_iso('s')} AS iso, {_is_slashed('s', '3-2-1')} AS dmy, "
        f"{_is_slashed('s', '3-1-2')} AS mdy FROM counted)"
    )
    return dict(zip(wanted, values, strict=True))


def _median(database: Database) -> float | None:
    """Return the middle number, or the mean of the two middle ones."""
    [(below, above)] = database.rows(
        "SELECT min(x) FILTER (upto >= half), min(x) FILTER (upto > half) FROM ("
        "SELECT x, sum(n) OVER (ORDER BY x ROWS UNBOUNDED PRECEDING) AS upto, "
        "sum(n) OVER () / 2 AS half FROM ("
        "SELECT x, sum(n) AS n FROM counted WHERE x IS NOT NULL GROUP BY x))"
    )
    if below is None or above is None:
        return None
    low, high = cast("float", below), cast("float", above)
    # Halves first: the sum of two large numbers would be infinite.
    return low if low == high else low / 2 + high / 2


def _weight(condition: str) -> str:
    return f"CAST(coalesce(sum(n) FILTER ({condition}), 0) AS BIGINT)"


def _finite_number(cell: str) -> str:
    number = f"TRY_CAST({cell} AS DOUBLE)"
    return (
        f"CASE WHEN regexp_full_match({cell}, {literal(_NUMBER)}) AND isfinite({number}) "
        f"THEN {number} END"
    )


def _is_iso(cell: str) -> str:
    # The engine knows a year 0, Python's calendar does not.
    return (
        f"(regexp_full_match({cell}, {literal(_ISO)}) AND NOT starts_with({cell}, '0000') "
        f"AND TRY_CAST(left({cell}, 10) AS DATE) IS NOT NULL)"
    )


def _is_slashed(cell: str, order: str) -> str:
    """Return the SQL that tells a valid date with slashes; ``order`` puts its parts year first."""
    year_first = "-".join(f"\\{part}" for part in order.split("-"))
    parts = literal(r"(?s)^(\d+)/(\d+)/(\d+).*$")
    return (
        f"(regexp_full_match({cell}, {literal(_SLASHED)}) AND NOT contains({cell}, '/0000') "
        f"AND TRY_CAST(regexp_replace({cell}, {parts}, {literal(year_first)}) AS DATE) "
        "IS NOT NULL)"
    )
