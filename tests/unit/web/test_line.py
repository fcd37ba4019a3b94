"""How long rows wait, whom it is too long for, and when to come back."""

from __future__ import annotations

import pytest

from placar.box.cpu_share import CpuShare
from placar.web.line import LONGEST_BATCH_WAIT, LONGEST_WAIT, SHORT_WAIT, BatchRows, SingleRows


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rows(clock: Clock) -> SingleRows:
    rows = SingleRows(clock=clock)
    for _ in range(500):
        rows.done(0.001)
    return rows


def test_a_line_is_full_when_its_last_row_would_wait_too_long(rows: SingleRows) -> None:
    rows.waiting = int(0.9 * LONGEST_WAIT / 0.001)
    assert not rows.full
    rows.waiting = int(1.1 * LONGEST_WAIT / 0.001)
    assert rows.full


def test_while_rows_are_refused_the_line_is_kept_short_and_then_grows_again(
    rows: SingleRows, clock: Clock
) -> None:
    rows.waiting = int(2 * SHORT_WAIT / 0.001) + 1
    seen = [rows.full]
    rows.refuse()
    seen.append(rows.full)
    clock.now += 3.5
    seen.append(rows.full)
    assert seen == [False, True, False]


def test_a_few_rows_are_taken_however_slow_the_model_is(rows: SingleRows) -> None:
    for _ in range(500):
        rows.done(3.0)
    rows.waiting = 2
    assert not rows.full
    rows.waiting = 3
    assert rows.full


def test_who_is_refused_hears_to_come_as_much_more_seldom_as_too_many_came(
    rows: SingleRows, clock: Clock
) -> None:
    assert rows.refuse() == 1
    told = set()
    for _ in range(4):
        clock.now += 1.1
        for _ in range(100):
            rows.done(0.001)
        told = {rows.refuse() for _ in range(900)}
    assert told == {10}


def test_a_worker_without_work_is_idle(rows: SingleRows, clock: Clock) -> None:
    assert not rows.idle
    clock.now += 0.2
    assert rows.idle


def test_rows_rest_only_while_rows_are_refused_and_the_cpu_is_overdrawn(clock: Clock) -> None:
    used = Clock()
    rows = SingleRows(CpuShare(0.2, clock=clock, used=used), clock)
    used.now += 0.05
    seen = [rows.resting]
    rows.refuse()
    seen.append(rows.resting)
    clock.now += 0.5
    seen.append(rows.resting)
    assert seen == [False, True, False]


def test_a_batch_alone_is_taken_however_large(rows: SingleRows) -> None:
    batches = BatchRows()
    assert not batches.too_many(10**9)
    batches.begin(1000)
    batches.done(500, 0.5)
    assert batches.seconds == pytest.approx(0.001, rel=0.6)
    assert not batches.too_many(1000)
    assert batches.too_many(int(LONGEST_BATCH_WAIT / batches.seconds) + 1)
    assert batches.retry_after == 1
    batches.drop(500)
    assert batches.ahead == 0
    assert not batches.too_many(10**9)


def test_a_share_of_the_cpu_fills_up_and_is_drawn_from(clock: Clock) -> None:
    used = Clock()
    share = CpuShare(0.25, clock=clock, used=used)
    assert not share.overdrawn()
    used.now += 0.013
    assert share.overdrawn()
    clock.now += 0.02
    assert share.overdrawn()
    clock.now += 0.03
    assert not share.overdrawn()
    used.now += 60.0
    assert share.overdrawn()
    clock.now += 0.1
    assert not share.overdrawn(), "a debt is forgiven soon"


def test_without_a_quota_there_is_always_cpu_left(clock: Clock) -> None:
    share = CpuShare(clock=clock, used=Clock())
    assert share.cpus == 1.0
    assert not share.overdrawn()


def test_a_process_that_was_frozen_has_not_become_slow(rows: SingleRows) -> None:
    rows.done(8.0)
    rows.waiting = 16
    assert not rows.full
    batches = BatchRows()
    for _ in range(20):
        batches.done(500, 0.05)
    batches.done(500, 8.0)
    assert batches.estimate(10_000) < LONGEST_BATCH_WAIT


def test_a_model_that_has_become_slow_is_learnt_all_the_same(rows: SingleRows) -> None:
    for _ in range(100):
        rows.done(0.1)
    assert rows.seconds > 0.09


def test_what_is_refused_for_its_estimate_makes_the_estimate_doubtful() -> None:
    """Else nothing would ever correct it: who is refused is not measured."""
    rows, batches = SingleRows(), BatchRows()
    rows.seconds, batches.seconds = 3.0, 0.1
    for _ in range(200):
        rows.doubt()
        batches.doubt()
    assert 0.0001 < rows.seconds < 0.001
    assert batches.estimate(50_000) < 1.0
    fast = rows.seconds = 0.0001
    rows.doubt()
    assert rows.seconds == fast


def test_a_worker_that_has_seen_no_batch_yet_takes_several_large_ones() -> None:
    batches = BatchRows()
    batches.begin(100_000)
    assert not batches.too_many(50_000)


def test_small_batches_do_not_make_a_large_one_seem_slow() -> None:
    """Each of their rows bears the cost of a visit to the pool, which a large batch shares."""
    batches = BatchRows()
    for _ in range(10_000):
        batches.begin(1)
        batches.done(1, 0.005, whole=False)
    assert batches.estimate(50_000) < LONGEST_BATCH_WAIT
    assert batches.ahead == 0


def test_where_rows_wait_it_counts_how_many_are_done_in_a_while(
    rows: SingleRows, clock: Clock
) -> None:
    """Each says that it took a millisecond; but one is done every four."""
    rows.waiting = 20
    for _ in range(1000):
        clock.now += 0.004
        rows.done(0.001)
    assert rows.seconds == pytest.approx(0.004, rel=0.05)
    rows.waiting = 1
    for _ in range(200):
        clock.now += 0.004
        rows.done(0.001)
    assert rows.seconds == pytest.approx(0.001, rel=0.05)
