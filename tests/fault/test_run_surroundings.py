"""What happens to a run when its surroundings fail: clock, disk, machine, terminal, daemons."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

import pytest

from placar.box.cgroup import MEMORY
from placar.box.guard import Gauge
from placar.package.run_folder import RunFolder
from placar.runs import follower as follower_module
from placar.runs.launcher import Launcher
from placar.runs.service import RunService
from placar.store.records import RunRecord
from run_scenes import FAST, Scene, a_scene, eventually, folder_of, follower_process, gone, pids

SOURCE = Path(follower_module.__file__).resolve().parents[2]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return a_scene(tmp_path / "home")


def code_of(run: RunRecord) -> tuple[str, str]:
    assert run.error is not None
    return run.status, run.error.code


def under_way(service: RunService, scene: Scene) -> RunRecord:
    """Follow a waiting run in a thread, until it is in its stage fit."""
    run = service.request(scene.spec(), origin="test")
    threading.Thread(target=service.follow, args=(run.id,), daemon=True).start()
    eventually(lambda: service.get(run.id).stage == "fit")
    return service.get(run.id)


def ended(service: RunService, run: RunRecord) -> RunRecord:
    def has_ended() -> bool:
        service.adopt_stale()
        return not service.get(run.id).active

    eventually(has_ended)
    return service.get(run.id)


# --- the box ----------------------------------------------------------------------------------


def test_a_run_that_may_use_too_little_is_refused_before_it_starts(scene: Scene) -> None:
    service = scene.service("succeeds")
    run = service.request(scene.spec(memory=64 * 1024**2), origin="test")
    end = service.follow(run.id)
    assert code_of(end) == ("out_of_memory", "run_does_not_fit")
    assert end.error is not None
    assert "PLACAR_RUN_MEMORY=80MB" in end.error.way_out
    assert not folder_of(run).spec.exists()
    assert end.pid is None


def test_a_run_gets_what_the_box_has_left_and_the_record_keeps_what_was_asked_for(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    (scene.home / "memory.current").write_text(str(300 * 1024**2))
    gauge = Gauge(512 * 1024**2, 51 * 1024**2, scene.home, scene.home, MEMORY[0])
    monkeypatch.setattr("placar.runs.allowance.find_gauge", lambda _: gauge)
    run = scene.run("succeeds")
    assert run.status == "succeeded"
    given = folder_of(run).read_spec()
    assert (given.memory, given.box) == ((512 - 51 - 300 - 32) * 1024**2, 512 * 1024**2)
    assert (run.spec.memory, run.spec.box) == (256 * 1024**2, None)


# --- daemons ----------------------------------------------------------------------------------


@pytest.mark.parametrize("behaviour", ["breeds a daemon", "hangs beside a daemon"])
def test_a_daemon_that_left_the_group_is_ended_with_the_run(tmp_path: Path, behaviour: str) -> None:
    scene = a_scene(tmp_path / "home", run_timeout=1.5)
    run = scene.run(behaviour)
    assert run.status in {"succeeded", "timed_out"}
    daemon = pids(run)[1]
    eventually(lambda: gone(daemon))


def test_a_lost_runs_daemon_is_ended(scene: Scene) -> None:
    service = scene.service("hangs beside a daemon")
    run = service.request(scene.spec(), origin="test")
    process = follower_process(scene, "hangs beside a daemon", run)
    eventually(lambda: service.get(run.id).stage == "fit")
    daemon = pids(run)[1]
    process.kill()
    process.wait()
    os.kill(service.get(run.id).pid or 0, signal.SIGKILL)
    assert code_of(ended(service, run)) == ("lost", "run_lost")
    eventually(lambda: gone(daemon))
    service.close()


# --- the clock --------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_a_clock_that_jumps_neither_kills_a_run_nor_takes_it_from_its_follower(
    scene: Scene, jump: float
) -> None:
    """One process sees another time than the follower: the clock jumped, or it never agreed."""
    first, other = scene.service("waits"), scene.service("waits")
    other._runs._clock = lambda: time.time() + jump
    other._machine = "elsewhere, where the process is out of reach"
    run = under_way(first, scene)
    until = time.monotonic() + 2.0
    while time.monotonic() < until:
        assert other.adopt_stale() is None
        assert other.settle_stale() is None
        time.sleep(0.05)
    assert first.get(run.id).follower == run.follower
    folder_of(run).root.joinpath("go").touch()
    eventually(lambda: not first.get(run.id).active)
    assert first.get(run.id).status == "succeeded"
    first.close()
    other.close()


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_a_clock_that_jumps_for_everybody_does_not_end_a_run(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    first, other = scene.service("waits"), scene.service("waits")
    run = under_way(first, scene)
    for service in (first, other):
        service._runs._clock = lambda: time.time() + jump
    for _ in range(20):
        other.adopt_stale()
        time.sleep(0.05)
    assert first.get(run.id).status == "running"
    folder_of(run).root.joinpath("go").touch()
    eventually(lambda: not first.get(run.id).active)
    end = first.get(run.id)
    assert end.status == "succeeded"
    assert (end.seconds or 0.0) >= 0.0
    first.close()
    other.close()
    monkeypatch.undo()


def test_an_adopted_run_is_not_timed_out_by_a_clock_that_jumped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = a_scene(tmp_path / "home", run_timeout=60.0)
    service = scene.service("waits")
    run = service.request(scene.spec(), origin="test")
    process = follower_process(scene, "waits", run)
    eventually(lambda: service.get(run.id).stage == "fit")
    process.kill()
    process.wait()
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 3600.0)
    eventually(service.adopt_stale)
    time.sleep(0.5)
    assert service.get(run.id).status == "running"
    folder_of(run).root.joinpath("go").touch()
    assert ended(service, run).status == "succeeded"
    service.close()


# --- the machine ------------------------------------------------------------------------------


def test_a_container_that_started_again_finds_its_run_lost_at_its_last_stage(scene: Scene) -> None:
    """Everything was killed, and process ids mean something else now."""
    service = scene.service("waits")
    run = service.request(scene.spec(), origin="test")
    process = follower_process(scene, "waits", run)
    eventually(lambda: service.get(run.id).stage == "fit")
    process.kill()
    process.wait()
    os.killpg(service.get(run.id).pid or 0, signal.SIGKILL)
    service.close()
    again = scene.service("succeeds")
    again._machine = "the same container, after a restart"
    began = time.monotonic()
    end = ended(again, run)
    assert time.monotonic() - began < 5
    assert code_of(end) == ("lost", "run_lost")
    assert end.stage == "fit"
    assert end.error is not None
    assert "start the run again" in end.error.way_out
    following = again.request(scene.spec(), origin="test")
    assert again.follow(following.id).status == "succeeded"
    again.close()


# --- the disk ---------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount a disk of a given size; ``remount`` as its second use changes its options."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    mounted = False

    def mount_with(options: str) -> Path:
        nonlocal mounted
        kind = [] if mounted else ["-t", "tmpfs", "tmpfs"]
        command = [str(mount), "-o", options, *kind, str(folder)]
        if mount is None or subprocess.run(command, check=False, capture_output=True).returncode:
            pytest.skip("mounting is not allowed here")
        mounted = True
        return folder

    yield mount_with
    if mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def loans(folder: Path) -> Path:
    """Write the demo's table."""
    table = folder / "loans.csv"
    source = resources.files("placar.cli.demo") / "credit_data.csv"
    table.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    return table


