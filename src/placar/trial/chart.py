"""The chart of a trial: how long answers took, step by step, beside a platform's limit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from placar.trial.facts import Health, Latency, Step, connections_of
from placar.trial.verdict import PLATFORM_LIMIT

_WIDTH = 400
_LEFT, _RIGHT = 138, 388
_TOP, _ROW, _AXIS = 14, 34, 40
_LEAST_DECADES = 2


@dataclass(frozen=True, slots=True)
class _Line:
    name: str
    latency: Latency
    kind: str


@dataclass(frozen=True, slots=True)
class _Scale:
    """Milliseconds on a logarithmic axis, from one power of ten to another."""

    low: int
    high: int

    def at(self, milliseconds: float) -> float:
        power = math.log10(max(milliseconds, 10.0**self.low))
        share = min((power - self.low) / (self.high - self.low), 1.0)
        return round(_LEFT + share * (_RIGHT - _LEFT), 1)


def latency_chart(steps: Sequence[Step], health: Sequence[Health]) -> Markup:
    """Return an SVG with a line for each step and each phase of ``/health``.

    Each line goes from the median to the slowest answer, with marks at p90 and p99. Empty where
    nothing was measured.
    """
    lines = [_Line(connections_of(step), step.latency, "score") for step in steps]
    lines += [_Line(f"health {each.phase}", each.latency, "health") for each in health]
    lines = [line for line in lines if line.latency.worst is not None]
    if not lines:
        return Markup()
    scale = _scale(lines)
    bottom = _TOP + _ROW * len(lines)
    parts = [_axis(scale, bottom), _limit(scale, bottom)]
    parts += [
        _drawn(line, scale, _TOP + _ROW * (number + 0.5)) for number, line in enumerate(lines)
    ]
    title = "Latency in milliseconds, from the median to the slowest answer"
    return _element(
        "svg",
        {
            "class": "chart",
            "role": "img",
            "aria-label": title,
            "viewBox": f"0 0 {_WIDTH} {bottom + _AXIS}",
        },
        *parts,
    )


def _scale(lines: Sequence[_Line]) -> _Scale:
    low = min(each.latency.p50 or each.latency.worst or 1.0 for each in lines)
    high = max(each.latency.worst or 1.0 for each in lines)
    first = math.floor(math.log10(max(low, 0.01)))
    return _Scale(first, max(first + _LEAST_DECADES, math.ceil(math.log10(max(high, 0.01)))))


def _drawn(line: _Line, scale: _Scale, y: float) -> Markup:
    latency = line.latency
    worst = latency.worst or 0.0
    start = scale.at(latency.p50 if latency.p50 is not None else worst)
    parts = [
        _text(_LEFT - 8, y + 4, line.name, "name", "end"),
        _line((start, y), (scale.at(worst), y), f"range {line.kind}"),
    ]
    for value in (latency.p90, latency.p99):
        if value is not None:
            x = scale.at(value)
            parts.append(_line((x, y - 6), (x, y + 6), f"mark {line.kind}"))
    parts.append(_dot(scale.at(worst), y, f"worst {line.kind}"))
    if latency.p50 is not None:
        parts.append(_dot(start, y, f"median {line.kind}"))
    return _element("g", {}, *parts)


def _axis(scale: _Scale, bottom: float) -> Markup:
    parts = []
    for power in range(scale.low, scale.high + 1):
        x = scale.at(10.0**power)
        parts.append(_line((x, _TOP), (x, bottom), "rule"))
        parts.append(_text(x, bottom + 16, _tick(power), "tick", "middle"))
    parts.append(_text(_RIGHT, bottom + 33, "milliseconds, each step ten times the one before"))
    return _element("g", {}, *parts)


def _limit(scale: _Scale, bottom: float) -> Markup:
    if 10.0**scale.high < PLATFORM_LIMIT:
        return Markup()
    x = scale.at(PLATFORM_LIMIT)
    return _line((x, _TOP - 6), (x, bottom), "limit")


def _tick(power: int) -> str:
    return f"{10**power:,}" if power >= 0 else f"{10.0**power:g}"


def _line(start: tuple[float, float], end: tuple[float, float], kind: str) -> Markup:
    (x1, y1), (x2, y2) = start, end
    return _element("line", {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "class": kind})


def _dot(x: float, y: float, kind: str) -> Markup:
    return _element("circle", {"cx": x, "cy": y, "r": 4.5, "class": kind})


def _text(x: float, y: float, text: str, kind: str = "tick", anchor: str = "end") -> Markup:
    return _element("text", {"x": x, "y": y, "class": kind, "text-anchor": anchor}, text)


def _element(tag: str, attributes: dict[str, str | float], *children: str) -> Markup:
    """Return one element; children that are no ``Markup`` are text, and are escaped."""
    written = "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())
    inside = "".join(escape(child) for child in children)
    return Markup(f"<{tag}{written}>{inside}</{tag}>")  # noqa: S704 - every part was escaped
