"""A trial for a terminal: the verdict, the checks, the figures."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence

from placar.trial.facts import Check, Latency, Step, Trial

_WIDEST = 100
_GAP = "  "
_TITLES = ("connections", "answers", "a second", "p50", "p90", "p99", "worst", "refused", "wrong")


def as_text(trial: Trial) -> str:
    """Return the whole trial as text, without the last line's end."""
    width = min(_WIDEST, shutil.get_terminal_size((_WIDEST, 0)).columns)
    parts = ["\n".join(textwrap.wrap(trial.verdict, width)), _checks(trial.checks, width)]
    if trial.steps:
        parts.append(f"{trial.asked}, milliseconds\n{_table(trial.steps)}")
    return "\n\n".join(parts) + "\n"


def _checks(checks: Sequence[Check], width: int) -> str:
    longest = max((len(each.name) for each in checks), default=0)
    lines = []
    for each in checks:
        start = f"{each.status:<4}{_GAP}{each.name:<{longest}}{_GAP}"
        words = f"{each.found} {each.to_do}".strip()
        lines += textwrap.wrap(
            words, max(40, width), initial_indent=start, subsequent_indent=" " * len(start)
        )
    return "\n".join(lines)


def _table(steps: Sequence[Step]) -> str:
    rows = [_TITLES, *(_row(step) for step in steps)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_TITLES))]
    return "\n".join(
        _GAP.join(f"{cell:>{wide}}" for cell, wide in zip(row, widths, strict=True)) for row in rows
    )


def _row(step: Step) -> tuple[str, ...]:
    counts = (f"{step.connections}", f"{step.latency.count:,}", f"{step.rate:,.0f}")
    return (*counts, *figures(step.latency), f"{step.refused:,}", f"{step.failed:,}")


def figures(latency: Latency) -> tuple[str, str, str, str]:
    """Return p50, p90, p99 and the worst; a dash where there are too few samples."""
    return (
        _figure(latency.p50),
        _figure(latency.p90),
        _figure(latency.p99),
        _figure(latency.worst),
    )


def _figure(milliseconds: float | None) -> str:
    if milliseconds is None:
        return "-"
    return f"{milliseconds:,.0f}" if milliseconds >= 100 else f"{milliseconds:.1f}"  # noqa: PLR2004
