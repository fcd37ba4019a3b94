"""From figures to words, and to the page."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from placar.trial.facts import (
    Batch,
    Check,
    Health,
    Latency,
    Retrain,
    Step,
    Trial,
    latency_of,
)
from placar.trial.load import is_worse
from placar.trial.page import render_page
from placar.trial.text import as_text
from placar.trial.verdict import Found, Verdict, is_good, judge

SCORE = Check("score", "ok", "Scored.")


def a_step(
    connections: int = 4,
    *,
    took: float = 0.01,
    many: int = 1000,
    refused: int = 0,
    errors: int = 0,
    lag: float = 0.0,
    cpu: float = 0.1,
) -> Step:
    return Step(
        connections=connections,
        seconds=5.0,
        latency=latency_of([took] * many),
        connecting=latency_of([0.001]),
        refused=refused,
        shed=0,
        errors={"connection_dropped": errors} if errors else {},
        own_lag=latency_of([lag] * 100),
        own_cpu=cpu,
        ended="time",
    )


def a_health(worst: float, many: int = 100, **errors: int) -> Health:
    return Health(phase="under load", latency=latency_of([worst] * many), errors=errors)


def a_found(*steps: Step, worst: float = 0.01) -> Found:
    found = Found(own=True, loaded=True, asked="POST /predict", checks=[SCORE])
    found.steps += steps
    found.health.append(a_health(worst))
    return found


def check_of(verdict: Verdict, name: str) -> Check:
    return next(each for each in verdict.checks if each.name == name)


def a_trial(found: Found, **values: object) -> Trial:
    verdict = judge(found)
    facts: dict[str, object] = {
        "url": "http://127.0.0.1:8000",
        "at": "2026-11-25T02:00:00+00:00",
        "seconds": 12.0,
        "placar": "0.1.0",
        "model": "loans",
        "version": "a" * 64,
        "asked": found.asked,
        "own": found.own,
        "loaded": found.loaded,
        "interrupted": found.interrupted,
        "status": verdict.status,
        "verdict": verdict.sentence,
        "checks": verdict.checks,
        "steps": tuple(found.steps),
        "batches": tuple(found.batches),
        "health": tuple(found.health),
        "retrain": found.retrain,
    }
    return Trial(**{**facts, **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("count", "known"), [(0, 0), (4, 0), (5, 1), (19, 1), (20, 2), (99, 2), (100, 3)]
)
def test_a_percentile_of_too_few_samples_is_not_given(count: int, known: int) -> None:
    latency = latency_of([0.001] * count)
    given_ones = [each for each in (latency.p50, latency.p90, latency.p99) if each is not None]
    assert (len(given_ones), latency.count) == (known, count)
    assert (latency.worst is None) == (count == 0)


@given(st.lists(st.floats(0, 100), min_size=100, max_size=300))
def test_a_percentile_is_a_sample_that_the_right_share_does_not_exceed(took: list[float]) -> None:
    latency = latency_of(took)
    for share, value in ((0.5, latency.p50), (0.9, latency.p90), (0.99, latency.p99)):
        assert value is not None
        rounded = [round(each * 1e3, 3) for each in took]
        assert value in rounded
        assert sum(each <= value for each in rounded) >= share * len(took)
        assert sum(each < value for each in rounded) < share * len(took)


def test_a_good_service_is_praised_with_its_best_step() -> None:
    verdict = judge(a_found(a_step(1, many=500), a_step(4, many=2000)))
    assert verdict.status == "ok"
    assert verdict.sentence == (
        "It answers as it should, and carried 400 answers a second over 4 connections "
        "(p50 10 ms, p99 10 ms); /health took 10 ms at worst."
    )


@pytest.mark.parametrize(
    ("worst", "status"), [(0.9, "ok"), (1.5, "warn"), (4.9, "warn"), (5.0, "fail")]
)
def test_health_fails_where_platforms_would_give_up(worst: float, status: str) -> None:
    assert check_of(judge(a_found(worst=worst)), "health under load").status == status


def test_one_health_check_without_an_answer_is_a_failure() -> None:
    found = a_found()
    found.health.append(a_health(0.01, answer_timed_out=1))
    assert judge(found).checks[-1].status == "fail"
    assert "1 more failed: answer_timed_out" in judge(found).checks[-1].found


@pytest.mark.parametrize(("errors", "status"), [(0, "ok"), (5, "warn"), (50, "fail")])
def test_some_errors_are_a_warning_and_many_a_failure(errors: int, status: str) -> None:
    assert check_of(judge(a_found(a_step(errors=errors))), "load").status == status


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (a_step(), ""),
        (a_step(took=2.5), "answers took longer than 2 s"),
        (a_step(many=3, took=2.5), "answers took longer than 2 s"),
        (a_step(errors=50), "50 of 1,050 requests went wrong"),
        (a_step(refused=1500), "1,500 of 2,500 requests were refused for now"),
        (a_step(refused=500), ""),
    ],
)
def test_a_step_that_went_badly_is_the_last(step: Step, why: str) -> None:
    assert is_worse(step) == why


def test_one_very_slow_answer_among_many_fast_ones_is_a_warning() -> None:
    took = latency_of([0.001] * 999 + [5.0])
    verdict = judge(a_found(structs.replace(a_step(), latency=took)))
    check = check_of(verdict, "slowest answer")
    assert (check.status, check.found) == ("warn", "One answer took 5,000 ms, at 4 connections.")


def test_a_trial_that_was_interrupted_early_says_nothing_of_the_service() -> None:
    verdict = judge(Found(own=True, loaded=True, interrupted=True))
    assert verdict.sentence == "Interrupted before anything could be said of it."


def test_the_reader_is_told_when_this_computer_was_the_bottleneck() -> None:
    busy = check_of(judge(a_found(a_step(16, cpu=0.97))), "this computer")
    assert (busy.status, "97% of a CPU" in busy.found) == ("note", True)
    late = check_of(judge(a_found(a_step(16, lag=0.008))), "this computer")
    assert "late itself: by 8.0 ms" in late.found
    assert all(each.name != "this computer" for each in judge(a_found(a_step(lag=0.004))).checks)


def test_nothing_is_concluded_from_a_handful_of_scores_beside_a_run() -> None:
    found = a_found(a_step())
    found.retrain = Retrain(
        run="run_1", outcome="succeeded", seconds=1.0, said="", step=a_step(many=3)
    )
    assert check_of(judge(found), "retrain").status == "note"


def test_a_batch_that_no_one_takes_is_not_called_large() -> None:
    found = a_found()
    found.batches.append(Batch(rows=1000, outcome="failed", seconds=1.0, said="Status 500."))
    check = check_of(judge(found), "large batch")
    assert (check.status, check.found) == ("fail", "1,000 rows: Status 500.")


def test_strict_lets_no_warning_pass() -> None:
    warned = a_trial(a_found(worst=2.0))
    assert is_good(warned, strict=False)
    assert not is_good(warned, strict=True)
    assert is_good(a_trial(a_found()), strict=True)
    assert not is_good(a_trial(a_found(worst=6.0)), strict=False)


class _Page(HTMLParser):
    """Collects what a page refers to, and which elements it opens."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.references: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href")]


