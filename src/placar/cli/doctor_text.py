"""The doctor's findings as a person reads them: at most 80 columns, colours on a terminal only."""

from __future__ import annotations

import shutil
import textwrap

import typer
from rich.console import Console

from placar.box.doctor.finding import Confidence, Evidence, Finding
from placar.box.doctor.machine import Examination

_WIDEST = 80
_MOST_LINES = 3
"""That one line of a log may take."""

_COLOURS = {
    Confidence.CERTAIN: typer.colors.RED,
    Confidence.LIKELY: typer.colors.YELLOW,
    Confidence.POSSIBLE: typer.colors.CYAN,
}


def finding_text(number: int, finding: Finding) -> str:
    """Return one finding as a paragraph for each question it answers."""
    head = _filled(finding.title, f"{number}. ", " " * 3)
    parts = [
        _styled(head, bold=True),
        "   "
        + _styled(finding.confidence.value, fg=_COLOURS[finding.confidence])
        + f"  ({finding.id})",
        *_section("What happened", [finding.what], mark="", below=_evidence(finding.evidence)),
        *_section("Why", [finding.why], mark=""),
        *_section("What to change", finding.fix.splitlines()),
        *_section("What not to do", finding.avoid.splitlines()),
        "",
    ]
    return "\n".join(parts)


def nothing_text(lines: int) -> str:
    """Return what to say about a log without a known cause."""
    if lines == 0:
        return "The log is empty, so it says nothing."
    return _filled(
        f"No known cause in {lines:,} line{'s' if lines != 1 else ''}. If the service fell, the "
        "reason may stand earlier in its log, or only in the platform's events, in `docker "
        "inspect`, `kubectl describe pod` or the kernel's log: I read those too.",
        "",
        "",
    )


def machine_text(examination: Examination) -> str:
    """Return the summary of machine and start command."""
    width = max(map(len, examination.summary), default=0)
    lines = [
        _filled(f"{value}", f"{name:<{width}}  ", " " * (width + 2))
        for name, value in examination.summary.items()
    ]
    if not examination.findings:
        lines += ["", "No settings that fight each other were found."]
    return "\n".join([*lines, ""])


def _section(
    title: str, texts: list[str], *, mark: str = "- ", below: list[str] | None = None
) -> list[str]:
    filled = [_filled(text, f"   {mark}", " " * (3 + len(mark))) for text in texts if text]
    return ["", _styled(f"   {title}", bold=True), *filled, *(below or [])] if filled else []


def _evidence(evidence: tuple[Evidence, ...]) -> list[str]:
    places = [f"{e.file}:{e.line}" if e.file else f"line {e.line}" for e in evidence]
    width = max(map(len, places), default=0)
    indent = " " * (width + 7)
    lines = []
    for place, each in zip(places, evidence, strict=True):
        first, *rest = _wrapped(each.text, max(20, _width() - len(indent)))
        lines.append(_styled(f"     {place:>{width}}", dim=True) + f"  {first}")
        lines += [indent + part for part in rest]
    return lines


def _wrapped(text: str, room: int) -> list[str]:
    return textwrap.wrap(text, room, max_lines=_MOST_LINES, placeholder=" …") or [""]


def _filled(text: str, first: str, rest: str) -> str:
    return textwrap.fill(
        text,
        _width(),
        initial_indent=first,
        subsequent_indent=rest,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _width() -> int:
    return min(_WIDEST, max(40, shutil.get_terminal_size((_WIDEST, 24)).columns))


def _styled(text: str, *, fg: str | None = None, bold: bool = False, dim: bool = False) -> str:
    console = Console()
    if not console.is_terminal or console.no_color:
        return text
    return typer.style(text, fg=fg, bold=bold or None, dim=dim or None)
