"""The two values of the target, named as the report names them everywhere."""

from __future__ import annotations

from dataclasses import dataclass

from placar.signature.model import Target
from placar.training.evaluation import Confusion, Evaluation
from placar.training.report.words import ratio, shorten, visible

NAME_LIMIT = 48
"""Characters of a target's name or value in running text."""

BRIEF_LIMIT = 30
SHORT = 24
SPACED = " = "
NO_BREAK = "\u00a0=\u00a0"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Such as ``Status = bad`` (positive) against ``Status = good`` (negative)."""

    positive: str
    negative: str
    brief_positive: str
    """The same in a chart, where there is less room."""
    brief_negative: str

    @classmethod
    def of(cls, target: Target) -> Outcome:
        """Name both values of a target."""
        return cls(
            positive=_named(target.name, target.positive),
            negative=_named(target.name, target.negative),
            brief_positive=_briefly_named(target.name, target.positive),
            brief_negative=_briefly_named(target.name, target.negative),
        )


def _named(name: str, value: str) -> str:
    """Return both, in one line where they fit into a table's heading."""
    short = len(name) + len(value) <= SHORT
    return f"{_brief(name)}{NO_BREAK if short else SPACED}{_brief(value)}"


def _briefly_named(name: str, value: str) -> str:
    """Return both, or as much of the value as fits: it is what tells the two apart."""
    full = _named(name, value)
    return full if len(full) <= BRIEF_LIMIT else f"…{NO_BREAK}{shorten(_brief(value), SHORT)}"


def _brief(text: str) -> str:
    return shorten(visible(text), NAME_LIMIT)


@dataclass(frozen=True, slots=True)
class Tally:
    """What one threshold does to the test rows, in sums and rates."""

    called: int
    """Rows predicted to be positive."""
    positives: int
    negatives: int
    precision: float
    """Share of the called rows that are positive."""
    found: float
    """Share of the positives that are called."""
    alarms: float
    """Share of the negatives that are called."""

    @classmethod
    def of(cls, confusion: Confusion) -> Tally:
        """Sum up one threshold; a rate without rows is NaN."""
        called = confusion.true_positives + confusion.false_positives
        positives = confusion.true_positives + confusion.false_negatives
        negatives = confusion.false_positives + confusion.true_negatives
        return cls(
            called=called,
            positives=positives,
            negatives=negatives,
            precision=ratio(confusion.true_positives, called),
            found=ratio(confusion.true_positives, positives),
            alarms=ratio(confusion.false_positives, negatives),
        )

    @property
    def rows(self) -> int:
        """Return the number of test rows."""
        return self.positives + self.negatives


def fewest(evaluation: Evaluation) -> int:
    """Return how many test rows the rarer of the two values has: what certainty hangs on."""
    tally = Tally.of(evaluation.confusion)
    return min(tally.positives, tally.negatives)
