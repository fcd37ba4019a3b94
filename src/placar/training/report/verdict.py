"""Is the model any good, and how sure are we? In plain words, from the figures on the test part."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from placar.package.manifest import Metrics
from placar.training.evaluation import Evaluation, GainPoint, MemberResult, ReliabilityBin
from placar.training.report.outcome import Outcome, Tally, fewest
from placar.training.report.words import count, decimal, percent, plural, times

GUESSING = 0.5
SUSPICIOUS = 0.97
"""AUC from which a column that gives the answer away is the likelier reason."""

GRADES = (
    (0.90, "A very good model"),
    (0.80, "A good model"),
    (0.70, "A useful model"),
    (0.60, "A weak model, better than guessing"),
    (0.00, "A very weak model, hardly better than guessing"),
)
"""Usual words for an AUC; what is good enough depends on what the model is for."""

WIDE, NARROW = 0.10, 0.04
"""Widths of the AUC's interval: above the first nobody can be sure, below the second we are."""

FEW, VERY_FEW = 100, 20
"""Test rows of the rarer value: below these the figures are rough, or hardly evidence."""

YARDSTICK = "logistic regression"

AS_GOOD = 0.005
"""Difference in AUC that makes no difference in use."""

TOLERABLE = 0.05
"""Calibration error up to which probabilities are near enough for use."""

MOST, HALF = 0.8, 0.5
"""Shares of the groups that must agree for probabilities to be right, and roughly right."""

Calibrated = Literal["yes", "roughly", "no", "unknown"]


@dataclass(frozen=True, slots=True)
class Card:
    """One key figure, and what it means."""

    name: str
    figure: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Caution:
    """Something the reader must know before using the figures."""

    title: str
    text: str


def headline(metrics: Metrics, rarer: int) -> str:
    """Return the verdict in one sentence; ``rarer`` counts test rows of the rarer value."""
    if not math.isfinite(metrics.auc):
        return "The test rows cannot tell whether this model is any good."
    if metrics.auc_high < GUESSING:
        return "Worse than guessing: this model should not be used."
    if metrics.auc_low <= GUESSING:
        return "This model cannot be told from guessing."
    if metrics.auc >= SUSPICIOUS:
        return "An almost perfect model, which is a reason to be careful."
    grade = next(words for least, words in GRADES if metrics.auc >= least)
    return f"{grade}, {_sureness(metrics, rarer)}."


def _sureness(metrics: Metrics, rarer: int) -> str:
    width = metrics.auc_high - metrics.auc_low
    if rarer < VERY_FEW or width > WIDE:
        return "but the test is too small to be sure"
    if rarer < FEW or width > NARROW:
        return "and we are fairly sure of it"
    return "and we are sure of it"


def ranking(metrics: Metrics, outcome: Outcome) -> str:
    """Return what the AUC means, as a game of pairs."""
    if not math.isfinite(metrics.auc):
        return "With one value of the target only, nothing can be ranked."
    pairs, low, high = (
        round(100 * value) for value in (metrics.auc, metrics.auc_low, metrics.auc_high)
    )
    return (
        f"Take two cases at random, one with {outcome.positive} and one with {outcome.negative}. "
        f"In {pairs} of 100 such pairs the model gives the one with {outcome.positive} the higher "
        f"probability. Guessing would get 50 right. Tested on other cases of the same kind, "
        f"anything from {low} to {high} would be no surprise (95\u00a0% interval)."
    )


def sample(evaluation: Evaluation, outcome: Outcome) -> str:
    """Return what the verdict rests on."""
    tally = Tally.of(evaluation.confusion)
    return (
        f"This was measured on {plural(tally.rows, 'row')} that were kept apart and took no part "
        f"in building the model: {count(tally.positives)} with {outcome.positive} and "
        f"{count(tally.negatives)} with {outcome.negative}."
    )


def calibrated(metrics: Metrics, bins: Sequence[ReliabilityBin]) -> Calibrated:
    """Judge the probabilities: do the groups agree with what happened, within chance?"""
    full = [one for one in bins if one.rows]
    if not full or not math.isfinite(metrics.ece):
        return "unknown"
    rarer_rate = min(metrics.base_rate, 1.0 - metrics.base_rate)
    # With very many rows every small difference is real; what matters then is its size.
    negligible = metrics.ece <= 0.05 * rarer_rate
    # With very few the intervals are so wide that anything agrees with them.
    telling = metrics.ece <= TOLERABLE and rarer_rate * metrics.rows >= VERY_FEW
    share = agreeing(bins) / len(full)
    if share >= MOST or negligible:
        return "yes" if telling else "unknown"
    return "roughly" if share >= HALF and metrics.ece <= 2 * TOLERABLE else "no"


def agreeing(bins: Sequence[ReliabilityBin]) -> int:
    """Count the groups whose stated probability lies within the interval of what happened."""
    return sum(1 for one in bins if one.rows and one.low <= one.predicted <= one.high)


