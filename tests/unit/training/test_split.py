"""Test part and folds."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from placar.errors import TableRejected
from placar.training.split import split_rows


def outcomes(rows: int, positives: int) -> np.ndarray:
    positive = np.zeros(rows, dtype=bool)
    positive[np.random.default_rng(0).permutation(rows)[:positives]] = True
    return positive


def test_test_part_and_folds_have_the_base_rate_of_the_table() -> None:
    positive = outcomes(1000, 300)
    split = split_rows(positive, seed=1)
    assert split.method == "stratified"
    assert int(split.test.sum()) == 200
    assert int(positive[split.test].sum()) == 60
    training = positive[~split.test]
    for fold in range(5):
        held = split.folds == fold
        assert (int(held.sum()), int(training[held].sum())) == (160, 48)


def test_the_same_seed_gives_the_same_split_and_another_seed_another() -> None:
    positive = outcomes(500, 100)
    first, again, other = (split_rows(positive, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.test, again.test)
    assert np.array_equal(first.folds, again.folds)
    assert not np.array_equal(first.test, other.test)


@pytest.mark.parametrize("positives", [10, 11, 12, 15])
def test_the_smallest_class_is_in_every_part_and_fold(positives: int) -> None:
    positive = outcomes(400, positives)
    split = split_rows(positive, seed=3)
    training = positive[~split.test]
    assert positive[split.test].sum() >= 2
    assert 2 <= split.fold_count <= 5
    for fold in range(split.fold_count):
        assert training[split.folds == fold].any()
        assert not training[split.folds == fold].all()


def test_with_time_the_latest_rows_are_the_test_and_folds_are_stretches() -> None:
    moments = np.random.default_rng(4).permutation(1000).astype(float)
    split = split_rows(outcomes(1000, 300), seed=1, moments=moments)
    assert split.method == "time"
    assert moments[split.test].min() == 800.0
    training = moments[~split.test]
    stretches = [training[split.folds == fold] for fold in range(5)]
    assert all(before.max() < after.min() for before, after in pairwise(stretches))


def test_rows_without_time_are_the_earliest() -> None:
    moments = np.arange(100, dtype=float)
    moments[90:] = np.nan
    split = split_rows(outcomes(100, 40), seed=1, moments=moments)
    assert not split.test[90:].any()
    assert np.flatnonzero(split.test).tolist() == list(range(70, 90))


def test_folds_are_stratified_when_a_stretch_of_time_has_one_class_only() -> None:
    positive = np.arange(500) % 100 < 20
    positive[:100] = False
    split = split_rows(positive, seed=1, moments=np.arange(500.0))
    training = positive[~split.test]
    assert all(training[split.folds == fold].any() for fold in range(split.fold_count))


def test_no_moment_is_on_both_sides_of_the_border() -> None:
    years = np.repeat([2020.0, 2021.0, 2022.0, 2023.0], [300, 320, 300, 130])
    split = split_rows(outcomes(1050, 400), seed=1, moments=years)
    assert set(years[split.test]) == {2023.0}
    training = years[~split.test]
    assert all(len(set(split.folds[training == year])) == 1 for year in (2020, 2021, 2022))
    assert split.fold_count == 3


@pytest.mark.parametrize(("counts", "share"), [([100, 300], "75.0 %"), ([160, 238, 2], "0.5 %")])
def test_a_time_that_is_too_coarse_is_rejected(counts: list[int], share: str) -> None:
    moments = np.repeat(np.arange(float(len(counts))), counts)
    with pytest.raises(TableRejected, match=share) as caught:
        split_rows(outcomes(400, 100), seed=1, moments=moments)
    assert "--time" in caught.value.way_out
