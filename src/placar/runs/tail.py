"""Reading files that another process writes: a little at a time, however long they get."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

import msgspec

from placar.package.run_folder import Progress

MOST_AT_ONCE = 256 * 1024
"""Bytes of a log that one call returns."""

LONGEST_LOG = 16 * 1024 * 1024
KEPT_OF_LOG = 4 * 1024 * 1024
"""A log that grows longer is cut back to its beginning: a disk is for models."""

_CUT = b"\n[the log grew too long: what stood here was cut]\n"


def read_text(path: Path, offset: int, limit: int = MOST_AT_ONCE) -> tuple[str, int]:
    """Return text from a byte offset on, and the offset to go on from.

    A character of which only the first bytes are there yet is left for the next call. What is
    not UTF-8 is shown as replacement characters. A missing file is an empty one; an offset past
    the end (the file was cut) goes on from the end.
    """
    limit = max(1, min(limit, MOST_AT_ONCE))
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            start = min(max(offset, 0), size)
            file.seek(start)
            data = file.read(limit)
    except OSError:
        return "", max(offset, 0)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(data)
    pending, _ = decoder.getstate()
    if pending and len(pending) == len(data):  # a limit below one character: do not stand still
        return decoder.decode(b"", final=True), start + len(data)
    return text, start + len(data) - len(pending)


def read_end(path: Path, length: int) -> str:
    """Return the last ``length`` bytes of a file as text."""
    try:
        size = path.stat().st_size
    except OSError:
        return ""
    return read_text(path, size - length, length)[0]


def cut_log(path: Path, longest: int = LONGEST_LOG, kept: int = KEPT_OF_LOG) -> None:
    """Cut a log back that grew too long. Its writer appends, so it goes on behind the cut."""
    try:
        if path.stat().st_size > longest:
            with path.open("ab") as file:
                file.truncate(kept)
                file.write(_CUT)
    except OSError:  # no log, no harm
        return


class ProgressTail:
    """Reads ``progress.jsonl`` as it grows."""

    def __init__(self, path: Path) -> None:
        """Name the file; it may not be there yet."""
        self._path = path
        self._offset = 0

    def new(self) -> tuple[Progress, ...]:
        """Return what whole lines came since the last call; lines that mean nothing are skipped."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read(MOST_AT_ONCE)
        except OSError:
            return ()
        whole = data[: data.rfind(b"\n") + 1]
        if not whole and len(data) == MOST_AT_ONCE:
            whole = data  # one endless line
        self._offset += len(whole)
        return tuple(step for line in whole.splitlines() if (step := _step(line)) is not None)


def _step(line: bytes) -> Progress | None:
    try:
        return msgspec.json.decode(line, type=Progress)
    except msgspec.MsgspecError:
        return None
