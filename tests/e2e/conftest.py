"""The real service on loopback, under gunicorn or uvicorn."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from placar.settings import Settings
from service_process import ServiceProcess
from web_scenes import add_version, settings_of


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A home with one champion, and all digits of it: made once, copied for each test."""
    home = tmp_path_factory.mktemp("made") / "home"
    return home, add_version(settings_of(home), seed=0)


@pytest.fixture
def settings(tmp_path: Path, made: tuple[Path, str]) -> Settings:
    shutil.copytree(made[0], tmp_path / "home")
    return settings_of(tmp_path / "home")


@pytest.fixture
def version(made: tuple[Path, str]) -> str:
    return made[1]


@pytest.fixture
def start(settings: Settings, tmp_path: Path) -> Iterator[Callable[..., ServiceProcess]]:
    """Start services over the test's home; each is ended after the test."""
    started: list[ServiceProcess] = []

    def start_one(*command: str, **options: object) -> ServiceProcess:
        log = tmp_path / f"service-{len(started)}.log"
        service = ServiceProcess(command, settings.home, log, **options)  # type: ignore[arg-type]
        started.append(service)
        return service

    yield start_one
    for service in started:
        service.kill()
