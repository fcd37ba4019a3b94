"""``placar models``, ``runs``, ``keys``, ``serve``, ``check``."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from placar.cli.serve import server_command
from placar.settings import read_settings

from .conftest import Placar


def test_models_are_listed_shown_promoted_and_exported(demo_home: Path, placar: Placar) -> None:
    (model,) = json.loads(placar("models", "list", "--json").out)
    assert (model["model"], model["versions"]) == ("credit", 1)
    (version,) = json.loads(placar("models", "show", "credit", "--json").out)
    assert version["status"] == "champion"
    assert "is the champion" in placar("models", "promote", f"credit@{version['version']}").out
    assert placar("models", "export", f"credit@{version['version']}", "copy").code == 0
    assert Path("copy/model.onnx").exists()
    assert placar("models", "export", f"credit@{version['version']}", "copy").code == 2


def test_there_is_nothing_to_go_back_to_after_one_version(demo_home: Path, placar: Placar) -> None:
    said = placar("models", "rollback", "credit")
    assert said.code == 1
    assert said.err.startswith("placar: ")


@pytest.mark.parametrize("version", ["nobody@abcdef", "credit@abcdef", "credit"])
def test_a_version_that_is_not_there_is_wrong_use(
    demo_home: Path, placar: Placar, version: str
) -> None:
    assert placar("models", "promote", version).code == 2


def test_runs_are_listed_shown_and_logged(demo_home: Path, placar: Placar) -> None:
    (run,) = json.loads(placar("runs", "list", "--json").out)
    assert run["status"] == "succeeded"
    assert run["run"] in placar("runs", "show", run["run"]).out
    assert placar("runs", "cancel", run["run"]).code == 1
    assert placar("runs", "show", "run_0000000000000000").code == 2


def test_a_key_is_shown_once_and_can_be_revoked(home: Path, placar: Placar) -> None:
    made = json.loads(placar("keys", "create", "partner", "--scope", "score", "--json").out)
    listed = placar("keys", "list").out
    assert made["id"] in listed
    assert made["key"] not in listed
    assert placar("keys", "revoke", made["id"]).code == 0
    (key,) = json.loads(placar("keys", "list", "--json").out)
    assert key["revoked"] is not None
    assert made["key"].encode() not in (home / "placar.db").read_bytes()


def test_an_unknown_scope_is_wrong_use(home: Path, placar: Placar) -> None:
    said = placar("keys", "create", "--scope", "everything")
    assert said.code == 2
    assert "read, score, train" in said.err


def test_a_taken_port_is_said_at_once(home: Path, placar: Placar) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = placar("serve", "--port", str(taken.getsockname()[1]))
    assert said.code == 2
    assert "already listens" in said.err


def test_serve_says_bind_and_workers_on_the_command_line() -> None:
    command = server_command(read_settings(host="::1", port=8001, workers=3))
    assert command[command.index("--bind") + 1] == "[::1]:8001"
    assert command[command.index("--workers") + 1] == "3"


def test_check_prints_the_box(home: Path, placar: Placar) -> None:
    assert placar("check").code == 0
    assert "memory limit" in placar("check").out
    assert json.loads(placar("check", "--json").out)
    assert placar("check", "--strict").code in {0, 1}


@pytest.mark.parametrize(("name", "value"), [("PORT", "x"), ("PLACAR_RUN_MEMORY", "lots")])
def test_a_bad_setting_is_named_and_its_value_is_not(
    home: Path, placar: Placar, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    said = placar("models", "list")
    assert said.code == 2
    assert name in said.err


def test_a_home_that_cannot_be_written_is_said_in_one_sentence(
    placar: Placar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PLACAR_HOME", str(tmp_path / "file" / "home"))
    said = placar("models", "list")
    assert said.code == 1
    assert "PLACAR_HOME" in said.err
