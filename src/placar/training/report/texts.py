"""The paragraphs of the report that depend on figures, section by section."""

from __future__ import annotations

from collections.abc import Sequence

from placar.package.manifest import Importance, Manifest, ScoreScale
from placar.signature.model import MARKERS
from placar.training.evaluation import Confusion, Evaluation
from placar.training.report.outcome import Outcome, Tally
from placar.training.report.verdict import agreeing, calibrated
from placar.training.report.words import (
    count,
    decimal,
    listed,
    odds,
    percent,
    plain,
    plural,
    ratio,
    shorten,
)

DOMINANT = 0.5
"""Share of importance from which one feature deserves a sentence of its own."""


def purpose(manifest: Manifest, outcome: Outcome) -> str:
    """Return what the model is for, and what it was made from."""
    training = manifest.training
    return (
        f"Says how probable {outcome.positive} is (rather than {outcome.negative}), from "
        f"{plural(len(manifest.signature.features), 'feature')}. Learnt from "
        f"{plural(training.training_rows, 'row')}, tested on {count(training.test_rows)} others."
    )


def importance(shares: Sequence[Importance]) -> str:
    """Return what the importances say, most important first."""
    if not shares:
        return "No importance was recorded."
    first = tuple(f"“{shorten(one.feature, 60)}”" for one in shares[:3])
    if len(shares) == 1:
        return f"The model uses one feature only, {first[0]}."
    if shares[0].share >= DOMINANT:
        return (
            f"{first[0]} alone carries {percent(shares[0].share, 0)} of the importance. Make sure "
            "that it is known, and means the same, whenever a score is asked for."
        )
    together = sum(one.share for one in shares[:3])
    return f"{listed(first)} matter most: together {percent(together, 0)} of the importance."


def calibration(evaluation: Evaluation, outcome: Outcome) -> tuple[str, ...]:
    """Return whether the probabilities mean what they say."""
    bins, metrics = evaluation.reliability, evaluation.metrics
    groups = sum(1 for one in bins if one.rows)
    if not groups:
        return ("There are too few test rows to compare probabilities with what happened.",)
    answer = {
        "yes": "Yes, as far as the test rows can tell.",
        "roughly": "Roughly.",
        "no": "Not well: use the scores as an order, not the probabilities as rates.",
        "unknown": "The test rows are too few to tell: chance alone could explain what is off.",
    }[calibrated(metrics, bins)]
    return (
        f"A probability of 20\u00a0% should come true in 20 of 100 such rows. {answer}",
        (
            f"The test rows were put into {plural(groups, 'group')} of similar probability. In "
            f"{agreeing(bins)} of {groups} the probability the model gave lies within the "
            f"95\u00a0% interval of how often {outcome.positive} really happened; by chance alone "
            "about one group in twenty falls outside."
        ),
        (
            f"The expected calibration error (ECE) is the average distance between the two, "
            f"weighted by rows: {decimal(100 * metrics.ece, 1)} percentage points. With few rows "
            "part of it is chance."
        ),
    )


def separation(confusion: Confusion, outcome: Outcome, score: int) -> str:
    """Return how to read the histogram; ``score`` is that of the chosen threshold."""
    tally = Tally.of(confusion)
    return (
        f"A good model pulls the two groups apart; each is drawn to its own height. The dashed "
        f"line is the chosen threshold, {score} points: {percent(tally.found)} of the rows with "
        f"{outcome.positive} lie on the side where that is predicted, and "
        f"{percent(tally.alarms)} of those with {outcome.negative}."
    )


def decision(confusion: Confusion, outcome: Outcome, limit: str) -> tuple[str, ...]:
    """Return what happens at the chosen threshold, in plain words."""
    tally = Tally.of(confusion)
    rule = (
        f"A row is called {outcome.positive} when its probability is at least "
        f"{percent(confusion.threshold)}, that is {limit}."
    )
    if not tally.called:
        return (rule, f"No test row reaches it: all are called {outcome.negative}.")
    return (
        (
            f"{rule} So it calls {count(tally.called)} of the {plural(tally.rows, 'test row')} "
            f"({percent(ratio(tally.called, tally.rows))})."
        ),
        (
            f"When it calls a row {outcome.positive}, it is right in "
            f"{percent(tally.precision)} of cases ({count(confusion.true_positives)} of "
            f"{count(tally.called)})."
        ),
        (
            f"Of the {plural(tally.positives, 'row')} that really are {outcome.positive}, it finds "
            f"{count(confusion.true_positives)} ({percent(tally.found)}) and misses "
            f"{count(confusion.false_negatives)}."
        ),
        (
            f"Of the {plural(tally.negatives, 'row')} that really are {outcome.negative}, it "
            f"wrongly calls {count(confusion.false_positives)} ({percent(tally.alarms)}): "
            "false alarms."
        ),
    )


def side(score: int, *, rising: bool) -> str:
    """Return where on the scale of scores the positive value is predicted."""
    return f"a score of about {score} or {'more' if rising else 'less'}"


def scale(points: ScoreScale, outcome: Outcome) -> str:
    """Return what a score is."""
    turn = "more" if points.rising else "fewer"
    sense = "more" if points.rising else "less"
    return (
        f"A score is the probability in points, which are easier to compare: "
        f"{plain(points.base_score)} points stand for odds of {odds(points.base_odds)}, and "
        f"{plain(points.points_to_double)} points {turn} double the odds of {outcome.positive}. "
        f"A higher score means that {outcome.positive} is {sense} probable. Scores are whole "
        "numbers from 0 to 1000, and the scale stays the same when the model is trained again."
    )


def missing() -> str:
    """Return what counts as missing in every feature, and what the two policies mean."""
    markers = listed(tuple(sorted(marker for marker in MARKERS if marker)))
    return (
        f"Empty cells and the texts {markers} count as missing in every feature. Where a feature "
        "may not be missing, it never was in training: a row must have it, and for an explicit "
        "null a typical value stands in, with a warning."
    )
