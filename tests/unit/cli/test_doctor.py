"""``placar doctor`` as a person and as a program use it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Placar

LOG = (
    "[2025-11-25 10:02:00 +0000] [7] [CRITICAL] WORKER TIMEOUT (pid:9)\n"
    "[2025-11-25 10:02:00 +0000] [7] [ERROR] Worker (pid:9) was sent SIGABRT!\n"
)


def piped(*arguments: str, text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "placar", "doctor", *arguments],
        input=text,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_cause_is_told_and_the_exit_code_is_three(home: Path, placar: Placar) -> None:
    Path("deploy.log").write_text(LOG)
    said = placar("doctor", "deploy.log")
    assert said.code == 3
    assert said.out.startswith("1. The event loop was blocked")
    for title in ("What happened", "Why", "What to change", "What not to do"):
        assert title in said.out
    assert max(map(len, said.out.splitlines())) <= 80
    assert "\x1b" not in said.out


def test_json_has_the_documented_members(home: Path, placar: Placar) -> None:
    Path("deploy.log").write_text(LOG)
    said = placar("doctor", "deploy.log", "--json")
    assert said.code == 3
    (cause,) = json.loads(said.out)["causes"]
    assert set(cause) == {"id", "title", "confidence", "what", "evidence", "why", "fix", "avoid"}
    assert cause["evidence"][0] == {"line": 1, "text": LOG.splitlines()[0]}


def test_no_known_cause_is_no_guess(home: Path, placar: Placar) -> None:
    Path("deploy.log").write_text("all is well\n")
    said = placar("doctor", "deploy.log")
    assert said.code == 0
    assert said.out.startswith("No known cause in 1 line.")
    assert json.loads(placar("doctor", "deploy.log", "--json").out) == {"causes": []}


def test_an_empty_log_is_told_so(home: Path, placar: Placar) -> None:
    Path("deploy.log").write_text("")
    assert "empty" in placar("doctor", "deploy.log").out


@pytest.mark.parametrize("name", ["missing.log", "."])
def test_a_log_that_cannot_be_read_is_wrong_use(home: Path, placar: Placar, name: str) -> None:
    said = placar("doctor", name)
    assert said.code == 2
    assert said.err.startswith(f"placar: {name} cannot be read: ")


@pytest.mark.parametrize("arguments", [(), ("-",)])
def test_a_log_can_be_piped(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = piped(*arguments, "--json", text=LOG, folder=tmp_path)
    assert (done.returncode, json.loads(done.stdout)["causes"][0]["id"]) == (3, "blocked_loop")


def test_without_a_log_the_folder_is_examined(
    home: Path, placar: Placar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    Path("Procfile").write_text("web: gunicorn --timeout 0 a:b\n")
    said = placar("doctor", "--json")
    assert said.code == 3
    found = json.loads(said.out)
    assert found["causes"][0]["evidence"][0]["file"] == "Procfile"
    assert "memory limit" in found["machine"]
    Path("Procfile").unlink()
    said = placar("doctor")
    assert said.code == 0
    assert "No settings that fight each other were found." in said.out
