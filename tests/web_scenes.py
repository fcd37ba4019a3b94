"""Scenes for tests of the HTTP side: a home with versions, and the application over it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
from fastapi import FastAPI

from factories import a_package
from placar.package.manifest import MODEL_FILE
from placar.runs.launcher import Launcher
from placar.runs.service import RunService
from placar.settings import Settings
from placar.web.app import create_app
from placar.web.services import Services
from placar.web.state import AppState
from run_scenes import FAST

KEY = "the-key-of-the-administrator"
HEADERS = {"X-API-Key": KEY}


@dataclass(frozen=True, slots=True)
class Service:
    """The application, started, and a client that has a key."""

    app: FastAPI
    state: AppState
    client: httpx.AsyncClient

    def run_with(self, launcher: Launcher) -> None:
        """Let runs start other processes, and be followed in a hurry."""
        services = self.state.services
        runs = RunService(
            services.store,
            services.registry,
            self.state.settings,
            launcher=launcher,
            timing=FAST,
        )
        self.state._services = replace(services, runs=runs)


def settings_of(home: Path, **values: object) -> Settings:
    """Return settings of a service in ``home``, with an administrator's key."""
    return Settings(**{"home": home, "admin_key": KEY, **values})  # type: ignore[arg-type]


def add_version(
    settings: Settings, *, seed: int, promote: bool = True, model: str = "loans"
) -> str:
    """Register a version and return its 64 digits; each seed scores differently."""
    services = Services.open(settings)
    try:
        folder = settings.home / "made" / f"{model}-{seed}"
        version = a_package(folder, model=model, seed=seed, bias=0.5 + seed / 10)
        services.registry.register(model, version, folder, None)
        if promote:
            services.registry.promote(model, version)
    finally:
        services.close()
    return version


def damage(settings: Settings, version: str) -> None:
    """Flip a byte of a registered version's model."""
    model = settings.packages / version / MODEL_FILE
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Service]:
    """Start the application in this event loop."""
    app = create_app(settings)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=transport, base_url="http://placar.test", headers=HEADERS
        ) as client,
    ):
        yield Service(app, app.state.placar, client)
