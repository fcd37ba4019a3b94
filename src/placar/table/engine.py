"""A table, whatever file it comes from, read within a memory limit.

The file is read once into a database on disk; from there any columns come back in slices, in
the file's order. Nothing here depends on the number of threads.
"""

# ruff: noqa: S608 - identifiers are the engine's own (c0, part_0, …); texts go through literal()

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, closing
from copy import copy
from pathlib import Path
from types import TracebackType
from typing import Final, Self, cast

import numpy as np
from numpy.typing import NDArray

from placar.errors import DiskFull, TableRejected
from placar.signature.model import MARKERS
from placar.signature.parse import canonical_text
from placar.table.csv_file import plan_csv
from placar.table.database import Cells, Database, literal
from placar.table.json_file import plan_json
from placar.table.parquet_file import plan_parquet
from placar.table.profile import ColumnProfile, profile_column
from placar.table.reading import ColumnInfo, Reading, number_text, refusals
from placar.table.source import Source, discard_copy, inspect

__all__ = ["ColumnInfo", "ColumnProfile", "Table", "open_table"]

_log = logging.getLogger(__name__)

_CELL_BYTES: Final = 80
"""What a cell of a slice takes in memory as a Python string, roughly."""

_SLICE_SHARE: Final = 0.15
"""Part of the memory that one slice may fill."""


class Table:
    """A table on disk, with its scratch folder; a context manager.

    Attributes:
        columns: names and types, in the file's order.
        rows: how many there are.
        sha256: hash of the file's bytes.
        notes: what a person should know of how the file was read.
    """

    def __init__(
        self,
        source: Source,
        columns: tuple[ColumnInfo, ...],
        rows: int,
        database: Database,
        resources: ExitStack,
    ) -> None:
        """Take over a filled database and what is to be closed with it; see ``open_table``."""
        self.columns = columns
        self.rows = rows
        self.sha256 = source.sha256
        self.notes = source.notes
        self._database = database
        self._resources = resources
        self._places = {column.name: place for place, column in enumerate(columns)}
        self._kept: NDArray[np.bool_] | None = None

    def __enter__(self) -> Self:
        """Return the table."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the table."""
        self.close()

    def close(self) -> None:
        """Close the database and remove it; afterwards the table gives nothing any more."""
        self._resources.close()

    def part(self, kept: NDArray[np.bool_]) -> Table:
        """Return a table of some of the rows, which lives as long as this one.

        It takes the place of a part that was asked for before.

        Args:
            kept: (rows,) which.
        """
        self._database.run("CREATE OR REPLACE TABLE chosen (kept BOOLEAN)")
        self._database.insert("chosen", {"kept": kept})
        some = copy(self)
        some.rows = int(np.count_nonzero(kept))
        some._kept = kept  # noqa: SLF001 - of the same class
        some._resources = ExitStack()  # noqa: SLF001 - the whole table closes what both use
        return some

    def slices(self, columns: Sequence[str], rows: int = 20_000) -> Iterator[dict[str, Cells]]:
        """Yield the columns' cells, part by part, in the file's order.

        Args:
            columns: names of the columns; one that is not there is a KeyError.
            rows: most rows in a slice; many columns make for shorter ones, to stay in memory.
        """
        places = [self._places[name] for name in columns]
        affordable = int(self._database.memory * _SLICE_SHARE / _CELL_BYTES) // max(len(places), 1)
        step = max(1, min(rows, affordable))
        for start in range(0, self.rows if self._kept is None else len(self._kept), step):
            found = self._cells(places, start, start + step)
            kept = ... if self._kept is None else self._kept[start : start + step]
            yield {name: found[place][kept] for name, place in zip(columns, places, strict=True)}

    def profile(self, names: Collection[str] | None = None) -> tuple[ColumnProfile, ...]:
        """Return what each column holds (or each of those named), in the columns' order."""
        return tuple(
            profile_column(self._database, self._relation(place), column, self.rows)
            for place, column in enumerate(self.columns)
            if names is None or column.name in names
        )

    def frequencies(self, name: str, limit: int) -> tuple[tuple[str, int], ...]:
        """Return a column's most frequent values as canonical text, with their counts.

        The most frequent comes first, ties in text order; missing cells do not count.
        """
        place = self._places[name]
        text = number_text("v") if self.columns[place].numeric else "v"
        markers = ", ".join(literal(marker) for marker in sorted(MARKERS))
        found = self._database.rows(
            f"SELECT v, count(*) FROM {self._relation(place)} "
            f"WHERE v IS NOT NULL AND {text} NOT IN ({markers}) "
            f"GROUP BY v ORDER BY count(*) DESC, {text} LIMIT {int(limit)}"
        )
        counts = cast("list[tuple[str | float, int]]", found)
        return tuple((canonical_text(value), count) for value, count in counts)

    def _relation(self, place: int) -> str:
        """Return a column's cells in SQL, as a relation with the column v."""
        chosen = "" if self._kept is None else "POSITIONAL JOIN chosen WHERE kept"
        return f"(SELECT c{place} AS v FROM {self._part(place)} {chosen})"

    def _part(self, place: int) -> str:
        return _part(self._database, place)

    def _cells(self, places: Sequence[int], start: int, stop: int) -> dict[int, Cells]:
        found: dict[int, Cells] = {}
        for part in dict.fromkeys(self._part(place) for place in places):
            inside = sorted({place for place in places if self._part(place) == part})
            listed = ", ".join(f"c{place}" for place in inside)
            arrays = self._database.arrays(
                f"SELECT {listed} FROM {part} WHERE rowid >= {start} AND rowid < {stop}"
            )
            found.update({place: arrays[f"c{place}"] for place in inside})
        return found


