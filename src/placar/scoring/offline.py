"""Scoring a whole table, slice by slice, in constant memory. For the command line only.

The table engine is imported with this module; the serving side never imports it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from placar.errors import ConfigurationError, InvalidRow, Issue
from placar.scoring.scorer import Scorer, Scores
from placar.signature.columns import Column, EncodedColumns
from placar.table.engine import Table, open_table
from placar.table.output import CellKind, TableWriter

SLICE = 20_000
"""Rows at a time."""

_SHOWN = 20
"""Names that a message lists."""

REJECT_COLUMNS: tuple[tuple[str, CellKind], ...] = (
    ("row", "integer"),
    ("path", "text"),
    ("code", "text"),
    ("message", "text"),
    ("expected", "text"),
)
ANSWER_COLUMNS: tuple[tuple[str, CellKind], ...] = (
    ("prediction", "text"),
    ("probability", "float"),
    ("score", "integer"),
    ("band", "text"),
)


@dataclass(frozen=True, slots=True)
class OfflineScoring:
    """What to score, and where to."""

    table: Path
    output: Path
    rejects: Path
    """Written when a row is rejected, else removed if it is there from another time."""
    keep: tuple[str, ...]
    """Columns of the table to copy into the output."""
    reasons: int
    memory: int


@dataclass(frozen=True, slots=True)
class ScoringResult:
    """What happened."""

    rows: int
    scored: int
    rejected: int
    warnings: dict[tuple[str, str], int]
    """Counts by feature and code."""


def score_table(
    work: OfflineScoring, scorer: Scorer, scratch: Path, advance: Callable[[float, str], None]
) -> ScoringResult:
    """Score every row of a table into a new table; rows that do not fit go to the rejects.

    Neither file appears under its name before it is whole.

    Raises:
        TableRejected: the table cannot be read.
        InvalidRow: the table lacks columns that every row must have.
        ConfigurationError: a column to keep is not there, or an output format is not known.
        DiskFull: the output cannot be written.
    """
    with open_table(work.table, scratch, memory=work.memory) as table:
        _check_columns(table, work, scorer)
        with ExitStack() as stack:
            run = _Run(table, work, scorer, stack)
            for columns in table.slices(run.wanted, SLICE):
                run.score(columns)
                advance(run.rows / max(table.rows, 1), "scoring")
            run.finish()
        return run.result()


def _check_columns(table: Table, work: OfflineScoring, scorer: Scorer) -> None:
    names = [column.name for column in table.columns]
    misfits = scorer.column_encoder.misfits(names)
    if misfits:
        message = f"The table's columns do not fit the features of {scorer.model}."
        raise InvalidRow(misfits, message, way_out="--model names another one.")
    if not set(names) & set(scorer.column_encoder.names):
        raise InvalidRow(
            message=f"The table has none of the features of {scorer.model}.",
            way_out=f"They are: {', '.join(scorer.column_encoder.names[:_SHOWN])}.",
        )
    unknown = [name for name in work.keep if name not in names]
    if unknown:
        raise ConfigurationError(
            f"The table has no column {unknown[0]!r} to keep.",
            way_out=f"Its columns are: {', '.join(names[:_SHOWN])}.",
        )


class _Run:
    """The state of one pass over a table."""

    def __init__(
        self, table: Table, work: OfflineScoring, scorer: Scorer, stack: ExitStack
    ) -> None:
        self._work, self._scorer, self._stack = work, scorer, stack
        names = [column.name for column in table.columns]
        features = [name for name in scorer.column_encoder.names if name in names]
        self.wanted = list(dict.fromkeys([*features, *work.keep]))
        self.rows = self._rejected = 0
        self._warnings: Counter[tuple[str, str]] = Counter()
        self._rejects: TableWriter | None = None
        self._output = stack.enter_context(self._writer(work.output, self._columns(table)))

    def _columns(self, table: Table) -> list[tuple[str, CellKind]]:
        numeric = {column.name: column.numeric for column in table.columns}
        columns: list[tuple[str, CellKind]] = [("row", "integer")]
        columns += [(name, "float" if numeric[name] else "text") for name in self._work.keep]
        columns += ANSWER_COLUMNS
        for number in range(1, self._work.reasons + 1):
            columns += [(f"reason_{number}", "text"), (f"reason_{number}_points", "integer")]
        return columns

    def _writer(self, path: Path, columns: Sequence[tuple[str, CellKind]]) -> TableWriter:
        return TableWriter(path, columns, memory=self._work.memory)

    def score(self, columns: dict[str, Column]) -> None:
        """Score one slice."""
        rows = len(next(iter(columns.values())))
        encoded = self._scorer.column_encoder.encode(columns, rows)
        self._warnings.update(encoded.warnings)
        good = np.ones(rows, dtype=np.bool_)
        good[list(encoded.bad)] = False
        numbers = np.arange(self.rows + 1, self.rows + rows + 1)
        if encoded.bad:
            self._reject(encoded)
        if good.any():
            self._write(
                numbers[good], {n: columns[n][good] for n in self._work.keep}, encoded.matrix[good]
            )
        self.rows += rows
        self._rejected += len(encoded.bad)

    def _write(
        self, numbers: NDArray[np.int64], kept: dict[str, Column], matrix: NDArray[np.float32]
    ) -> None:
        scores = self._scorer.score_matrix(matrix)
        answer = {"row": numbers, **kept, **_answer_columns(scores)}
        if self._work.reasons:
            answer.update(self._reason_columns(matrix))
        self._output.write(answer)

    def _reason_columns(self, matrix: NDArray[np.float32]) -> dict[str, Column]:
        most = self._work.reasons
        names = np.full((len(matrix), most), None, dtype=object)
        points = np.full((len(matrix), most), np.nan)
        for row in range(len(matrix)):
            for place, reason in enumerate(self._scorer.reasons(matrix[row : row + 1], most)):
                names[row, place], points[row, place] = reason.feature, reason.points
        columns: dict[str, Column] = {}
        for place in range(most):
            columns[f"reason_{place + 1}"] = names[:, place]
            columns[f"reason_{place + 1}_points"] = points[:, place]
        return columns

    def _reject(self, encoded: EncodedColumns) -> None:
        if self._rejects is None:
            self._rejects = self._stack.enter_context(
                self._writer(self._work.rejects, REJECT_COLUMNS)
            )
        found = [
            (self.rows + row + 1, issue) for row, all_ in encoded.bad.items() for issue in all_
        ]
        self._rejects.write(_reject_columns(found))

    def finish(self) -> None:
        """Complete both files before either gets its name; rejects of an earlier pass go."""
        self._output.finish()
        if self._rejects is not None:
            self._rejects.finish()
        else:
            self._work.rejects.unlink(missing_ok=True)

    def result(self) -> ScoringResult:
        """Return the counts."""
        return ScoringResult(
            self.rows, self.rows - self._rejected, self._rejected, dict(self._warnings)
        )


def _answer_columns(scores: Scores) -> dict[str, NDArray[np.generic]]:
    return {
        "prediction": scores.predictions,
        "probability": scores.probabilities,
        "score": scores.scores,
        "band": scores.bands,
    }


def _reject_columns(found: Sequence[tuple[int, Issue]]) -> dict[str, NDArray[np.generic]]:
    def text(values: list[str | None]) -> NDArray[np.object_]:
        return np.array(values, dtype=object)

    return {
        "row": np.array([row for row, _ in found], dtype=np.int64),
        "path": text([issue.path for _, issue in found]),
        "code": text([issue.code for _, issue in found]),
        "message": text([issue.message for _, issue in found]),
        "expected": text([issue.expected for _, issue in found]),
    }
