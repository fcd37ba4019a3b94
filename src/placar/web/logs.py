"""How log lines look: ``event key=value``, one line per event. Configured by entry points only."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable
from contextvars import ContextVar

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""Id of the request that is being answered, for whatever is logged meanwhile."""

ACCESS = "placar.access"
"""Logger of the access log: quiet unless an entry point turns it on."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class EventFormatter(logging.Formatter):
    """Head as gunicorn writes it, the event's name, then its fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; below it the field ``stack`` and the traceback, where there are any."""
        moment = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(record.created))
        fields = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        stack = str(fields.pop("stack", ""))
        request_id = REQUEST_ID.get()
        if request_id:
            fields.setdefault("request_id", request_id)
        parts = [f"[{moment}] [{record.process}] [{record.levelname}] {record.getMessage()}"]
        parts += [f"{name}={_quoted(value)}" for name, value in fields.items()]
        line = " ".join(parts)
        if stack:
            line += "\n" + "\n".join(f"  {frame}" for frame in stack.splitlines())
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def configure_logs(level: str) -> None:
    """Send the product's log lines to stderr; calling again replaces what was set."""
    logger = logging.getLogger("placar")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(EventFormatter())
    logger.handlers = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False
    logging.getLogger(ACCESS).setLevel(logging.WARNING)


def send_access_log(handlers: Iterable[logging.Handler]) -> None:
    """Turn the access log on and send it where the server's own would go."""
    logger = logging.getLogger(ACCESS)
    logger.handlers = list(handlers)
    for handler in logger.handlers:
        handler.setFormatter(EventFormatter())
    logger.setLevel(logging.INFO)
    logger.propagate = False


def _quoted(value: object) -> str:
    text = str(value)
    if text and not any(character in text for character in ' "=\n\r\t'):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + escaped.replace("\r", "\\r").replace("\t", "\\t") + '"'
