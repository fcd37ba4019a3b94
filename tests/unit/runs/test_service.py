"""Runs as everybody else sees them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from placar.errors import (
    IllegalTransition,
    InputError,
    RunAlreadyActive,
    RunNotFound,
    TableNotFound,
)
from placar.package.run_folder import Progress
from placar.runs.interrupts import Interrupts
from placar.runs.request import IdempotencyKey, RunRequest
from placar.runs.service import RunService
from run_scenes import FAST, Scene, a_scene, eventually, folder_of, gone, pids


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return a_scene(tmp_path / "home")


class Following:
    """A run that is followed in a thread."""

    def __init__(self, service: RunService, run_id: str) -> None:
        self._thread = threading.Thread(target=service.follow, args=(run_id,))

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._thread.join()


@pytest.fixture
def waiting(scene: Scene) -> Iterator[tuple[RunService, str]]:
    """A service with a run under way, which ends when its folder has a file ``go``."""
    service = scene.service("waits")
    run = service.request(scene.spec(), origin="test")
    with Following(service, run.id):
        eventually(lambda: service.get(run.id).stage == "fit")
        yield service, run.id
        folder_of(run).root.joinpath("go").touch()


def test_a_success_is_registered_and_promoted(scene: Scene) -> None:
    run = scene.run("succeeds")
    assert (run.status, run.promoted, run.gate, run.error) == ("succeeded", True, "", None)
    assert (run.stage, run.done, run.seconds, run.peak_memory) == ("package", 1.0, 1.5, 4096)
    assert (run.origin, run.follower, run.active) == ("test", None, False)
    champion = scene.registry.champion("loans")
    assert champion is not None
    assert (champion.version, champion.run_id) == (run.version, run.id)
    assert not folder_of(run).scratch.exists()


def test_a_success_is_only_registered_when_promoting_is_not_asked(scene: Scene) -> None:
    run = scene.run("succeeds", promote=False)
    assert (run.status, run.promoted) == ("succeeded", False)
    assert scene.registry.champion("loans") is None
    assert scene.registry.version("loans", run.version or "").status == "candidate"


def test_the_same_bytes_again_succeed_with_the_same_version(scene: Scene) -> None:
    first, second = scene.run("succeeds"), scene.run("succeeds")
    assert (second.status, second.version, second.promoted) == ("succeeded", first.version, True)
    assert len(scene.registry.versions("loans")) == 1
    assert len(scene.registry.promotions("loans")) == 1


def test_a_published_package_is_kept_once(scene: Scene) -> None:
    run = scene.run("succeeds")
    assert (scene.settings.packages / (run.version or "")).is_dir()
    assert not folder_of(run).package.exists()
    assert folder_of(run).report.exists()


def test_a_version_that_fails_the_gates_says_why(scene: Scene) -> None:
    better = scene.version(seed=7, auc=0.99)
    scene.registry.promote("loans", better)
    run = scene.run("succeeds")
    assert (run.status, run.promoted) == ("succeeded", False)
    assert "clearly worse: 0.800" in run.gate
    champion = scene.registry.champion("loans")
    assert champion is not None
    assert champion.version == better


def test_the_childs_own_failure_is_kept(scene: Scene) -> None:
    run = scene.run("rejects")
    assert run.error is not None
    assert (run.status, run.error.code, run.error.way_out) == (
        "failed",
        "table_rejected",
        "Do it right.",
    )
    assert (run.stage, run.version) == ("fit", None)


def test_running_out_of_memory_has_a_status_of_its_own(scene: Scene) -> None:
    assert scene.run("runs out of memory").status == "out_of_memory"


def test_two_requests_at_once_start_one_run(scene: Scene) -> None:
    service = scene.service("succeeds")
    barrier = threading.Barrier(5)
    ids: list[str] = []
    refused: list[object] = []

    def ask() -> None:
        barrier.wait()
        try:
            ids.append(service.request(scene.spec(), origin="test").id)
        except RunAlreadyActive as error:
            refused.append(error.fields["run_id"])

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 1
    assert refused == ids * 4


def test_a_run_can_be_looked_at_while_it_runs(
    scene: Scene, waiting: tuple[RunService, str]
) -> None:
    service, run_id = waiting
    run = service.get(run_id)
    assert (run.status, run.stage, run.done) == ("running", "fit", 0.4)
    assert run.started_at is not None
    assert service.log(run_id) == ("child begins: olá\n", 19)
    assert service.log(run_id, 19) == ("", 19)
    assert service.progress(run_id) == (Progress(stage="fit", done=0.4),)
    assert [each.id for each in service.list()] == [run_id]
    with pytest.raises(RunAlreadyActive):
        service.request(scene.spec(), origin="test")


def test_a_second_follower_waits_for_the_first(waiting: tuple[RunService, str]) -> None:
    service, run_id = waiting
    run = service.get(run_id)
    with Following(service, run_id):
        folder_of(run).root.joinpath("go").touch()
    ended = service.get(run_id)
    assert (ended.status, ended.pid) == ("succeeded", run.pid)


def test_progress_reaches_whoever_follows(scene: Scene) -> None:
    service = scene.service("succeeds")
    run = service.request(scene.spec(), origin="test")
    steps: list[Progress] = []
    service.follow(run.id, steps.append)
    assert [step.stage for step in steps] == ["read", "package"]


def test_a_running_run_is_cancelled_by_another_process_through_the_store(
    scene: Scene, waiting: tuple[RunService, str]
) -> None:
    _, run_id = waiting
    other = scene.service("succeeds")
    other.cancel(run_id)
    eventually(lambda: not other.get(run_id).active)
    run = other.get(run_id)
    assert run.error is not None
    assert (run.status, run.error.code, run.stage) == ("cancelled", "run_cancelled", "fit")


def test_a_queued_run_is_cancelled_on_the_spot(scene: Scene) -> None:
    service = scene.service("succeeds")
    run = service.request(scene.spec(), origin="test")
    assert service.cancel(run.id).status == "cancelled"
    assert service.follow(run.id).status == "cancelled"
    assert not folder_of(run).root.exists()
    with pytest.raises(IllegalTransition, match="ended already: cancelled"):
        service.cancel(run.id)


def test_interrupting_the_follower_cancels_the_run(scene: Scene) -> None:
    service = scene.service("hangs")
    run = service.request(scene.spec(), origin="test")
    interrupts = Interrupts()

    def interrupt(step: Progress) -> None:
        if step.stage == "fit":
            interrupts.count = 1

    assert service.follow(run.id, interrupt, interrupts).status == "cancelled"


def test_an_interrupt_before_the_launch_cancels_the_run(scene: Scene) -> None:
    service = scene.service("succeeds")
    run = service.request(scene.spec(), origin="test")
    interrupts = Interrupts()
    interrupts.count = 1
    assert service.follow(run.id, None, interrupts).status == "cancelled"
    assert scene.registry.models() == ()


def test_an_interrupt_reaches_a_run_that_another_process_follows(scene: Scene) -> None:
    first, second = scene.service("hangs"), scene.service("hangs")
    run = first.request(scene.spec(), origin="test")
    interrupts = Interrupts()
    with Following(first, run.id):
        eventually(lambda: first.get(run.id).stage == "fit")
        interrupts.count = 1
        assert second.follow(run.id, None, interrupts).status == "cancelled"


def test_real_signals_are_counted_and_a_second_one_hurries(scene: Scene) -> None:
    patient = replace(FAST, grace=60.0)
    service = scene.service("hangs", timing=patient)
    run = service.request(scene.spec(), origin="test")

    def press() -> None:
        pids(run)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.pthread_kill(threading.main_thread().ident or 0, number)
            threading.Event().wait(0.1)

    before = signal.getsignal(signal.SIGTERM)
    presser = threading.Thread(target=press)
    with Interrupts() as interrupts:
        presser.start()
        assert service.follow(run.id, None, interrupts).status == "cancelled"
        presser.join()
    assert signal.getsignal(signal.SIGTERM) is before
    assert all(gone(pid) for pid in pids(run))


def test_closing_leaves_the_run_to_others(scene: Scene) -> None:
    first, second = scene.service("waits"), scene.service("waits")
    run = first.request(scene.spec(), origin="test")
    with Following(first, run.id):
        eventually(lambda: first.get(run.id).stage == "fit")
        first.close()
    left = first.get(run.id)
    assert (left.status, left.follower) == ("running", None)
    assert first.adopt_stale() is None
    adopted = second.adopt_stale()
    assert adopted is not None
    assert adopted.pid == left.pid
    folder_of(run).root.joinpath("go").touch()
    assert second.follow(run.id).status == "succeeded"
    second.close()
    assert [popen.wait() for popen in first._tools.launcher._left] == [0]


def test_there_is_nothing_to_adopt_while_somebody_follows(
    scene: Scene, waiting: tuple[RunService, str]
) -> None:
    assert scene.service("waits").adopt_stale() is None
    assert scene.service("waits").settle_stale() is None
    assert waiting


def test_unknown_runs_are_said_so(scene: Scene) -> None:
    service = scene.service("succeeds")
    for ask in (service.get, service.follow, service.cancel, service.log, service.progress):
        with pytest.raises(RunNotFound):
            ask("run_0")


@pytest.mark.parametrize("changes", [{"table": "x.csv"}, {"target": ""}, {"model": "a@b"}])
def test_a_spec_that_cannot_be_is_refused_before_anything_is_queued(
    scene: Scene, changes: dict[str, str]
) -> None:
    service = scene.service("succeeds")
    with pytest.raises(InputError):
        service.request(scene.spec(**changes), origin="test")
    assert service.list() == ()


def test_the_same_idempotency_key_gets_the_same_run(scene: Scene) -> None:
    service = scene.service("succeeds")
    key = IdempotencyKey("k", "what was asked for")
    first = service.request(scene.spec(), origin="http", idempotency_key=key)
    assert service.request(scene.spec(), origin="http", idempotency_key=key) == first
    service.follow(first.id)
    again = service.request(scene.spec(), origin="http", idempotency_key=key)
    assert (again.id, again.status) == (first.id, "succeeded")


def test_a_retrain_repeats_the_last_success_with_a_seed_of_its_own(scene: Scene) -> None:
    (scene.home / "loans.csv").write_text("Status\n")
    service = scene.service("succeeds")
    service.follow(service.request(scene.spec(seed=5, drop=("a",)), origin="test").id)
    run = service.request(RunRequest(promote=False), origin="http")
    assert run.spec == scene.spec(seed=6, drop=("a",))
    assert not run.promote


def test_the_first_retrain_needs_a_table_and_gets_the_default_name(scene: Scene) -> None:
    service = scene.service("succeeds")
    with pytest.raises(InputError, match="names a table"):
        service.request(RunRequest(target="y"), origin="http")
    with pytest.raises(TableNotFound):
        service.request(RunRequest(target="y", table="../placar.db"), origin="http")
    scene.settings.tables.mkdir(exist_ok=True)
    (scene.settings.tables / "t.csv").write_text("y\n")
    spec = service.spec_for_retrain(None, RunRequest(table="t.csv", target="y"))
    assert (spec.model, spec.seed) == ("default", 0)
    scene.version(seed=0)
    spec = service.spec_for_retrain(None, RunRequest(table="t.csv", target="y"))
    assert (spec.model, spec.seed) == ("loans", 1)