def test_the_page_stands_alone_and_shows_every_figure() -> None:
    found = a_found(a_step(1, took=0.0003), a_step(64, took=7.0))
    found.batches.append(Batch(rows=50_000, outcome="scored", seconds=2.0))
    text = render_page(a_trial(found))
    page = _Page(text)
    assert page.references == []
    assert "script" not in page.tags
    assert "url(" not in text
    assert "25,000" in text
    assert 'class="limit"' in text  # 7 s is beyond what platforms wait for
    ends = [float(x) for x in re.findall(r'c?x[12]?="([0-9.]+)"', text)]
    assert max(ends) <= 400


def test_what_a_service_says_cannot_become_part_of_the_page() -> None:
    nasty = '<img src="x" onerror="alert(1)">'
    found = a_found(a_step())
    found.checks.append(Check("ready", "warn", nasty, nasty))
    trial = a_trial(found, placar=nasty, model=nasty, url=f"http://x/{nasty}")
    page = _Page(render_page(trial))
    assert "img" not in page.tags
    assert page.references == []


def test_a_trial_without_any_figure_still_has_a_page_and_a_text() -> None:
    found = Found(own=False, loaded=False)
    trial = a_trial(found, placar="", model="", version="")
    assert "<svg" not in render_page(trial)
    assert as_text(trial).startswith("It answers as it should; it was not loaded.")
    never = Latency(count=0, p50=None, p90=None, p99=None, worst=None)
    found.health.append(Health(phase="at rest", latency=never, errors={"status_500": 5}))
    assert "<svg" not in render_page(a_trial(found))


def test_the_text_has_a_dash_where_there_were_too_few_samples() -> None:
    text = as_text(a_trial(a_found(a_step(many=30))))
    assert re.search(r"^ +4 +30 +6 +10\.0 +10\.0 +- +10\.0 +0 +0$", text, re.MULTILINE)
