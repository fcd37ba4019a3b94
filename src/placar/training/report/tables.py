"""The tables of the report: text cell by cell, as the page shows them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from placar.package.manifest import Importance, Provenance, ScoreScale
from placar.scoring.calibration import scalar_probability
from placar.scoring.scale import HIGHEST, LOWEST
from placar.training.evaluation import Confusion, Evaluation, GainPoint
from placar.training.report.charts import bar
from placar.training.report.outcome import Outcome, Tally
from placar.training.report.svg import element
from placar.training.report.words import (
    NOTHING,
    count,
    decimal,
    odds,
    percent,
    plain,
    ratio,
    times,
)

GAIN_SHARES = (0.01, 0.05, 0.1, 0.2, 0.3, 0.5)
"""How deep the gain table goes, one row each."""

DOUBLINGS = (-4, -3, -2, -1, 0, 1, 2, 3, 4)
"""Rows of the table of scores, in doublings of the odds from the base."""

SHOWN = 20
"""Rows of a long table that are always open; the rest is folded."""


@dataclass(frozen=True, slots=True)
class Head:
    """A column's heading, and how its cells are set."""

    text: str
    kind: Literal["", "number", "wide"] = ""
    """Numbers are set to the right; wide text gets room even on a phone."""


@dataclass(frozen=True, slots=True)
class Table:
    """What the template draws. The first cell of a row is its heading."""

    caption: str
    heads: tuple[Head, ...]
    rows: tuple[tuple[str, ...], ...]
    marked: int | None = None
    """Position of the row to set off."""

    @property
    def shown(self) -> tuple[tuple[str, ...], ...]:
        """Return the rows that are always shown."""
        return self.rows if len(self.rows) <= SHOWN + 5 else self.rows[:SHOWN]

    @property
    def folded(self) -> tuple[tuple[str, ...], ...]:
        """Return the rows behind a fold."""
        return self.rows[len(self.shown) :]


def _measured(text: str, wide: float, kind: str = "model") -> Markup:
    """Return a figure with a bar before it."""
    return element("span", bar(wide, kind), element("span", text), class_="measured")


def importance(shares: tuple[Importance, ...]) -> Table:
    """Return every feature's share, with a bar as long as the first allows."""
    largest = max((one.share for one in shares), default=0.0)
    return Table(
        caption="How much each feature matters",
        heads=(Head("Feature"), Head("Share of the importance")),
        rows=tuple(
            (one.feature, _measured(percent(one.share), ratio(one.share, largest)))
            for one in shares
        ),
    )


def reliability(evaluation: Evaluation, outcome: Outcome) -> Table:
    """Return the figures behind the reliability chart."""
    return Table(
        caption="The groups of the chart",
        heads=(
            Head("Probability given"),
            Head("Rows", "number"),
            Head(f"Were {outcome.positive}", "number"),
            Head("95\u00a0% interval", "number"),
        ),
        rows=tuple(
            (
                percent(one.predicted),
                count(one.rows),
                percent(one.observed),
                f"{decimal(100 * one.low, 1)}\u00a0to\u00a0{percent(one.high)}"
                if one.rows
                else NOTHING,
            )
            for one in evaluation.reliability
        ),
    )


def gain(points: tuple[GainPoint, ...], outcome: Outcome) -> Table:
    """Return how much the first rows hold, at a few depths."""
    known = [one for one in points if math.isfinite(one.captured)]
    nearest = [
        min(known, key=lambda one: abs(one.share - share), default=None) for share in GAIN_SHARES
    ]
    # Few rows make few points: several depths may meet in one.
    distinct = {one.share: one for one in nearest if one is not None and one.share > 0}
    return Table(
        caption="Working down from the highest probability",
        heads=(
            Head("First rows"),
            Head(f"Hold of all {outcome.positive}", "number"),
            Head("Lift", "number"),
        ),
        rows=tuple(
            (
                percent(share, 0),
                percent(one.captured),
                times(one.lift, 2),
            )
            for share, one in sorted(distinct.items())
        ),
    )


def bands(evaluation: Evaluation, outcome: Outcome) -> Table:
    """Return what each band held on the test rows."""
    rows = sum(one.rows for one in evaluation.bands)
    return Table(
        caption="Bands of scores on the test rows",
        heads=(
            Head("Band"),
            Head("Scores", "number"),
            Head("Rows", "number"),
            Head(outcome.positive, "number"),
            Head("Rate"),
            Head("Probability given", "number"),
            Head("Share of rows", "number"),
        ),
        rows=tuple(
            (
                one.name,
                f"{one.low}\u00a0to\u00a0{one.high}",
                count(one.rows),
                count(one.positives),
                _measured(
                    percent(ratio(one.positives, one.rows)),
                    ratio(one.positives, one.rows),
                    "positive",
                ),
                percent(one.predicted),
                percent(ratio(one.rows, rows)),
            )
            for one in evaluation.bands
        ),
    )


