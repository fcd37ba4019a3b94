"""The parts of the page: drawing, tables, features, words."""

from __future__ import annotations

import doctest
import math
import re

import pytest
from markupsafe import Markup

from placar.package.manifest import Importance, ScoreScale
from placar.signature.model import Boolean, Categorical, Moment, Numeric, Target
from placar.training.evaluation import ReliabilityBin
from placar.training.report import charts, features, svg, tables, texts, words
from placar.training.report.outcome import Outcome
from unit.training.report.factories import (
    THRESHOLD,
    a_bin,
    a_confusion,
    an_evaluation,
    some_metrics,
    some_scored,
)

OUTCOME = Outcome.of(Target(name="Status", positive="bad", negative="good"))


def test_examples_in_docstrings_hold() -> None:
    assert doctest.testmod(words).failed == 0


def test_element_escapes_text_and_attributes_but_not_markup() -> None:
    inner = svg.element("b", "<")

    assert svg.element("g", inner, "&", class_='"', x=1.25) == Markup(
        '<g class="&#34;" x="1.2"><b>&lt;</b>&amp;</g>'
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (-0.01, "0"), (12.0, "12"), (3.14159, "3.1"), (1234.56, "1234.6")],
)
def test_coordinate_is_brief(value: float, text: str) -> None:
    assert svg.coordinate(value) == text


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)),
        (0.0, 0.05, (0.0, 0.01, 0.02, 0.03, 0.04, 0.05)),
        (375.0, 625.0, (400.0, 450.0, 500.0, 550.0, 600.0)),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: tuple[float, ...]) -> None:
    assert svg.ticks(low, high) == expected


def test_frame_draws_values_outside_at_its_edge() -> None:
    frame = svg.Frame(10, 20, 100, 50)

    assert frame.at(0.5, 0.5) == (60, 45)
    assert frame.at(-1, 7) == (10, 20)


def test_bar_is_as_wide_as_its_share() -> None:
    assert 'width="34.2%"' in charts.bar(0.342)
    assert 'width="100.0%"' in charts.bar(1.7)
    assert 'width="0.0%"' in charts.bar(math.nan)


def test_auc_below_guessing_keeps_its_place_on_the_scale() -> None:
    drawn = charts.auc_strip(some_metrics(40, auc=0.45, auc_low=0.31, auc_high=0.6))

    assert ">0.3<" in drawn
    assert ">0.450<" in drawn


def test_reliability_zooms_in_on_a_rare_positive() -> None:
    drawn = charts.reliability((a_bin(0.01, 3, 400), a_bin(0.02, 9, 400)), "x = 1")

    assert ">5%<" in drawn
    assert ">10%<" not in drawn


def test_reliability_draws_a_bin_without_positives_and_skips_an_empty_one() -> None:
    empty = ReliabilityBin(0, math.nan, math.nan, 0.0, 1.0)

    assert charts.reliability((a_bin(0.1, 0, 40), empty), "x = 1").count("<circle") == 1


def test_histogram_shows_the_threshold_and_every_occupied_bin() -> None:
    positive, negative = [0] * 100, [0] * 100
    positive[10], negative[12], negative[39] = 3, 5, 1

    drawn = charts.histogram(
        charts.Panel("y = 1", positive, "positive"),
        charts.Panel("y = 0", negative, "negative"),
        100,
    )

    assert drawn.count('class="fill-positive"') == 1
    assert drawn.count('class="fill-negative"') == 2
    assert drawn.count('class="threshold"') == 2
    assert "Rows with y = 1 score most often 100 to 110." in drawn
    assert "y = 0: 6 rows" in drawn


def test_no_drawing_leaves_its_width() -> None:
    evaluation = an_evaluation()
    drawn = charts.roc(evaluation.roc, evaluation.confusion, evaluation.metrics, ("a", "b"))
    numbers = [float(x) for x in re.findall(r'(?:x|x1|x2|cx)="([\d.]+)"', drawn)]

    assert max(numbers) <= svg.WIDTH


