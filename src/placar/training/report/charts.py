"""The charts of the report: SVG from figures, by pure functions. Colours come from the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from placar.package.manifest import Metrics
from placar.training.evaluation import SCORE_BIN, Confusion, GainPoint, ReliabilityBin
from placar.training.report.svg import (
    WIDTH,
    Frame,
    Point,
    dot,
    drawing,
    element,
    line,
    path,
    percent_tick,
    ticks,
    words,
    x_axis,
    y_axis,
)
from placar.training.report.words import decimal, percent, plain, plural, ratio

GUESSING = 0.5

SQUARE = Frame(left=46, top=30, width=336, height=296)
SQUARE_HEIGHT = 370.0


def bar(share: float, kind: str = "model") -> Markup:
    """Return a bar for a table cell, ``share`` of the cell wide; the figure stands beside it."""
    wide = min(max(share, 0.0), 1.0) if math.isfinite(share) else 0.0
    return element(
        "svg",
        element("rect", class_="track", width="100%", height="100%"),
        element("rect", class_=f"fill-{kind}", width=f"{wide * 100:.1f}%", height="100%"),
        class_="bar",
        aria_hidden="true",
    )


def auc_strip(metrics: Metrics) -> Markup:
    """Return the AUC with its interval, between guessing and perfect."""
    known = math.isfinite(metrics.auc)
    low = min(GUESSING, max(math.floor(metrics.auc_low * 10) / 10, 0.0)) if known else GUESSING
    frame = Frame(left=10, top=22, width=WIDTH - 20, height=12, x=(low, 1.0))
    parts = [line((frame.left, frame.bottom), (frame.right, frame.bottom), "axis")]
    for value in ticks(low, 1.0, round(10 * (1.0 - low))):
        x, y = frame.at(value, 0.0)
        parts.append(line((x, y - 4), (x, y + 4), "axis"))
        parts.append(words((x, y + 19), decimal(value, 1), anchor="middle"))
    guessing = max(frame.at(GUESSING, 0.0)[0], 30.0)
    parts.append(words((guessing, frame.bottom + 36), "guessing", "caption", "middle"))
    parts.append(words((WIDTH, frame.bottom + 36), "perfect", "caption", "end"))
    if known:
        middle = frame.at(metrics.auc, 0.0)
        ends = frame.at(metrics.auc_low, 0.0), frame.at(metrics.auc_high, 0.0)
        parts.append(line(*ends, "interval"))
        parts.append(dot(middle, 6, "dot"))
        parts.append(words((middle[0], middle[1] - 14), decimal(metrics.auc), "strong", "middle"))
    return drawing(
        "auc",
        76,
        "AUC on the test rows",
        f"{decimal(metrics.auc)}, 95\u00a0% interval {decimal(metrics.auc_low)} to "
        f"{decimal(metrics.auc_high)}; 0.5 is guessing, 1.0 is perfect.",
        *parts,
    )


def reliability(bins: Sequence[ReliabilityBin], positive: str) -> Markup:
    """Return what happened against what was said, with the interval of each group."""
    full = [one for one in bins if one.rows and math.isfinite(one.predicted + one.observed)]
    top = _round_up(max((max(one.high, one.predicted) for one in full), default=1.0))
    frame = Frame(SQUARE.left, SQUARE.top, SQUARE.width, SQUARE.height, (0.0, top), (0.0, top))
    values = ticks(0.0, top)
    parts = [
        y_axis(frame, values, percent_tick, f"Share that was {positive}"),
        x_axis(frame, values, percent_tick, "Probability the model gave (mean of a group)"),
        line(frame.at(0.0, 0.0), frame.at(top, top), "guess"),
    ]
    parts += [
        line(frame.at(one.predicted, one.low), frame.at(one.predicted, one.high), "whisker")
        for one in full
    ]
    parts += [dot(frame.at(one.predicted, one.observed), 4.5, "dot") for one in full]
    said = "; ".join(f"said {percent(one.predicted)}, was {percent(one.observed)}" for one in full)
    return drawing(
        "reliability", SQUARE_HEIGHT, "Reliability: what was said and what happened", said, *parts
    )


def _round_up(value: float) -> float:
    """Return the next round share, so that a rare positive value still fills the chart."""
    for top in (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8):
        if value <= top:
            return top
    return 1.0


def roc(
    points: Sequence[Point], chosen: Confusion, metrics: Metrics, names: tuple[str, str]
) -> Markup:
    """Return the ROC curve with the place of the chosen threshold.

    Args:
        points: (false positive rate, true positive rate), ascending.
        chosen: what the threshold in use does.
        metrics: for the area under the curve.
        names: of the positive and the negative value.
    """
    positive, negative = names
    curve = [SQUARE.at(x, y) for x, y in points if math.isfinite(x + y)]
    alarms = ratio(chosen.false_positives, chosen.false_positives + chosen.true_negatives)
    found = ratio(chosen.true_positives, chosen.true_positives + chosen.false_negatives)
    axes = f"Found, of all with {positive}", f"False alarms, of all with {negative}"
    parts = _rising(curve, *axes)
    if math.isfinite(alarms + found):
        parts.append(dot(SQUARE.at(alarms, found), 5.5, "chosen"))
    return drawing(
        "roc",
        SQUARE_HEIGHT,
        "ROC curve",
        f"The area under the curve is {decimal(metrics.auc)}. At the chosen threshold the model "
        f"finds {percent(found)} of the positives, with {percent(alarms)} false alarms.",
        *parts,
    )


def gain(points: Sequence[GainPoint], positive: str) -> Markup:
    """Return the share of positives found when working down from the highest probability."""
    known = [(one.share, one.captured) for one in points if math.isfinite(one.captured)]
    curve = [SQUARE.at(x, y) for x, y in sorted({(0.0, 0.0), *known, (1.0, 1.0)})]
    some = known[:: max(len(known) // 5, 1)]
    said = "; ".join(f"{percent(x, 0)} of the rows hold {percent(y, 0)}" for x, y in some)
    return drawing(
        "gain",
        SQUARE_HEIGHT,
        "Gain curve",
        f"Of all with {positive}: {said}.",
        *_rising(
            curve, f"Found, of all with {positive}", "Rows looked at, highest probability first"
        ),
    )


def _rising(curve: list[Point], y_title: str, x_title: str) -> list[Markup]:
    """Return axes in shares, the line of guessing, and a curve with the area below it."""
    shares = ticks(0.0, 1.0)
    parts = [
        y_axis(SQUARE, shares, percent_tick, y_title),
        x_axis(SQUARE, shares, percent_tick, x_title),
    ]
    if curve:
        parts.append(path([*curve, SQUARE.at(1, 0), SQUARE.at(0, 0)], "area"))
    parts.append(line(SQUARE.at(0, 0), SQUARE.at(1, 1), "guess"))
    if curve:
        parts.append(path(curve, "curve"))
    return parts


@dataclass(frozen=True, slots=True)
class Panel:
    """One half of the histogram."""

    name: str
    counts: Sequence[int]
    kind: str
    """``positive`` or ``negative``: its colour."""


def histogram(positive: Panel, negative: Panel, threshold: int) -> Markup:
    """Return the scores of positives above those of negatives, each to its own height.

    Args:
        positive: drawn above.
        negative: drawn below, on the same scale of scores.
        threshold: the score where the prediction changes.
    """
    panels = (positive, negative)
    bins = _range_of_bins(panels, threshold)
    span = (bins[0] * SCORE_BIN, bins[1] * SCORE_BIN)
    upper = Frame(0, 32, WIDTH - 12, 112, span)
    lower = replace(upper, top=184)
    parts: list[Markup] = []
    for frame, panel in zip((upper, lower), panels, strict=True):
        x, _ = frame.at(threshold, 0)
        parts += _panel(frame, panel, bins)
        parts.append(line((x, frame.top - 4), (x, frame.bottom), "threshold"))
    parts.append(x_axis(lower, ticks(*span, 6), plain, "Score"))
    return drawing(
        "histogram",
        340,
        "Scores of positives and negatives",
        " ".join(_peak(panel) for panel in panels),
        *parts,
    )


def _range_of_bins(panels: tuple[Panel, ...], threshold: int) -> tuple[int, int]:
    """Return the bins to draw: those that hold rows or the threshold, and one on each side."""
    size = len(panels[0].counts)
    held = {place for one in panels for place, number in enumerate(one.counts) if number}
    held.add(min(threshold // SCORE_BIN, size - 1))
    return max(min(held) - 1, 0), min(max(held) + 2, size)


def _panel(frame: Frame, panel: Panel, bins: tuple[int, int]) -> list[Markup]:
    highest = max(panel.counts)
    title = f"{panel.name}: {plural(sum(panel.counts), 'row')}"
    parts = [words((frame.left, frame.top - 12), title, "strong")]
    for place in range(*bins):
        if panel.counts[place]:
            left, top = frame.at(place * SCORE_BIN, panel.counts[place] / highest)
            right, low = frame.at((place + 1) * SCORE_BIN, 0)
            parts.append(
                element(
                    "rect",
                    x=left + 0.5,
                    y=top,
                    width=right - left - 1,
                    height=low - top,
                    class_=f"fill-{panel.kind}",
                )
            )
    parts.append(line((frame.left, frame.bottom), (frame.right, frame.bottom), "axis"))
    return parts


def _peak(panel: Panel) -> str:
    if not any(panel.counts):
        return f"No row with {panel.name}."
    place = panel.counts.index(max(panel.counts))
    low = place * SCORE_BIN
    return f"Rows with {panel.name} score most often {low} to {low + SCORE_BIN}."
