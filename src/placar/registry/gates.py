"""Gates: what a version must show before it is promoted without anybody looking."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from placar.package.manifest import Manifest, Metrics

FEWEST_TEST_ROWS = 30
"""Below this the test part says nothing about the next hundred rows."""

CHANCE = 0.5
"""AUC of a model that guesses."""

WORST_ECE = 0.1
"""Greatest mean distance between probability and frequency, on a large test part."""

LOG_LOSS_SLACK = 0.1
"""Share by which the log loss, against that of the base rate, may be worse than the champion's."""


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """Whether a version may be promoted, and if not, why: one sentence per gate."""

    passed: bool
    reasons: tuple[str, ...]


def gate(candidate: Manifest, champion: Manifest | None) -> GateVerdict:
    """Judge a version by itself, and against the champion when there is one.

    Comparisons are written so that a figure that is not a number never passes.
    """
    reasons = [*_by_itself(candidate.metrics)]
    if champion is not None:
        reasons += _against(candidate, champion)
    return GateVerdict(passed=not reasons, reasons=tuple(reasons))


def _by_itself(metrics: Metrics) -> Iterator[str]:
    if metrics.rows < FEWEST_TEST_ROWS:
        yield f"The test part has {metrics.rows} rows; at least {FEWEST_TEST_ROWS} are needed."
    if not metrics.auc_low > CHANCE:
        yield (
            f"It is not clearly better than chance: AUC {metrics.auc:.3f}, "
            f"95 % interval {metrics.auc_low:.3f} to {metrics.auc_high:.3f}."
        )
    # On few rows the error is large by chance alone, in proportion to 1/√rows.
    allowed = WORST_ECE + 1 / math.sqrt(max(metrics.rows, 1))
    if not metrics.ece <= allowed:
        yield (
            f"Its probabilities are off by {metrics.ece:.3f} on average (ECE); "
            f"at most {allowed:.3f} is allowed on {metrics.rows} test rows."
        )


def _against(candidate: Manifest, champion: Manifest) -> Iterator[str]:
    ours, theirs = candidate.signature.target, champion.signature.target
    if (ours.name, ours.positive) != (theirs.name, theirs.positive):
        yield (
            f"It predicts {ours.name} = {ours.positive}, "
            f"the champion {theirs.name} = {theirs.positive}."
        )
        return  # figures on different targets do not compare
    if candidate.training.split != champion.training.split:
        yield (
            "It was tested on other rows than the champion: one on the latest, one on any. Their "
            "figures do not compare; promote it by name if it is to answer."
        )
        return
    if not candidate.metrics.auc_high >= champion.metrics.auc:
        yield (
            f"Its AUC is clearly worse: {candidate.metrics.auc:.3f}, at best "
            f"{candidate.metrics.auc_high:.3f}; the champion has {champion.metrics.auc:.3f}."
        )
    mine, other = _share_of_loss(candidate.metrics), _share_of_loss(champion.metrics)
    if not mine <= other * (1 + LOG_LOSS_SLACK):
        yield (
            f"Its log loss is {100 * mine:.0f} % of what the base rate alone has; the champion's "
            f"is {100 * other:.0f} %, and at most a tenth more than that is allowed."
        )


def _share_of_loss(metrics: Metrics) -> float:
    """Return the log loss as a share of that of saying the base rate to everybody.

    Unlike the loss itself it compares between test parts with different base rates.
    """
    rate = metrics.base_rate
    knowing_nothing = -rate * math.log(rate) - (1 - rate) * math.log(1 - rate)
    return metrics.log_loss / knowing_nothing
