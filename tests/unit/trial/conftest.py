"""Fake services on loopback, each closed after its test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fake_service import FakeService, Talk


@pytest.fixture
def fake() -> Iterator[Callable[..., FakeService]]:
    """Start fake services; each is closed after the test."""
    started: list[FakeService] = []

    def start(talk: Talk, certificate: Path | None = None) -> FakeService:
        service = FakeService(talk, certificate)
        started.append(service)
        return service

    yield start
    for service in started:
        service.close()
