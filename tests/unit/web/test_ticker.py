"""The housekeeping thread: what it notices, and what it survives."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

import pytest

from factories import a_row
from placar.errors import StoreUnavailable
from placar.scoring.slot import Slot
from placar.settings import Settings
from placar.web import readiness as readiness_module
from placar.web.readiness import Readiness
from placar.web.state import AppState
from placar.web.ticker import Chore, Ticker
from run_scenes import eventually
from web_scenes import HEADERS, Service, add_version, running, settings_of


@pytest.mark.anyio
async def test_a_promotion_elsewhere_is_noticed(service: Service, settings: Settings) -> None:
    state = service.state
    other = add_version(settings, seed=1)
    began = time.monotonic()
    eventually(lambda: state.slot.current and state.slot.current.version == other[:12], 5)
    assert time.monotonic() - began < 2.0
    assert state.meters.swaps == 1


@pytest.mark.anyio
async def test_keys_made_elsewhere_open_and_metrics_are_kept(service: Service) -> None:
    state = service.state
    secret = state.services.keys.create("app", ["score"]).secret.encode()
    eventually(lambda: any(key.id != "admin" for key in state.keys._known), 5)
    assert state.keys.admit([(b"x-api-key", secret)], "score")
    await service.client.get("/health")
    kept = state.settings.metrics / "slot-0.json"
    eventually(lambda: kept.exists() and b"/health" in kept.read_bytes(), 5)


@pytest.mark.anyio
async def test_a_store_that_goes_away_is_noted_once_and_scores_go_on(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    registry = service.state.services.registry
    working = registry.generation

    def lost() -> int:
        raise StoreUnavailable("It is gone.")

    with caplog.at_level(logging.WARNING):
        monkeypatch.setattr(registry, "generation", lost)
        monkeypatch.setattr(service.state.services.keys, "active", lost)
        monkeypatch.setattr(service.state.services.runs, "adopt_stale", lost)
        eventually(lambda: not service.state.readiness.store_reachable, 5)
        await asyncio.sleep(1.2)
        ready = await service.client.get("/ready")
        assert (ready.status_code, ready.json()["reasons"]) == (503, ["It is gone."])
        assert (await service.client.post("/predict", json=a_row())).status_code == 200
        monkeypatch.undo()
        eventually(lambda: service.state.readiness.store_reachable, 5)
    assert registry.generation() == working()
    assert (await service.client.get("/ready")).status_code == 200
    events = [record.message for record in caplog.records if record.message.startswith("store")]
    assert events == ["store_lost", "store_is_back"]


@pytest.mark.anyio
async def test_a_worker_starts_without_a_store_and_opens_it_later(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'db' / 'placar.db'}"
    settings = settings_of(tmp_path / "home", database_url=address)
    version = add_version(settings, seed=0)
    database = tmp_path / "db" / "placar.db"
    kept = database.read_bytes()
    database.write_bytes(b"not a database at all" * 100)
    async with running(settings) as service:
        assert (await service.client.get("/ready")).status_code == 503
        assert (await service.client.get("/models")).status_code == 503
        assert (await service.client.get("/health")).status_code == 200
        database.write_bytes(kept)
        eventually(lambda: service.state.slot.current is not None, 10)
        answer = await service.client.post("/predict", json=a_row(), headers=HEADERS)
        assert answer.json()["version"] == version[:12]


def test_a_chore_that_fails_does_not_end_the_thread(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = AppState(settings_of(tmp_path))
    ticker = Ticker(state)
    done: list[int] = []

    def broken() -> None:
        done.append(1)
        raise ZeroDivisionError

    ticker._chores = (Chore(0.0, broken),)
    with caplog.at_level(logging.ERROR):
        ticker.start()
        eventually(lambda: len(done) > 1)
        ticker.stop()
    assert caplog.records[0].message == "chore_failed"
    assert not ticker._thread.is_alive()


def test_a_store_that_is_silent_for_long_counts_as_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Readiness(Slot())
    assert not known.store_reachable
    known.store_answered()
    assert "store" not in " ".join(known.reasons())
    monkeypatch.setattr(readiness_module, "STORE_PATIENCE", 0.0)
    assert "has not answered for a while" in " ".join(known.reasons())
