"""Whatever is chosen, the files parse, agree with their platform's rules, and fit the plan."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # ships no types
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # the same

from deploy.files import render_service
from placar import __version__
from placar.box.sizing import TYPICAL, usable
from placar.deploy.choice import Choice, ModelFrom, sources
from placar.deploy.files import PYTHON, NewFile, deployment_files
from placar.deploy.plans import PLANS, Plan, Platform
from placar.settings import read_settings

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = json.loads((ROOT / "tests/deploy/render_schema.json").read_text(encoding="utf-8"))
KEY = "placar_not-a-real-key"
ODD = 'Ünpaid "y\'all" $HOME # \\ {{ 1 }}'
"""A column's name that every format has to quote in its own way."""

CHOICES = [
    Choice(
        platform,
        plan,
        model_from,
        "loans",
        "tables/my loans.csv" if model_from == "build" else None,
        ODD,
        "-1",
    )
    for platform, plans in PLANS.items()
    for plan in plans
    for model_from in sources(plan)
]
every_choice = pytest.mark.parametrize(
    "choice", CHOICES, ids=lambda c: f"{c.platform} {c.plan.name} {c.model_from}"
)


def on(platform: Platform) -> pytest.MarkDecorator:
    chosen = [each for each in CHOICES if each.platform == platform]
    return pytest.mark.parametrize("choice", chosen, ids=lambda c: f"{c.plan.name} {c.model_from}")


def by_path(choice: Choice) -> dict[str, NewFile]:
    return {file.path: file for file in deployment_files(choice, KEY)}


def instructions(choice: Choice, name: str) -> list[str]:
    text = by_path(choice)["Dockerfile"].text.replace("\\\n", " ")
    return [line.partition(" ")[2] for line in text.splitlines() if line.startswith(f"{name} ")]


def environment(choice: Choice) -> dict[str, str]:
    return dict(word.split("=", 1) for env in instructions(choice, "ENV") for word in env.split())


@every_choice
def test_workers_and_a_run_leave_a_tenth_of_the_plan_free(choice: Choice) -> None:
    sizing = choice.sizing
    assert sizing.workers >= 1
    assert sizing.serving == TYPICAL.master + sizing.workers * TYPICAL.worker
    assert sizing.serving + sizing.run_memory <= usable(choice.plan.limit)
    assert sizing.trains == (choice.plan.memory > 256 * 1024**2)


@every_choice
def test_placar_reads_its_settings_back(
    choice: Choice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "placar.toml").write_text(by_path(choice)["placar.toml"].text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    settings = read_settings()
    assert settings.memory_limit == choice.plan.limit
    assert settings.run_memory == choice.sizing.run_memory
    assert (settings.model, settings.training_target) == ("loans", ODD)
    assert settings.training_positive == "-1"
    table = Path("tables/my loans.csv") if choice.model_from == "build" else None
    assert settings.training_table == table


@every_choice
def test_every_file_says_what_survives_and_no_line_is_endless(choice: Choice) -> None:
    texts = {path: file.text for path, file in by_path(choice).items()}
    telling = [path for path, text in texts.items() if "survive" in text or "Lost at" in text]
    assert len(telling) >= 2
    for text in texts.values():
        comments = [line for line in text.splitlines() if line.lstrip().startswith("#")]
        assert max(map(len, comments), default=0) <= 100
        assert text.endswith("\n")
        assert not text.endswith("\n\n")
        assert "\n\n\n" not in text


@every_choice
def test_the_key_is_in_one_file_that_only_its_owner_reads_and_git_ignores(choice: Choice) -> None:
    files = by_path(choice)
    holding = [path for path, file in files.items() if KEY in file.text]
    ignored = files[".gitignore"].text.splitlines()
    assert "placar-home/" in ignored
    if choice.platform == "render":  # makes its own
        assert holding == []
    else:
        assert holding == [".env"]
        assert (files[".env"].mode, ".env" in ignored) == (0o600, True)


@every_choice
def test_it_installs_the_version_that_wrote_it(choice: Choice) -> None:
    assert by_path(choice)["requirements.txt"].text == f"placar=={__version__}\n"


# Render


@on("render")
def test_the_blueprint_has_only_what_render_knows(choice: Choice) -> None:
    blueprint = yaml.safe_load(by_path(choice)["render.yaml"].text)
    assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(blueprint)] == []
    (service,) = blueprint["services"]
    assert service["plan"] == choice.plan.name
    assert service["maxShutdownDelaySeconds"] == render_service()["maxShutdownDelaySeconds"] > 25
    variables = {each["key"]: each for each in service["envVars"]}
    assert variables["PLACAR_ADMIN_KEY"] == {"key": "PLACAR_ADMIN_KEY", "generateValue": True}
    assert variables["WEB_CONCURRENCY"]["value"] == choice.sizing.workers
    assert variables["PYTHON_VERSION"]["value"] == PYTHON
    assert service["startCommand"] == "exec placar serve --host 0.0.0.0"


