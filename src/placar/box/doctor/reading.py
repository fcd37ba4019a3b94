"""From bytes to numbered lines of text, whatever wrote them, in constant memory."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from typing import BinaryIO, cast

from placar.errors import LogUnreadable

LONGEST_LINE = 1 << 20
"""Characters of a line that are looked at; the rest of it is skipped."""

_BLOCK = 1 << 16
_GZIP = b"\x1f\x8b"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def numbered_lines(stream: BinaryIO) -> Iterator[tuple[int, str]]:
    """Yield each line with its number, from 1.

    UTF-8 with or without a mark, UTF-16, gzip; bytes that are none of it become U+FFFD. Lines end
    with LF, CRLF or CR.

    Raises:
        LogUnreadable: when the stream fails, or a gzip file is damaged or cut off.
    """
    try:
        for number, line in enumerate(_lines(_text_blocks(stream)), start=1):
            yield number, line
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise LogUnreadable(
            "The log is a gzip file that is damaged or cut off.",
            way_out="Unpack what can be unpacked (`gzip -dc`), and give me that.",
        ) from None
    except OSError as error:
        raise LogUnreadable(f"The log cannot be read: {error.strerror}.") from None


def _text_blocks(stream: BinaryIO) -> Iterator[str]:
    peekable = io.BufferedReader(cast("io.RawIOBase", stream), _BLOCK)
    head = peekable.peek(4)
    if head[:2] == _GZIP:
        peekable = io.BufferedReader(cast("io.RawIOBase", gzip.GzipFile(fileobj=peekable)), _BLOCK)
        head = peekable.peek(4)
    encoding, mark = _encoding(head[:_BLOCK])
    peekable.read(mark)
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    while block := peekable.read1(_BLOCK):
        yield decoder.decode(block)
    yield decoder.decode(b"", final=True)


def _encoding(head: bytes) -> tuple[str, int]:
    """Return the encoding and the length of its mark."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name, len(mark)
    sample = head[:256]
    zeros = sample.count(0)
    if zeros * 3 > len(sample) > 3:  # noqa: PLR2004 - text in UTF-16 is nearly half zeros
        return ("utf-16-le" if sample[1::2].count(0) * 2 > zeros else "utf-16-be"), 0
    return "utf-8", 0


def _lines(blocks: Iterator[str]) -> Iterator[str]:
    rest, cut = "", False
    for block in blocks:
        *whole, rest = (rest + block).replace("\r\n", "\n").split("\n")
        for line in whole:
            if not cut:
                yield from _returns(line[:LONGEST_LINE])
            cut = False
        if len(rest) > LONGEST_LINE:
            if not cut:
                yield rest[:LONGEST_LINE]
            rest, cut = "", True
    if rest and not cut:
        yield from _returns(rest[:LONGEST_LINE])


def _returns(line: str) -> list[str]:
    return [part for part in line.split("\r") if part] if "\r" in line else [line]
