"""Evaluation, parity and golden rows, on members that were really trained."""

from __future__ import annotations

import numpy as np
import pytest

from factories import a_manifest, a_row, a_scorer, a_signature
from placar.errors import ParityFailed
from placar.package.manifest import Calibration, ScoreScale
from placar.scoring.graph import Graph
from placar.training.bands import make_bands
from placar.training.evaluate import Rules, choose_threshold, evaluate, member_results
from placar.training.golden import client_row, make_golden
from placar.training.matrix import Cell
from placar.training.members import LINEAR, TREES, Learned, learn
from placar.training.metrics import separation
from placar.training.parity import prove_parity
from placar.training.split import SAMPLES, sample_rows
from unit.training.learning import a_folded, a_matrix, outcomes_of

IDENTITY = Calibration(method="identity", margins=(0.0, 1.0), log_odds=(0.0, 1.0))
DATA = a_folded()


@pytest.fixture(scope="module")
def learned() -> Learned:
    return learn(DATA, budget=5, seed=0, threads=1, advance=lambda _: None)


def test_the_compiled_model_is_the_trained_one(learned: Learned) -> None:
    graph = Graph(learned.compiled(3), 3)
    assert prove_parity(graph, learned.margins, IDENTITY, [DATA.matrix, a_matrix(500, 9)]) < 1e-5


@pytest.mark.parametrize("change", [1e-3, np.nan])
def test_a_compiled_model_that_differs_is_refused(learned: Learned, change: float) -> None:
    graph = Graph(learned.compiled(3), 3)

    def another(matrix: np.ndarray) -> np.ndarray:
        margins = learned.margins(matrix)
        margins[-1] += change
        return margins

    with pytest.raises(ParityFailed):
        prove_parity(graph, another, IDENTITY, [DATA.matrix])


def test_two_trainings_compile_to_the_same_bytes(learned: Learned) -> None:
    again = learn(DATA, budget=5, seed=0, threads=1, advance=lambda _: None)
    assert again.compiled(3) == learned.compiled(3)


def test_members_are_named_with_weights_that_make_one(learned: Learned) -> None:
    assert sum(learned.weights.values()) == pytest.approx(1.0)
    assert set(learned.weights) <= {TREES, LINEAR}
    matrix = a_matrix(500, 9)
    results = member_results(learned, DATA.positive, matrix, outcomes_of(matrix, 9))
    assert [one.name for one in results[:2]] == [TREES, LINEAR]
    assert len(results) == (3 if len(learned.weights) == 2 else 2)
    best = min(one.out_of_fold_log_loss for one in results)
    assert results[-1].out_of_fold_log_loss == best or len(results) == 2


def test_evaluation_counts_every_test_row_once(learned: Learned) -> None:
    matrix = a_matrix(500, 9)
    positive = outcomes_of(matrix, 9)
    threshold = choose_threshold(DATA.positive, learned.out_of_fold, IDENTITY)
    rules = Rules(IDENTITY, ScoreScale(), make_bands(np.arange(400, 600)), threshold)
    found = evaluate(rules, learned.margins(matrix), positive, [], ["A note."])
    assert found.metrics.rows == 500
    assert found.metrics.base_rate == pytest.approx(positive.mean())
    assert sum(band.rows for band in found.bands) == 500
    assert sum(band.positives for band in found.bands) == positive.sum()
    assert sum(found.score_counts_positive) == positive.sum()
    assert sum(found.score_counts_negative) == (~positive).sum()
    assert len(found.score_counts_positive) == 100
    counts = found.confusion
    called = counts.true_positives + counts.false_positives
    assert called + counts.true_negatives + counts.false_negatives == 500
    thresholds = [one.threshold for one in found.thresholds]
    assert thresholds == sorted(thresholds)
    assert threshold not in thresholds
    assert found.notes == ("A note.",)


def test_the_threshold_is_where_the_classes_are_furthest_apart(learned: Learned) -> None:
    chances = 1 / (1 + np.exp(-learned.out_of_fold))
    exact = separation(DATA.positive, chances).threshold
    threshold = choose_threshold(DATA.positive, learned.out_of_fold, IDENTITY)
    assert np.array_equal(chances >= threshold, chances >= exact)
    assert len(str(threshold)) < 10


@pytest.mark.parametrize("certain", [5.0, 12.0, 30.0, 40.0])
def test_the_threshold_is_one_that_a_sure_row_reaches(certain: float) -> None:
    """A column that gives the target away makes margins of which any rounding up is 1."""
    positive = np.arange(20) < 5
    margins = np.where(positive, certain, -certain)
    threshold = choose_threshold(positive, margins, IDENTITY)
    chances = 1 / (1 + np.exp(-margins))
    assert np.array_equal(chances >= threshold, positive)


def test_golden_rows_are_answered_by_the_scorer_itself() -> None:
    scorer = a_scorer(a_manifest())
    golden = make_golden(scorer, [a_row(), a_row(income=None)])
    assert len(golden.rows) == 4
    for one in golden.rows:
        answer = scorer.score_row(one.row)
        assert (answer.probability, answer.score) == (one.probability, one.score)
    assert set(golden.rows[2].row.values()) == {None}
    assert golden.rows[3].row["home"] not in ("rent", "owner")


@pytest.mark.parametrize(
    ("cells", "row"),
    [
        (("12.50", " rent ", "TRUE", "2020-02-03"), (12.5, "rent", True, "2020-02-03")),
        ((7.0, 3.0, "maybe", "soon"), (7, "3", None, None)),
        (("1e999", "?", None, float("nan")), (None, None, None, None)),
    ],
)
def test_table_cells_become_what_a_client_would_send(
    cells: tuple[Cell, ...], row: tuple[Cell, ...]
) -> None:
    names = [feature.name for feature in a_signature().features]
    found = client_row(a_signature(), dict(zip(names, cells, strict=True)))
    assert tuple(found.values()) == row
    assert [type(value) for value in found.values()] == [type(value) for value in row]


@pytest.mark.parametrize("rows", [3, 18, 1000])
def test_samples_come_from_the_test_part(rows: int) -> None:
    test = np.zeros(5000, dtype=bool)
    test[np.random.default_rng(0).permutation(5000)[:rows]] = True
    chosen = sample_rows(test)
    assert len(chosen) == min(rows, SAMPLES)
    assert np.all(test[chosen])
    assert np.all(np.diff(chosen) > 0)
