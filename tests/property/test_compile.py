"""The compiled graph is the trained model, whatever the table and whatever is asked of it."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from placar.scoring.graph import Graph
from placar.training.compile import compile_model, exact_thresholds
from placar.training.folded import Folded
from placar.training.logistic import probabilities
from placar.training.members import learn
from placar.training.trees import parse_trees

ROWS = 400
FAR = np.array([0.0, -0.0, 1e-38, 1e-45, -1e-35, 3.4e38, -3.4e38, 1.0, -1.0], dtype=np.float32)


@st.composite
def tables(draw: st.DrawFn) -> tuple[NDArray[np.float32], NDArray[np.bool_], dict[int, int]]:
    """Encoded columns of every kind, and outcomes that depend on some of them."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    columns: list[NDArray[np.float64]] = []
    levels = {}
    for kind in draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=6)):
        if kind == "codes":
            count = draw(st.sampled_from([3, 8, 40, 250]))
            levels[len(columns)] = count
            columns.append(random.integers(0, count, ROWS).astype(np.float64))
        else:
            columns.append(_numbers(kind, random))
    matrix = np.stack(columns, axis=1).astype(np.float32)
    first = np.nan_to_num(matrix[:, 0].astype(np.float64))
    margins = np.tanh(first - np.median(first)) * draw(st.sampled_from([0.0, 1.0, 4.0]))
    positive = random.random(ROWS) < probabilities(margins)
    positive[:20], positive[20:40] = True, False
    return matrix, positive, levels


KINDS = ("codes", "normal", "missing", "binary", "close", "wide", "constant", "all missing")


def _numbers(kind: str, random: np.random.Generator) -> NDArray[np.float64]:
    normal = random.normal(size=ROWS)
    kinds: dict[str, NDArray[np.float64]] = {
        "normal": normal,
        "missing": np.where(random.random(ROWS) < 0.3, np.nan, normal),
        "binary": random.integers(0, 2, ROWS).astype(np.float64),
        # Neighbours among the float32 numbers: thresholds fall between them.
        "close": 1000.0 + random.integers(0, 9, ROWS) * np.spacing(np.float32(1000.0)),
        "wide": random.choice(np.append(FAR, random.lognormal(0, 20, 20)), ROWS),
        "constant": np.full(ROWS, 7.0),
        "all missing": np.full(ROWS, np.nan),
    }
    return kinds[kind]


def _strange(matrix: NDArray[np.float32], levels: dict[int, int], seed: int) -> NDArray[np.float32]:
    """Rows that training never saw: extremes, missing anywhere, neighbours, every code."""
    random = np.random.default_rng(seed)
    strange = matrix[random.integers(0, len(matrix), ROWS)].copy()
    for column in range(matrix.shape[1]):
        if column in levels:
            strange[:, column] = random.integers(0, levels[column], ROWS)
            continue
        known = matrix[:, column][~np.isnan(matrix[:, column])]
        near = np.nextafter(known, np.float32(np.inf)) if len(known) else FAR
        pool = np.concatenate([FAR, near, [np.nan]]).astype(np.float32)
        chosen = random.random(ROWS) < 0.5
        strange[chosen, column] = random.choice(pool, int(chosen.sum()))
    return strange


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(table=tables(), seed=st.integers(0, 1000), leaves=st.sampled_from([2, 5, 31]))
def test_compiled_trees_are_the_boosted_trees(
    table: tuple[NDArray[np.float32], NDArray[np.bool_], dict[int, int]], seed: int, leaves: int
) -> None:
    matrix, positive, levels = table
    booster = lightgbm.train(
        {
            "objective": "binary",
            "num_leaves": leaves,
            "min_data_in_leaf": 2,
            "min_data_per_group": 2,
            "max_cat_threshold": 64,
            "num_threads": 1,
            "verbosity": -1,
        },
        lightgbm.Dataset(matrix, positive.astype(float), categorical_feature=list(levels)),
        15,
    )
    trees = list(parse_trees(booster.model_to_string()))
    graph = Graph(compile_model(matrix.shape[1], trees, 1.0, None, 0.0), matrix.shape[1])
    for rows in (matrix, _strange(matrix, levels, seed)):
        wanted = booster.predict(rows, raw_score=True)
        assert np.max(np.abs(graph.margins(rows) - wanted)) < 1e-5


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(table=tables(), seed=st.integers(0, 1000), weight=st.sampled_from([0.0, 0.35, 1.0]))
def test_the_compiled_blend_is_the_trained_blend(
    table: tuple[NDArray[np.float32], NDArray[np.bool_], dict[int, int]], seed: int, weight: float
) -> None:
    matrix, positive, levels = table
    data = Folded(matrix, positive, np.arange(ROWS) % 2, levels)
    learned = learn(data, budget=0.5, seed=seed, threads=1, advance=lambda _: None)
    blend = type(learned.blend)(weight, 1.0 - weight)
    learned = type(learned)(learned.boosted, learned.linear, blend, learned.plan)
    graph = Graph(learned.compiled(matrix.shape[1]), matrix.shape[1])
    for rows in (matrix, _strange(matrix, levels, seed)):
        chances = probabilities(graph.margins(rows)), probabilities(learned.margins(rows))
        assert np.max(np.abs(chances[0] - chances[1])) < 1e-5


@given(st.floats(min_value=-3.4e38, max_value=3.4e38).filter(lambda x: abs(x) > 1e-34))
def test_a_number_is_below_a_threshold_exactly_when_it_is_below_the_rounded_one(
    threshold: float,
) -> None:
    (rounded,) = exact_thresholds(np.array([threshold]))
    above = np.nextafter(rounded, np.float32(np.inf))
    assert float(rounded) <= threshold < float(above)


def test_trees_without_any_split_are_their_constant() -> None:
    rows = np.ones((30, 2), dtype=np.float32)
    positive = np.arange(30) % 3 == 0
    booster = lightgbm.train(
        {"objective": "binary", "verbosity": -1}, lightgbm.Dataset(rows, positive.astype(float)), 3
    )
    trees = list(parse_trees(booster.model_to_string()))
    assert all(len(tree.feature) == 0 for tree in trees)
    margins = Graph(compile_model(2, trees, 1.0, None, 0.0), 2).margins(rows)
    assert margins == pytest.approx(booster.predict(rows, raw_score=True), abs=1e-6)