def probabilities(metrics: Metrics, bins: Sequence[ReliabilityBin]) -> str:
    """Return whether the probabilities can be taken at their word."""
    off = f"on average they are off by {decimal(100 * metrics.ece, 1)} percentage points"
    return {
        "yes": f"Its probabilities can be taken at their word: {off}.",
        "roughly": f"Its probabilities are roughly right: {off}.",
        "no": f"Its probabilities should be read as an order, not as rates: {off}.",
        "unknown": "The test rows are too few to say whether its probabilities are right.",
    }[calibrated(metrics, bins)]


def yardstick(metrics: Metrics, members: Sequence[MemberResult]) -> str:
    """Return how the model compares with a plain logistic regression; empty when it cannot."""
    plain = next((one for one in members if one.name == YARDSTICK), None)
    # A model that may be guessing, or that nobody could measure, is not worth comparing.
    if plain is None or not metrics.auc_low > GUESSING or not math.isfinite(plain.test_auc):
        return ""
    figures = f"AUC {decimal(plain.test_auc)} against {decimal(metrics.auc)}"
    if plain.weight >= 1.0:
        return (
            "The model is the yardstick itself, a plain logistic regression: nothing more "
            "elaborate did better on rows held back."
        )
    if plain.test_auc > metrics.auc + AS_GOOD:
        return (
            f"The yardstick, a plain logistic regression, does better on the test rows ({figures}),"
            " though not on the rows it was chosen by."
        )
    if plain.test_auc >= metrics.auc - AS_GOOD:
        return (
            f"The yardstick, a plain logistic regression, does as well ({figures}): where a "
            "simple, easily explained model is wanted, little would be lost."
        )
    doubt = ", a difference smaller than the uncertainty of the test"
    return (
        f"It does better than the yardstick, a plain logistic regression ({figures})"
        f"{doubt if plain.test_auc >= metrics.auc_low else ''}."
    )


def cautions(evaluation: Evaluation, outcome: Outcome) -> tuple[Caution, ...]:
    """Return what limits the verdict, worst first."""
    metrics, rarer = evaluation.metrics, fewest(evaluation)
    found = []
    if metrics.auc >= SUSPICIOUS:
        found.append(
            Caution(
                "Too good to be true?",
                "Figures like these often mean that a column gives the answer away, because it is "
                "filled in only once the outcome is known. Look at the first features under "
                "“What it uses” and ask whether they are known when a score is needed.",
            )
        )
    if rarer < FEW:
        tally = Tally.of(evaluation.confusion)
        name = outcome.positive if tally.positives == rarer else outcome.negative
        rough = "hardly evidence" if rarer < VERY_FEW else "rough"
        found.append(
            Caution(
                "A small test",
                f"Only {plural(rarer, 'test row')} with {name}: every figure here is "
                f"{rough}. More rows of that kind would help more than anything else.",
            )
        )
    return tuple(found)


def cards(evaluation: Evaluation, outcome: Outcome) -> tuple[Card, ...]:
    """Return the key figures."""
    metrics = evaluation.metrics
    rate = metrics.base_rate
    guess = f"guessing {percent(rate)} for every row"
    interval = f"{decimal(metrics.auc_low)} to {decimal(metrics.auc_high)}"
    return (
        Card(
            "AUC",
            decimal(metrics.auc),
            f"How well it ranks: 0.5 is guessing, 1 is perfect. 95\u00a0% interval: {interval}.",
        ),
        _first_tenth(evaluation.gain, outcome),
        Card(
            "ECE",
            percent(metrics.ece),
            "How far its probabilities are off, on average. 0 is perfect.",
        ),
        Card("KS", decimal(metrics.ks), "Largest gap between rates of finds and false alarms."),
        Card(
            "Log loss",
            decimal(metrics.log_loss),
            f"Price of wrong probabilities, lower is better; {guess} costs "
            f"{decimal(_entropy(rate))}.",
        ),
        Card(
            "Brier score",
            decimal(metrics.brier),
            f"Mean squared error, lower is better; {guess} gives {decimal(rate * (1 - rate))}.",
        ),
        Card("Base rate", percent(rate), f"Share of the test rows with {outcome.positive}."),
        Card("Test rows", count(metrics.rows), "Kept apart from everything the model learnt from."),
    )


def _first_tenth(gain: Sequence[GainPoint], outcome: Outcome) -> Card:
    """Return the lift near the first tenth of the rows."""
    known = [one for one in gain if math.isfinite(one.lift)]
    nearest = min(known, key=lambda one: abs(one.share - 0.1), default=None)
    if nearest is None:
        return Card("Lift", decimal(math.nan), "Cannot be measured on these rows.")
    return Card(
        "Lift",
        times(nearest.lift, 1),
        f"The {percent(nearest.share, 0)} of rows with the highest probabilities hold that many "
        f"times the base rate of {outcome.positive}.",
    )


def _entropy(rate: float) -> float:
    """Return the log loss of giving every row the base rate."""
    if not 0.0 < rate < 1.0:
        return 0.0 if rate in {0.0, 1.0} else math.nan
    return -(rate * math.log(rate) + (1.0 - rate) * math.log(1.0 - rate))
