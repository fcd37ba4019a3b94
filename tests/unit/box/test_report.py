"""The start-up report."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from placar.box.limits import Limit
from placar.box.report import BoxReport, box_report, log_report, measure_box
from placar.box.sizing import ServingCost
from placar.settings import read_settings

MB = 1024**2


def a_report(*, limit: int = 512, workers: int = 2, run: int = 256) -> BoxReport:
    return box_report(
        read_settings(workers=workers, run_memory=f"{run}MB"),
        Limit(limit * MB, "cgroup v2"),
        ServingCost(50 * MB, 40 * MB),
        in_use=30 * MB,
        cpus=0.5,
    )


def test_it_fits() -> None:
    report = a_report()
    assert (report.fits, report.workers_that_fit) == (True, 3)
    assert report.left_for_run == pytest.approx(512 * MB * 0.9 - 130 * MB, abs=1)
    assert report.verdict == "It fits, with a tenth of the memory kept free (51 MB)."


def test_what_does_not_fit_comes_with_the_ways_out() -> None:
    report = a_report(workers=4)
    assert not report.fits
    assert report.verdict == (
        "It does not fit. Set WEB_CONCURRENCY=3, or PLACAR_RUN_MEMORY=250MB, "
        "or choose a larger plan."
    )


def test_following_the_advice_makes_it_fit() -> None:
    assert a_report(workers=4, run=250).fits
    assert a_report(workers=3).fits


def test_where_not_one_worker_fits_beside_a_run_the_run_is_to_be_smaller() -> None:
    report = a_report(limit=300, workers=1)
    assert (report.workers_that_fit, report.fits) == (0, False)
    assert "Set PLACAR_RUN_MEMORY=180MB" in report.verdict
    assert a_report(limit=300, workers=1, run=180).fits


def test_a_box_without_room_for_any_run_is_too_small() -> None:
    report = a_report(limit=64)
    assert (report.left_for_run, report.verdict) == (0, "It does not fit. Choose a larger plan.")


def test_the_text_says_every_figure_and_where_it_is_from() -> None:
    assert a_report().as_text().splitlines() == [
        "memory limit     512 MB (cgroup v2)",
        "in use now       30 MB",
        "CPU              0.5",
        "master           50 MB (measured here)",
        "each web worker  40 MB more",
        "web workers      2 wanted, 3 fit beside a run",
        "a run may use    256 MB; 330 MB are left for it",
        "request bodies   37 MB in each worker; a batch may have 29 MB",
        "",
        "It fits, with a tenth of the memory kept free (51 MB).",
    ]


def test_a_figure_that_is_not_measured_says_so() -> None:
    assert "could not be measured" in replace(a_report(), measured=False).as_text()


def test_the_facts_are_plain_json() -> None:
    facts = a_report().as_dict()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["fits"] is True


def test_one_log_line_holds_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="placar.box.report"):
        log_report(a_report())
    (record,) = caplog.records
    assert (record.getMessage(), vars(record)["workers_that_fit"]) == ("box_measured", 3)


def test_the_box_is_measured_before_there_is_a_home(tmp_path: Path) -> None:
    report = measure_box(read_settings(home=tmp_path / "none", memory_limit="1GB"))
    assert report.measured
    assert not (tmp_path / "none").exists()
