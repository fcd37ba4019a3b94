"""Boosting: what it learns, that it can be repeated, and how it keeps to its budget."""

from __future__ import annotations

import dataclasses
import time
from typing import cast

import lightgbm
import numpy as np
import pytest

from placar.training.booster import Stopper, fit_boosted
from placar.training.folded import thinned
from placar.training.metrics import auc
from placar.training.plan import (
    BRISK,
    FAST,
    FEWEST_ROWS,
    LARGE,
    MEDIUM,
    SLOW,
    SMALL,
    TINY,
    make_plan,
)
from placar.training.trees import parse_trees
from unit.training.learning import a_folded


def test_trees_learn_and_stop_by_themselves() -> None:
    data = a_folded()
    told: list[float] = []
    plan = make_plan(len(data.positive), 3, 5, budget=60)
    boosted = fit_boosted(data, plan, seed=1, threads=1, advance=told.append)
    assert auc(data.positive, boosted.out_of_fold).value > 0.7
    assert all(0 < rounds < plan.rounds for rounds in boosted.rounds)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert boosted.gain.shape == (3,)
    assert not boosted.hurried


def test_the_same_seed_gives_the_same_trees_and_another_seed_others() -> None:
    data = a_folded(600)
    plan = dataclasses.replace(make_plan(480, 3, 5, budget=2), seconds=1000.0)
    first, again, other = (
        fit_boosted(data, plan, seed=seed, threads=threads, advance=lambda _: None).texts()
        for seed, threads in ((1, 1), (1, 2), (2, 1))
    )
    assert [text.split("parameters:")[0] for text in first] == [
        text.split("parameters:")[0] for text in again
    ]
    assert first != other


def test_the_member_is_the_average_of_its_boosters() -> None:
    data = a_folded(600)
    plan = make_plan(len(data.positive), 3, 5, budget=1)
    boosted = fit_boosted(data, plan, seed=1, threads=1, advance=lambda _: None)
    one_by_one = [
        one.predict(data.matrix, raw_score=True, num_iteration=one.best_iteration)
        for one in boosted.boosters
    ]
    assert boosted.margins(data.matrix) == pytest.approx(np.mean(one_by_one, axis=0))
    counts = [sum(1 for _ in parse_trees(text)) for text in boosted.texts()]
    assert tuple(counts) == boosted.rounds


def test_the_clock_ends_what_the_plan_did_not() -> None:
    data = a_folded(600)
    plan = dataclasses.replace(make_plan(480, 3, 5, budget=60), seconds=0.0)
    boosted = fit_boosted(data, plan, seed=1, threads=1, advance=lambda _: None)
    assert boosted.hurried
    assert max(boosted.rounds) == 1


def after(stopper: Stopper, done: int, loss: float) -> None:
    """Tell the stopper the loss after so many rounds."""
    results = [lightgbm.basic.EvalResult("valid", "binary_logloss", loss, maximize=False)]
    booster = cast("lightgbm.Booster", None)
    stopper(lightgbm.callback.CallbackEnv(booster, {}, done - 1, 0, 1000, results))


def test_waiting_for_the_processor_does_not_count_against_the_budget() -> None:
    """Beside busy web workers a run takes longer, but learns the same."""
    stopper = Stopper(patience=50, deadline=time.process_time() + 0.2)
    time.sleep(0.3)
    after(stopper, 1, 1.0)
    assert not stopper.hurried


def test_a_booster_is_done_when_its_loss_has_not_fallen_for_long() -> None:
    stopper = Stopper(patience=50, deadline=time.process_time() + 100)

    for done in range(1, 11):
        after(stopper, done, 1.0 - 0.01 * done)
    for done in range(11, 60):
        after(stopper, done, 0.95)
    with pytest.raises(lightgbm.callback.EarlyStopException):
        after(stopper, 60, 0.95)
    assert stopper.best_round == 10
    assert not stopper.hurried


@pytest.mark.parametrize(
    ("rows", "shapes", "rate"),
    [
        (800, (SMALL, TINY), SLOW),
        (5_000, (SMALL, MEDIUM), SLOW),
        (40_000, (MEDIUM, LARGE), BRISK),
    ],
)
def test_larger_tables_get_larger_trees(rows: int, shapes: tuple[object, ...], rate: float) -> None:
    plan = make_plan(rows, 15, 5, budget=60)
    assert (plan.shapes, plan.learning_rate, plan.rows) == (shapes, rate, rows * 4 // 5)


def test_a_plan_gives_up_the_second_shape_then_patience_then_rows() -> None:
    plans = [make_plan(rows, 30, 5, budget=60) for rows in (20_000, 80_000, 150_000, 2_000_000)]
    assert [len(plan.shapes) for plan in plans] == [2, 1, 1, 1]
    assert [plan.learning_rate for plan in plans] == [BRISK, BRISK, FAST, FAST]
    assert plans[2].rows == 120_000
    assert plans[3].rows < 200_000
    assert make_plan(2_000_000, 30, 5, budget=0.1).rows == FEWEST_ROWS


def test_thinning_keeps_rows_evenly() -> None:
    assert thinned(np.arange(10), 5).tolist() == [0, 2, 4, 6, 8]
    assert thinned(np.arange(3), 5).tolist() == [0, 1, 2]


def test_trees_of_another_kind_are_refused() -> None:
    with pytest.raises(ValueError, match="linear leaves"):
        list(parse_trees("\nTree=0\nleaf_value=1\nis_linear=1\n\n"))
    text = "\nTree=0\nsplit_feature=0\nthreshold=1\ndecision_type=4\nleft_child=-1\nright_child=-2"
    with pytest.raises(ValueError, match="zero as missing"):
        list(parse_trees(text + "\nleaf_value=1 2\n\n"))