@on("render")
def test_a_disk_holds_the_home_and_only_where_there_is_one(choice: Choice) -> None:
    (service,) = yaml.safe_load(by_path(choice)["render.yaml"].text)["services"]
    homes = [e["value"] for e in service["envVars"] if e["key"] == "PLACAR_HOME"]
    if choice.model_from == "disk":
        assert homes == [f"{service['disk']['mountPath']}/placar"]
        assert service["buildCommand"] == "pip install -r requirements.txt"
    else:
        assert (homes, "disk" in service) == ([], False)
        install, _, train = service["buildCommand"].partition(" && ")
        assert install == "pip install -r requirements.txt"
        assert_trains(shlex.split(train), choice)


def assert_trains(words: list[str], choice: Choice) -> None:
    assert words[:3] == ["placar", "train", "tables/my loans.csv"]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    memory = {} if choice.sizing.trains else {"--memory": "256MB"}
    wanted = {"--target": ODD, "--positive": "-1", "--name": "loans"}
    assert options == wanted | memory


def test_it_asks_for_the_python_that_this_repository_is_tried_with() -> None:
    (ours,) = (e["value"] for e in render_service()["envVars"] if e["key"] == "PYTHON_VERSION")
    assert ours == PYTHON


# Heroku


@on("heroku")
def test_heroku_trains_at_the_end_of_a_build_and_serves_what_fits(choice: Choice) -> None:
    files = by_path(choice)
    served = f"web: exec placar serve --host 0.0.0.0 --workers {choice.sizing.workers}\n"
    assert files["Procfile"].text == served
    assert files[".python-version"].text == "3.11\n"
    hook = files["bin/post_compile"]
    assert (hook.mode, hook.text.splitlines()[0]) == (0o755, "#!/usr/bin/env bash")
    assert "\nset -eu\n" in hook.text
    assert_trains(shlex.split(hook.text.splitlines()[-1]), choice)


# Docker and Fly

in_a_container = pytest.mark.parametrize(
    "choice",
    [each for each in CHOICES if each.platform in {"docker", "fly"}],
    ids=lambda c: f"{c.platform} {c.plan.name} {c.model_from}",
)


@in_a_container
def test_the_image_serves_as_somebody_who_is_not_root(choice: Choice) -> None:
    words = json.loads(instructions(choice, "CMD")[-1])
    if choice.platform == "fly" and choice.model_from == "disk":
        assert words[:2] == ["sh", "-c"]
        assert " && exec env HOME=/var/lib/placar setpriv --reuid=placar " in words[2]
        assert words[2].endswith(" placar serve --host 0.0.0.0")
    else:
        assert words == ["placar", "serve", "--host", "0.0.0.0"]
        assert int(instructions(choice, "USER")[0]) > 0
    assert instructions(choice, "FROM") == ["python:3.11-slim"]
    assert environment(choice)["WEB_CONCURRENCY"] == str(choice.sizing.workers)


@in_a_container
def test_the_image_holds_what_is_copied_and_nothing_else(choice: Choice) -> None:
    owned = "--chown=placar:placar "
    copies = [copy.removeprefix(owned) for copy in instructions(choice, "COPY")]
    sources = [
        *(copy.removesuffix(" ./") for copy in copies if not copy.startswith("[")),
        *(json.loads(copy)[0] for copy in copies if copy.startswith("[")),
    ]
    ignore = by_path(choice)[".dockerignore"].text.splitlines()
    assert ignore[1] == "*"
    assert sorted(line[1:] for line in ignore if line.startswith("!")) == sorted(sources)
    table = ["tables/my loans.csv"] if choice.model_from == "build" else []
    assert sources == ["requirements.txt", "placar.toml", *table]


