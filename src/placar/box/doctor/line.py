"""One line of a log, and where its message may begin.

Platforms and loggers put things before a message: moments, names, levels, process ids. They are
peeled off one by one, and a known message must begin exactly behind one of them. So a line in
which somebody *writes about* a time-out is no time-out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

_HEAD = re.compile(
    r"""
    (?P<moment>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?
        (?:\ ?(?:Z|UTC|[+-]\d\d:?\d\d))?)
    |(?:\d{4}/\d\d/\d\d|\d\d[/.]\d\d[/.]\d{4}|\d\d/[A-Z][a-z]{2}/\d{4})
        [ :T]\d\d:\d\d:\d\d(?:[.,]\d+)?
    |\d{4}-\d\d-\d\d(?=\s)|\d{1,2}:\d\d:\d\d(?:[.,]\d+)?(?:\ ?[AP]M)?
    |(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),?\ )?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)
        \ +\d{1,2}(?:,?\ \d{4})?,?(?:\ \d{1,2}:\d\d:\d\d(?:\.\d+)?(?:\ ?[AP]M)?)?
    |\d{10}(?:\.\d+|\d{3})?(?=\s)
    |(?:\d{1,5}\ )?<\d{1,3}>(?:1\ )?
    |\[(?P<bracket>[^\[\]]{0,120})\]
    |\((?P<paren>[\w.: -]{1,40})\)(?=[\s:])
    |(?P<level>(?i:trace|debug|info|notice|warning|warn|error|err|critical|crit|fatal|severe|alert
        |emerg))\b
    |[\w.]+:[\w<>.]+:\d+(?=\s)
    |app\[\w+\]\ [a-z]{3}(?=\s?\[)
    |(?:gunicorn|uvicorn|hypercorn|asyncio|root|kernel|kubelet|dockerd|systemd|heroku|app)
        (?:[./]\w+)*\b(?=[\s:\]|\[-])
    |[A-Za-z_][\w./@-]*(?:\[(?P<process>[\w.-]{1,40})\])(?=:)
    |[A-Za-z_][\w-]*(?:\.[\w-]+)+(?=[\s:|])
    |(?:stdout|stderr)\ [FP](?=\s)
    |[\w./-]{1,60}\s*[|│](?=\s)
    |(?:level|lvl|severity|levelname)=(?P<keylevel>"?\w+"?)
    |(?:ts|time|timestamp|at|logger|name|pid|process|thread|caller|host|app|source|dyno|service|stream
        |container|pod|namespace|component)=(?:"[^"]{0,120}"|[^\s"]{1,120})
    |(?:msg|message|event|log)="?
    |={1,2}>|[|│>:*•·\#\u2013\u2014-]+(?=\s)|[:,](?=\S)
    """,
    re.VERBOSE,
)
_HOST = re.compile(
    r"[\w.-]{1,64}\s+(?=(?:[A-Za-z_][\w./@-]*\[[\w.-]+\]:|kernel:|(?:heroku|app)[ /]|systemd))"
)
_PODS = re.compile(
    r"(?:[\w./-]*[\d-][\w./-]*\s+)(?:[\w./-]+\s+)?(?=\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)"
)
_LEVELS = {
    "warn": "warning",
    "err": "error",
    "crit": "critical",
    "fatal": "critical",
    "severe": "error",
}
_NAMES = {"trace", "debug", "info", "notice", "warning", "error", "critical", "alert", "emerg"}
_MOST_HEADS = 24
_LONGEST = 8192
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")


@dataclass(frozen=True, slots=True)
class Start:
    """A place where the message may begin, and what stood before it."""

    at: int
    level: str
    indent: int


@dataclass(frozen=True, slots=True)
class Line:
    """A line: its number, its clean text, its heads peeled."""

    number: int
    text: str
    starts: tuple[Start, ...]
    pid: int | None
    """The process that wrote it, if it says so."""
    moment: float | None
    """Seconds since 1970, if it says so."""

    @property
    def message(self) -> str:
        """What is left behind every head."""
        return self.text[self.starts[-1].at :]

    def search(self, pattern: re.Pattern[str]) -> tuple[re.Match[str], str] | None:
        """Return the match where the message may begin, with the level that stood before it."""
        for start in self.starts:
            match = pattern.match(self.text, start.at)
            if match is not None:
                return match, start.level
        return None


def parse_line(number: int, text: str, level: str = "") -> Line:
    """Peel a line's heads; ``level`` is what a surrounding record already said.

    No known message is longer than some hundred characters, and patterns that look ahead take
    long on a line that was made to keep them busy: the rest is cut off.
    """
    text = text[:_LONGEST]
    position, indent = _skip(text, 0)
    starts = [Start(position, level, indent)]
    pid: int | None = None
    moment: float | None = None
    for _ in range(_MOST_HEADS):
        match = _head(text, position)
        if match is None or match.end() == position:
            break
        groups = match.groupdict() if match.re is _HEAD else {}
        level, pid = _said(groups, level, pid)
        moment = _seconds(groups.get("moment") or groups.get("bracket") or "") or moment
        position, indent = _skip(text, match.end())
        starts.append(Start(position, level, indent))
    return Line(number, text, tuple(starts), pid, moment)


def _head(text: str, position: int) -> re.Match[str] | None:
    found = _HEAD.match(text, position)
    if found is None and position == 0:
        found = _PODS.match(text, position)
    return found or (_HOST.match(text, position) if position else None)


def _skip(text: str, position: int) -> tuple[int, int]:
    begin = position
    while position < len(text) and text[position] in " \t":
        position += 1
    return position, position - begin


def _said(groups: dict[str, str | None], level: str, pid: int | None) -> tuple[str, int | None]:
    named = groups.get("level") or groups.get("keylevel") or groups.get("bracket") or ""
    name = level_name(named.strip('" '))
    process = (groups.get("bracket") or groups.get("process") or "").strip()
    if process.isascii() and process.isdigit() and len(process) < 10:  # noqa: PLR2004 - a pid
        pid = int(process)
    return name or level, pid


def level_name(text: str) -> str:
    """Return a level in one spelling, empty when it is none."""
    name = text.strip().lower()
    name = _LEVELS.get(name, name)
    return name if name in _NAMES else ""


def _seconds(text: str) -> float | None:
    found = _MOMENT.match(text)
    if found is None:
        return None
    rest = text[found.end() :].replace(",", ".").replace(" ", "")
    rest = rest.replace("UTC", "+00:00").replace("Z", "+00:00")
    fraction = re.match(r"\.\d+", rest)
    zone = rest[fraction.end() :] if fraction else rest
    try:
        when = datetime.fromisoformat(found[0] + zone)
    except ValueError:
        return None
    return when.timestamp() if when.tzinfo else when.replace(tzinfo=UTC).timestamp()
