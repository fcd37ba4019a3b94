"""The tables folder: what runs may be asked to train on by name, and how a table gets there.

A table appears under its name only when it is whole. A run that reads the table of that name
which was there before goes on reading that one.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import time
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG

import msgspec

from placar.errors import DiskFull, InvalidRequest, Issue

_NAME = re.compile(r"\w[\w.\- ]{0,99}")
_LONGEST = 200
"""Bytes of a name; file systems take 255, and a draft adds some."""

_ABANDONED = 3600.0
"""Seconds after which a draft that did not grow is one whose process died."""


class TableFile(msgspec.Struct, frozen=True, kw_only=True):
    """A table that runs may name."""

    name: str
    bytes: int
    changed_at: float
    """Seconds since the epoch."""
    sha256: str | None = None
    """Known when it was just received."""


class TableFolder:
    """The folder of tables. Its methods may block."""

    def __init__(self, root: Path) -> None:
        """Name the folder; it is made when the first table comes."""
        self._root = root

    def tables(self) -> tuple[TableFile, ...]:
        """Return what is there, by name."""
        found = []
        for path in self._root.glob("[!.]*"):
            with suppress(FileNotFoundError):  # removed meanwhile
                facts = path.stat()
                if S_ISREG(facts.st_mode):
                    table = TableFile(
                        name=path.name, bytes=facts.st_size, changed_at=facts.st_mtime
                    )
                    found.append(table)
        return tuple(sorted(found, key=lambda table: table.name))

    def draft(self, name: str) -> Draft:
        """Begin a table; it gets its name when it is kept.

        Raises:
            InvalidRequest: the name cannot be one.
            DiskFull: the folder cannot be made or written to.
        """
        check_table_name(name)
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            self._sweep()
            return Draft(self._root / name)
        except OSError as error:
            raise _refused(error) from error

    def _sweep(self) -> None:
        for left in self._root.glob(".*.draft"):
            try:
                if time.time() - left.stat().st_mtime > _ABANDONED:
                    left.unlink()
            except FileNotFoundError:  # its upload ended just now
                continue


class Draft:
    """A table that is being received. ``discard`` it in the end, kept or not."""

    def __init__(self, path: Path) -> None:
        """Open a hidden file beside ``path``; raises OSError."""
        self._path = path
        self._hidden = path.with_name(f".{path.name}.{secrets.token_hex(4)}.draft")
        self._hidden.touch(mode=0o600, exist_ok=False)  # people's data
        self._file = self._hidden.open("wb")
        self._hash = hashlib.sha256()
        self.size = 0
        """Bytes so far."""

    def discard(self) -> None:
        """Close the file, and remove it if it was not kept. May block: it may be large."""
        with suppress(OSError):  # of what a full disk did not take, nothing is wanted
            self._file.close()
        self._hidden.unlink(missing_ok=True)

    def write(self, part: bytes) -> None:
        """Add bytes.

        Raises:
            DiskFull: they could not be written.
        """
        try:
            self._file.write(part)
        except OSError as error:
            raise _refused(error) from error
        self._hash.update(part)
        self.size += len(part)

    def keep(self) -> TableFile:
        """Give the table its name, in place of the one that had it.

        Raises:
            DiskFull: it could not be written to the end.
        """
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            changed_at = os.fstat(self._file.fileno()).st_mtime
            self._hidden.replace(self._path)
        except OSError as error:
            raise _refused(error) from error
        return TableFile(
            name=self._path.name,
            bytes=self.size,
            changed_at=changed_at,
            sha256=self._hash.hexdigest(),
        )


def check_table_name(name: str) -> None:
    """Refuse a name that is none for a file in one folder.

    Raises:
        InvalidRequest: it is empty, too long, hidden, or holds something like a slash.
    """
    if _NAME.fullmatch(name) is None or len(name.encode()) > _LONGEST:
        expected = "letters, digits, '.', '-', '_' and blanks, up to 100, such as loans.csv"
        issue = Issue("name", "bad_name", "Cannot be the name of a table.", expected)
        raise InvalidRequest((issue,), "The table's name cannot be used.")


def _refused(error: OSError) -> DiskFull:
    if error.errno == errno.EISDIR:
        return DiskFull("A folder has the table's name.", way_out="Choose another name.")
    return DiskFull(f"The table could not be written: {error.strerror}.")
