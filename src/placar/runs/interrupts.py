"""Signals that ask a command to end, counted instead of raised wherever they strike."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from types import FrameType, TracebackType
from typing import Self

_ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, a polite kill, and a terminal that was closed."""


class Interrupts:
    """A context manager for the main thread: while it lasts, asking signals are only counted."""

    def __init__(self) -> None:
        """Start at none."""
        self.count = 0
        self._handlers = ExitStack()

    def __enter__(self) -> Self:
        """Begin to count."""
        for number in _ASKING:
            self._handlers.callback(signal.signal, number, signal.signal(number, self._note))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the signals back to whoever handled them."""
        self._handlers.close()

    def _note(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.count += 1
