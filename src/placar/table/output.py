"""Writing a table slice by slice, in constant memory, so that it appears whole or not at all."""

# ruff: noqa: S608 - identifiers are the engine's own (c0, part_0, …); texts go through literal()

from __future__ import annotations

import gzip
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Literal, Protocol, Self, cast

import numpy as np
from numpy.typing import NDArray

from placar.errors import ConfigurationError, DiskFull
from placar.table.database import Database, literal

__all__ = ["CellKind", "TableWriter"]

CellKind = Literal["text", "float", "integer"]
Columns = Mapping[str, NDArray[np.generic]]

_SQL_TYPES: Final[Mapping[CellKind, str]] = {
    "text": "VARCHAR",
    "float": "DOUBLE",
    "integer": "BIGINT",
}
_SUFFIXES: Final = (".csv", ".csv.gz", ".parquet")

_LARGEST_PLAIN: Final = 1e15
"""Whole numbers below this are written without a decimal point."""

_NEEDS_QUOTES: Final = re.compile(r'[",\r\n]')

_STAGING_SHARE: Final = 0.25
"""Part of the memory for putting a Parquet file together: a table being read has most of it."""

_ROW_GROUP: Final = 20_480
"""Rows of a Parquet row group; they are in memory together."""


class TableWriter:
    """Writes a table as CSV or Parquet; a context manager.

    Left without an exception, it puts the file into place by one rename. Left with one, it
    leaves nothing behind, and a file that was there before stays.
    """

    def __init__(self, path: Path, columns: Sequence[tuple[str, CellKind]], *, memory: int) -> None:
        """Check what is asked for; nothing is written yet.

        Args:
            path: where the table will be; .csv, .csv.gz or .parquet chooses the format.
            columns: names and kinds, in order.
            memory: bytes that the process may use for its tables.

        Raises:
            ConfigurationError: the path or the columns cannot be used.
        """
        _check_path(path)
        _check_names([name for name, _ in columns], parquet=_suffix(path) == ".parquet")
        self._path = path
        self._columns = tuple(columns)
        self._memory = memory
        self._finished = False
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        """Begin the file, in a folder of its own beside its final place.

        Raises:
            DiskFull: it cannot be created.
        """
        with ExitStack() as resources, _disk_errors(self._path):
            folder = Path(tempfile.mkdtemp(prefix=".placar-", dir=self._path.parent))
            resources.callback(shutil.rmtree, folder, ignore_errors=True)
            self._unfinished = folder / f"table{_suffix(self._path)}"
            self._sink = self._open_sink(resources)
            self._resources = resources.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Put the file into place, or leave nothing behind after an exception.

        Raises:
            DiskFull: the last of it cannot be written.
        """
        with self._resources:
            if kind is None:
                self.finish()
                with _disk_errors(self._path):
                    self._unfinished.replace(self._path)
                    _sync(self._path.parent)

    def finish(self) -> None:
        """Complete the file; nothing can be written afterwards. Its place it gets in the end.

        Raises:
            DiskFull: the last of it cannot be written.
        """
        if not self._finished:
            with _disk_errors(self._path):
                self._sink.finish()
                _sync(self._unfinished)
            self._finished = True

    def write(self, columns: Columns) -> None:
        """Append a slice: arrays of one length, by column name.

        Texts are str or None; numbers are any numeric type, NaN for missing.

        Raises:
            DiskFull: it cannot be written.
        """
        with _disk_errors(self._path):
            self._sink.write([columns[name] for name, _ in self._columns])

    def _open_sink(self, resources: ExitStack) -> _Sink:
        if self._unfinished.suffix == ".parquet":
            folder = self._unfinished.parent
            database = Database(folder, memory=int(self._memory * _STAGING_SHARE), threads=1)
            resources.enter_context(closing(database))
            return _ParquetSink(self._unfinished, self._columns, database)
        return resources.enter_context(closing(_CsvSink(self._unfinished, self._columns)))


class _Sink(Protocol):
    """Where slices go: one array per column."""

    def write(self, slice_: Sequence[NDArray[np.generic]]) -> None:
        """Append a slice."""

    def finish(self) -> None:
        """Leave the file whole."""


class _CsvSink:
    """CSV in UTF-8, quoted as RFC 4180 says, with LF line ends; gzip by suffix."""

    def __init__(self, path: Path, columns: Sequence[tuple[str, CellKind]]) -> None:
        self._kinds = [kind for _, kind in columns]
        # No name and no time inside: same rows, same bytes.
        self._raw = path.open("wb")
        packed = gzip.GzipFile("", "wb", 6, self._raw, 0) if path.suffix == ".gz" else None
        self._packed = cast("IO[bytes]", packed or self._raw)
        self._write_row([_quoted(name) for name, _ in columns])

    def write(self, slice_: Sequence[NDArray[np.generic]]) -> None:
        texts = [_TEXTS[kind](cells) for kind, cells in zip(self._kinds, slice_, strict=True)]
        # A row of one empty cell would be a blank line, which readers skip.
        lines = (
            (cell or '""' for cell in texts[0])
            if len(texts) == 1
            else map(",".join, zip(*texts, strict=True))
        )
        self._packed.write("".join(f"{line}\n" for line in lines).encode())

    def finish(self) -> None:
        self._packed.close()
        self._raw.close()

    def close(self) -> None:
        # What could not be written does not matter any more.
        with suppress(OSError):
            self._packed.close()
        with suppress(OSError):
            self._raw.close()

    def _write_row(self, cells: Sequence[str]) -> None:
        self._packed.write((",".join(cells) + "\n").encode())


class _ParquetSink:
    """Parquet, put together by the table engine from rows that wait in a database."""

    def __init__(
        self, path: Path, columns: Sequence[tuple[str, CellKind]], database: Database
    ) -> None:
        self._path = path
        self._names = [name for name, _ in columns]
        self._database = database
        types = ", ".join(f"c{at} {_SQL_TYPES[kind]}" for at, (_, kind) in enumerate(columns))
        # In one transaction, which never ends: rows are not written twice, to a log as well.
        database.run("BEGIN")
        database.run(f"CREATE TABLE waiting ({types})")

    def write(self, slice_: Sequence[NDArray[np.generic]]) -> None:
        self._database.insert("waiting", {f"c{at}": cells for at, cells in enumerate(slice_)})

    def finish(self) -> None:
        listed = ", ".join(f"c{at} AS {_identifier(name)}" for at, name in enumerate(self._names))
        self._database.run(
            f"COPY (SELECT {listed} FROM waiting) TO {literal(self._path.absolute())} "
            f"(FORMAT parquet, ROW_GROUP_SIZE {_ROW_GROUP})"
        )


def _check_path(path: Path) -> None:
    if _suffix(path) is None:
        raise ConfigurationError(
            f"{path.name} names no format that Placar writes.",
            way_out="Let the name end in .csv, .csv.gz or .parquet.",
        )
    if path.is_dir() or not path.parent.is_dir():
        raise ConfigurationError(
            f"{path} is a folder." if path.is_dir() else f"There is no folder {path.parent}.",
            way_out="Name a file, in a folder that exists.",
        )


def _check_names(names: Sequence[str], *, parquet: bool) -> None:
    if parquet and len({name.lower() for name in names}) < len(set(names)):
        raise ConfigurationError(
            "The table to write would have columns whose names differ in case only.",
            way_out="Leave one of them out, or write CSV: Parquet readers mix them up.",
        )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ConfigurationError(
            f"The table to write would have two columns named {twice[0]!r}.",
            way_out="Leave one of them out.",
        )


def _suffix(path: Path) -> str | None:
    name = path.name.lower()
    return next((suffix for suffix in _SUFFIXES if name.endswith(suffix)), None)


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DiskFull(
            f"{path} could not be written: {error.strerror}.",
            way_out="Free some space on its disk, or check the permissions of its folder.",
        ) from error


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES.search(text) else text


def _text_cells(cells: NDArray[np.generic]) -> list[str]:
    return ["" if text is None else _quoted(text) for text in cells.tolist()]


def _float_cells(cells: NDArray[np.generic]) -> list[str]:
    return [_float_cell(number) for number in cells.astype(np.float64).tolist()]


def _float_cell(number: float) -> str:
    if number != number:  # noqa: PLR0124 - NaN
        return ""
    plain = abs(number) < _LARGEST_PLAIN and number.is_integer()
    return str(int(number)) if plain else repr(number)


def _integer_cells(cells: NDArray[np.generic]) -> list[str]:
    if np.issubdtype(cells.dtype, np.integer):
        return list(map(str, cells.tolist()))
    return _float_cells(cells)


_TEXTS: Final = {"text": _text_cells, "float": _float_cells, "integer": _integer_cells}
