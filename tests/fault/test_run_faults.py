"""What happens to a run when something dies, hangs, lies or fills up. One test per fault."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from placar.box.process import identify
from placar.errors import PackageRefused, RunAlreadyActive, RunLost
from placar.package.manifest import MODEL_FILE
from placar.package.run_folder import RunFolder
from placar.registry.registry import Registry
from placar.runs import endings
from placar.runs.service import RunService
from placar.store.records import RunRecord
from placar.store.runs import Claimant, RunStore
from run_scenes import (
    FAST,
    Scene,
    a_scene,
    eventually,
    folder_of,
    follower_process,
    gone,
    pids,
)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return a_scene(tmp_path / "home")


def error_of(run: RunRecord) -> tuple[str, str, str]:
    assert run.error is not None
    return run.status, run.error.code, run.error.message


def let_go(run: RunRecord) -> None:
    """Let a waiting child finish."""
    folder_of(run).root.joinpath("go").touch()


@contextmanager
def followed_by_another(scene: Scene, behaviour: str) -> Iterator[tuple[RunRecord, RunService]]:
    """A run under way whose following process is then killed."""
    service = scene.service(behaviour)
    run = service.request(scene.spec(), origin="test")
    process = follower_process(scene, behaviour, run)
    try:
        eventually(lambda: service.get(run.id).stage == "fit")
        yield service.get(run.id), service
    finally:
        process.kill()
        process.wait()
        service.close()


def ended(service: RunService, run: RunRecord) -> RunRecord:
    """Wait for the end of a run that somebody adopts."""

    def has_ended() -> bool:
        service.adopt_stale()
        return not service.get(run.id).active

    eventually(has_ended)
    return service.get(run.id)


def kill_follower(run: RunRecord) -> None:
    """Kill -9 the process that follows a run."""
    assert run.follower is not None
    os.kill(int(run.follower.split()[0]), signal.SIGKILL)


def test_killing_the_follower_does_not_lose_the_run(scene: Scene) -> None:
    with followed_by_another(scene, "waits") as (run, service):
        kill_follower(run)
        eventually(service.adopt_stale)
        assert service.get(run.id).pid == run.pid
        let_go(run)
        end = service.follow(run.id)
    assert (end.status, end.promoted, end.pid) == ("succeeded", True, run.pid)


def test_a_run_that_ended_while_nobody_followed_is_finished_from_its_report(scene: Scene) -> None:
    with followed_by_another(scene, "waits") as (run, service):
        kill_follower(run)
        let_go(run)
        eventually(folder_of(run).report.exists)
        end = ended(service, run)
    assert (end.status, end.promoted) == ("succeeded", True)


def test_of_two_adopters_one_wins(scene: Scene) -> None:
    with followed_by_another(scene, "waits") as (run, service):
        kill_follower(run)
        others = [service, *(scene.service("waits") for _ in range(3))]
        adopted: list[RunRecord] = []

        def watch(service: RunService) -> None:
            while not adopted:
                got = service.adopt_stale()
                if got is not None:
                    adopted.append(got)

        threads = [threading.Thread(target=watch, args=(other,)) for other in others]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        let_go(run)
        end = ended(service, run)
        for other in others:
            other.close()
    assert len(adopted) == 1
    assert end.status == "succeeded"
    assert len(scene.registry.promotions("loans")) == 1


def test_killing_follower_and_child_ends_as_lost_at_its_last_stage(scene: Scene) -> None:
    with followed_by_another(scene, "waits") as (run, service):
        kill_follower(run)
        os.kill(run.pid or 0, signal.SIGKILL)
        end = ended(service, run)
    assert error_of(end) == (
        "lost",
        "run_lost",
        "The run's process is gone and left no word of how it ended.",
    )
    assert end.stage == "fit"


def test_a_lost_runs_grandchildren_are_ended(scene: Scene) -> None:
    with followed_by_another(scene, "hangs") as (run, service):
        child, grandchild = pids(run)
        kill_follower(run)
        os.kill(child, signal.SIGKILL)
        assert ended(service, run).status == "lost"
        eventually(lambda: gone(grandchild))


def test_a_process_id_used_again_is_not_taken_for_the_run(scene: Scene) -> None:
    service = scene.service("waits")
    run = service.request(scene.spec(), origin="test")
    runs = RunStore(scene.store, FAST.patience)
    bystander = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        claimed = runs.claim(run.id, Claimant("dead", service._machine))
        assert claimed is not None
        identity = identify(bystander.pid)
        assert identity is not None
        runs.start(run.id, "dead", bystander.pid, identity.started - 1)
        assert ended(service, run).status == "lost"
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_follower_that_was_asleep_stands_down_and_the_run_goes_on(scene: Scene) -> None:
    with followed_by_another(scene, "waits") as (run, service):
        assert run.follower is not None
        sleeper = int(run.follower.split()[0])
        os.kill(sleeper, signal.SIGSTOP)
        eventually(service.adopt_stale)
        adopter = service.get(run.id).follower
        os.kill(sleeper, signal.SIGCONT)
        threading.Event().wait(0.5)
        seen = service.get(run.id)
        assert (seen.status, seen.follower) == ("running", adopter)
        let_go(run)
        assert service.follow(run.id).status == "succeeded"


def test_a_process_whose_run_was_called_lost_elsewhere_is_ended(scene: Scene) -> None:
    """It would go on beside the next run, unwatched."""
    store = RunStore(scene.store, FAST.patience)
    with followed_by_another(scene, "hangs") as (run, _):
        child, grandchild = pids(run)
        assert run.follower is not None
        sleeper = int(run.follower.split()[0])
        os.kill(sleeper, signal.SIGSTOP)
        eventually(lambda: store.claim(run.id, Claimant("other", "elsewhere")))
        assert store.end(run.id, "other", endings.of_error(RunLost()))
        os.kill(sleeper, signal.SIGCONT)
        eventually(lambda: gone(child) and gone(grandchild))


def test_killing_the_child_names_the_signal(scene: Scene) -> None:
    assert error_of(scene.run("kills itself")) == (
        "failed",
        "run_killed",
        "The run's process was ended by SIGKILL.",
    )


def test_killing_a_child_under_way_names_the_signal(scene: Scene) -> None:
    service = scene.service("waits")
    run = service.request(scene.spec(), origin="test")

    def kill() -> None:
        eventually(lambda: service.get(run.id).stage == "fit")
        os.kill(service.get(run.id).pid or 0, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    end = service.follow(run.id)
    killer.join()
    assert (end.stage, *error_of(end)[:2]) == ("fit", "failed", "run_killed")


def test_an_abort_after_a_refused_allocation_is_out_of_memory(scene: Scene) -> None:
    assert error_of(scene.run("aborts"))[:2] == ("out_of_memory", "run_out_of_memory")


def test_a_child_that_writes_half_a_report_has_failed(scene: Scene) -> None:
    assert error_of(scene.run("writes half a report")) == (
        "failed",
        "training_failed",
        "The run's process ended with exit code 0 and left no report.",
    )


@pytest.mark.parametrize(
    ("behaviour", "says"),
    [
        ("says nothing", "exit code 0 and left no report"),
        ("exits", "exit code 3 and left no report"),
        ("succeeds without a version", "success without a version"),
        ("succeeds without a package", "manifest.json is missing"),
    ],
)
def test_a_child_that_does_not_do_its_part_has_failed(
    scene: Scene, behaviour: str, says: str
) -> None:
    status, _, message = error_of(scene.run(behaviour))
    assert status == "failed"
    assert says in message
    assert scene.registry.models() == ()


def test_a_child_that_hangs_is_ended_with_all_it_started(tmp_path: Path) -> None:
    scene = a_scene(tmp_path / "home", run_timeout=0.6)
    run = scene.run("hangs")
    assert error_of(run) == (
        "timed_out",
        "run_timed_out",
        "The run took longer than 0.6 seconds and was ended.",
    )
    assert run.stage == "fit"
    assert all(gone(pid) for pid in pids(run))


def test_an_adopted_run_keeps_its_time_limit(tmp_path: Path) -> None:
    scene = a_scene(tmp_path / "home", run_timeout=3.0)
    with followed_by_another(scene, "hangs") as (run, service):
        child, grandchild = pids(run)
        threading.Event().wait(1.5)
        kill_follower(run)
        end = ended(service, run)
        assert end.status == "timed_out"
        assert end.started_at is not None
        assert end.ended_at is not None
        assert end.ended_at - end.started_at < 4.4  # not counted anew by the adopter
        eventually(lambda: gone(child) and gone(grandchild))


def test_an_adopted_run_can_be_cancelled(scene: Scene) -> None:
    with followed_by_another(scene, "hangs") as (run, service):
        child, grandchild = pids(run)
        kill_follower(run)
        service.cancel(run.id)
        assert ended(service, run).status == "cancelled"
        eventually(lambda: gone(child) and gone(grandchild))


def test_what_a_finished_child_left_running_is_ended(scene: Scene) -> None:
    run = scene.run("abandons")
    assert run.status == "succeeded"
    eventually(lambda: gone(pids(run)[1]))


def test_a_child_that_reports_success_but_does_not_leave_has_succeeded(tmp_path: Path) -> None:
    scene = a_scene(tmp_path / "home", run_timeout=1.0)
    assert scene.run("lingers").status == "succeeded"


def test_a_full_disk_ends_the_run(scene: Scene) -> None:
    service = scene.service("succeeds")
    run = service.request(scene.spec(), origin="test")
    folder_of(run).root.mkdir(parents=True)
    folder_of(run).spec.symlink_to("/dev/full")
    end = service.follow(run.id)
    assert error_of(end) == (
        "failed",
        "disk_full",
        "The run folder could not be written: No space left on device.",
    )
    assert service.request(scene.spec(), origin="test").status == "queued"


def test_a_disk_full_at_the_packages_ends_the_run(scene: Scene) -> None:
    scene.settings.packages.rmdir()
    scene.settings.packages.write_text("a file in the way")
    assert error_of(scene.run("succeeds"))[:2] == ("failed", "disk_full")
    assert scene.registry.models() == ()


def test_a_program_that_is_not_there_ends_the_run(scene: Scene, tmp_path: Path) -> None:
    service = scene.service("succeeds")
    service._tools.launcher._command = (str(tmp_path / "nothing"),)
    run = service.request(scene.spec(), origin="test")
    assert error_of(service.follow(run.id))[:2] == ("failed", "training_failed")


def test_a_package_that_fails_its_golden_rows_ends_the_run_and_the_champion_stays(
    scene: Scene,
) -> None:
    champion = scene.version(seed=5)
    scene.registry.promote("loans", champion)

    def refuse(_folder: Path, _version: str) -> NoReturn:
        raise PackageRefused

    strict = Registry(scene.store, scene.registry.packages, prove=refuse)
    service = RunService(
        scene.store, strict, scene.settings, launcher=scene.launcher("succeeds"), timing=FAST
    )
    run = service.request(scene.spec(), origin="test")
    end = service.follow(run.id)
    assert error_of(end)[:2] == ("failed", "package_refused")
    assert [record.version for record in strict.versions("loans")] == [champion]


def test_a_package_damaged_on_the_way_ends_the_run(scene: Scene) -> None:
    scene.command("succeeds")
    (scene.home / "made" / MODEL_FILE).write_bytes(b"rot")
    assert error_of(scene.run("succeeds"))[:2] == ("failed", "package_damaged")


def test_a_mistake_in_following_ends_the_run_and_the_child(scene: Scene) -> None:
    service = scene.service("hangs")
    run = service.request(scene.spec(), origin="test")

    def fail(_: object) -> None:
        pids(run)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        service.follow(run.id, fail)
    assert error_of(service.get(run.id)) == (
        "failed",
        "training_failed",
        "Following the run failed: ZeroDivisionError.",
    )
    eventually(lambda: all(gone(pid) for pid in pids(run)))


def test_a_queued_run_whose_requester_died_is_launched_by_the_next(scene: Scene) -> None:
    run = scene.service("succeeds").request(scene.spec(), origin="test")
    service = scene.service("succeeds")
    assert service.adopt_stale() is None
    assert ended(service, run).status == "succeeded"


def test_a_run_taken_up_but_not_launched_is_launched_by_the_next(scene: Scene) -> None:
    service = scene.service("succeeds")
    run = service.request(scene.spec(), origin="test")
    assert RunStore(scene.store).claim(run.id, Claimant("dead", service._machine))
    assert ended(service, run).status == "succeeded"


def test_a_child_launched_but_not_written_down_is_found_and_not_doubled(scene: Scene) -> None:
    service = scene.service("waits")
    run = service.request(scene.spec(), origin="test")
    assert RunStore(scene.store).claim(run.id, Claimant("dead", service._machine))
    child = scene.launcher("waits").launch(folder_of(run), run.spec)
    eventually(service.adopt_stale)
    eventually(lambda: service.get(run.id).status == "running")
    assert service.get(run.id).pid == child.process.pid
    let_go(run)
    assert service.follow(run.id).status == "succeeded"
    assert service.log(run.id)[0].count("child begins") == 1
    child.clear_away()


def test_a_dead_run_does_not_stand_in_the_way_of_a_new_one(scene: Scene) -> None:
    with followed_by_another(scene, "waits") as (run, service):
        kill_follower(run)
        os.kill(run.pid or 0, signal.SIGKILL)
        eventually(lambda: gone(run.pid or 0))

        def requested() -> bool:
            try:
                service.request(scene.spec(), origin="test")
            except RunAlreadyActive:
                return False
            return True

        eventually(requested)
        assert service.get(run.id).status == "lost"


def test_a_run_never_started_does_not_stand_in_the_way_for_long(scene: Scene) -> None:
    service = scene.service("succeeds")
    run = service.request(scene.spec(), origin="test")
    eventually(service.settle_stale)
    assert error_of(service.get(run.id)) == (
        "lost",
        "run_lost",
        "The run was never started: whoever asked for it is gone.",
    )


def test_a_run_that_lives_without_a_follower_is_not_settled_in_passing(scene: Scene) -> None:
    with followed_by_another(scene, "waits") as (run, service):
        kill_follower(run)
        runs = RunStore(scene.store, FAST.patience)
        eventually(lambda: runs.abandoned(service._machine))
        assert service.settle_stale() is None
        with pytest.raises(RunAlreadyActive):
            service.request(scene.spec(), origin="test")
        let_go(run)
        assert ended(service, run).status == "succeeded"


def test_a_log_that_grows_without_end_is_cut(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("placar.runs.tail.cut_log.__defaults__", (64 * 1024, 16 * 1024))
    service = scene.service("chatters")
    run = service.request(scene.spec(), origin="test")
    follower = threading.Thread(target=service.follow, args=(run.id,))
    follower.start()
    log = RunFolder(Path(run.folder)).log
    eventually(lambda: log.exists() and b"was cut" in log.read_bytes())
    let_go(run)
    follower.join()
    assert service.get(run.id).status == "succeeded"
    assert service.log(run.id)[0].startswith("child begins")
