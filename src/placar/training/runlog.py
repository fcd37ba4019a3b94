"""The run's log: one line per event on standard output, which the parent keeps as ``log.txt``."""

from __future__ import annotations

import logging
import sys
from typing import Final

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class EventFormatter(logging.Formatter):
    """Writes ``time level event key=value …``."""

    def __init__(self) -> None:
        """Set the shape of the line."""
        super().__init__("{asctime} {levelname} {message}", "%Y-%m-%dT%H:%M:%S%z", style="{")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        """Append the event's fields to the line."""
        fields = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        return " ".join([super().formatMessage(record), *(f"{k}={v}" for k, v in fields.items())])


def log_to_stdout(level: int = logging.INFO) -> None:
    """Send every event of this level and above to standard output."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(EventFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
