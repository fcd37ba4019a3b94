"""Boosted trees: LightGBM with early stopping, one booster per fold, averaged.

Each fold's booster stops by the loss on its fold, which is where the out-of-fold margins come
from. On small tables these are a little too good for that; the test part knows nothing of it. The
member that is published is the average of the boosters' margins (Breiman's bagging, over folds),
so no row is lost to validation.

How much work is planned depends on the size of the table and the budget, never on the clock, so
that a run can be repeated. The clock has a say only when the plan was wrong by far, and it is the
process's own, which counts CPU: a run that has to wait for busy web workers takes longer, but
is not cut short.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import lightgbm
import numpy as np
from numpy.typing import NDArray

from placar.training.folded import Folded, thinned
from placar.training.metrics import log_loss
from placar.training.needs import FEWER_SAMPLED
from placar.training.plan import MOST_BINS, Plan, Shape
from placar.training.progress import Advance, portion
from placar.training.slices import in_slices

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Boosted:
    """Boosters of all folds; the member's margin is their average."""

    boosters: tuple[lightgbm.Booster, ...]
    shape: Shape
    out_of_fold: NDArray[np.float64]
    """(t,) margin of each training row by the booster that did not see it."""
    gain: NDArray[np.float64]
    """(k,) how much the splits on each encoded column lowered the loss, all boosters together."""
    hurried: bool
    """The clock, not the plan, ended some booster."""

    @property
    def rounds(self) -> tuple[int, ...]:
        """Trees kept of each booster."""
        return tuple(booster.best_iteration for booster in self.boosters)

    def margins(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the average margin (n,) of encoded rows (n, k)."""
        parts = [in_slices(_raw(booster), matrix) for booster in self.boosters]
        return np.asarray(np.mean(parts, axis=0))

    def texts(self) -> list[str]:
        """Return each booster in LightGBM's text format, up to its best round."""
        return [one.model_to_string(num_iteration=one.best_iteration) for one in self.boosters]


def fit_boosted(data: Folded, plan: Plan, seed: int, threads: int, advance: Advance) -> Boosted:
    """Fit every shape of the plan and return the one with the lowest out-of-fold log loss.

    Args:
        data: the training part.
        plan: how much to do.
        seed: of the choice of rows and columns for each tree.
        threads: how many LightGBM may use; the result does not depend on it.
        advance: told the share of the work that is done.
    """
    common = _common_parameters(seed, threads, plan, len(data.positive))
    dataset = lightgbm.Dataset(
        data.matrix,
        data.positive.astype(np.float32),
        categorical_feature=list(data.categories),
        params=common,
    ).construct()
    clock = _Clock(plan.seconds, len(plan.shapes) * data.fold_count)
    candidates = []
    for number, shape in enumerate(plan.shapes):
        fitting = _Fitting(data, dataset, common | _shape_parameters(shape), plan, clock)
        part = portion(advance, number / len(plan.shapes), (number + 1) / len(plan.shapes))
        candidates.append(_fit_shape(fitting, shape, part))
        loss = log_loss(data.positive, candidates[-1].out_of_fold)
        log.info("boosted_trees_fitted", extra={"shape": shape.name, "log_loss": round(loss, 5)})
    return min(candidates, key=lambda fitted: log_loss(data.positive, fitted.out_of_fold))


@dataclass(frozen=True, slots=True)
class _Fitting:
    data: Folded
    dataset: lightgbm.Dataset
    parameters: dict[str, object]
    plan: Plan
    clock: _Clock


def _fit_shape(fitting: _Fitting, shape: Shape, advance: Advance) -> Boosted:
    data = fitting.data
    out_of_fold = np.empty(len(data.positive), dtype=np.float64)
    boosters = []
    hurried = False
    for fold in range(data.fold_count):
        rows, held = np.flatnonzero(data.folds != fold), np.flatnonzero(data.folds == fold)
        stopper = Stopper(fitting.plan.patience, fitting.clock.next_deadline())
        booster = lightgbm.train(
            fitting.parameters,
            fitting.dataset.subset(thinned(rows, fitting.plan.rows).tolist()),
            fitting.plan.rounds,
            valid_sets=[fitting.dataset.subset(held.tolist())],
            callbacks=[stopper],
        )
        booster.best_iteration = stopper.best_round
        out_of_fold[held] = in_slices(_raw(booster), data.matrix[held])
        boosters.append(booster)
        hurried = hurried or stopper.hurried
        advance((fold + 1) / data.fold_count)
    gains = [
        booster.feature_importance("gain", iteration=booster.best_iteration) for booster in boosters
    ]
    return Boosted(tuple(boosters), shape, out_of_fold, np.sum(gains, axis=0), hurried)


class Stopper:
    """Ends a booster when its loss on the held fold has not fallen for long."""

    before_iteration = False
    order = 0

    def __init__(self, patience: int, deadline: float) -> None:
        """Begin with no best round.

        Args:
            patience: rounds without a lower loss.
            deadline: in seconds of CPU that this process has used.
        """
        self._patience = patience
        self.best_round = 1
        self.hurried = False
        self._best_loss = float("inf")
        self._deadline = deadline

    def __call__(self, env: lightgbm.callback.CallbackEnv) -> None:
        """Look at the loss after one round; LightGBM calls this.

        Raises:
            EarlyStopException: the booster is done.
        """
        results = env.evaluation_result_list or []
        loss = float(results[0][2])
        done = env.iteration + 1
        if loss < self._best_loss:
            self._best_loss, self.best_round = loss, done
        self.hurried = time.process_time() > self._deadline and done < env.end_iteration
        if self.hurried:
            log.warning("fitting_hurried", extra={"rounds": done})
        if self.hurried or done - self.best_round >= self._patience:
            raise lightgbm.callback.EarlyStopException(self.best_round - 1, results)


class _Clock:
    """Shares the seconds of the budget out evenly, so that a late booster gets its turn."""

    def __init__(self, seconds: float, turns: int) -> None:
        self._began = time.process_time()
        self._share = seconds / turns
        self._turns = 0

    def next_deadline(self) -> float:
        self._turns += 1
        return self._began + self._turns * self._share


def _raw(booster: lightgbm.Booster) -> Callable[[NDArray[np.float32]], NDArray[np.float64]]:
    def margins(matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(
            booster.predict(matrix, raw_score=True, num_iteration=booster.best_iteration)
        )

    return margins


def _common_parameters(seed: int, threads: int, plan: Plan, rows: int) -> dict[str, object]:
    fewer = {"max_bin": plan.bins, "bin_construct_sample_cnt": FEWER_SAMPLED}
    return {
        **(fewer if plan.bins != MOST_BINS else {}),
        "objective": "binary",
        "metric": "binary_logloss",
        "learning_rate": plan.learning_rate,
        "min_data_in_leaf": max(5, min(20, rows // 40)),
        "min_data_per_group": 20,
        "cat_smooth": 20.0,
        "seed": seed,
        "num_threads": threads,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }


def _shape_parameters(shape: Shape) -> dict[str, object]:
    return {
        "num_leaves": shape.leaves,
        "feature_fraction": shape.columns,
        "bagging_fraction": shape.rows,
        "bagging_freq": 1 if shape.rows < 1.0 else 0,
        "lambda_l2": shape.l2,
    }
