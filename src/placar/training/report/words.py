"""Numbers and names as a reader sees them. Pure functions, no HTML."""

from __future__ import annotations

import math
import unicodedata

NOTHING = "\u2013"
"""Stands for a figure that does not exist, such as the rate of an empty band."""

SMALL_PERCENT, LEAST_PERCENT = 0.95, 0.001
"""Percentages below the first are written to two figures, below the second not at all."""

COMMA_FROM = 10_000
"""Four digits are often a year, which takes no comma."""

EXACT = 1e15
"""Whole numbers from here on are not written out."""

WHOLE_ODDS = 10.0
"""From here on nobody wants the decimals."""

JOINERS = frozenset("\u200c\u200d")
"""Invisible, but parts of words in some scripts and of emoji."""


def count(value: int) -> str:
    """Return a whole number with its thousands set apart.

    >>> count(4454)
    '4,454'
    """
    return f"{value:,}"


def decimal(value: float, digits: int = 3) -> str:
    """Return a number with a fixed number of decimals."""
    return f"{value:.{digits}f}" if math.isfinite(value) else NOTHING


def percent(share: float, digits: int = 1) -> str:
    r"""Return a share of one as a percentage; small ones keep two figures.

    >>> percent(0.2834), percent(0.00123)
    ('28.3\xa0%', '0.12\xa0%')
    """
    if not math.isfinite(share):
        return NOTHING
    value = 100.0 * share
    if digits and 0.0 < value < SMALL_PERCENT:
        return f"{value:.2g}\u00a0%" if value >= LEAST_PERCENT else f"<\u00a0{LEAST_PERCENT}\u00a0%"
    return f"{value:.{digits}f}\u00a0%"


def times(factor: float, digits: int) -> str:
    """Return a factor with the sign of multiplication."""
    return f"{decimal(factor, digits)}\u00a0\u00d7"


def ratio(part: float, whole: float) -> float:
    """Return ``part / whole``, or NaN when there is no whole."""
    return part / whole if whole else math.nan


def plain(value: float) -> str:
    """Return a number as briefly as it can be read, to six figures.

    >>> plain(1000000.0), plain(2024.0), plain(0.5)
    ('1,000,000', '2024', '0.5')
    """
    if not math.isfinite(value):
        return NOTHING
    if value == int(value) and abs(value) < EXACT:
        return str(int(value)) if abs(value) < COMMA_FROM else count(int(value))
    return f"{value:.6g}"


def odds(value: float) -> str:
    """Return odds as people say them.

    >>> odds(4.0), odds(0.0625)
    ('4 to 1', '1 to 16')
    """
    return f"{_brief(value)} to 1" if value >= 1 else f"1 to {_brief(1 / value)}"


def _brief(value: float) -> str:
    whole = value >= WHOLE_ODDS or math.isclose(value, round(value))
    return count(round(value)) if whole else f"{value:.1f}"


def plural(number: int, thing: str) -> str:
    """Return a count with its noun.

    >>> plural(1, "row"), plural(12, "row")
    ('1 row', '12 rows')
    """
    return f"{count(number)} {thing}" if number == 1 else f"{count(number)} {thing}s"


def listed(names: tuple[str, ...]) -> str:
    """Return one or more names as an English list.

    >>> listed(("Age", "Job", "Price"))
    'Age, Job and Price'
    """
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def shorten(text: str, limit: int) -> str:
    """Return the text, cut at ``limit`` characters with an ellipsis."""
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def visible(text: str) -> str:
    """Replace what cannot be seen or encoded: a table may hold any character at all.

    Control characters, lone surrogates and the marks that turn the direction of writing
    around become U+FFFD, so that a name can neither break the page nor pretend to be another.
    """
    if text.isprintable():
        return text
    return "".join(character if _is_visible(character) else "\ufffd" for character in text)


def _is_visible(character: str) -> bool:
    if character.isprintable() or character in JOINERS or character == "\n":
        return True
    return unicodedata.category(character) == "Zs"
