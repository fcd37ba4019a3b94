"""From bytes to lines of text, whatever wrote them, in constant memory."""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

from placar.errors import LogUnreadable

LONGEST_LINE = 1 << 20
"""Characters of a line that are looked at; the rest of it is skipped."""

_BLOCK = 1 << 16
_ENOUGH = 256
_GZIP = b"\x1f\x8b"
_GZIP_FORMAT = 31
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def line_blocks(stream: BinaryIO) -> Iterator[list[str]]:
    """Yield the lines in blocks, some hundred at once.

    UTF-8 with or without a mark, UTF-16, gzip; bytes that are none of it become U+FFFD. Lines end
    with LF, CRLF or CR.

    Raises:
        LogUnreadable: when the stream fails, or a gzip file is damaged or cut off.
    """
    try:
        yield from _lines(_text_blocks(stream))
    except (EOFError, zlib.error):
        raise LogUnreadable(
            "The log is a gzip file that is damaged or cut off.",
            way_out="Unpack what can be unpacked (`gzip -dc`), and give me that.",
        ) from None
    except OSError as error:
        raise LogUnreadable(f"The log cannot be read: {error.strerror}.") from None


def _text_blocks(stream: BinaryIO) -> Iterator[str]:
    blocks = _unpacked(_blocks(stream))
    head = next(blocks, b"")
    while 0 < len(head) < _ENOUGH and (more := next(blocks, b"")):
        head += more
    encoding, mark = _encoding(head)
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    yield decoder.decode(head[mark:])
    for block in blocks:
        yield decoder.decode(block)
    yield decoder.decode(b"", final=True)


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    """Yield what there is; from a pipe as soon as it is there."""
    read = getattr(stream, "read1", stream.read)
    while block := read(_BLOCK):
        yield block


def _unpacked(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the blocks, unpacked if they are gzip's, never more than a block at once."""
    head = next(blocks, b"")
    if not head.startswith(_GZIP):
        yield head
        yield from blocks
        return
    unpacker, ended = zlib.decompressobj(_GZIP_FORMAT), False
    for packed in chain([head], blocks):
        rest = packed
        while rest:
            ended = False
            yield unpacker.decompress(rest, _BLOCK)
            rest = unpacker.unconsumed_tail
            if unpacker.eof:  # another file may follow, put there with cat
                rest = unpacker.unused_data.lstrip(b"\0")
                unpacker, ended = zlib.decompressobj(_GZIP_FORMAT), True
    if not ended:
        raise EOFError


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


def _lines(blocks: Iterator[str]) -> Iterator[list[str]]:
    rest, cut = "", False
    for block in blocks:
        whole = (rest + block).replace("\r\n", "\n").split("\n")
        rest = whole.pop()
        if whole and cut:  # the end of a line whose beginning was already given
            whole, cut = whole[1:], False
        if len(rest) > LONGEST_LINE:
            if not cut:
                whole.append(rest[:LONGEST_LINE])
            rest, cut = "", True
        yield _parted(whole)
    if rest and not cut:
        yield _parted([rest])


def _parted(lines: list[str]) -> list[str]:
    """Return the lines, parted at lone carriage returns."""
    if not any("\r" in line for line in lines):
        return lines
    return [part for line in lines for part in line.split("\r") if part or not line]
