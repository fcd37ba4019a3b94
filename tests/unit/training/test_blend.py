"""Blending, calibration, bands and what the training part looked like."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from factories import a_signature
from placar.scoring.calibration import log_odds
from placar.training.bands import make_bands
from placar.training.blend import Blend, choose_blend
from placar.training.calibrate import calibrate, fit_platt
from placar.training.logistic import probabilities
from placar.training.metrics import log_loss
from placar.training.reference import importances, of_numbers, reference_row, references

RANDOM = np.random.default_rng(8)
TRUTH = RANDOM.normal(size=3000) * 1.5
POSITIVE = RANDOM.random(3000) < probabilities(TRUTH)
NOISE = RANDOM.normal(size=(2, 3000))


def test_members_that_err_differently_are_blended() -> None:
    blend = choose_blend(POSITIVE, TRUTH + NOISE[0], TRUTH + NOISE[1])
    assert 0.2 < blend.trees < 0.8
    assert blend.trees + blend.linear == pytest.approx(1.0)


def test_a_member_that_adds_nothing_is_left_out() -> None:
    assert choose_blend(POSITIVE, TRUTH, NOISE[0]) == Blend(1.0, 0.0)
    assert choose_blend(POSITIVE, NOISE[0], TRUTH) == Blend(0.0, 1.0)


def test_of_two_equal_members_the_simpler_one_is_taken() -> None:
    assert choose_blend(POSITIVE, TRUTH, TRUTH) == Blend(0.0, 1.0)


def test_calibration_corrects_margins_that_are_too_extreme() -> None:
    margins = 2.0 * TRUTH + 1.0
    calibration = calibrate(margins, POSITIVE, np.arange(3000) % 5)
    assert calibration.method == "platt"
    assert log_odds(calibration, margins) == pytest.approx(TRUTH, abs=0.6)
    assert log_loss(POSITIVE, log_odds(calibration, margins)) < log_loss(POSITIVE, margins)


def test_calibration_leaves_good_margins_alone_when_it_would_only_add_noise() -> None:
    chosen = np.arange(3000) < 60
    margins, positive = TRUTH[chosen] * 0.01, POSITIVE[chosen]
    positive = np.arange(60) % 2 == 0
    calibration = calibrate(margins, positive, np.arange(60) // 12)
    assert calibration.method == "identity"
    assert log_odds(calibration, np.array([-3.0, 0.5])).tolist() == [-3.0, 0.5]


def test_margins_that_point_the_wrong_way_are_not_turned_round() -> None:
    assert calibrate(-TRUTH, POSITIVE, np.arange(3000) % 5).method == "identity"


def test_platt_is_the_regression_on_the_margin() -> None:
    wanted = LogisticRegression(C=1e9, tol=1e-10).fit(TRUTH[:, None], POSITIVE)
    slope, offset = fit_platt(TRUTH, POSITIVE)
    assert (slope, offset) == pytest.approx((wanted.coef_[0, 0], wanted.intercept_[0]), abs=5e-3)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=300), st.booleans())
def test_bands_partition_the_scale(scores: list[int], rising: bool) -> None:  # noqa: FBT001
    bands = make_bands(np.array(scores), rising=rising)
    assert 1 <= len(bands) <= 5
    assert (bands[0].low, bands[-1].high) == (0, 1000)
    assert all(low.high + 1 == high.low for low, high in pairwise(bands))
    assert all(band.low <= band.high for band in bands)
    names = [band.name for band in bands]
    assert names == sorted(names, reverse=not rising)


def test_bands_hold_equal_parts_of_the_training_rows() -> None:
    bands = make_bands(np.arange(200, 700))
    assert [band.low for band in bands] == [0, 300, 400, 500, 600]
    assert [band.name for band in bands] == ["A", "B", "C", "D", "E"]


def test_importance_weighs_the_members_and_sums_to_one() -> None:
    gain, spread = np.array([6.0, 2.0, 0.0, 1.0, 1.0]), np.array([0.0, 1.0, 1.0, 0.0, 0.0])
    found = importances(a_signature(), gain, spread, trees_weight=0.5)
    assert {one.feature: one.share for one in found} == pytest.approx(
        {"income": 0.3, "home": 0.35, "married": 0.25, "since": 0.1}
    )
    assert found[0].feature == "home"
    nothing = importances(a_signature(), np.zeros(5), np.zeros(5), trees_weight=1.0)
    assert sum(one.share for one in nothing) == 0.0


def test_the_typical_row_has_medians_and_most_frequent_codes() -> None:
    matrix = np.array(
        [
            [1, 2, 1, 10, np.nan],
            [5, 2, 1, 20, np.nan],
            [9, 3, 0, 30, np.nan],
            [np.nan, 0, np.nan, np.nan, np.nan],
        ],
        dtype=np.float32,
    )
    assert reference_row(a_signature(), matrix) == (5.0, 2.0, 1.0, 20.0, 0.0)


def test_distributions_name_every_column_and_make_one() -> None:
    random = np.random.default_rng(0)
    matrix = random.normal(size=(500, 5)).astype(np.float32)
    matrix[:, 1] = random.integers(0, 4, 500)
    matrix[::4, 0] = np.nan
    found = references(a_signature(), matrix)
    assert [one.column for one in found] == list(a_signature().columns)
    assert all(sum(one.shares) + one.missing == pytest.approx(1.0) for one in found)
    assert found[0].missing == pytest.approx(0.25)
    assert len(found[0].shares) == len(found[0].edges) + 1 == 10
    assert (found[1].edges, len(found[1].shares)) == ((), 3)


def test_distribution_of_few_values_has_few_edges() -> None:
    found = of_numbers("x", np.array([0, 0, 0, 1], dtype=np.float32))
    assert found.edges == (0.0, 1.0)
    assert found.shares == (0.0, 0.75, 0.25)
    assert of_numbers("x", np.full(3, np.nan, dtype=np.float32)).shares == (0.0,)
