"""What ``placar init`` writes really trains, starts and scores; only the installing is left out."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # ships no types

from run_scenes import eventually
from service_process import ServiceProcess
from web_scenes import KEY

pytestmark = pytest.mark.e2e

DEMO = Path(str(resources.files("placar.cli.demo") / "credit_data.csv"))
SCRIPTS = Path(sys.executable).parent
INSTALL = "pip install -r requirements.txt"
BY_RENDER = {
    "GUNICORN_CMD_ARGS": "--preload --access-logfile - --bind=0.0.0.0:10000",
    "FORWARDED_ALLOW_IPS": "*",
}
"""What Render's Python runtime puts into the environment."""


def environment(**variables: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("LANG", "TMPDIR", "TZ") if name in os.environ}
    return kept | {"PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"} | variables


def run(folder: Path, *words: str, **variables: str) -> str:
    done = subprocess.run(
        words,
        cwd=folder,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a project with nothing but a table."""
    project = tmp_path / "project"
    project.mkdir()
    shutil.copy(DEMO, project / "the loans.csv")
    return project


def init(folder: Path, platform: str, *more: str) -> list[dict[str, Any]]:
    """Write the files, and return what is to be done next."""
    table = ("--table", "the loans.csv", "--target", "Status", "--positive", "bad")
    words = ("--platform", platform, "--name", "loans", *table, *more, "--json")
    steps = json.loads(run(folder, "placar", "init", *words))["next"]
    assert isinstance(steps, list)
    return steps


def a_loan() -> dict[str, object]:
    with DEMO.open(encoding="utf-8", newline="") as file:
        row = next(csv.DictReader(file))
    del row["Status"]
    return {name: float(cell) if cell.isdigit() else cell for name, cell in row.items()}


@contextmanager
def served(folder: Path, command: list[str], **variables: str) -> Iterator[ServiceProcess]:
    """Start a command in the folder, as the platform does, and end it as the platform does."""
    program = shutil.which(command[0], path=environment()["PATH"])
    assert program
    service = ServiceProcess(
        [program, *command[1:]],
        folder / "placar-home",
        folder / "log.txt",
        cwd=folder,
        environment=environment(**variables),
    )
    try:
        eventually(lambda: service.status("/health") == 200, 30)
        yield service
        assert service.stop(30) == 0, service.log
        assert "Traceback" not in service.log
    finally:
        service.kill()


def scores(service: ServiceProcess) -> None:
    """The model answers, and the process that the platform signals is gunicorn."""
    service.ready()
    # With a model that was just trained the other worker may need some moments more.
    eventually(lambda: all(service.post("/predict", a_loan()).status == 200 for _ in range(20)))
    answer = service.post("/predict?reasons=3", a_loan())
    assert (answer.status, answer.body["model"]) == (200, "loans")
    assert answer.body["prediction"] in {"bad", "good"}
    process = Path(f"/proc/{service.process.pid}")
    assert b"placar.web" in (process / "cmdline").read_bytes()
    assert b"\0MALLOC_ARENA_MAX=2\0" in b"\0" + (process / "environ").read_bytes()


def blueprint(folder: Path) -> tuple[str, str, dict[str, str]]:
    """Return what Render builds with, starts, and puts into the environment."""
    (service,) = yaml.safe_load((folder / "render.yaml").read_text(encoding="utf-8"))["services"]
    variables = {each["key"]: str(each["value"]) for each in service["envVars"] if "value" in each}
    return service["buildCommand"], service["startCommand"], variables


def test_on_render_the_build_trains_and_what_starts_scores(folder: Path) -> None:
    init(folder, "render", "--plan", "free")
    build, start, variables = blueprint(folder)
    assert build.startswith(f"{INSTALL} && ")
    run(folder, "sh", "-c", build.removeprefix(f"{INSTALL} && "))
    with served(folder, ["sh", "-c", start], **variables, **BY_RENDER) as service:
        scores(service)
        eventually(lambda: len(service.workers()) == 2)
        assert f"0.0.0.0:{service.port}" in service.log


def test_on_render_with_a_disk_the_printed_commands_train_in_the_service(folder: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    steps = init(folder, "render", "--plan", "starter", "--model-from", "disk")
    commands = "\n".join(steps[-1]["commands"])
    build, start, variables = blueprint(folder)
    assert (build, variables.pop("PLACAR_HOME")) == (INSTALL, "/var/data/placar")
    with served(folder, ["sh", "-c", start], **variables, **BY_RENDER) as service:
        assert service.status("/ready") == 503
        here = commands.replace("https://loans.onrender.com", service.base)
        said = run(folder, "sh", "-c", here, PLACAR_KEY=KEY)
        assert '"the loans.csv"' in said
        runs = service.get("/runs").body["runs"]
        assert isinstance(runs, list)
        assert service.ended(runs[0]["id"])["status"] == "succeeded"
        scores(service)


def test_on_heroku_the_hook_trains_and_the_procfile_scores(folder: Path) -> None:
    init(folder, "heroku")
    run(folder, "./bin/post_compile")
    name, _, start = (folder / "Procfile").read_text(encoding="utf-8").strip().partition(": ")
    assert name == "web"
    # A build pack sets the variable, the Procfile knows better.
    with served(folder, ["sh", "-c", start], WEB_CONCURRENCY="5") as service:
        scores(service)
        eventually(lambda: len(service.workers()) == 2)


@pytest.mark.parametrize(
    ("platform", "plan", "workers"),
    [("docker", "0.5c-512mb", 2), ("fly", "shared-cpu-1x:256mb", 1)],
)
def test_in_an_image_the_build_trains_and_its_command_scores(
    folder: Path, platform: str, plan: str, workers: int
) -> None:
    init(folder, platform, "--plan", plan)
    lines = (folder / "Dockerfile").read_text(encoding="utf-8").splitlines()
    (train,) = (line.removeprefix("RUN ") for line in lines if line.startswith("RUN ["))
    (start,) = (line.removeprefix("CMD ") for line in lines if line.startswith("CMD ["))
    run(folder, *json.loads(train))
    with served(folder, json.loads(start), WEB_CONCURRENCY=str(workers)) as service:
        scores(service)
        eventually(lambda: len(service.workers()) == workers)


def test_ctrl_c_at_a_question_leaves_nothing_behind(folder: Path) -> None:
    """On a real terminal; the questions go to standard error."""
    before = sorted(folder.rglob("*"))
    ours, theirs = os.openpty()
    with subprocess.Popen(
        ["placar", "init"],
        executable=str(SCRIPTS / "placar"),
        cwd=folder,
        env=environment(),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        os.close(theirs)
        assert process.stderr is not None
        assert process.stderr.read(8) == b"Platform"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    os.close(ours)
    assert (process.returncode, out.strip()) == (130, b"")
    assert b"Nothing was written." in err
    assert sorted(folder.rglob("*")) == before
