"""A table's file, before anything is read from it: its hash, format, encoding and line ends.

The content decides, not the name. Text is looked at from end to end once, so that what the
engine reads afterwards is known to be whole, to be text, and in which encoding.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, BinaryIO, Literal, cast

from placar.errors import DiskFull, TableRejected
from placar.table.scan import NotText, TextScan

Kind = Literal["csv", "json_lines", "parquet"]

SAMPLE = 1024**2
"""Characters from the start of a text that decide its format."""

_CHUNK = 1024**2
_GZIP = b"\x1f\x8b"
_PARQUET = b"PAR1"
_JSON_SUFFIXES = frozenset({".json", ".jsonl", ".ndjson"})
_COPY = "table.txt"
_READ_FORMATS = "Placar reads CSV, CSV.gz, Parquet and JSON lines."
_FOREIGN = (
    (b"PK\x03\x04", "an Excel workbook or another zip archive", "Save the table as CSV."),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "Save the table as CSV."),
    (b"%PDF", "a PDF document", "Export the table as CSV."),
    (b"SQLite format 3", "an SQLite database", "Export the table as CSV."),
    (b"ARROW1", "an Arrow file", "Save the table as Parquet."),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "Unpack it, or compress it with gzip."),
    (b"BZh", "compressed with bzip2", "Unpack it, or compress it with gzip."),
    (b"\xfd7zXZ", "compressed with xz", "Unpack it, or compress it with gzip."),
)


@dataclass(frozen=True, slots=True)
class Source:
    """A file that holds a table."""

    path: Path
    kind: Kind
    sha256: str
    """Of the file's bytes as they are."""
    gzipped: bool = False
    encoding: str = "utf-8"
    marked: bool = False
    """Begins with a UTF-8 byte-order mark."""
    mixed_lines: bool = False
    """Lines end in more than one way."""
    sample: str = ""
    """The start of a text."""
    notes: tuple[str, ...] = ()

    @property
    def sampled_whole(self) -> bool:
        """Tell whether the sample is all there is."""
        return len(self.sample) < SAMPLE


def inspect(path: Path) -> Source:
    """Look at every byte of a file and say what it is.

    Raises:
        TableRejected: it is not there, may not be read, is damaged, or is no table.
    """
    _refuse_odd(path)
    with _reading(path), path.open("rb") as file:
        start = file.read(16)
        _refuse_foreign(path, start)
        file.seek(0)
        hashed = _HashedFile(file)
        if start.startswith(_PARQUET):
            while hashed.read(_CHUNK):
                pass
            return Source(path, "parquet", hashed.hexdigest())
        gzipped = start.startswith(_GZIP)
        scan = _scan(gzip.GzipFile(fileobj=cast("BinaryIO", hashed)) if gzipped else hashed, path)
    source = Source(
        path,
        "csv",
        hashed.hexdigest(),
        gzipped,
        scan.encoding,
        scan.marked,
        scan.mixed_lines,
        notes=scan.notes,
    )
    return _with_kind(source)


def open_text(source: Source, newline: str | None = "") -> IO[str]:
    """Open a text for reading, unpacked and decoded; line ends stay unless ``newline`` is None."""
    # Five bytes mean nothing in cp1252; its own decoder would give up on them.
    errors = "replace" if source.encoding == "cp1252" else "strict"
    encoding = "utf-8-sig" if source.encoding == "utf-8" else source.encoding
    if source.gzipped:
        return cast("IO[str]", gzip.open(source.path, "rt", -1, encoding, errors, newline))
    return source.path.open("r", -1, encoding, errors, newline)


def rewritten(source: Source, folder: Path) -> Source:
    """Return the same text as a plain file in ``folder``: UTF-8, unpacked, one kind of line end.

    Raises:
        TableRejected: its encoding is damaged.
        DiskFull: the copy cannot be written.
    """
    copy = folder / _COPY
    with _reading(source.path), open_text(source, newline=None) as text:
        try:
            with copy.open("w", encoding="utf-8", newline="\n") as file:
                shutil.copyfileobj(text, file, _CHUNK)
        except OSError as error:
            raise DiskFull(f"A copy of the table could not be written: {error.strerror}.") from None
    return replace(
        source, path=copy, gzipped=False, encoding="utf-8", marked=False, mixed_lines=False
    )


def discard_copy(folder: Path) -> None:
    """Remove what ``rewritten`` left, if it did."""
    (folder / _COPY).unlink(missing_ok=True)


class _HashedFile:
    """Reads a file and keeps the hash of what was read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(size)
        self._hash.update(content)
        return content

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Translate what may go wrong while a file is read."""
    try:
        yield
    except FileNotFoundError:
        raise TableRejected(
            f"There is no file {path}.", way_out="Check the path, and from where it is looked at."
        ) from None
    except PermissionError:
        raise TableRejected(
            f"{path} may not be read.",
            way_out="Give the user that Placar runs as permission to read it.",
        ) from None
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise TableRejected(
            f"{path.name} is a gzip file that is cut short or damaged.",
            way_out="Copy or download it again; `gzip -t` tells whether it is whole.",
        ) from None
    except UnicodeDecodeError:
        raise TableRejected(
            f"{path.name} begins as UTF-16 text but does not go on as such.",
            way_out="Save the table as UTF-8.",
        ) from None
    except OSError as error:
        raise TableRejected(
            f"{path.name} cannot be read: {error.strerror}.", way_out="Check the disk it is on."
        ) from None


def _refuse_odd(path: Path) -> None:
    """Refuse what is no ordinary file, without opening it: a pipe would keep us waiting."""
    with _reading(path):
        mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise TableRejected(
            f"{path} is a folder.", way_out="Name one file; join several into one first."
        )
    if not stat.S_ISREG(mode):
        raise TableRejected(f"{path} is not an ordinary file.", way_out=_READ_FORMATS)


def _refuse_foreign(path: Path, start: bytes) -> None:
    if not start:
        raise TableRejected(f"{path.name} is empty.", way_out="Check how it was written.")
    for magic, what, way_out in _FOREIGN:
        if start.startswith(magic):
            raise TableRejected(
                f"{path.name} is {what}, not a table that Placar reads.",
                way_out=f"{way_out} {_READ_FORMATS}",
            )


def _scan(file: _HashedFile | gzip.GzipFile, path: Path) -> TextScan:
    scan = TextScan()
    try:
        while chunk := file.read(_CHUNK):
            scan.feed(chunk)
        scan.finish()
    except NotText as problem:
        raise TableRejected(f"{path.name} {problem}.", way_out=_READ_FORMATS) from None
    return scan


def _with_kind(source: Source) -> Source:
    with _reading(source.path), open_text(source) as text:
        sample = text.read(SAMPLE)
    start = sample.lstrip()
    if not start:
        raise TableRejected(
            f"{source.path.name} is empty: it holds nothing but blanks.",
            way_out="Check how it was written.",
        )
    named_json = not _JSON_SUFFIXES.isdisjoint(source.path.suffixes)
    if named_json and start.startswith("["):
        raise TableRejected(
            f"{source.path.name} is one JSON array.",
            way_out="Write one JSON object per line (JSON lines), without the brackets.",
        )
    objects = start.startswith("{") and (named_json or _is_object(start.split("\n", 1)[0]))
    return replace(source, kind="json_lines" if objects else "csv", sample=sample)


def _is_object(line: str) -> bool:
    try:
        # This module reads NaN as well, which other programs write.
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