def thresholds(evaluation: Evaluation, outcome: Outcome, score_at: Callable[[float], int]) -> Table:
    """Return what other thresholds would do, with the chosen one among them."""
    chosen = evaluation.confusion
    others = [one for one in evaluation.thresholds if one.threshold != chosen.threshold]
    every = sorted([chosen, *others], key=lambda one: one.threshold)
    return Table(
        caption="What other thresholds would do on the test rows",
        heads=(
            Head("Probability from"),
            Head("Score", "number"),
            Head("Rows called", "number"),
            Head("Right when called", "number"),
            Head(f"Found, of all {outcome.positive}", "number"),
            Head(f"False alarms, of all {outcome.negative}", "number"),
        ),
        rows=tuple(_threshold(one, score_at, chosen=one is chosen) for one in every),
        marked=every.index(chosen),
    )


def _threshold(
    confusion: Confusion, score_at: Callable[[float], int], *, chosen: bool
) -> tuple[str, ...]:
    tally = Tally.of(confusion)
    return (
        f"{percent(confusion.threshold)}{' (chosen)' if chosen else ''}",
        count(score_at(confusion.threshold)),
        count(tally.called),
        percent(tally.precision),
        f"{percent(tally.found)}\u00a0({count(confusion.true_positives)})",
        f"{percent(tally.alarms)}\u00a0({count(confusion.false_positives)})",
    )


def confusion(chosen: Confusion, outcome: Outcome) -> Table:
    """Return the four counts at the chosen threshold, each with its meaning."""
    return Table(
        caption="At the chosen threshold",
        heads=(
            Head("Test rows"),
            Head(f"called {outcome.positive}", "number"),
            Head(f"called {outcome.negative}", "number"),
        ),
        rows=(
            (
                f"really {outcome.positive}",
                f"{count(chosen.true_positives)} found",
                f"{count(chosen.false_negatives)} missed",
            ),
            (
                f"really {outcome.negative}",
                f"{count(chosen.false_positives)} false alarms",
                f"{count(chosen.true_negatives)} rightly passed",
            ),
        ),
    )


def scale(points: ScoreScale, outcome: Outcome) -> Table:
    """Return what some scores mean."""
    sense = 1 if points.rising else -1
    scores = [points.base_score + step * points.points_to_double for step in DOUBLINGS]
    rows = []
    for step, score in zip(DOUBLINGS, scores, strict=True):
        if not LOWEST <= score <= HIGHEST:
            continue
        log_odds = math.log(points.base_odds) + sense * step * math.log(2.0)
        rows.append((plain(score), odds(math.exp(log_odds)), percent(scalar_probability(log_odds))))
    return Table(
        caption="What a score means",
        heads=(
            Head("Score"),
            Head(f"Odds of {outcome.positive}", "number"),
            Head("Probability", "number"),
        ),
        rows=tuple(rows),
    )


def members(evaluation: Evaluation) -> Table:
    """Return the candidates, and how each did."""
    return Table(
        caption="The members of the blend and the yardstick",
        heads=(
            Head("Member"),
            Head("Weight", "number"),
            Head("Log loss out of fold", "number"),
            Head("Log loss on the test rows", "number"),
            Head("AUC on the test rows", "number"),
        ),
        rows=tuple(
            (
                one.name,
                NOTHING if one.name == "blend" else percent(one.weight, 0),
                decimal(one.out_of_fold_log_loss, 4),
                decimal(one.test_log_loss, 4),
                decimal(one.test_auc),
            )
            for one in evaluation.members
        ),
    )


def named(caption: str, heads: tuple[str, str], values: dict[str, str]) -> Table:
    """Return names with their values, in the order of the names."""
    return Table(
        caption=caption,
        heads=tuple(Head(text) for text in heads),
        rows=tuple(sorted(values.items())),
    )


def origin(training: Provenance) -> Table:
    """Return where the model comes from."""
    return Table(
        caption="Where the model comes from",
        heads=(Head("What"), Head("Value", "wide")),
        rows=(
            ("Table (SHA-256 of its bytes)", training.table_sha256),
            ("Rows of the table", count(training.rows)),
            ("Rows learnt from", count(training.training_rows)),
            ("Rows tested on", count(training.test_rows)),
            ("Cells that could not be read", count(training.unparsed_cells)),
            ("Split", training.split),
            ("Seed", str(training.seed)),
        ),
    )
