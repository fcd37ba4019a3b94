"""One pass over the bytes of a text: is it text, in which encoding, and how do its lines end?"""

from __future__ import annotations

import codecs
from typing import Final

_UTF8_MARK: Final = b"\xef\xbb\xbf"
_UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")


class NotText(ValueError):
    """The bytes are not a text; the message goes on from a file's name."""


class TextScan:
    """Takes a text chunk by chunk; the attributes hold after ``finish``."""

    def __init__(self) -> None:
        """Assume UTF-8 until the bytes say otherwise."""
        self.encoding = "utf-8"
        self.marked = False
        self.notes: tuple[str, ...] = ()
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._ascii_only = True
        self._started = False
        self._feeds = self._returns = self._pairs = 0
        self._last = b""

    @property
    def mixed_lines(self) -> bool:
        """Tell whether lines end in more than one of LF, CR LF and CR."""
        kinds = (self._feeds - self._pairs, self._returns - self._pairs, self._pairs)
        return sum(count > 0 for count in kinds) > 1

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes.

        Raises:
            NotText: these cannot be part of a text.
        """
        if not self._started:
            self._begin(chunk)
        if self.encoding == "utf-16":
            return
        if b"\0" in chunk:
            raise NotText("is not text: it holds zero bytes")
        if self.encoding == "utf-8":
            self._decode(chunk, final=False)
        self._count_lines(chunk)

    def finish(self) -> None:
        """Say that there are no more bytes.

        Raises:
            NotText: the text stops in the middle of a character.
        """
        if self.encoding == "utf-8":
            self._decode(b"", final=True)

    def _begin(self, chunk: bytes) -> None:
        self._started = True
        self.marked = chunk.startswith(_UTF8_MARK)
        if chunk.startswith(_UTF16_MARKS):
            self.encoding = "utf-16"
            self.notes = ("The table was read as UTF-16.",)

    def _decode(self, chunk: bytes, *, final: bool) -> None:
        try:
            self._decoder.decode(chunk, final)
        except UnicodeDecodeError as error:
            if not self._ascii_only or not error.object[: error.start].isascii():
                line = self._lines_before() + error.object[: error.start].count(b"\n") + 1
                raise NotText(f"is UTF-8 text, but line {line} holds a broken character") from None
            # The first character beyond ASCII is no UTF-8: what Windows programs write.
            self.encoding = "cp1252"
            self.notes = ("The table was read as Windows-1252 (Latin-1): it is not UTF-8.",)
        self._ascii_only = self._ascii_only and chunk.isascii()

    def _lines_before(self) -> int:
        return self._feeds + self._returns - self._pairs

    def _count_lines(self, chunk: bytes) -> None:
        self._feeds += chunk.count(b"\n")
        self._returns += chunk.count(b"\r")
        self._pairs += chunk.count(b"\r\n")
        if self._last == b"\r" and chunk.startswith(b"\n"):
            self._pairs += 1
        self._last = chunk[-1:]
