"""What fits, and what it is measured with."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import a_package
from placar.box.sizing import (
    TYPICAL,
    default_workers,
    measure_serving,
    measure_worker,
    usable,
    workers_that_fit,
)

MB = 1024**2


def test_a_tenth_of_the_limit_stays_free() -> None:
    assert (usable(1000), usable(1001)) == (900, 900)


@pytest.mark.parametrize(
    ("limit", "most", "fit"), [(512, 9, 3), (512, 2, 2), (420, 9, 1), (300, 9, 0), (0, 9, 0)]
)
def test_workers_fit_beside_the_master_and_a_run(limit: int, most: int, fit: int) -> None:
    assert workers_that_fit(limit * MB, 50 * MB, 40 * MB, 256 * MB, most) == fit


@given(limit=st.integers(0, 2**36), run=st.integers(0, 2**34), worker=st.integers(1, 2**30))
def test_as_many_as_fit_do_fit_and_one_more_does_not(limit: int, run: int, worker: int) -> None:
    fit = workers_that_fit(limit, 50 * MB, worker, run, most=2**60)
    taken = 50 * MB + run
    assert fit == 0 or taken + fit * worker <= limit * 0.9
    assert taken + (fit + 1) * worker > usable(limit)


@pytest.mark.parametrize(("limit", "workers"), [(128, 1), (512, 2), (8192, 2)])
def test_unasked_there_is_one_worker_at_least_and_two_at_most(limit: int, workers: int) -> None:
    assert default_workers(limit * MB, 256 * MB) == workers


def test_the_cost_is_measured_with_a_model_loaded(tmp_path: Path) -> None:
    a_package(tmp_path / "package")
    cost = measure_serving(package=tmp_path / "package")
    assert cost.measured
    assert 20 * MB < cost.master < 250 * MB
    assert 2 * MB < cost.worker < 100 * MB


def test_the_typical_cost_is_about_what_is_measured() -> None:
    cost = measure_serving()
    two = cost.master + 2 * cost.worker
    assert two == pytest.approx(TYPICAL.master + 2 * TYPICAL.worker, rel=0.35)


@pytest.mark.parametrize("error", [OSError("no processes"), subprocess.TimeoutExpired("x", 1.0)])
def test_where_nothing_can_be_measured_the_typical_cost_counts(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> NoReturn:
        raise error

    monkeypatch.setattr(subprocess, "run", fail)
    assert measure_serving() == TYPICAL
    assert measure_worker() == TYPICAL.worker


@pytest.mark.parametrize("answer", ["", "{}", "[]", '{"master": null, "worker": 1}', "Traceback"])
def test_an_answer_that_says_nothing_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 0, answer)

    monkeypatch.setattr(subprocess, "run", run)
    assert measure_serving() == TYPICAL


def test_an_application_that_does_not_start_is_not_measured() -> None:
    assert measure_serving("placar.errors:PlacarError") == TYPICAL
