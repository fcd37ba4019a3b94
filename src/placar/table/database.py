"""The engine's database: where a table lives on disk while it is looked at."""

# ruff: noqa: S608 - identifiers are the engine's own (c0, part_0, …); texts go through literal()

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import duckdb
import numpy as np
from numpy.typing import NDArray

from placar.errors import DiskFull, RunOutOfMemory

ENGINE_SHARE = 0.4
"""Part of the memory that the engine is told it has; it goes over by about a quarter of that."""

LEAST_MEMORY = 48 * 1024**2
"""Bytes below which the engine cannot read a table at all."""

_NO_ROOM = re.compile(
    r"No space left|Disk quota|File too large|max_temp_directory_size"
    r"|Permission denied|Read-only file system"
)

Cells = NDArray[np.float64] | NDArray[np.object_]
"""Numbers with NaN for missing, or texts with None for missing."""


class Database:
    """One connection to one database file in a folder, with the folder as its scratch."""

    def __init__(self, folder: Path, *, memory: int, threads: int) -> None:
        """Create the database.

        Args:
            folder: an empty folder for the database and what does not fit in memory.
            memory: bytes that the caller has; the engine takes a share of them.
            threads: how many the engine may use.

        Raises:
            DiskFull: the folder cannot be written to.
        """
        self.memory = max(LEAST_MEMORY, int(memory * ENGINE_SHARE))
        with engine_errors():
            self._connection = duckdb.connect(
                str(folder / "table.duckdb"),
                config={
                    "memory_limit": f"{self.memory // 1024}KiB",
                    "threads": threads,
                    "temp_directory": str(folder / "spill"),
                    # Rows keep the file's order, whatever the number of threads.
                    "preserve_insertion_order": True,
                    # A name in SQL is a table, never a Python variable that happens to be near.
                    "python_enable_replacements": False,
                    # What is needed is built in; nothing is fetched from a network.
                    "autoinstall_known_extensions": False,
                    "autoload_known_extensions": False,
                },
            )

    @property
    def columns_at_once(self) -> int:
        """How many columns may go through one statement: each takes about 0.5 MB on its way."""
        return max(16, self.memory // 1024**2)

    def run(self, sql: str) -> None:
        """Execute a statement that gives nothing back."""
        with engine_errors():
            self._connection.execute(sql)

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """Return all the rows of a small answer."""
        with engine_errors():
            return self._connection.execute(sql).fetchall()

    def arrays(self, sql: str) -> dict[str, Cells]:
        """Return the columns of an answer of DOUBLE and VARCHAR columns."""
        with engine_errors():
            answer = self._connection.execute(sql).fetchnumpy()
        return {name: _filled(cast("NDArray[np.generic]", cells)) for name, cells in answer.items()}

    def insert(self, table: str, columns: dict[str, NDArray[np.generic]]) -> None:
        """Append columns to a table, matched by position."""
        with engine_errors():
            self._connection.register("arriving", columns)
            self._connection.execute(f"INSERT INTO {table} SELECT * FROM arriving")
            self._connection.unregister("arriving")

    def close(self) -> None:
        """Close the connection; with it the engine's threads end."""
        self._connection.close()


def literal(text: object) -> str:
    """Return ``text`` as an SQL string."""
    return "'" + str(text).replace("'", "''") + "'"


def file_literal(path: Path) -> str:
    """Return a path as an SQL string that means this very file, even when it looks like a glob."""
    return literal(re.sub(r"([*?\[])", r"[\1]", str(path.absolute())))


@contextmanager
def engine_errors() -> Iterator[None]:
    """Translate the engine's failures of memory and disk; the others pass.

    The engine's own messages quote the table's cells, so they are never chained.

    Raises:
        DiskFull: it could not write.
        RunOutOfMemory: it had to hold more than it may.
    """
    try:
        yield
    except (duckdb.OperationalError, duckdb.FatalException) as error:
        if _NO_ROOM.search(str(error)):
            raise DiskFull(
                "There is no room, or no permission, to write the table to the scratch folder.",
                way_out="Free some space on its disk (about the size of the table, unpacked), "
                "or check its permissions.",
            ) from None
        if isinstance(error, duckdb.OutOfMemoryException):
            raise RunOutOfMemory("The table does not fit in the memory of the run.") from None
        raise
    except (RuntimeError, duckdb.InterruptException) as error:
        if "interrupted" in str(error).lower():  # the engine takes Ctrl-C for its own
            raise KeyboardInterrupt from None
        raise


def _filled(cells: NDArray[np.generic]) -> Cells:
    """Return a plain array with NaN or None where the engine says NULL."""
    plain = np.ma.getdata(cells)
    if np.ma.is_masked(cells):
        plain[np.ma.getmaskarray(cells)] = np.nan if plain.dtype == np.float64 else None
    return cast("Cells", plain)
