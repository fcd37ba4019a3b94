"""Starting a run's process: its folder, its environment, its session."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

import placar
from placar.errors import DiskFull, TrainingFailed
from placar.package.run_folder import RunFolder, RunSpec
from placar.runs.launcher import Launcher, OwnChild
from run_scenes import eventually

SPEC = RunSpec(table="/t.csv", target="y")


def end_of(child: OwnChild) -> int | None:
    eventually(child.ended)
    return child.clear_away()


def told(folder: RunFolder, code: str) -> str:
    """Return what a child with this code prints."""
    end_of(Launcher([sys.executable, "-c", code]).launch(folder, SPEC))
    return folder.log.read_text(encoding="utf-8").strip()


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "run_1")


def test_the_child_finds_its_spec_in_the_folder_that_it_is_given(folder: RunFolder) -> None:
    code = "import os, sys; print(sys.argv[1:], os.getcwd(), os.path.exists('spec.json'))"
    assert told(folder, code) == f"{[str(folder.root)]} {folder.root} True"
    assert folder.read_spec() == SPEC


def test_the_child_leads_its_own_session_and_reads_nothing(folder: RunFolder) -> None:
    code = "import os, sys; print(os.getsid(0) == os.getpid(), sys.stdin.read() == '')"
    assert told(folder, code) == "True True"


def test_both_outputs_go_to_the_log(folder: RunFolder) -> None:
    code = "import sys; print('out', flush=True); print('err', file=sys.stderr)"
    assert told(folder, code) == "out\nerr"


def test_the_child_gets_what_it_needs_and_no_secrets(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLACAR_ADMIN_KEY", "secret-1")
    monkeypatch.setenv("PLACAR_DATABASE_URL", "postgresql://me:secret-2@host/db")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-3")
    monkeypatch.setenv("PLACAR_MEMORY_LIMIT", "512MB")
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    text = told(folder, "import json, os; print(json.dumps(dict(os.environ)))")
    assert "secret" not in text
    environment = json.loads(text)
    assert environment["PLACAR_MEMORY_LIMIT"] == "512MB"
    assert environment["PATH"] == os.environ["PATH"]
    expected = {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "NUMEXPR_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
        "MALLOC_TRIM_THRESHOLD_": "131072",
        "PYTHONUNBUFFERED": "1",
    }
    assert expected.items() <= environment.items()


def test_the_child_finds_placar_wherever_it_starts(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "relative")
    code = "import placar, sys; print(placar.__file__); print(sys.path)"
    where, path = told(folder, code).splitlines()
    assert where == placar.__file__
    assert str(Path("relative").absolute()) in path


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file in the way")
    with pytest.raises(DiskFull, match="The run folder could not be written: Not a directory"):
        Launcher(["true"]).launch(RunFolder(tmp_path / "runs" / "run_1"), SPEC)


def test_a_process_that_cannot_be_started_is_said_so(folder: RunFolder) -> None:
    with pytest.raises(TrainingFailed, match="could not be started: No such file"):
        Launcher(["/no/such/program"]).launch(folder, SPEC)


def test_a_child_left_alone_is_reaped_in_passing(folder: RunFolder, tmp_path: Path) -> None:
    launcher = Launcher(["true"])
    child = launcher.launch(folder, SPEC)
    launcher.leave(child)
    eventually(child.ended)
    end_of(launcher.launch(RunFolder(tmp_path / "run_2"), SPEC))
    assert child.popen.returncode == 0


def test_an_exit_code_that_somebody_else_took_is_unknown(folder: RunFolder) -> None:
    child = Launcher(["false"]).launch(folder, SPEC)
    os.waitpid(child.process.pid, 0)
    assert child.ended()
    assert child.clear_away() is None


def test_training_is_what_is_started_by_default() -> None:
    assert Launcher()._command == (sys.executable, "-m", "placar.training")
