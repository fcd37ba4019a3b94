"""The lease on a run: taken by one, kept by beating, lost by silence."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from placar.errors import IllegalTransition, RunAlreadyActive, RunNotFound
from placar.package.run_folder import Failure, RunSpec
from placar.store.records import Ending, RunRecord
from placar.store.runs import Claimant, Heard, Patience, RunStore
from run_scenes import a_scene

PATIENCE = Patience(queued=10, here=5, elsewhere=15, sure=2)


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


class Runs:
    """A run store with a clock that tests move."""

    def __init__(self, home: Path) -> None:
        self.clock = Clock()
        self.stopwatch = Clock(5.0)
        self.store = RunStore(a_scene(home).store, PATIENCE, self.clock, self.stopwatch)
        self.home = home

    def queue(self, key: str | None = None) -> RunRecord:
        spec = RunSpec(table="/t.csv", target="y", model="loans", drop=("a",))
        return self.store.add(
            spec, origin="test", promote=True, folders=self.home, idempotency_key=key
        )

    def claim(self, run: RunRecord, token: str, machine: str = "here") -> RunRecord | None:
        return self.store.claim(run.id, Claimant(token, machine))

    def adopt(self, token: str, machine: str = "here") -> RunRecord | None:
        """Look twice, as whoever adopts runs does."""
        claimant = Claimant(token, machine)
        first = self.store.claim_abandoned(claimant)
        self.stopwatch.now += PATIENCE.sure
        return first or self.store.claim_abandoned(claimant)

    def running(self) -> RunRecord:
        """A run followed by ``first``."""
        run = self.queue()
        assert self.claim(run, "first")
        assert self.store.start(run.id, "first", 4711, 99)
        return self.store.get(run.id)


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def test_a_run_is_queued_with_all_that_was_asked(runs: Runs) -> None:
    run = runs.queue()
    assert run == runs.store.get(run.id) == runs.store.active()
    assert (run.status, run.spec.drop, run.requested_at, run.follower) == (
        "queued",
        ("a",),
        1000.0,
        None,
    )
    assert run.id.startswith("run_")
    assert len(run.id) == 20
    assert run.folder == str(runs.home.absolute() / run.id)


def test_a_second_run_is_refused_with_the_id_of_the_first(runs: Runs) -> None:
    first = runs.queue()
    with pytest.raises(RunAlreadyActive) as caught:
        runs.queue()
    assert caught.value.fields == {"run_id": first.id}
    assert first.id in caught.value.sentence


def test_the_same_key_means_the_same_run_even_after_it_ended(runs: Runs) -> None:
    first = runs.queue(key="k")
    assert runs.queue(key="k").id == first.id
    runs.claim(first, "me")
    runs.store.end(first.id, "me", Ending(status="cancelled"))
    assert runs.queue(key="k").id == first.id
    assert runs.queue(key="other").id != first.id


def test_of_many_who_claim_one_gets_the_lease(runs: Runs) -> None:
    run = runs.queue()
    got: list[RunRecord | None] = []
    barrier = threading.Barrier(6)

    def claim(token: str) -> None:
        barrier.wait()
        got.append(runs.claim(run, token))

    threads = [threading.Thread(target=claim, args=(str(number),)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [each for each in got if each is not None]
    assert winner.follower == runs.store.get(run.id).follower


def test_a_lease_is_lost_after_five_seconds_of_silence(runs: Runs) -> None:
    run = runs.running()
    runs.clock.now += 5
    assert runs.adopt("second") is None
    runs.clock.now += 0.1
    adopted = runs.adopt("second")
    assert adopted is not None
    assert (adopted.id, adopted.follower, adopted.pid, adopted.pid_started) == (
        run.id,
        "second",
        4711,
        99,
    )
    assert runs.adopt("third") is None


def test_a_beat_keeps_the_lease_and_says_how_far_the_run_is(runs: Runs) -> None:
    run = runs.running()
    runs.clock.now += 4
    heard = runs.store.beat(run.id, "first", "fit", 0.5)
    assert (heard.held, heard.cancel_requested) == (True, False)
    runs.store.beat(run.id, "first", None, 0.6)
    seen = runs.store.get(run.id)
    assert (seen.heartbeat_at, seen.stage, seen.done) == (1004.0, "fit", 0.6)
    runs.clock.now += 4
    assert runs.adopt("second") is None


def test_whoever_lost_the_lease_changes_nothing(runs: Runs) -> None:
    run = runs.running()
    runs.clock.now += 6
    assert runs.adopt("second")
    before = runs.store.get(run.id)
    assert not runs.store.beat(run.id, "first", "fit", 0.9).held
    assert not runs.store.start(run.id, "first", 1, 1)
    assert not runs.store.end(run.id, "first", Ending(status="failed"))
    runs.store.release(run.id, "first")
    assert runs.store.get(run.id) == before


def test_a_lease_given_back_is_free_at_once(runs: Runs) -> None:
    run = runs.running()
    runs.store.release(run.id, "first")
    assert runs.adopt("second")


def test_a_clock_set_back_does_not_keep_a_dead_run_alive(runs: Runs) -> None:
    runs.running()
    runs.clock.now -= 3600
    assert runs.adopt("second")


def test_a_clock_that_jumps_takes_no_lease_from_a_follower_that_beats(runs: Runs) -> None:
    run = runs.running()
    for jump in (3600, -3600, 7200):
        runs.clock.now += jump  # of this machine; the follower's differs, or it beat before
        assert runs.store.claim_abandoned(Claimant("second", "here")) is None
        runs.stopwatch.now += 1.0
        runs.clock.now -= jump - 1.0
        runs.store.beat(run.id, "first", "fit", 0.5)
        runs.clock.now += jump
        runs.stopwatch.now += 1.5
        assert runs.store.claim_abandoned(Claimant("second", "here")) is None
        assert runs.store.claim(run.id, Claimant("second", "here")) is None
    assert runs.store.get(run.id).follower == "first"


def test_clocks_that_differ_by_hours_do_not_make_a_run_look_lost(runs: Runs) -> None:
    run = runs.running()
    for _ in range(10):
        runs.clock.now += 3600
        assert runs.store.abandoned("there") is None
        assert runs.store.suspects
        runs.clock.now -= 3599
        assert runs.store.beat(run.id, "first", "fit", 0.5).held
        runs.stopwatch.now += 2.5


def test_a_heartbeat_between_two_looks_clears_the_suspicion(runs: Runs) -> None:
    run = runs.running()
    runs.clock.now += 6
    assert runs.store.abandoned("here") is None
    assert runs.store.suspects
    runs.store.beat(run.id, "first", "fit", 0.5)
    assert runs.store.abandoned("here") is None
    assert not runs.store.suspects


def test_a_run_never_took_less_than_no_time(runs: Runs) -> None:
    run = runs.running()
    runs.clock.now -= 3600
    assert runs.store.end(run.id, "first", Ending(status="lost"))
    assert runs.store.get(run.id).seconds == 0.0


def test_a_run_that_nobody_takes_up_is_abandoned_after_a_while(runs: Runs) -> None:
    run = runs.queue()
    runs.clock.now += 9
    assert runs.adopt("second") is None
    runs.clock.now += 2
    assert runs.adopt("second")
    assert runs.store.get(run.id).machine == "here"


def test_another_machine_waits_longer_and_the_process_stays_where_it_is(runs: Runs) -> None:
    runs.running()
    runs.clock.now += 14
    assert runs.adopt("second", machine="there") is None
    runs.clock.now += 2
    adopted = runs.adopt("second", machine="there")
    assert adopted is not None
    assert adopted.machine == "here"


def test_a_wish_to_cancel_is_heard_with_the_next_beat(runs: Runs) -> None:
    run = runs.running()
    assert runs.store.request_cancel(run.id).cancel_requested
    assert runs.store.beat(run.id, "first", "fit", 0.5).cancel_requested


def test_an_ended_run_stays_as_it_is(runs: Runs) -> None:
    run = runs.running()
    error = Failure(code="run_lost", message="Gone.", way_out="Again.")
    runs.clock.now += 3
    assert runs.store.end(run.id, "first", Ending(status="lost", error=error))
    ended = runs.store.get(run.id)
    assert (ended.status, ended.error, ended.seconds, ended.ended_at) == (
        "lost",
        error,
        3.0,
        1003.0,
    )
    assert not runs.store.end(run.id, "first", Ending(status="succeeded"))
    assert not runs.store.beat(run.id, "first", "fit", 1.0).held
    assert runs.claim(run, "second") is None
    with pytest.raises(IllegalTransition, match="lost"):
        runs.store.request_cancel(run.id)
    assert runs.store.get(run.id) == ended


def test_an_unknown_run_is_said_so(runs: Runs) -> None:
    with pytest.raises(RunNotFound):
        runs.store.get("run_0")
    with pytest.raises(RunNotFound):
        runs.store.request_cancel("run_0")


def test_runs_are_listed_newest_first(runs: Runs) -> None:
    ids = []
    for number in range(3):
        runs.clock.now += 1
        run = runs.queue()
        runs.claim(run, str(number))
        runs.store.end(run.id, str(number), Ending(status="failed"))
        ids.append(run.id)
    assert [run.id for run in runs.store.latest(2)] == [ids[2], ids[1]]
    assert runs.store.active() is None


def test_what_is_being_published_cannot_be_cancelled_any_more(runs: Runs) -> None:
    run = runs.running()
    assert runs.store.settle(run.id, "first") == Heard(held=True, cancel_requested=False)
    with pytest.raises(IllegalTransition, match="being published"):
        runs.store.request_cancel(run.id)
    assert runs.store.settle(run.id, "first").held  # an adopter publishes once more


def test_what_was_cancelled_is_not_published(runs: Runs) -> None:
    run = runs.running()
    runs.store.request_cancel(run.id)
    assert runs.store.settle(run.id, "first") == Heard(held=True, cancel_requested=True)


def test_who_lost_the_lease_publishes_nothing(runs: Runs) -> None:
    run = runs.running()
    assert not runs.store.settle(run.id, "second").held


def test_a_process_that_says_it_is_done_can_still_be_cancelled(runs: Runs) -> None:
    run = runs.running()
    runs.store.beat(run.id, "first", "package", 1.0)
    assert runs.store.request_cancel(run.id).cancel_requested


def test_a_late_beat_does_not_take_back_that_a_run_is_being_published(runs: Runs) -> None:
    run = runs.running()
    runs.store.settle(run.id, "first")
    runs.store.beat(run.id, "first", "package", 0.9)
    with pytest.raises(IllegalTransition):
        runs.store.request_cancel(run.id)
