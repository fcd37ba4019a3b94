"""Answers: probability, score, band, prediction, reasons."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest

from factories import a_golden, a_manifest, a_model, a_package, a_row, a_scorer
from placar.errors import InvalidRow, PackageRefused
from placar.package.manifest import GOLDEN_FILE, MODEL_FILE, REPORT_FILE, Calibration, ScoreScale
from placar.package.writer import write_package
from placar.scoring.calibration import ScalarCalibration, log_odds, probability, scalar_probability
from placar.scoring.load import load_scorer
from placar.scoring.reasons import _codes
from placar.scoring.scale import exact_points, points, whole_points
from placar.scoring.scorer import Scorer
from placar.scoring.slot import Slot


def test_one_row_gets_the_answer_of_the_formula() -> None:
    answer = a_scorer().score_row(a_row())
    margin = -0.004 * 300 + 0.5 * 2 - 0.25 + 0.5  # 0.05, calibrated by x ↦ x + 0.1
    expected = 1 / (1 + math.exp(-(margin + 0.1)))
    assert answer.probability == pytest.approx(expected, abs=1e-6)
    assert answer.score == round(500 + 50 / math.log(2) * (margin + 0.1))
    assert (answer.prediction, answer.band) == ("bad", "B")


def test_many_rows_get_the_answers_of_single_rows() -> None:
    scorer = a_scorer()
    rows = [a_row(income=income) for income in (None, 0, 1, 300, 999.5)]
    encoded = [scorer.row_encoder.encode(row).values for row in rows]
    many = scorer.score_matrix(np.array(encoded, dtype=np.float32))
    for position, row in enumerate(rows):
        one = scorer.score_row(row)
        assert many.probabilities[position] == pytest.approx(one.probability, abs=1e-9)
        assert (many.scores[position], many.bands[position], many.predictions[position]) == (
            one.score,
            one.band,
            one.prediction,
        )


def test_a_bad_row_is_refused_with_the_path_of_the_row() -> None:
    with pytest.raises(InvalidRow) as caught:
        a_scorer().score_row(a_row(income="x"), path="/rows/7")
    assert [issue.path for issue in caught.value.issues] == ["/rows/7/income"]


def test_reasons_come_largest_first_and_leave_out_what_changes_nothing() -> None:
    answer = a_scorer().score_row(a_row(income=0, home="owner"), reasons=5)
    assert answer.reasons is not None
    assert [(r.feature, r.code) for r in answer.reasons] == [
        ("income", "INCOME_UP"),
        ("home", "HOME_UP"),
    ]
    assert answer.reasons[0].points == round(0.004 * 300 * 50 / math.log(2))
    assert answer.reasons[0].text == "income raises the score by 87 points"


def test_a_typical_row_has_no_reasons() -> None:
    assert a_scorer().score_row(a_row(), reasons=3).reasons == ()


@pytest.mark.parametrize("margin", [-50.0, -1.0, -0.3, 0.0, 0.5, 1.0, 2.0, 80.0])
def test_scalar_and_array_calibration_agree(margin: float) -> None:
    calibration = Calibration(method="table", margins=(-1, 0, 1), log_odds=(-2, -0.5, 3))
    (many,) = log_odds(calibration, np.array([margin]))
    assert ScalarCalibration(calibration)(margin) == many
    assert scalar_probability(many) == pytest.approx(probability(np.array([many]))[0], abs=1e-15)


def test_extreme_log_odds_do_not_overflow() -> None:
    assert probability(np.array([-1e4, 1e4])).tolist() == [0.0, 1.0]
    assert (scalar_probability(-1e4), scalar_probability(1e4)) == (0.0, 1.0)


def test_points_double_the_odds_and_stay_on_the_scale() -> None:
    scale = ScoreScale(points_to_double=50)
    assert exact_points(scale, math.log(2)) - exact_points(scale, 0.0) == pytest.approx(50)
    assert points(scale, np.array([-99.0, 0.0, 99.0])).tolist() == [0, 500, 1000]
    assert [whole_points(scale, x) for x in (-99.0, 0.0, 99.0)] == [0, 500, 1000]
    falling = ScoreScale(points_to_double=50, rising=False)
    assert exact_points(falling, math.log(2)) == pytest.approx(450)


def test_a_loaded_package_answers_as_the_scorer_did(tmp_path: Path) -> None:
    version = a_package(tmp_path)
    scorer = load_scorer(tmp_path, version)
    assert scorer.version == version[:12]
    assert scorer.score_row(a_row()) == a_scorer().score_row(a_row())


def files(model: bytes, scorer: Scorer) -> dict[str, bytes]:
    golden = msgspec.json.encode(a_golden(scorer))
    return {MODEL_FILE: model, GOLDEN_FILE: golden, REPORT_FILE: b"-"}


def test_a_package_that_does_not_reproduce_its_golden_rows_is_refused(tmp_path: Path) -> None:
    write_package(tmp_path, a_manifest(), files(a_model(bias=0.6), a_scorer()))
    with pytest.raises(PackageRefused, match="Golden row 0"):
        load_scorer(tmp_path)


@pytest.mark.parametrize("model", [b"", b"not a graph", a_model(weights=(1.0, 2.0))])
def test_a_graph_that_cannot_be_built_or_does_not_fit_is_refused(
    tmp_path: Path, model: bytes
) -> None:
    write_package(tmp_path, a_manifest(), files(model, a_scorer()))
    with pytest.raises(PackageRefused):
        load_scorer(tmp_path)


def test_the_slot_answers_with_the_last_scorer_swapped_in() -> None:
    slot = Slot()
    taken = [slot.current]
    scorers = [a_scorer(), a_scorer()]
    for scorer in scorers:
        slot.swap(scorer)
        taken.append(slot.current)
    assert taken == [None, *scorers]


@pytest.mark.parametrize(
    ("names", "codes"),
    [
        (["income", "Renda média"], ("INCOME", "RENDA_MEDIA")),
        (["a b", "a_b", "a-b"], ("A_B", "A_B_2", "A_B_3")),
        (["年齢", "性別"], ("年齢", "性別")),
        (["%", "$"], ("FEATURE", "FEATURE_2")),
    ],
)
def test_reasons_of_different_features_have_different_codes(
    names: list[str], codes: tuple[str, ...]
) -> None:
    assert _codes(names) == codes
