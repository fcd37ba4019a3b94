"""Every command that is meant to start the service starts it, and it stops when asked."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from factories import a_row
from placar.settings import Settings
from run_scenes import eventually
from service_process import ServiceProcess

pytestmark = pytest.mark.e2e
Start = Callable[..., ServiceProcess]

GUIDE = (
    "gunicorn -w 2 -k uvicorn.workers.UvicornWorker -b 0.0.0.0:{port} --timeout 120 "
    "--graceful-timeout 60 --keep-alive 5 --log-level debug src.api.scoring_api:app"
)
PROCFILE = GUIDE.replace("-w 2", "-w 4")
DOCKER = GUIDE.replace(
    "src.api", "--max-requests 1000 --max-requests-jitter 50 --worker-tmp-dir /dev/shm src.api"
)
OURS = "gunicorn -c gunicorn.conf.py -b 127.0.0.1:{port} src.api.scoring_api:app"
UVICORN = "uvicorn --port {port} src.api.scoring_api:app"


@pytest.mark.parametrize(
    ("command", "workers"), [(GUIDE, 2), (PROCFILE, 4), (DOCKER, 2), (OURS, 2), (UVICORN, 0)]
)
def test_the_service_starts_scores_and_stops(
    start: Start, version: str, command: str, workers: int
) -> None:
    service = start(*shlex.split(command), environment={"PLACAR_MEMORY_LIMIT": "512MB"}).ready()
    eventually(lambda: len(service.workers()) == workers)
    assert service.post("/predict", a_row()).body["version"] == version[:12]
    assert service.stop() in ((0,) if workers else (0, -15))
    assert "Traceback" not in service.log
    assert "WARNING" not in service.log
    assert "ERROR" not in service.log


def test_what_a_platform_injects_does_no_harm(start: Start, version: str) -> None:
    injected = "--preload --access-logfile - --bind=127.0.0.1:{port}"
    service = start(
        "gunicorn", "src.api.scoring_api:app", environment={"GUNICORN_CMD_ARGS": injected}
    ).ready()
    assert service.post("/predict?reasons=1", a_row()).body["version"] == version[:12]
    assert service.stop() == 0
    lines = [line for line in service.log.splitlines() if "path=/predict" in line]
    assert "method=POST path=/predict status=200" in lines[0]
    assert "reasons=1" not in service.log


def test_it_starts_from_any_folder_where_placar_is_installed(
    start: Start, version: str, tmp_path: Path
) -> None:
    source = Path(__file__).resolve().parents[2] / "src"
    service = start(
        *shlex.split("gunicorn -c python:placar.web.gunicorn_conf placar.web.asgi:app"),
        cwd=tmp_path,
        environment={"PYTHONPATH": str(source), "WEB_CONCURRENCY": "1"},
    ).ready()
    assert service.post("/predict", a_row()).body["version"] == version[:12]
    assert len(service.workers()) == 1


@pytest.mark.parametrize("command", [GUIDE, UVICORN + " --host 0.0.0.0"])
def test_a_public_address_without_any_key_is_refused(
    start: Start, settings: Settings, command: str
) -> None:
    service = start(*shlex.split(command), environment={"PLACAR_ADMIN_KEY": ""})
    code = service.process.wait(20)
    assert code == (2 if command == GUIDE else 3)
    assert "without any API key" in service.log
    assert "placar keys create" in service.log
    assert "Traceback" not in service.log
    assert settings.home.is_dir()


def test_a_setting_that_cannot_be_used_is_named(start: Start) -> None:
    service = start(*shlex.split(OURS), environment={"PLACAR_RUN_MEMORY": "much"})
    assert service.process.wait(20) == 2
    assert service.log.startswith("placar: Some settings cannot be used: PLACAR_RUN_MEMORY")
    assert service.log.count("\n") == 1