def a_command(home: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start ``placar`` in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(SOURCE), "PLACAR_HOME": str(home)}
    return subprocess.Popen(
        [sys.executable, "-c", "from placar.cli import main; main()", *arguments],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def really_trained(scene: Scene, table: Path) -> RunRecord:
    """Follow a run of the real training to its end."""
    service = RunService(
        scene.store, scene.registry, scene.settings, launcher=Launcher(), timing=FAST
    )
    spec = scene.spec(table=str(table), positive="bad", budget=5.0)
    run = service.follow(service.request(spec, origin="test").id)
    service.close()
    return run


def test_a_disk_that_fills_up_under_a_real_run_ends_it(
    tmp_path: Path, small_disk: Callable[[str], Path]
) -> None:
    disk = small_disk("size=400k")
    scene = a_scene(tmp_path / "home")
    shutil.rmtree(scene.settings.runs, ignore_errors=True)
    scene.settings.runs.symlink_to(disk)
    run = really_trained(scene, loans(tmp_path))
    assert code_of(run) == ("failed", "disk_full")
    assert run.error is not None
    assert "space" in run.error.way_out
    assert not RunFolder(Path(run.folder)).scratch.exists()
    assert scene.registry.models() == ()


def test_a_disk_that_is_full_when_the_version_is_taken_in_ends_the_run(
    tmp_path: Path, small_disk: Callable[[str], Path]
) -> None:
    disk = small_disk("size=64k")
    scene = a_scene(tmp_path / "home")
    shutil.rmtree(scene.settings.packages, ignore_errors=True)
    scene.settings.packages.symlink_to(disk)
    (disk / "something else").write_bytes(bytes(48 * 1024))
    run = really_trained(scene, loans(tmp_path))
    assert code_of(run) == ("failed", "disk_full")
    assert scene.registry.models() == ()
    assert not list(disk.glob("*/manifest.json"))


@pytest.mark.parametrize("new", [True, False])
def test_a_read_only_home_is_said_so_in_a_sentence(
    tmp_path: Path, small_disk: Callable[[str], Path], *, new: bool
) -> None:
    disk = small_disk("size=16m")
    if not new:
        before = a_scene(disk / "home", database_url=None)
        before.store.close()
    small_disk("remount,ro")
    table = loans(tmp_path)
    with a_command(disk / "home", "train", str(table), "--target", "Status") as training:
        _, told = training.communicate(timeout=60)
    assert training.returncode != 0
    assert told.startswith("placar: ")
    assert "Traceback" not in told
    assert "PLACAR_HOME" in told


# --- the terminal -----------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_command_that_is_asked_to_end_cancels_its_run(
    tmp_path: Path, number: signal.Signals
) -> None:
    table = loans(tmp_path)
    with a_command(tmp_path / "home", "train", str(table), "--target", "Status") as training:
        eventually(lambda: list(tmp_path.glob("home/runs/run_*/progress.jsonl")), 30)
        training.send_signal(number)
        _, told = training.communicate(timeout=20)
    assert training.returncode != 0
    assert "cancelled" in told
    scene = a_scene(tmp_path / "home", database_url=None)
    (run,) = scene.service("succeeds").list()
    assert code_of(run) == ("cancelled", "run_cancelled")
    assert gone(run.pid or 0)


def test_a_command_that_is_killed_leaves_its_run_to_whoever_passes(tmp_path: Path) -> None:
    table = loans(tmp_path)
    with a_command(tmp_path / "home", "train", str(table), "--target", "Status") as training:
        eventually(lambda: list(tmp_path.glob("home/runs/run_*/progress.jsonl")), 30)
        training.kill()
    scene = a_scene(tmp_path / "home", database_url=None)
    service = scene.service("succeeds")
    (run,) = service.list()
    assert run.active
    eventually(lambda: service.adopt_stale() or not service.get(run.id).active, 30)
    eventually(lambda: not service.get(run.id).active, 60)
    assert service.get(run.id).status == "succeeded"
    service.close()
