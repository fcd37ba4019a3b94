"""Every deployment file says what its platform understands, and all of them say the same."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # ships no types
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # the same

from deploy.files import (
    ROOT,
    dockerfile,
    instructions,
    procfile_command,
    render,
    render_service,
    settings_variables,
    variables,
)
from placar.settings import Settings, read_settings

SCHEMA = json.loads((Path(__file__).parent / "render_schema.json").read_text(encoding="utf-8"))
PYTHONS = {"PYTHONUNBUFFERED", "PYTHON_UNBUFFERED"}
"""What .env.render sets that is not ours."""


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return a working folder without placar.toml, in an environment without settings."""
    for name in settings_variables():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# render.yaml


def test_the_blueprint_has_only_fields_that_render_knows() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(render())] == []


@pytest.mark.parametrize(
    "change",
    [
        {"env": "python"},
        {"autoDeploy": True},
        {"plan": "0.5c-512"},
        {"healthCheckPath": "health"},
        {"maxShutdownDelaySeconds": 301},
        {"envVars": [{"key": "A", "value": True}]},
        {"disk": {"name": "d", "mountPath": "/opt/render/project/src"}},
    ],
)
def test_the_schema_refuses_what_render_refuses(change: dict[str, Any]) -> None:
    changed = {"services": [render_service() | change]}
    assert not Draft202012Validator(SCHEMA).is_valid(changed)


def test_the_blueprint_is_valid_with_its_choices_uncommented() -> None:
    text = (ROOT / "render.yaml").read_text(encoding="utf-8")
    chosen = yaml.safe_load(re.sub(r"(?m)^(    +)# (- |  |disk:)", r"\1\2", text))
    (service,) = chosen["services"]
    assert "disk" in service
    assert {"PLACAR_TRAINING_TABLE", "PLACAR_TRAINING_TARGET"} <= {
        each["key"] for each in service["envVars"]
    }
    assert Draft202012Validator(SCHEMA).is_valid(chosen)


def test_render_waits_longer_than_gunicorn(clean: Path) -> None:
    del clean
    from placar.web.gunicorn_conf import graceful_timeout  # noqa: PLC0415 - reads the settings

    assert render_service()["maxShutdownDelaySeconds"] > graceful_timeout


def test_render_sets_variables_that_something_reads() -> None:
    found = {each["key"]: each.get("value") for each in render_service()["envVars"]}
    assert set(found) <= {*settings_variables(), *PYTHONS, "PYTHON_VERSION"}
    assert re.fullmatch(r"3\.11\.\d+", found["PYTHON_VERSION"])
    assert found["PYTHONUNBUFFERED"] == found["PYTHON_UNBUFFERED"] == 1


def test_render_makes_the_key_and_no_file_holds_one() -> None:
    (key,) = (e for e in render_service()["envVars"] if e["key"] == "PLACAR_ADMIN_KEY")
    assert key == {"key": "PLACAR_ADMIN_KEY", "generateValue": True}
    assert "PLACAR_ADMIN_KEY" not in variables(ROOT / ".env.render", commented=False)


def test_what_the_build_installs_from_is_here() -> None:
    files = re.findall(r"-r (\S+)", render_service()["buildCommand"])
    assert files
    assert all((ROOT / name).is_file() for name in files)


# One truth


def test_every_start_command_is_the_same() -> None:
    (command,) = instructions("CMD")
    assert command.words[:2] == ["sh", "-c"]
    assert command.words[2] == procfile_command() == render_service()["startCommand"]


def test_the_start_command_ends_in_the_one_truth() -> None:
    first, _, second = procfile_command().partition(" && ")
    assert first == "python scripts/check_memory.py"
    assert second.split() == [
        *("exec", "scripts/startup.sh", "gunicorn", "-c", "gunicorn.conf.py"),
        *("-b", "0.0.0.0:$PORT", "src.api.scoring_api:app"),
    ]


# .env.render and placar.toml.example


def test_env_render_names_every_setting_and_nothing_else() -> None:
    named = set(variables(ROOT / ".env.render", commented=True))
    assert named - PYTHONS == set(settings_variables())
    assert named >= PYTHONS


def test_every_value_in_env_render_can_be_used(
    clean: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del clean
    for name, value in variables(ROOT / ".env.render", commented=True).items():
        monkeypatch.setenv(name, value or "a long random text")
    shows_the_defaults(read_settings())


def test_the_toml_example_names_every_setting_and_nothing_else(clean: Path) -> None:
    text = (ROOT / "placar.toml.example").read_text(encoding="utf-8")
    assert tomllib.loads(text) == {}
    lines = "\n".join(re.findall(r"(?m)^# ([a-z_]+ = .*)$", text))
    assert set(tomllib.loads(lines)) == set(Settings.model_fields)
    (clean / "placar.toml").write_text(lines, encoding="utf-8")
    shows_the_defaults(read_settings())


def shows_the_defaults(settings: Settings) -> None:
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        assert value is not None
        assert field.default is None or value == field.default, name


# Dockerfile and compose.yaml


def test_the_image_is_a_pinned_small_python() -> None:
    (base,) = instructions("FROM")
    assert base.rest == "python:3.11-slim"


def test_the_container_runs_as_a_numbered_user_who_is_not_root() -> None:
    names = [each.name for each in dockerfile()]
    (user,) = instructions("USER")
    assert int(user.rest) > 0
    assert names.index("USER") > max(i for i, name in enumerate(names) if name in {"RUN", "COPY"})


def test_the_home_is_a_volume() -> None:
    (env,), (volume,) = instructions("ENV"), instructions("VOLUME")
    assert f"PLACAR_HOME={volume.words[0]}" in env.words
    assert "KEY" not in env.rest


def test_what_starts_needs_no_shell_around_it() -> None:
    (check,), (command,) = instructions("HEALTHCHECK"), instructions("CMD")
    assert check.rest.partition("CMD ")[2].startswith("[")
    assert command.rest.startswith("[")
    assert command.words[2].count("exec ") == 1


def test_packages_are_installed_by_their_pins_and_before_the_source() -> None:
    runs = [each.rest for each in instructions("RUN") if "pip install" in each.rest]
    assert len(runs) == 2
    assert all("--no-cache-dir" in run for run in runs)
    assert "-r requirements/serving.txt -r requirements/training.txt" in runs[0]
    assert "--no-deps ." in runs[1]


def test_what_is_copied_is_here_and_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    kept = {line[1:] for line in ignored if line.startswith("!")}
    sources = {word.rstrip("/") for copy in instructions("COPY") for word in copy.words[:-1]}
    assert kept == sources
    assert all((ROOT / name).exists() for name in sources)


def test_compose_gives_what_the_smallest_plan_gives() -> None:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    (service,) = yaml.safe_load(text)["services"].values()
    (volume,) = instructions("VOLUME")
    assert (service["mem_limit"], service["cpus"]) == ("512m", 0.5)
    assert service["volumes"] == [f"placar-home:{volume.words[0]}"]


@pytest.mark.parametrize(
    ("tool", "files"),
    [
        ("hadolint", ["Dockerfile"]),
        ("shellcheck", ["scripts/need_openmp.sh", "scripts/startup.sh"]),
    ],
)
def test_linters_have_nothing_to_say(tool: str, files: list[str]) -> None:
    beside = Path(sys.executable).parent
    found = shutil.which(tool, path=f"{beside}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        pytest.skip(f"{tool} is not installed")
    done = subprocess.run(
        [found, *files], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