def test_chosen_threshold_stands_among_the_others_once() -> None:
    scored = some_scored(300)
    same = a_confusion(scored, THRESHOLD)
    table = tables.thresholds(
        an_evaluation(scored, thresholds=(a_confusion(scored, 0.1), same)), OUTCOME, lambda _: 7
    )

    assert [row[0] for row in table.rows] == ["10.0\u00a0%", "31.0\u00a0% (chosen)"]
    assert table.marked == 1


def test_gain_of_few_points_names_each_once() -> None:
    evaluation = an_evaluation(some_scored(12))
    shares = [row[0] for row in tables.gain(evaluation.gain, OUTCOME).rows]

    assert len(shares) == len(set(shares))


def test_scale_is_tabulated_in_its_own_direction() -> None:
    rising = tables.scale(ScoreScale(points_to_double=50), OUTCOME).rows
    falling = tables.scale(ScoreScale(points_to_double=50, rising=False), OUTCOME).rows

    assert rising[5] == ("550", "2 to 1", "66.7\u00a0%")
    assert falling[5] == ("550", "1 to 2", "33.3\u00a0%")


def test_scale_leaves_out_what_lies_beyond_its_ends() -> None:
    rows = tables.scale(ScoreScale(base_score=900, points_to_double=50), OUTCOME).rows

    assert [row[0] for row in rows][-1] == "1000"


def test_long_tables_are_folded_but_not_for_a_few_rows() -> None:
    rows = tuple((str(place),) for place in range(40))

    long = tables.Table("", (tables.Head(""),), rows)
    short = tables.Table("", (tables.Head(""),), rows[:25])

    assert (len(long.shown), len(long.folded)) == (20, 20)
    assert (len(short.shown), len(short.folded)) == (25, 0)


def test_importance_bars_are_relative_to_the_largest() -> None:
    shares = (Importance(feature="a", share=0.5), Importance(feature="b", share=0.25))
    cells = [row[1] for row in tables.importance(shares).rows]

    assert 'width="100.0%"' in cells[0]
    assert 'width="50.0%"' in cells[1]


def test_a_dominant_feature_is_pointed_out() -> None:
    shares = (Importance(feature="a", share=0.8), Importance(feature="b", share=0.2))

    assert texts.importance(shares).startswith("“a” alone carries 80\u00a0% of the importance.")


def test_decision_without_called_rows() -> None:
    scored = some_scored(50)
    lines = texts.decision(a_confusion(scored, 1.0), OUTCOME, "a score of about 0 or less")

    assert lines[1] == f"No test row reaches it: all are called {OUTCOME.negative}."


def test_every_kind_of_feature_is_described() -> None:
    number = Numeric(
        name="n", null="accept", markers=("unknown",), low=0.5, high=9, whole=False, example=1
    )
    words_ = Categorical(
        name="c", null="warn", vocabulary=tuple(f"v{place}" for place in range(15)), example="v1"
    )
    moment = Moment(
        name="m", null="warn", layout="iso", parts=("days", "hour"), low="2020-01-01",
        high="2021-01-01", example="2020-05-05",
    )  # fmt: skip

    assert features.describe(number) == "0.5 to 9"
    assert features.missing(number) == "yes; written “unknown”, too"
    assert features.describe(words_).startswith("15 values: v0 · v1")
    assert features.describe(words_).endswith("v11 · and 3 more, in manifest.json")
    assert features.missing(words_) == "no"
    assert features.describe(Boolean(name="b", null="warn", example=True)) == "true and false"
    assert features.describe(moment) == (
        "2020-01-01 to 2021-01-01, written as year-month-day; the model sees the day and the hour"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (math.nan, words.NOTHING),
        (0.0, "0.0\u00a0%"),
        (1e-7, "<\u00a00.001\u00a0%"),
        (0.0045, "0.45\u00a0%"),
    ],
)
def test_percent(value: float, text: str) -> None:
    assert words.percent(value) == text


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_plain_has_no_word_for_what_is_no_number(value: float) -> None:
    assert words.plain(value) == words.NOTHING


def test_visible_keeps_every_script_and_emoji() -> None:
    text = "São Paulo, 東京, می‌خواهم, \U0001f469\u200d\U0001f4bb, a\u00a0b"

    assert words.visible(text) == text
