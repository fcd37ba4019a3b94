"""Finding the line of a text that the engine refused.

The engine counts records and quotes their cells; a person needs the number of a line, and a log
must not hold cells. So the file is read once more, slowly, and only when there is something to
find.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from typing import IO, Final

from placar.errors import TableRejected
from placar.table.header import Header
from placar.table.source import Source, open_text

LONGEST_RECORD: Final = 2 * 1024**2
"""Bytes of one CSV record, at most."""

LONGEST_OBJECT: Final = 16 * 1024**2
"""Bytes of one line of JSON, at most: the engine sets no lower limit."""

WANTED_LINE: Final = 'Each line must hold one JSON object with the row, such as {"age": 35}.'


class _TooLong(csv.Error):
    """A line goes over the limit."""


class _Pairs(list[tuple[str, object]]):
    """A JSON object with repeated keys still in it."""


def refused_csv(source: Source, header: Header, *, quotes: bool) -> TableRejected:
    """Return the error that names the line which the engine refused.

    Args:
        source: the CSV file.
        header: its first line.
        quotes: whether the engine complained about quotes, not about the number of cells.
    """
    finders = (_wrong_quotes, _ragged) if quotes else (_ragged, _wrong_quotes)
    for find in finders:
        with open_text(source) as text:
            found = find(text, source.path.name, header)
        if found is not None:
            return found
    return TableRejected(
        f"{source.path.name} cannot be read as CSV.",
        way_out="Cells that hold the separator, a quote or a line end need quotes (RFC 4180).",
    )


def refused_json(source: Source) -> TableRejected:
    """Return the error that names the first line that is not one JSON object."""
    with open_text(source) as text:
        for number, line in _numbered(text):
            problem = _json_problem(line)
            if problem is not None:
                return TableRejected(
                    f"Line {number:,} of {source.path.name} {problem}.",
                    way_out=WANTED_LINE,
                )
    return TableRejected(f"{source.path.name} cannot be read as JSON lines.", way_out=WANTED_LINE)


def _ragged(text: IO[str], name: str, header: Header) -> TableRejected | None:
    lines = _lines(text, LONGEST_RECORD)
    reader = csv.reader(lines, delimiter=header.separator, skipinitialspace=True)
    line, wanted = 1, len(header.cells)
    try:
        for record in reader:
            if record and len(record) != wanted:
                return TableRejected(
                    f"Line {line:,} of {name} has {_counted(len(record), 'cell')}, "
                    f"its header {wanted:,}.",
                    way_out="Correct that line; a cell that holds the separator or a line end "
                    "needs quotes.",
                )
            line = reader.line_num + 1
    except csv.Error:
        return None
    return None


def _wrong_quotes(text: IO[str], name: str, header: Header) -> TableRejected | None:
    lines = _lines(text, LONGEST_RECORD)
    reader = csv.reader(lines, delimiter=header.separator, skipinitialspace=True, strict=True)
    line = 1
    try:
        for _ in reader:
            line = reader.line_num + 1
    except _TooLong:
        return TableRejected(
            f"Line {reader.line_num + 1:,} of {name} is longer than {_megabytes(LONGEST_RECORD)}.",
            way_out="Leave out columns of long texts, and check that its lines do end.",
        )
    except csv.Error:
        return TableRejected(
            f"The quotes on line {line:,} of {name} do not fit: one is never closed, or text "
            "follows a closing one.",
            way_out='Write a quote inside a quoted cell as two: "".',
        )
    return None


def _lines(text: IO[str], longest: int) -> Iterator[str]:
    """Yield lines without ever holding an endless one."""
    while line := text.readline(longest + 1):
        if len(line) > longest:
            raise _TooLong
        yield line


def _numbered(text: IO[str]) -> Iterator[tuple[int, str | None]]:
    """Yield lines that are not blank with their numbers; None for an endless one."""
    number = 0
    try:
        for number, line in enumerate(_lines(text, LONGEST_OBJECT), 1):
            if line.strip():
                yield number, line
    except _TooLong:
        yield number + 1, None


def _json_problem(line: str | None) -> str | None:
    if line is None:
        return f"is longer than {_megabytes(LONGEST_OBJECT)}"
    try:
        value = json.loads(line, object_pairs_hook=_Pairs)
    except ValueError:
        return "is not JSON"
    except RecursionError:
        return "is nested too deeply"
    if not isinstance(value, _Pairs):
        return "is JSON, but not an object"
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "holds half of a character (a lone surrogate)"
    keys = [key for key, _ in value]
    return "holds the same key twice" if len(set(keys)) < len(keys) else None


def _megabytes(size: int) -> str:
    return f"{size // 1024**2} MB"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