def open_table(path: Path, scratch: Path, *, memory: int, threads: int = 1) -> Table:
    """Open a CSV (plain or gzip), Parquet or JSON-lines file as a table.

    Args:
        path: the file; its content decides the format.
        scratch: a folder for what does not fit in memory; the table uses one of its own inside.
        memory: bytes that reading may take, above what the process holds already.
        threads: how many the engine may use.

    Raises:
        TableRejected: the file cannot be used as a table.
        DiskFull: the scratch folder cannot be written to.
        RunOutOfMemory: a row, or a group of columns, does not fit in the memory.
    """
    source = inspect(path)
    with ExitStack() as resources:
        folder = _own_folder(scratch)
        resources.callback(shutil.rmtree, folder, ignore_errors=True)
        database = resources.enter_context(
            closing(Database(folder, memory=memory, threads=threads))
        )
        reading = _plan(source, database, folder)
        rows = _fill(database, reading)
        discard_copy(folder)
        if rows == 0:
            raise TableRejected(
                f"{path.name} has column names but no rows.",
                way_out="Check how it was written: a table needs rows below its first line.",
            )
        _log.info(
            "table_opened",
            extra={"format": source.kind, "rows": rows, "columns": len(reading.columns)},
        )
        return Table(source, reading.columns, rows, database, resources.pop_all())


def _own_folder(scratch: Path) -> Path:
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix="table-", dir=scratch))
    except OSError as error:
        raise DiskFull(
            f"The scratch folder {scratch} cannot be written to: {error.strerror}.",
            way_out="Free some space on its disk, or check its permissions.",
        ) from None


def _plan(source: Source, database: Database, folder: Path) -> Reading:
    match source.kind:
        case "csv":
            return plan_csv(source, folder)
        case "json_lines":
            return plan_json(source, database, folder)
        case "parquet":
            return plan_parquet(source, database)


def _fill(database: Database, reading: Reading) -> int:
    """Read the file into the database, some columns at a time, and return the number of rows."""
    step = database.columns_at_once
    with refusals(reading.refused):
        for start in range(0, len(reading.columns), step):
            places = range(start, min(start + step, len(reading.columns)))
            part = _part(database, start)
            database.run(f"CREATE TABLE {part} AS {reading.select(places)}")
        [(rows,)] = database.rows(f"SELECT count(*) FROM {_part(database, 0)}")
    return cast("int", rows)


def _part(database: Database, place: int) -> str:
    """Return the engine's table that holds a column: a wide table is kept in several."""
    return f"part_{place // database.columns_at_once}"
