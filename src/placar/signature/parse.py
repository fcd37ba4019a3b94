"""Reading one value as text, number or moment: the only grammars of the product.

Whatever reads a row, be it one JSON object or a column of a table, ends in these functions.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

from placar.signature.model import MomentLayout

LARGEST = 3.4028234663852886e38
"""The largest float32: the model's input holds no larger number."""

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_CLOCK = r"(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,]\d{1,9})?)?\s?(Z|[+-]\d{2}:?\d{2})?)?"
_MOMENT: dict[MomentLayout, tuple[re.Pattern[str], tuple[int, int, int]]] = {
    "iso": (re.compile(r"(\d{4})-(\d{2})-(\d{2})" + _CLOCK, re.ASCII), (0, 1, 2)),
    "dmy": (re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})" + _CLOCK, re.ASCII), (2, 1, 0)),
    "mdy": (re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})" + _CLOCK, re.ASCII), (2, 0, 1)),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_number(text: str) -> float | None:
    """Return the number that ``text`` is, or None; ``inf`` when it is too large for a float.

    Signs, a decimal point and an exponent are read; ``nan``, ``inf``, ``1_000`` and ``1,5``
    are not numbers.
    """
    return float(text) if _NUMBER.fullmatch(text) else None


def parse_moment(text: str, layout: MomentLayout) -> datetime | None:
    """Return the moment that ``text`` is, in UTC, or None.

    A text without an offset is taken as written. Fractions of a second are dropped.
    """
    pattern, (year, month, day) = _MOMENT[layout]
    match = pattern.fullmatch(text)
    if match is None:
        return None
    date, clock = match.groups()[:3], match.groups()[3:6]
    hour, minute, second = (int(part or 0) for part in clock)
    try:
        moment = datetime(
            int(date[year]), int(date[month]), int(date[day]), hour, minute, second, tzinfo=UTC
        )
        return moment - _offset(match[7]) if match[7] else moment
    except (ValueError, OverflowError):
        return None


def _offset(text: str) -> timedelta:
    if text == "Z":
        return timedelta()
    digits = text[1:].replace(":", "")
    span = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return span if text[0] == "+" else -span


def moment_parts(moment: datetime) -> dict[str, float]:
    """Return every part a column can hold: days since 1970, month, weekday (Monday 0), hour."""
    return {
        "days": float((moment - _EPOCH).days),
        "month": float(moment.month),
        "weekday": float(moment.weekday()),
        "hour": float(moment.hour),
    }


def canonical_text(value: str | float | bool) -> str:  # noqa: FBT001 - the kinds it tells apart
    """Return the one text of a category, whether it came as text, number or truth value.

    >>> canonical_text(" A "), canonical_text(3.0), canonical_text(2.5), canonical_text(True)
    ('A', '3', '2.5', 'true')
    """
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return str(int(value)) if math.isfinite(value) and value.is_integer() else str(value)
