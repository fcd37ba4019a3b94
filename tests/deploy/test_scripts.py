"""What runs before the service does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.files import ROOT

BARE = {"PATH": os.environ["PATH"]}


def check_memory(
    tmp_path: Path, *arguments: str, **settings: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts/check_memory.py"), *arguments],
        cwd=tmp_path,
        env=BARE | {"PLACAR_HOME": "home"} | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_prints_the_report_and_makes_the_folders(tmp_path: Path) -> None:
    done = check_memory(tmp_path, PLACAR_MEMORY_LIMIT="512MB")
    assert (done.returncode, done.stderr) == (0, "")
    assert "512 MB (PLACAR_MEMORY_LIMIT)" in done.stdout
    assert "measured here" in done.stdout
    made = {path.name for path in (tmp_path / "home").iterdir()}
    assert made == {"metrics", "packages", "runs", "tables"}
    assert not (tmp_path / "placar-home").exists()


def test_what_does_not_fit_fails_only_when_asked_to(tmp_path: Path) -> None:
    assert check_memory(tmp_path, PLACAR_MEMORY_LIMIT="150MB").returncode == 0
    done = check_memory(tmp_path, "--strict", PLACAR_MEMORY_LIMIT="150MB")
    assert (done.returncode, "It does not fit." in done.stdout) == (1, True)


def test_a_setting_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    done = check_memory(tmp_path, PLACAR_RUN_MEMORY="much")
    assert (done.returncode, done.stdout) == (2, "")
    assert "PLACAR_RUN_MEMORY" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_home_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = check_memory(tmp_path, PLACAR_HOME="file")
    assert done.returncode == 1
    assert "cannot be written to" in done.stderr
    assert done.stderr.count("\n") == 1


def startup(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOT / "scripts/startup.sh"), *command],
        env=BARE | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_startup_sets_what_is_read_when_a_process_starts() -> None:
    found = dict(line.split("=", 1) for line in startup("env").stdout.splitlines())
    assert found["MALLOC_ARENA_MAX"] == "2"
    assert int(found["MALLOC_TRIM_THRESHOLD_"]) > 0
    assert found["PYTHONUNBUFFERED"] == "1"
    threads = {value for name, value in found.items() if name.endswith("_NUM_THREADS")}
    assert threads == {"1"}


def test_startup_keeps_what_the_environment_says() -> None:
    assert "MALLOC_ARENA_MAX=1\n" in startup("env", MALLOC_ARENA_MAX="1").stdout


def test_startup_allows_no_core_file() -> None:
    assert startup("sh", "-c", "ulimit -c").stdout == "0\n"


def test_startup_becomes_the_command() -> None:
    """No shell may stand between the platform's signals and gunicorn."""
    with subprocess.Popen(
        [str(ROOT / "scripts/startup.sh"), sys.executable, "-c", "import os; print(os.getpid())"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        out, _ = process.communicate(timeout=60)
    assert int(out) == process.pid


def test_startup_passes_words_and_the_exit_code_on() -> None:
    done = startup("sh", "-c", 'printf "%s|" "$@"; exit 7', "x", "a b", "$c", "")
    assert (done.returncode, done.stdout) == (7, "a b|$c||")


@pytest.mark.parametrize("arguments", [(), ("--help-me",)])
def test_wrong_use_is_said_in_a_line(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = check_memory(tmp_path, *arguments) if arguments else startup()
    assert (done.returncode, done.stderr[:6], done.stderr.count("\n")) == (2, "usage:", 1)
