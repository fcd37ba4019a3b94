"""The few SVG primitives that the charts are made of. Everything is escaped by construction."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from placar.training.report.words import visible

Point = tuple[float, float]

WIDTH = 400.0
"""Of every chart. The page shows them at about this many pixels, on a phone as on a desk."""


def element(tag: str, *children: str, **attributes: str | float) -> Markup:
    """Return one SVG element.

    Children that are no ``Markup`` are text and are escaped. Attribute names are written as in
    Python: ``class_`` is ``class`` and ``text_anchor`` is ``text-anchor``.
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for name, value in attributes.items()
    )
    inside = "".join(_child(child) for child in children)
    # Every part was escaped above: this only says so to the template.
    return Markup(f"<{tag}{written}>{inside}</{tag}>" if inside else f"<{tag}{written}/>")  # noqa: S704


def _value(value: str | float) -> str:
    return str(escape(visible(value))) if isinstance(value, str) else coordinate(value)


def _child(child: str) -> str:
    return str(child if isinstance(child, Markup) else escape(visible(child)))


def coordinate(value: float) -> str:
    """Return a length in tenths of a unit, as briefly as possible: finer is not seen."""
    return f"{round(value, 1) + 0.0:g}"


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the data is drawn: a rectangle of the drawing, and the values at its sides."""

    left: float
    top: float
    width: float
    height: float
    x: tuple[float, float] = (0.0, 1.0)
    y: tuple[float, float] = (0.0, 1.0)

    @property
    def right(self) -> float:
        """Return the right side."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """Return the lower side."""
        return self.top + self.height

    def at(self, x: float, y: float) -> Point:
        """Return the place of a value; values outside are drawn at the edge."""
        across = min(max((x - self.x[0]) / (self.x[1] - self.x[0]), 0.0), 1.0)
        up = min(max((y - self.y[0]) / (self.y[1] - self.y[0]), 0.0), 1.0)
        return self.left + across * self.width, self.bottom - up * self.height


def ticks(low: float, high: float, wanted: int = 5) -> tuple[float, ...]:
    """Return about ``wanted`` round values from ``low`` to ``high``."""
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * size for size in (1.0, 2.0, 5.0, 10.0) if power * size >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(round(position * step, 10) for position in range(first, last + 1))


def percent_tick(value: float) -> str:
    """Return a share of one as the text of a tick."""
    return f"{round(value * 100, 6):g}%"


def drawing(name: str, height: float, title: str, description: str, *children: Markup) -> Markup:
    """Return a whole chart, which says in words what it shows.

    Args:
        name: unique on the page.
        height: in the same units as ``WIDTH``.
        title: what the chart is.
        description: what can be read from it, for those who do not see it.
        children: what is drawn, from the back to the front.
    """
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", description, id=f"{name}-text"),
        *children,
        class_="chart",
        role="img",
        aria_labelledby=f"{name}-title {name}-text",
        viewBox=f"0 0 {coordinate(WIDTH)} {coordinate(height)}",
    )


def words(place: Point, text: str, kind: str = "tick", anchor: str = "start") -> Markup:
    """Return text at a place; ``anchor`` is start, middle or end."""
    return element("text", text, x=place[0], y=place[1], class_=kind, text_anchor=anchor)


def line(start: Point, end: Point, kind: str) -> Markup:
    """Return a straight line."""
    return element("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], class_=kind)


def path(points: Iterable[Point], kind: str) -> Markup:
    """Return straight lines through the points."""
    steps = "L".join(f"{coordinate(x)} {coordinate(y)}" for x, y in points)
    return element("path", d=f"M{steps}", class_=kind)


def dot(place: Point, radius: float, kind: str) -> Markup:
    """Return a filled circle."""
    return element("circle", cx=place[0], cy=place[1], r=radius, class_=kind)


def x_axis(
    frame: Frame, values: Sequence[float], write: Callable[[float], str], title: str
) -> Markup:
    """Return ticks, their texts and the axis title below the frame."""
    parts = [line((frame.left, frame.bottom), (frame.right, frame.bottom), "axis")]
    for value in values:
        x, _ = frame.at(value, frame.y[0])
        parts.append(line((x, frame.bottom), (x, frame.bottom + 4), "axis"))
        parts.append(words((x, frame.bottom + 17), write(value), anchor="middle"))
    parts.append(words((frame.right, frame.bottom + 36), title, "caption", "end"))
    return element("g", *parts)


def y_axis(
    frame: Frame, values: Sequence[float], write: Callable[[float], str], title: str
) -> Markup:
    """Return rules across the frame, their texts, and the axis title above it."""
    parts = [words((0, frame.top - 12), title, "caption")]
    for value in values:
        _, y = frame.at(frame.x[0], value)
        parts.append(line((frame.left, y), (frame.right, y), "rule"))
        parts.append(words((frame.left - 7, y + 4), write(value), anchor="end"))
    return element("g", *parts)