@in_a_container
def test_a_model_of_the_build_is_in_the_image_and_under_no_volume(choice: Choice) -> None:
    trained = [run for run in instructions(choice, "RUN") if run.startswith("[")]
    volumes = instructions(choice, "VOLUME")
    home = environment(choice)["PLACAR_HOME"]
    if choice.model_from == "build":
        assert_trains(json.loads(trained[0]), choice)
        assert volumes == []
    else:
        assert trained == []
        assert volumes == ([f'["{home}"]'] if choice.platform == "docker" else [])


@pytest.mark.parametrize(
    ("platform", "model_from", "tool", "path"),
    [
        ("docker", "build", "hadolint", "Dockerfile"),
        ("docker", "disk", "hadolint", "Dockerfile"),
        ("fly", "build", "hadolint", "Dockerfile"),
        ("fly", "disk", "hadolint", "Dockerfile"),
        ("heroku", "build", "shellcheck", "bin/post_compile"),
    ],
)
def test_linters_have_nothing_to_say(
    platform: Platform, model_from: ModelFrom, tool: str, path: str, tmp_path: Path
) -> None:
    beside = Path(sys.executable).parent
    linter = shutil.which(tool, path=f"{beside}{os.pathsep}{os.environ.get('PATH', '')}")
    if linter is None:
        pytest.skip(f"{tool} is not installed")
    choice = Choice(platform, PLANS[platform][-1], model_from, "loans", "my loans.csv", "Status")
    place = tmp_path / Path(path).name
    place.write_text(by_path(choice)[path].text, encoding="utf-8")
    done = subprocess.run(
        [linter, place.name], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@on("docker")
def test_compose_gives_what_the_plan_has(choice: Choice) -> None:
    compose = yaml.safe_load(by_path(choice)["compose.yaml"].text)
    service = compose["services"]["loans"]
    memory = f"{choice.plan.memory // 1024**2}m"
    assert (service["mem_limit"], service["memswap_limit"]) == (memory, memory)
    assert service["cpus"] == choice.plan.cpus
    assert service["env_file"] == ".env"
    assert int(service["stop_grace_period"].rstrip("s")) > 25
    assert service["ports"] == ["127.0.0.1:8000:8000"]
    home = environment(choice)["PLACAR_HOME"]
    on_disk = choice.model_from == "disk"
    assert service.get("volumes") == ([f"placar-home:{home}"] if on_disk else None)
    assert compose.get("volumes") == ({"placar-home": None} if on_disk else None)


@on("fly")
def test_fly_checks_stops_and_mounts_as_it_should(choice: Choice) -> None:
    fly = tomllib.loads(by_path(choice)["fly.toml"].text)
    http = fly["http_service"]
    (check,), (machine,) = http["checks"], fly["vm"]
    assert (check["path"], check["method"]) == ("/health", "GET")
    assert str(http["internal_port"]) == environment(choice)["PORT"]
    assert (http["auto_stop_machines"], http["min_machines_running"]) == ("off", 1)
    assert fly["kill_signal"] == "SIGTERM"
    assert int(fly["kill_timeout"].rstrip("s")) >= 30
    size, _, memory = choice.plan.name.partition(":")
    assert machine["size"] == size
    assert int(machine["memory"].removesuffix("mb")) * 1024**2 == choice.plan.memory
    assert memory in {machine["memory"], f"{choice.plan.memory // 1024**3}gb"}
    on_disk = choice.model_from == "disk"
    assert fly.get("mounts", {}).get("destination") == (
        environment(choice)["PLACAR_HOME"] if on_disk else None
    )


def test_a_box_made_to_measure_is_written_as_it_was_named() -> None:
    choice = Choice("docker", Plan("1.5c-768mb", 768 * 1024**2, 1.5), "disk", "loans")
    service = yaml.safe_load(by_path(choice)["compose.yaml"].text)["services"]["loans"]
    assert (service["mem_limit"], service["cpus"]) == ("768m", 1.5)


def test_no_template_is_left_over() -> None:
    templates = {path.name for path in (ROOT / "src/placar/deploy/templates").iterdir()}
    used = set(re.findall(r'"([\w.-]+\.j2)"', (ROOT / "src/placar/deploy/files.py").read_text()))
    assert templates == used | {"compose.yaml.j2", "fly.toml.j2"}
