"""What all formats share on the way to columns: what a reading is, and the SQL of a cell.

CSV cells are text as written, so that ids such as 007 stay. Parquet and JSON lines bring types:
numbers become DOUBLE, all else becomes text. Texts are trimmed; an empty one is NULL, and
nothing else is.
"""

# ruff: noqa: S608 - identifiers are the engine's own (c0, part_0, …); texts go through literal()

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import duckdb

from placar.errors import TableRejected
from placar.table.database import literal
from placar.table.source import Source

_log = logging.getLogger(__name__)

_BLANKS: Final = "".join(chr(code) for code in range(0x3001) if chr(code).isspace())
"""What ``str.strip`` removes, since that is how the cells of JSON rows are read."""

_BLANK_EDGE: Final = literal(f"^[{_BLANKS}]|[{_BLANKS}]$")


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """A column of a table."""

    name: str
    numeric: bool
    """Its arrays are float64 with NaN for missing; else they are objects, str or None."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read a file into columns."""

    columns: tuple[ColumnInfo, ...]
    select: Callable[[Sequence[int]], str]
    """Return the SQL that gives some of the columns, by position, under the names c0, c1, …"""
    refused: Callable[[duckdb.Error], TableRejected]
    """Say in Placar's words what the engine objects to in the file."""


@contextmanager
def refusals(refused: Callable[[duckdb.Error], TableRejected]) -> Iterator[None]:
    """Translate what the engine objects to; its own words would quote the table's cells."""
    try:
        yield
    except duckdb.Error as error:
        _log.info("table_refused", extra={"engine_error": type(error).__name__})
        raise refused(error) from None


def text_cell(cell: str) -> str:
    """Return the SQL of a trimmed text, NULL when nothing is left."""
    # The regular expression is there for speed: hardly a cell needs the slower trim.
    return (
        f"nullif(CASE WHEN regexp_matches({cell}, {_BLANK_EDGE}) "
        f"THEN trim({cell}, {literal(_BLANKS)}) ELSE {cell} END, '')"
    )


def number_cell(cell: str) -> str:
    """Return the SQL of a number, NULL when it is NaN."""
    return f"nullif(CAST({cell} AS DOUBLE), CAST('NaN' AS DOUBLE))"


def number_text(cell: str) -> str:
    """Return the SQL of a number's canonical text; see ``signature.parse.canonical_text``."""
    return (
        f"CASE WHEN abs({cell}) < 1e38 AND {cell} = trunc({cell}) "
        f"THEN CAST(CAST({cell} AS HUGEINT) AS VARCHAR) ELSE CAST({cell} AS VARCHAR) END"
    )


def select_cells(
    cells: Sequence[str] | Mapping[int, str], positions: Sequence[int], relation: str
) -> str:
    """Return the SQL of a reading's ``select`` over one relation."""
    listed = ", ".join(f"{cells[position]} AS c{position}" for position in positions)
    return f"SELECT {listed} FROM {relation}"


def compression(source: Source) -> str:
    """Return the engine's option for reading a text source."""
    return f"compression = '{'gzip' if source.gzipped else 'none'}'"
