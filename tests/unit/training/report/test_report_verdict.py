"""The verdict in words."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from placar.signature.model import Target
from placar.training.evaluation import MemberResult, ReliabilityBin
from placar.training.report import verdict
from placar.training.report.outcome import Outcome, Tally, fewest
from placar.training.report.words import NOTHING
from unit.training.report.factories import (
    THRESHOLD,
    a_bin,
    a_confusion,
    an_evaluation,
    some_metrics,
    some_scored,
)

OUTCOME = Outcome.of(Target(name="churn", positive="1", negative="0"))


def members(logistic_auc: float, weight: float = 0.0) -> tuple[MemberResult, ...]:
    return (
        MemberResult("boosted trees", 1 - weight, 0.4, 0.836, 0.4),
        MemberResult("logistic regression", weight, 0.4, logistic_auc, 0.4),
    )


@pytest.mark.parametrize(
    ("auc", "low", "high", "rarer", "expected"),
    [
        (0.836, 0.830, 0.842, 900, "A good model, and we are sure of it."),
        (0.836, 0.808, 0.864, 250, "A good model, and we are fairly sure of it."),
        (0.93, 0.90, 0.95, 60, "A very good model, and we are fairly sure of it."),
        (0.75, 0.61, 0.86, 30, "A useful model, but the test is too small to be sure."),
        (0.95, 0.95, 0.95, 9, "A very good model, but the test is too small to be sure."),
        (0.99, 0.98, 1.0, 500, "An almost perfect model, which is a reason to be careful."),
        (0.62, 0.61, 0.63, 9000, "A weak model, better than guessing, and we are sure of it."),
        (0.5, 0.45, 0.55, 200, "This model cannot be told from guessing."),
        (0.4, 0.35, 0.45, 200, "Worse than guessing: this model should not be used."),
        (
            math.nan,
            math.nan,
            math.nan,
            0,
            "The test rows cannot tell whether this model is any good.",
        ),
    ],
)
def test_headline(auc: float, low: float, high: float, rarer: int, expected: str) -> None:
    metrics = some_metrics(1000, auc=auc, auc_low=low, auc_high=high)

    assert verdict.headline(metrics, rarer) == expected


def test_ranking_is_told_as_pairs_out_of_a_hundred() -> None:
    text = verdict.ranking(some_metrics(891), OUTCOME).replace("\u00a0", " ")

    assert "In 84 of 100 such pairs the model gives the one with churn = 1 the higher" in text
    assert "anything from 81 to 86" in text


@pytest.mark.parametrize(
    ("logistic", "weight", "expected"),
    [
        (0.833, 0.0, "does as well"),
        (0.780, 0.0, "It does better than the yardstick"),
        (0.815, 0.0, "a difference smaller than the uncertainty of the test"),
        (0.870, 0.0, "does better on the test rows"),
        (0.836, 1.0, "The model is the yardstick itself"),
    ],
)
def test_yardstick(logistic: float, weight: float, expected: str) -> None:
    assert expected in verdict.yardstick(some_metrics(891), members(logistic, weight))


def test_a_model_that_may_be_guessing_is_not_compared() -> None:
    guessing = some_metrics(891, auc=0.52, auc_low=0.48)

    assert verdict.yardstick(guessing, members(0.52)) == ""
    assert verdict.yardstick(some_metrics(891), ()) == ""


def bins(off: float) -> tuple[ReliabilityBin, ...]:
    return tuple(
        replace(a_bin(share, round(share * 1000), 1000), predicted=share + off)
        for share in (0.1, 0.3, 0.5, 0.7)
    )


@pytest.mark.parametrize(
    ("off", "ece", "expected"),
    [
        (0.0, 0.02, "yes"),
        (0.0, 0.2, "unknown"),
        (0.1, 0.1, "no"),
        (0.1, 0.001, "yes"),
        (math.nan, math.nan, "unknown"),
    ],
)
def test_calibration_weighs_chance_and_size(off: float, ece: float, expected: str) -> None:
    assert verdict.calibrated(some_metrics(4000, ece=ece), bins(off)) == expected


def test_a_handful_of_positives_tells_nothing_about_probabilities() -> None:
    metrics = some_metrics(300, ece=0.01, base_rate=0.05)

    assert verdict.calibrated(metrics, bins(0.0)) == "unknown"


def test_half_of_the_groups_agreeing_is_roughly_calibrated() -> None:
    mixed = (*bins(0.0)[:2], *bins(0.2)[:2])

    assert verdict.agreeing(mixed) == 2
    assert verdict.calibrated(some_metrics(4000, ece=0.08), mixed) == "roughly"


def test_cautions_name_what_limits_the_verdict() -> None:
    small = an_evaluation(some_scored(60), metrics=some_metrics(60, auc=0.98))
    titles = [one.title for one in verdict.cautions(small, OUTCOME)]

    assert titles == ["Too good to be true?", "A small test"]
    assert verdict.cautions(an_evaluation(), OUTCOME) == ()


def test_small_test_names_the_rarer_value() -> None:
    scored = some_scored(60, rate=0.9)
    (caution,) = verdict.cautions(an_evaluation(scored), OUTCOME)

    assert caution.text.startswith(f"Only {int((~scored.positive).sum())} test rows with churn")
    assert "churn\u00a0=\u00a00" in caution.text


def test_cards_compare_with_guessing_the_base_rate() -> None:
    cards = {one.name: one for one in verdict.cards(an_evaluation(), OUTCOME)}

    assert cards["AUC"].figure == "0.836"
    assert cards["Log loss"].meaning.endswith("costs 0.595.")
    assert cards["Brier score"].meaning.endswith("gives 0.202.")


@pytest.mark.parametrize(("rate", "cost"), [(0.0, "0.000"), (1.0, "0.000"), (math.nan, NOTHING)])
def test_cards_for_one_value_only(rate: float, cost: str) -> None:
    evaluation = an_evaluation(metrics=some_metrics(891, base_rate=rate), gain=())
    cards = {one.name: one for one in verdict.cards(evaluation, OUTCOME)}

    assert cards["Log loss"].meaning.endswith(f"costs {cost}.")
    assert cards["Lift"].figure == NOTHING


def test_tally_adds_up() -> None:
    scored = some_scored(500)
    tally = Tally.of(a_confusion(scored, THRESHOLD))

    assert tally.rows == 500
    assert tally.positives == int(scored.positive.sum())
    assert fewest(an_evaluation(scored)) == min(tally.positives, tally.negatives)


def test_long_names_are_cut_but_values_stay_apart() -> None:
    outcome = Outcome.of(Target(name="n" * 200, positive="yes", negative="no"))

    assert len(outcome.positive) < 60
    assert outcome.brief_positive == "…\u00a0=\u00a0yes"
    assert outcome.brief_negative == "…\u00a0=\u00a0no"
