"""Signs: lines that are known, each by a pattern that must match where a message may begin."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from placar.box.doctor.line import Line

QUIET = frozenset({"trace", "debug", "info", "notice"})


@dataclass(frozen=True, slots=True)
class Sign:
    """A kind of line.

    ``needle`` is a text that such a line must hold; looking for it first is what makes a large log
    fast. A ``loud`` sign is never written at level info or below, so a line that is must be
    somebody else's.
    """

    name: str
    needle: str
    pattern: re.Pattern[str]
    loud: bool = False
    bare: bool = False
    """No level stands before it: a shell or the C library wrote it, not a logger."""
    stack: tuple[str, ...] = ()
    """Words about where we are that such a line gives away, such as ``heroku``."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A sign that was seen in a line. ``fields`` are the pattern's named groups."""

    sign: str
    line: int
    text: str
    pid: int | None = None
    moment: float | None = None
    fields: dict[str, str] = field(default_factory=dict)


def sign(
    name: str,
    needle: str,
    pattern: str,
    *,
    loud: bool = False,
    bare: bool = False,
    stack: str = "",
) -> Sign:
    """Write a sign down."""
    return Sign(name, needle, re.compile(pattern), loud, bare, tuple(stack.split()))


def sight(kind: Sign, line: Line) -> Sighting | None:
    """Return the sighting when the line is of this kind."""
    found = line.search(kind.pattern) if kind.needle in line.text else None
    if found is None or (kind.loud and found[1] in QUIET) or (kind.bare and found[1]):
        return None
    fields = {name: value for name, value in found[0].groupdict().items() if value is not None}
    pid = fields.get("pid") or fields.get("old_pid", "")
    return Sighting(
        kind.name,
        line.number,
        line.text,
        int(pid) if pid.isdigit() and len(pid) < 10 else line.pid,  # noqa: PLR2004 - a pid
        line.moment,
        fields,
    )
