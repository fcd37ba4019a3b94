"""A service with one champion, for most tests of the HTTP side."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from placar.settings import Settings
from web_scenes import Service, add_version, running, settings_of


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


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
    """All digits of the champion that ``service`` starts with."""
    return made[1]


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[Service]:
    async with running(settings) as started:
        yield started


@pytest.fixture
def client(service: Service) -> httpx.AsyncClient:
    return service.client
