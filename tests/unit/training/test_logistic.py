"""Our logistic regression finds what scikit-learn's finds."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from placar.training.expansion import fit_expansion
from placar.training.linear import fit_linear
from placar.training.logistic import Design, fit_logistic, probabilities
from placar.training.metrics import auc, log_loss
from unit.training.learning import LEVELS, a_folded, a_matrix, outcomes_of


@pytest.mark.parametrize("penalty", [0.1, 1.0, 30.0])
def test_weights_are_those_of_scikit_learn(penalty: float) -> None:
    matrix = a_matrix(800)
    positive = outcomes_of(matrix)
    expansion = fit_expansion(matrix, {2: LEVELS})
    dense, codes = expansion.dense(matrix), expansion.codes(matrix)
    design = Design(dense, codes, LEVELS, positive.astype(np.float32))
    weights = fit_logistic(design, penalty, tolerance=1e-9)
    flat = np.concatenate([dense, np.eye(LEVELS)[codes[:, 0]]], axis=1)
    wanted = LogisticRegression(C=1 / penalty, tol=1e-8, max_iter=2000).fit(flat, positive)
    # The intercept and the sum of all levels can trade places; margins cannot.
    assert design.margins(weights) == pytest.approx(wanted.decision_function(flat), abs=5e-3)


def test_a_warm_start_ends_at_the_same_place() -> None:
    matrix = a_matrix(400)
    expansion = fit_expansion(matrix, {2: LEVELS})
    positive = outcomes_of(matrix).astype(np.float32)
    design = Design(expansion.dense(matrix), expansion.codes(matrix), LEVELS, positive)
    cold = fit_logistic(design, 1.0, tolerance=1e-10)
    warm = fit_logistic(design, 1.0, fit_logistic(design, 30.0), tolerance=1e-10)
    assert design.margins(warm) == pytest.approx(design.margins(cold), abs=5e-3)


def test_classes_that_can_be_told_apart_perfectly_do_not_run_away() -> None:
    values = np.linspace(-1, 1, 60, dtype=np.float32)[:, None]
    design = Design(values, np.empty((60, 0), np.int64), 0, (values[:, 0] > 0).astype(np.float32))
    weights = fit_logistic(design, 1.0)
    assert np.all(np.isfinite(weights))
    assert weights[0] > 0


def test_probabilities_do_not_overflow() -> None:
    assert probabilities(np.array([-1e4, 0.0, 1e4])).tolist() == [0.0, 0.5, 1.0]


def test_pieces_follow_the_value_and_are_level_outside_the_training_range() -> None:
    matrix = np.linspace(0, 8, 401, dtype=np.float32)[:, None]
    expansion = fit_expansion(matrix, {})
    asked = np.array([[-1e30], [0.0], [4.0], [8.0], [3e38]], dtype=np.float32)
    come = expansion.pieces(asked).sum(axis=1)
    assert come == pytest.approx([0.0, 0.0, 4.0, 8.0, 8.0], abs=0.05)


def test_a_missing_number_stands_at_the_average_and_is_marked() -> None:
    matrix = np.array([[0.0], [1.0], [2.0], [3.0], [np.nan]], dtype=np.float32)
    expansion = fit_expansion(matrix, {})
    dense = expansion.dense(matrix)
    assert dense[4, :-1].tolist() == [0.0] * (dense.shape[1] - 1)
    assert dense[:, -1].tolist() == [0.0, 0.0, 0.0, 0.0, 1.0]
    assert dense[:4, :-1].mean(axis=0) == pytest.approx(0.0, abs=1e-6)


def test_columns_without_information_get_no_pieces() -> None:
    matrix = np.stack(
        [np.full(50, np.nan), np.full(50, 3.0), np.array([-3.4e38, 3.4e38] * 25)], axis=1
    ).astype(np.float32)
    expansion = fit_expansion(matrix, {})
    assert expansion.piece_column.tolist() == []
    assert expansion.missing_column.tolist() == [0]


def test_wide_tables_get_fewer_pieces_per_number() -> None:
    matrix = np.random.default_rng(0).normal(size=(100, 700)).astype(np.float32)
    assert len(fit_expansion(matrix, {}).piece_column) == 700


def test_the_regression_learns_and_its_out_of_fold_margins_are_honest() -> None:
    data = a_folded()
    told: list[float] = []
    linear = fit_linear(data, 60.0, told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert auc(data.positive, linear.out_of_fold).value > 0.7
    fitted = log_loss(data.positive, linear.margins(data.matrix))
    assert fitted < log_loss(data.positive, linear.out_of_fold)


def test_spread_is_what_each_column_adds() -> None:
    data = a_folded()
    linear = fit_linear(data, 60.0, lambda _: None)
    spread = linear.spread(data.matrix)
    assert spread.shape == (3,)
    assert np.all(spread > 0)


def test_placing_the_pieces_takes_little_memory_beside_the_matrix() -> None:
    matrix = np.random.default_rng(0).normal(size=(20_000, 64)).astype(np.float32)
    tracemalloc.start()
    try:
        fit_expansion(matrix, {})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * matrix.nbytes
