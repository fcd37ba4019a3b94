"""Learning from less: what stays, what is said of it, and what it would take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from placar.errors import RunDoesNotFit
from placar.package.reader import read_package
from placar.package.run_folder import RunFolder, RunSpec
from placar.scoring.load import load_scorer
from placar.training.learning import make_package
from placar.training.needs import FEWER_BINS, check_fits, learning_need, rows_within
from placar.training.progress import ProgressLog
from placar.training.reading import read_table
from placar.training.reduction import Reduction, kept_rows
from unit.training.learning import a_csv, loans

MB = 1024**2


def test_of_each_fold_and_outcome_the_same_share_stays() -> None:
    chance = np.random.default_rng(0)
    positive, folds = chance.random(1000) < 0.2, chance.integers(0, 5, 1000)
    kept = kept_rows(positive, folds, 0.5)
    assert sorted(set(kept.tolist())) == kept.tolist()
    for fold in range(5):
        for outcome in (False, True):
            whole = int(((folds == fold) & (positive == outcome)).sum())
            left = int(((folds[kept] == fold) & (positive[kept] == outcome)).sum())
            assert left == round(whole / 2)


def test_the_last_row_of_an_outcome_in_a_fold_stays() -> None:
    positive = np.array([True, False, False, False, True, False])
    folds = np.array([0, 0, 0, 1, 1, 1])
    kept = kept_rows(positive, folds, 0.01)
    assert kept.tolist() == [0, 1, 3, 4]


def test_a_package_from_half_of_the_rows_says_so_and_scores(tmp_path: Path) -> None:
    table = a_csv(tmp_path, loans())
    spec = RunSpec(table=str(table), target="Status", positive="bad")
    run = RunFolder(tmp_path / "run")
    run.write_spec(spec)
    run.scratch.mkdir()
    with ProgressLog(run.progress) as progress:
        rows, columns = read_table(spec, run, progress)
        made = make_package(spec, run, progress, Reduction(rows // 2))
    assert (rows, columns > 3) == (480, True)
    manifest = read_package(run.package, made.version).manifest
    told = manifest.training
    assert (told.rows, told.test_rows) == (600, 120)
    assert told.training_rows == pytest.approx(240, abs=5)
    assert told.settings["rows left out for want of memory"] == str(480 - told.training_rows)
    assert told.settings["bins"] == str(FEWER_BINS)
    assert any("because memory ran short" in note for note in made.notes)
    assert "because memory ran short" in (run.package / "report.html").read_text()
    assert manifest.metrics.auc > 0.6
    load_scorer(run.package)


def test_a_package_from_all_rows_says_nothing_of_it(tmp_path: Path) -> None:
    table = a_csv(tmp_path, loans())
    spec = RunSpec(table=str(table), target="Status")
    run = RunFolder(tmp_path / "run")
    run.write_spec(spec)
    run.scratch.mkdir()
    with ProgressLog(run.progress) as progress:
        read_table(spec, run, progress)
        made = make_package(spec, run, progress)
    settings = read_package(run.package, made.version).manifest.training.settings
    assert not {"bins", "rows left out for want of memory"} & settings.keys()


@pytest.mark.parametrize(
    ("rows", "columns", "measured"),
    [
        (1_000, 10, 63),
        (50_000, 10, 83),
        (200_000, 10, 119),
        (1_500_000, 1, 215),
        (200_000, 40, 141),
        (64_000, 64, 112),
        (20_000, 500, 158),
        (4_000, 1_900, 182),
    ],
)
def test_the_estimate_is_near_what_the_benchmark_measured(
    rows: int, columns: int, measured: int
) -> None:
    """The figures of benchmarks/training/memory.py; four fifths of a table are learnt from."""
    training = rows * 4 // 5
    assert 0.95 < learning_need(training, columns) / MB / measured < 1.17
    assert learning_need(training // 2, columns, FEWER_BINS) / MB < measured * 1.1


@pytest.mark.parametrize("columns", [1, 10, 300, 2000])
def test_as_many_rows_fit_as_are_said_to(columns: int) -> None:
    fitting = rows_within(256 * MB, columns)
    assert learning_need(fitting, columns) <= 256 * MB < learning_need(fitting + 1, columns)
    assert rows_within(50 * MB, columns) == 0


@pytest.mark.parametrize(
    ("rows", "columns"), [(160_000, 10), (1_200_000, 1), (51_200, 64), (160_000, 40)]
)
def test_what_was_always_trained_within_256_megabytes_is_not_refused(
    rows: int, columns: int
) -> None:
    check_fits(rows, columns, 256 * MB)


def test_what_cannot_fit_is_refused_with_figures() -> None:
    with pytest.raises(RunDoesNotFit) as caught:
        check_fits(8_000_000, 20, 256 * MB)
    assert "8,000,000 rows of 20 columns would take about" in caught.value.message
    assert "the run may use 256 MB" in caught.value.message
    assert "PLACAR_RUN_MEMORY=" in caught.value.way_out
    assert "train on at most 1,300,000 rows" in caught.value.way_out
