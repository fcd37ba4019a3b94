"""``placar init``: asks what flags leave open, and never writes over anything unasked."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest

from placar.errors import ConfigurationError, DiskFull, FileInTheWay, TableNotFound
from unit.deploy.conftest import TABLE, Init, held, refusal

DOCKER = ("--platform", "docker", *TABLE)


def test_it_writes_a_deployment_and_says_how_it_fits_and_what_is_lost(
    call: Init, folder: Path
) -> None:
    result = call("--platform", "heroku", *TABLE)
    assert result.exit_code == 0
    assert set(held(folder)) == {
        *(".env", ".gitignore", ".python-version", "Procfile", "bin/post_compile"),
        *("placar.toml", "requirements.txt", "tables/my loans.csv"),
    }
    said = " ".join(result.stdout.split())
    assert "loans-api on Heroku, plan basic: 512 MB" in said
    assert "2 web workers with the master may take 130 MB, a run may use 256 MB" in said
    assert "Lost at every deploy and restart, and at least once a day" in said
    assert "git push heroku HEAD:main" in said
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize("platform", ["render", "docker", "fly"])
def test_a_disk_comes_with_how_to_send_the_first_table(call: Init, platform: str) -> None:
    result = call("--platform", platform, "--model-from", "disk", *TABLE)
    assert result.exit_code == 0
    assert "/tables?name=my%20loans.csv" in result.stdout
    assert '{"table": "my loans.csv"}' in result.stdout
    assert "survive restarts" in result.stdout


def test_a_plan_too_small_to_train_in_is_told_so_and_serves(call: Init, folder: Path) -> None:
    result = call("--platform", "fly", "--plan", "shared-cpu-1x", *TABLE)
    said = " ".join(result.stdout.split())
    assert "1 web worker with the master may take 110 MB" in said
    assert "Too small to train in: only 64 MB would be left for a run" in said
    settings = tomllib.loads((folder / "placar.toml").read_text(encoding="utf-8"))
    assert settings["run_memory"] == "64MB"
    assert '"--memory", "256MB"' in (folder / "Dockerfile").read_text(encoding="utf-8")


# What is there already


def test_a_second_time_nothing_changes(call: Init, folder: Path) -> None:
    call(*DOCKER)
    before = held(folder)
    result = call(*DOCKER, "--json")
    assert held(folder) == before
    assert {file["state"] for file in json.loads(result.stdout)["files"]} == {"unchanged"}


def test_a_file_that_differs_is_refused_by_name_and_nothing_is_written(
    call: Init, folder: Path
) -> None:
    (folder / "Dockerfile").write_text("FROM mine\n")
    before = held(folder)
    error = refusal(call(*DOCKER))
    assert isinstance(error, FileInTheWay)
    assert "Dockerfile is there already" in error.message
    assert "--force" in error.way_out
    assert held(folder) == before


def test_force_replaces_it(call: Init, folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM mine\n")
    result = call(*DOCKER, "--force")
    assert "replaced   Dockerfile" in result.stdout
    assert "FROM python" in (folder / "Dockerfile").read_text()


def test_even_force_keeps_the_key_and_other_peoples_lines(call: Init, folder: Path) -> None:
    (folder / ".env").write_text("OTHER=1\nPLACAR_ADMIN_KEY=mine-and-long-enough")
    (folder / ".gitignore").write_text("*.log")
    (folder / ".env").chmod(0o644)
    result = call(*DOCKER, "--force")
    assert (folder / ".env").read_text() == "OTHER=1\nPLACAR_ADMIN_KEY=mine-and-long-enough"
    assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600
    assert (folder / ".gitignore").read_text() == "*.log\n.env\nplacar-home/\n"
    assert "extended   .gitignore" in result.stdout


def test_permissions_stay_but_for_those_that_are_needed(call: Init, folder: Path) -> None:
    call("--platform", "heroku", *TABLE)
    hook, procfile = folder / "bin/post_compile", folder / "Procfile"
    hook.chmod(0o644)
    procfile.write_text("web: mine\n")
    procfile.chmod(0o600)
    call("--platform", "heroku", *TABLE, "--force")
    assert stat.S_IMODE(hook.stat().st_mode) == 0o755
    assert stat.S_IMODE(procfile.stat().st_mode) == 0o600


def test_what_is_no_text_file_is_in_the_way(call: Init, folder: Path) -> None:
    (folder / "placar.toml").write_bytes(b"\xff")
    error = refusal(call(*DOCKER, "--force"))
    assert isinstance(error, FileInTheWay)
    assert "placar.toml is there, and is no text file" in error.message
    (folder / "placar.toml").unlink()
    (folder / "Dockerfile").mkdir()
    assert isinstance(refusal(call(*DOCKER, "--force")), FileInTheWay)
    (folder / "bin").write_text("a file")
    error = refusal(call("--platform", "heroku", *TABLE, "--force"))
    assert "bin/post_compile needs a folder" in error.message


def test_a_file_appears_whole_or_not_at_all(
    call: Init, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = held(folder)
    written = 0

    def full_after_two(descriptor: int) -> None:
        nonlocal written
        written += 1
        if written > 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_after_two)
    error = refusal(call(*DOCKER))
    assert isinstance(error, DiskFull)
    assert "No space left on device" in error.message
    assert held(folder) == before


def test_a_new_folder_is_made(call: Init, folder: Path) -> None:
    assert call("new/one", "--platform", "docker").exit_code == 0
    assert (folder / "new/one/compose.yaml").is_file()


# The key


def test_the_key_is_fresh_and_only_its_owner_may_read_it(call: Init, folder: Path) -> None:
    keys = []
    for name in ("a", "b"):
        result = call(name, "--platform", "docker")
        place = folder / name / ".env"
        assert stat.S_IMODE(place.stat().st_mode) == 0o600
        key = place.read_text().splitlines()[-1].removeprefix("PLACAR_ADMIN_KEY=")
        assert len(key) > 40
        assert key not in result.output
        keys.append(key)
    assert keys[0] != keys[1]


def test_git_does_not_see_the_key(call: Init, folder: Path) -> None:
    subprocess.run(["git", "init", "-q", "."], cwd=folder, check=True)
    call(*DOCKER)
    done = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=all"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    assert "Dockerfile" in done.stdout
    assert "?? .env" not in done.stdout


def test_a_table_that_git_ignores_is_said_to_be_missing_where_builds_start_from_git(
    call: Init, folder: Path
) -> None:
    subprocess.run(["git", "init", "-q", "."], cwd=folder, check=True)
    (folder / ".gitignore").write_text("*.csv\n")
    said = " ".join(call("--platform", "heroku", *TABLE).stdout.split())
    assert "from tables/my loans.csv, which git ignores" in said
    assert "git ignores" not in " ".join(call(*DOCKER, "--force").stdout.split())


# Without writing


def test_a_dry_run_prints_the_files_and_writes_nothing(call: Init, folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM mine\n")
    before = held(folder)
    result = call(*DOCKER, "--dry-run")
    assert (result.exit_code, held(folder)) == (0, before)
    assert "--- compose.yaml (new)" in result.stdout
    assert "mem_limit: 512m" in result.stdout
    assert "-FROM mine" in result.stdout
    assert "PLACAR_ADMIN_KEY=(a fresh one)" in result.stdout


def test_json_tells_the_same(call: Init, folder: Path) -> None:
    told = json.loads(call("--platform", "render", "--plan", "free", *TABLE, "--json").stdout)
    assert (told["platform"], told["plan"], told["model_from"]) == ("render", "free", "build")
    assert (told["workers"], told["run_memory_mb"], told["trains"]) == (2, 256, True)
    assert {"path": "render.yaml", "state": "written"} in told["files"]
    assert "after 15 minutes without a request" in told["lost"][0]


# Wrong use


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "Nothing names the platform"),
        (("--platform", "rendr", *TABLE), "Did you mean render?"),
        (("--platform", "render", "--plan", "start", *TABLE), "Did you mean starter?"),
        (("--platform", "render", "--model-from", "bucket", *TABLE), "cannot come from 'bucket'"),
        (("--platform", "heroku"), "Nothing names the table"),
        (("--platform", "heroku", *TABLE[:2]), "Nothing names the column"),
        ((*DOCKER, "--name", "No Name"), "cannot be named"),
        (("--platform", "heroku", *TABLE[:3], "status"), "Did you mean Status?"),
        ((*DOCKER[:-1], "two\nlines"), "--positive cannot be used"),
        (("tables/my loans.csv", *DOCKER), "is no folder"),
        (("tables/my loans.csv/below", *DOCKER[:2]), "my loans.csv is no folder"),
        (("other", *DOCKER), "is not in other"),
    ],
)
def test_wrong_use_is_named_and_nothing_is_written(
    call: Init, folder: Path, words: tuple[str, ...], says: str
) -> None:
    before = held(folder)
    error = refusal(call(*words))
    assert isinstance(error, ConfigurationError)
    assert says in error.sentence
    assert error.way_out
    assert held(folder) == before


@pytest.mark.parametrize("model_from", ["build", "disk"])
def test_a_table_that_is_not_there_is_named(call: Init, model_from: str) -> None:
    words = ("--platform", "docker", "--model-from", model_from)
    error = refusal(call(*words, "--table", "nope.csv", "--target", "Status"))
    assert isinstance(error, TableNotFound)
    assert "nope.csv" in error.message


def test_a_table_that_a_build_would_trip_over_is_refused(call: Init, folder: Path) -> None:
    (folder / "a*.csv").write_text("Status,Age\nbad,1\n")
    error = refusal(call("--platform", "docker", "--table", "a*.csv", "--target", "Status"))
    assert "characters" in error.message


def test_a_table_is_looked_for_in_the_folder_as_well(
    call: Init, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    assert call(folder.name, *DOCKER).exit_code == 0


# On a terminal


def test_what_flags_leave_open_is_asked_again_until_it_can_be_used(
    answer: Init, folder: Path
) -> None:
    typed = "rendr\nrender\nstart\n\nbuild\nnope.csv\ntables/my loans.csv\nStat\nStatus\nbad\n"
    result = answer(typed)
    assert result.exit_code == 0
    for asked in ("Did you mean render?", "Did you mean starter?", "no file nope.csv"):
        assert asked in result.stderr
    assert "Columns: Status, Age" in result.stderr
    settings = tomllib.loads((folder / "placar.toml").read_text(encoding="utf-8"))
    assert settings["training_table"] == "tables/my loans.csv"
    assert settings["training_positive"] == "bad"


def test_what_is_given_is_not_asked(answer: Init) -> None:
    result = answer("", *DOCKER, "--plan", "1c-1g")
    assert (result.exit_code, result.stderr) == (0, "")


def test_a_difference_is_shown_and_asked_about(answer: Init, folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM mine\n")
    (folder / "compose.yaml").write_text("services: {}\n")
    result = answer("n\ny\n", *DOCKER, "--plan", "1c-1g")
    assert result.exit_code == 0
    assert "-FROM mine" in result.stderr
    assert "kept       Dockerfile" in result.stdout
    assert "replaced   compose.yaml" in result.stdout
    assert (folder / "Dockerfile").read_text() == "FROM mine\n"


@pytest.mark.parametrize("typed", ["", "render\n", "render\nfree\ntables/my loans.csv\n"])
def test_whoever_leaves_at_a_question_leaves_nothing_behind(
    answer: Init, folder: Path, typed: str
) -> None:
    before = held(folder)
    result = answer(typed)
    assert result.exit_code == 130
    assert "Nothing was written." in result.stderr
    assert held(folder) == before


def test_whoever_leaves_at_a_difference_leaves_nothing_behind(answer: Init, folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM mine\n")
    before = held(folder)
    assert answer("", *DOCKER, "--plan", "1c-1g").exit_code == 130
    assert held(folder) == before
