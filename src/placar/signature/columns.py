"""Many rows at once, from table columns to the model's input.

Gives, cell by cell, what ``RowEncoder`` gives; ``tests/property/test_signature.py`` holds it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from placar.errors import Issue
from placar.signature.cells import (
    ABSENT,
    NULL_UNEXPECTED,
    OUTSIDE_RANGE,
    CellReader,
    Finding,
    reader,
)
from placar.signature.model import Feature, Numeric, Signature
from placar.signature.parse import LARGEST
from placar.signature.row import as_issue, closest, misspelt

_PLAIN_NUMBERS = re.compile(r"[0-9+\-.eE\n]*")
"""Texts of these characters that ``float`` reads are exactly those that ``parse_number`` reads."""

Column = NDArray[np.float64] | NDArray[np.object_]
"""Numbers with NaN for missing, or texts with None for missing; one entry per row."""


@dataclass(frozen=True, slots=True)
class EncodedColumns:
    """Rows ready for the model.

    ``matrix`` is float32 (rows, columns), C order; an unreadable cell is missing in it.
    ``bad`` holds the issues of each row that must not be scored, by its position.
    ``warnings`` counts the rest by feature and code; texts read as numbers are no warning here.
    """

    matrix: NDArray[np.float32]
    bad: dict[int, tuple[Issue, ...]]
    warnings: Mapping[tuple[str, str], int]


@dataclass(slots=True)
class _Notes:
    bad: dict[int, list[Issue]]
    warnings: Counter[tuple[str, str]]

    def add(self, name: str, finding: Finding, rows: Sequence[int]) -> None:
        if not finding.fatal:
            if finding.code != "coerced":
                self.warnings[name, finding.code] += len(rows)
            return
        issue = as_issue(name, finding)
        for row in rows:
            self.bad.setdefault(row, []).append(issue)


class ColumnEncoder:
    """Encodes slices of columns by a signature. Immutable, safe to share between threads."""

    def __init__(self, signature: Signature) -> None:
        """Prepare a reader per feature."""
        self._readers = tuple((feature, reader(feature)) for feature in signature.features)
        self._width = sum(cell.width for _, cell in self._readers)
        self._others = {one.name for one in signature.set_aside} | {signature.target.name}

    @property
    def names(self) -> tuple[str, ...]:
        """The features' names, which are the table columns that ``encode`` looks at."""
        return tuple(feature.name for feature, _ in self._readers)

    def misfits(self, columns: Sequence[str]) -> tuple[Issue, ...]:
        """Return an issue for each column that must be a misspelt feature, or that is required.

        As in a single row, a feature that may be missing may be left out, but not be misspelt.
        """
        absent = [f for f, _ in self._readers if f.name not in columns]
        names = [feature.name for feature in absent]
        known = {*self.names, *self._others}
        issues = []
        for column in columns:
            meant = None if column in known else closest(column, names)
            if meant is not None:
                names.remove(meant)
                issues.append(as_issue(column, misspelt(meant)))
        required = Finding("missing_feature", "This column is required.", fatal=True)
        issues += [
            as_issue(f.name, required) for f in absent if f.name in names and f.null != "accept"
        ]
        return tuple(issues)

    def encode(self, columns: Mapping[str, Column], rows: int) -> EncodedColumns:
        """Return the matrix of ``rows`` rows; a column that is not there is absent in each row."""
        matrix = np.empty((rows, self._width), dtype=np.float32)
        notes = _Notes({}, Counter())
        at = 0
        for feature, cell in self._readers:
            part = matrix[:, at : at + cell.width]
            column = columns.get(feature.name)
            if column is None:
                _fill_constant(feature, cell, part, notes)
            elif isinstance(feature, Numeric):
                _fill_numeric(feature, cell, column, part, notes)
            else:
                _fill_distinct(feature, cell, column, part, notes)
            at += cell.width
        bad = {row: tuple(issues) for row, issues in sorted(notes.bad.items())}
        return EncodedColumns(matrix, bad, dict(notes.warnings))


def _fill_constant(
    feature: Feature, cell: CellReader, part: NDArray[np.float32], notes: _Notes
) -> None:
    values: list[float] = []
    findings: list[Finding] = []
    cell.fill(ABSENT, values, findings)
    part[:] = values
    for finding in findings:
        notes.add(feature.name, finding, range(len(part)))


def _fill_numeric(
    feature: Numeric, cell: CellReader, column: Column, part: NDArray[np.float32], notes: _Notes
) -> None:
    """Take whole columns of numbers at once; anything unusual goes cell by cell."""
    numbers = column if column.dtype == np.float64 else _plain_numbers(column)
    if numbers is None or bool(np.any(np.abs(numbers) > LARGEST)):
        _fill_distinct(feature, cell, column, part, notes)
        return
    absent = np.isnan(numbers)
    missing = int(np.count_nonzero(absent))
    part[:, 0] = numbers - feature.origin
    outside = int(np.count_nonzero((numbers < feature.low) | (numbers > feature.high)))
    if outside:
        notes.add(feature.name, OUTSIDE_RANGE, range(outside))
    if missing and feature.null != "accept":
        part[absent, 0] = feature.example - feature.origin
        notes.add(feature.name, NULL_UNEXPECTED, range(missing))


def _plain_numbers(column: Column) -> NDArray[np.float64] | None:
    """Return a text column's numbers when it holds nothing else (and nulls), or None."""
    cells = column.tolist()
    texts = [cell for cell in cells if cell]
    try:
        joined = "\n".join(texts)
        if not _PLAIN_NUMBERS.fullmatch(joined) or joined.count("\n") != max(len(texts) - 1, 0):
            return None
        found = np.fromiter(map(float, texts), dtype=np.float64, count=len(texts))
    except (TypeError, ValueError):
        return None
    numbers = np.full(len(cells), np.nan)
    numbers[np.fromiter(map(bool, cells), dtype=np.bool_, count=len(cells))] = found
    return numbers


def _fill_distinct(
    feature: Feature, cell: CellReader, column: Column, part: NDArray[np.float32], notes: _Notes
) -> None:
    """Read each distinct value once, then spread the answers over the rows."""
    values: list[float] = []
    findings: list[Finding] = []
    spread = np.empty(len(column), dtype=np.intp)
    seen: dict[tuple[type, object], int] = {}
    noted: list[tuple[int, Finding]] = []
    for row, value in enumerate(column.tolist()):
        key = "nan" if value != value else value  # noqa: PLR0124 - NaN is never equal to itself
        code = seen.get((type(value), key))
        if code is None:
            code = seen[type(value), key] = len(seen)
            cell.fill(value, values, findings)
            noted.extend((code, finding) for finding in findings)
            findings.clear()
        spread[row] = code
    table = np.array(values, dtype=np.float32).reshape(len(seen), cell.width)
    part[:] = table[spread]
    for code, finding in noted:
        notes.add(feature.name, finding, np.flatnonzero(spread == code).tolist())
