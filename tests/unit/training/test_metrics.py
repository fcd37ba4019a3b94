"""Figures and curves agree with scikit-learn, SciPy and the papers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import ks_2samp, rankdata
from sklearn import metrics as sk

from placar.training import curves, metrics
from placar.training.logistic import probabilities

Case = tuple[NDArray[np.bool_], NDArray[np.float64]]


@pytest.fixture(params=["plain", "ties", "rare", "certain"])
def case(request: pytest.FixtureRequest) -> Case:
    """Outcomes and log-odds."""
    random = np.random.default_rng(5)
    rows = 700
    odds = random.normal(size=rows) * {"certain": 60.0}.get(request.param, 1.5)
    odds -= {"rare": 4.0}.get(request.param, 0.5)
    if request.param == "ties":
        odds = np.round(odds)
    positive = random.random(rows) < probabilities(odds)
    positive[:2] = True, False
    return positive, odds


def test_loss_and_brier_are_those_of_scikit_learn(case: Case) -> None:
    positive, odds = case
    chances = np.clip(probabilities(odds), 1e-15, 1 - 1e-15)
    assert metrics.brier(positive, chances) == pytest.approx(sk.brier_score_loss(positive, chances))
    if np.abs(odds).max() < 30:
        assert metrics.log_loss(positive, odds) == pytest.approx(sk.log_loss(positive, chances))


def test_area_is_that_of_scikit_learn(case: Case) -> None:
    positive, odds = case
    area = metrics.auc(positive, odds)
    assert area.value == pytest.approx(sk.roc_auc_score(positive, odds))
    assert area.low <= area.value <= area.high


@pytest.mark.parametrize(
    ("cases", "controls", "truth", "apart"),
    [(50, 100, 0.7602, 1.0), (10, 100, 0.95, 2.3262), (5, 50, 0.95, 2.3262), (4, 40, 0.5, 0.0)],
)
def test_interval_covers_the_truth_about_as_often_as_it_says(
    cases: int, controls: int, truth: float, apart: float
) -> None:
    """``truth`` is the area of two normals that are ``apart`` standard deviations apart."""
    random = np.random.default_rng(3)
    positive = np.arange(cases + controls) < cases
    hits = 0
    for _ in range(400):
        area = metrics.auc(positive, random.normal(size=len(positive)) + apart * positive)
        hits += area.low <= truth <= area.high
    assert 0.92 <= hits / 400 <= 0.99


def test_interval_of_a_perfect_order_is_not_a_point() -> None:
    area = metrics.auc(np.arange(20) < 2, -np.arange(20.0))
    assert (area.value, area.high) == (1.0, 1.0)
    assert 0.4 < area.low < 0.7


def test_interval_is_as_wide_on_either_side_of_chance() -> None:
    positive, scores = np.array([1, 0, 1, 0, 0, 1, 0]) > 0, np.arange(7.0)
    better, worse = metrics.auc(positive, scores), metrics.auc(positive, -scores)
    assert (worse.low, worse.high) == pytest.approx((1 - better.high, 1 - better.low))


def test_separation_is_the_kolmogorov_smirnov_distance(case: Case) -> None:
    positive, odds = case
    chances = probabilities(odds)
    found = metrics.separation(positive, chances)
    assert found.ks == pytest.approx(ks_2samp(chances[positive], chances[~positive]).statistic)
    called = chances >= found.threshold
    rates = called[positive].mean() - called[~positive].mean()
    ahead = ks_2samp(chances[positive], chances[~positive], "less").statistic
    assert rates == pytest.approx(ahead)
    assert found.below == max(chances[chances < found.threshold], default=found.threshold)


def test_ece_is_zero_when_every_group_is_right_and_the_gap_when_all_are_wrong_alike() -> None:
    positive = np.arange(1000) % 4 == 0
    assert metrics.ece(positive, np.full(1000, 0.25)) == pytest.approx(0.0)
    assert metrics.ece(positive, np.full(1000, 0.45)) == pytest.approx(0.2)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=200), st.integers(2, 15))
def test_groups_hold_every_row_once_and_ascend(values: list[float], groups: int) -> None:
    probability = np.array(values)
    binned = metrics.equal_mass(probability > 0.5, probability, groups)
    assert binned.rows.sum() == len(values)
    assert len(binned.rows) <= groups
    assert np.all(np.diff(binned.predicted) > -1e-12)
    assert np.all(binned.positives <= binned.rows)


def test_wilson_s_interval() -> None:
    low, high = metrics.wilson(8, 10)  # Newcombe (1998) gives 0.4902, 0.9433
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert metrics.wilson(0, 5)[0] == 0.0
    assert metrics.wilson(5, 5)[1] == 1.0
    assert metrics.wilson(0, 0) == (0.0, 1.0)


def test_ranks_share_ties() -> None:
    values = np.array([3.0, 1.0, 3.0, 2.0, 3.0])
    assert metrics._midranks(values).tolist() == rankdata(values).tolist()


def test_roc_has_the_area_it_belongs_to_and_few_points(case: Case) -> None:
    positive, odds = case
    points = np.array(curves.roc(positive, probabilities(odds)))
    assert len(points) <= 200
    assert points[0].tolist() == [0.0, 0.0]
    assert points[-1].tolist() == [1.0, 1.0]
    assert np.all(np.diff(points, axis=0) >= 0)
    area = float(np.trapezoid(points[:, 1], points[:, 0]))
    assert area == pytest.approx(metrics.auc(positive, probabilities(odds)).value, abs=0.01)


def test_gain_ends_with_everything_and_does_not_depend_on_the_order_of_ties() -> None:
    positive = np.arange(100) < 20
    constant = curves.gain(positive, np.full(100, 0.2))
    assert constant == curves.gain(positive[::-1], np.full(100, 0.2))
    assert all(point.lift == pytest.approx(1.0) for point in constant)
    perfect = {point.share: point for point in curves.gain(positive, positive.astype(float))}
    assert perfect[0.2].captured == pytest.approx(1.0)
    assert perfect[0.1].lift == pytest.approx(5.0)
    assert perfect[1.0].captured == pytest.approx(1.0)


def test_reliability_intervals_hold_what_was_observed(case: Case) -> None:
    positive, odds = case
    bins = curves.reliability(positive, probabilities(odds))
    assert sum(one.rows for one in bins) == len(positive)
    assert all(one.low <= one.observed <= one.high for one in bins)


def test_confusion_counts_rows_at_the_threshold_as_positive() -> None:
    counts = curves.confusion(
        np.array([True, True, False, False]), np.array([0.5, 0.4, 0.5, 0.1]), 0.5
    )
    assert (counts.true_positives, counts.false_positives) == (1, 1)
    assert (counts.true_negatives, counts.false_negatives) == (1, 1)
