"""The first line of a CSV file, which is always its header: separator and column names."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from placar.errors import TableRejected
from placar.table.source import SAMPLE, Source

MOST_COLUMNS = 2_000

_SEPARATORS: Final = (",", ";", "\t", "|")
_RECORDS: Final = 100
"""How many records vote for the separator."""

_NAMES_SHOWN, _NAME_SHOWN = 3, 60
"""How many names a message lists, and characters of each."""


@dataclass(frozen=True, slots=True)
class Header:
    """How a CSV file is laid out."""

    separator: str
    cells: tuple[str, ...]
    """The names as written."""
    skip: int
    """Records before the first row: blank lines and the header itself."""
    lines: int
    """Lines that the header goes over; more than one when a name holds a line end."""


def read_header(source: Source) -> Header:
    """Return the header of a CSV source.

    The separator is the one that splits the header and agrees with most of the first records;
    a header that none of them splits is a single column, with the comma as separator.

    Raises:
        TableRejected: the first line does not end.
    """
    found = [_try(source, separator) for separator in _SEPARATORS]
    candidates = [(share, header) for share, header in found if header is not None]
    if not candidates:
        raise TableRejected(
            f"The first line of {source.path.name} does not end within {SAMPLE:,} characters.",
            way_out="The first line must hold the column names; check quotes and line ends.",
        )
    # max() keeps the first of equals, so that a comma wins over the others.
    return max(candidates, key=_preference)[1]


def column_names(cells: Sequence[str]) -> tuple[str, ...]:
    """Return the names of all columns: trimmed, and those without one numbered.

    Raises:
        TableRejected: two columns share a name, or there are too many of them.
    """
    bare = [cell.strip() for cell in cells]
    taken = set(bare)
    names = [name or _unused(f"column_{number}", taken) for number, name in enumerate(bare, 1)]
    if len(names) > MOST_COLUMNS:
        raise TableRejected(
            f"The table has {len(names):,} columns; Placar reads up to {MOST_COLUMNS:,}.",
            way_out="Leave those that you would name with --drop out of the file itself.",
        )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        listed = ", ".join(_shown(name) for name in twice[:_NAMES_SHOWN])
        rest = f" and {len(twice) - _NAMES_SHOWN} more" if len(twice) > _NAMES_SHOWN else ""
        raise TableRejected(
            f"Several columns have the same name: {listed}{rest}.",
            way_out="Give each column its own name in the file's first line.",
        )
    return tuple(names)


def _shown(name: str) -> str:
    """Return a column's name as a message shows it: quoted, and never endless."""
    return repr(name if len(name) <= _NAME_SHOWN else name[:_NAME_SHOWN] + "…")


def _unused(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _preference(candidate: tuple[float, Header]) -> tuple[float, int]:
    share, header = candidate
    return share if len(header.cells) > 1 else -1.0, len(header.cells)


def _try(source: Source, separator: str) -> tuple[float, Header | None]:
    """Return how many of the first records agree with the header, as a share, and the header."""
    records, blank_lines, lines = _first_records(source, separator)
    if not records:
        return 0.0, None
    header, rows = records[0], records[1:]
    agreeing = sum(len(row) == len(header) for row in rows)
    share = agreeing / len(rows) if rows else 1.0
    return share, Header(separator, tuple(header), blank_lines + 1, lines)


def _first_records(source: Source, separator: str) -> tuple[list[list[str]], int, int]:
    """Return the first whole records, the blank lines before them, and the first one's lines."""
    reader = csv.reader(
        io.StringIO(source.sample, newline=""), delimiter=separator, skipinitialspace=True
    )
    records: list[list[str]] = []
    blank_lines = lines = 0
    try:
        for record in reader:
            if not record and not records:
                blank_lines += 1
            elif record:
                lines = lines or reader.line_num - blank_lines
                records.append(record)
            if len(records) > _RECORDS:
                break
        else:
            if not source.sampled_whole:
                # The sample may have cut the last record in two.
                records = records[:-1]
    except csv.Error:
        # A cell of more than csv's limit: what came before it is enough.
        pass
    return records, blank_lines, lines
