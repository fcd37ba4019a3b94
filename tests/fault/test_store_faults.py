"""What the store does when it is locked, gone, spoilt or full. One test per fault."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from placar.errors import DiskFull, StoreUnavailable
from placar.settings import Settings
from placar.store import migrate
from placar.store.database import Store
from placar.store.lock import file_lock
from placar.store.models import ModelStore
from run_scenes import FAST, Scene, a_scene, eventually, folder_of


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return a_scene(tmp_path / "home", database_url=None)


@contextmanager
def locked(scene: Scene) -> Iterator[None]:
    """Hold the database's write lock from outside."""
    with closing(sqlite3.connect(scene.home / "placar.db", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Scene:
    """A scene whose store waits for locks only a moment."""
    monkeypatch.setattr("placar.store.engine._PATIENCE", 0.1)
    return a_scene(tmp_path / "home", database_url=None)


def test_a_locked_store_is_waited_for(scene: Scene) -> None:
    with locked(scene):
        waiting = threading.Thread(target=scene.version, kwargs={"seed": 0})
        waiting.start()
        waiting.join(timeout=0.3)
        assert waiting.is_alive()
    waiting.join()
    assert len(scene.registry.versions("loans")) == 1


def test_a_store_locked_for_too_long_is_said_so(impatient: Scene) -> None:
    with locked(impatient), pytest.raises(StoreUnavailable, match="locked by another process"):
        impatient.version(seed=0)


def test_a_locked_store_can_still_be_read(impatient: Scene) -> None:
    with locked(impatient):
        assert impatient.registry.generation() == 0
        ModelStore(impatient.store).generation()


def test_many_writers_at_once_all_get_their_turn(scene: Scene) -> None:
    scene.version(seed=0)

    def raise_it() -> None:
        for _ in range(10):
            with scene.store.write() as connection:
                value = connection.execute(text("SELECT value FROM generation")).scalar_one()
                connection.execute(text("UPDATE generation SET value = :v"), {"v": value + 1})

    threads = [threading.Thread(target=raise_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ModelStore(scene.store).generation() == 60


def test_a_full_disk_is_said_so_and_nothing_is_half_written(scene: Scene) -> None:
    with scene.store.read() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        connection.execute(text(f"PRAGMA max_page_count = {pages}"))

    def fill() -> None:
        insert = text("INSERT INTO models (name, created_at) VALUES (:name, 0)")
        with scene.store.write() as connection:
            for number in range(1000):
                connection.execute(insert, {"name": f"{number:060}"})

    with pytest.raises(DiskFull, match="disk is full"):
        fill()
    assert scene.registry.models() == ()


def test_a_spoilt_database_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "placar.db").write_bytes(b"not a database, but long enough to look at" * 50)
    with pytest.raises(StoreUnavailable, match="NOTADB"):
        Store.open(Settings(home=tmp_path, database_url=None))


def test_a_folder_in_the_databases_place_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "placar.db").mkdir()
    with pytest.raises(StoreUnavailable):
        Store.open(Settings(home=tmp_path, database_url=None))


def test_a_database_server_that_does_not_answer_is_said_so(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    settings = Settings(home=tmp_path, database_url="postgresql://u:hunter2@127.0.0.1:9/d")
    with pytest.raises(StoreUnavailable) as caught:
        Store.open(settings)
    assert "hunter2" not in caught.value.sentence


def test_a_migration_that_breaks_off_leaves_nothing_and_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=tmp_path, database_url=None)

    def break_off(connection: Connection) -> None:
        upgrade(connection)
        raise ZeroDivisionError

    upgrade = migrate._upgrade
    with monkeypatch.context() as patch:
        patch.setattr(migrate, "_upgrade", break_off)
        with pytest.raises(ZeroDivisionError):
            Store.open(settings)
    with closing(sqlite3.connect(tmp_path / "placar.db")) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []
    store = Store.open(settings)
    ModelStore(store).generation()
    store.close()


def test_a_start_that_waits_too_long_for_another_gives_up(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    with (
        file_lock(lock),
        pytest.raises(StoreUnavailable, match=r"x\.lock"),
        file_lock(lock, timeout=0.05),
    ):
        pass
    with file_lock(lock):
        pass


def test_a_lock_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(DiskFull), file_lock(tmp_path / "nowhere" / "x.lock"):
        pass


def test_a_follower_outlives_a_store_that_is_away_for_a_while(impatient: Scene) -> None:
    service = impatient.service("waits")
    run = service.request(impatient.spec(), origin="test")
    follower = threading.Thread(target=service.follow, args=(run.id,))
    follower.start()
    eventually(lambda: service.get(run.id).stage == "fit")
    with locked(impatient):
        threading.Event().wait(0.5)
    eventually(lambda: service.get(run.id).heartbeat_at > run.requested_at + 0.5)
    folder_of(run).root.joinpath("go").touch()
    follower.join()
    assert service.get(run.id).status == "succeeded"


def test_an_ending_that_could_not_be_written_is_written_by_whoever_adopts_the_run(
    impatient: Scene,
) -> None:
    service = impatient.service("waits")
    run = service.request(impatient.spec(), origin="test")
    failed: list[StoreUnavailable] = []

    def follow() -> None:
        try:
            service.follow(run.id)
        except StoreUnavailable as error:
            failed.append(error)

    follower = threading.Thread(target=follow)
    follower.start()
    eventually(lambda: service.get(run.id).stage == "fit")
    with locked(impatient):
        folder_of(run).root.joinpath("go").touch()
        follower.join()
    assert len(failed) == 1
    assert service.get(run.id).status == "running"
    eventually(service.adopt_stale)
    assert service.follow(run.id).status == "succeeded"
    service.close()


def test_an_ending_is_kept_until_the_store_is_back(impatient: Scene) -> None:
    """Only this follower knows the exit code: an adopter could but call the run lost."""
    service = impatient.service("waits", timing=replace(FAST, insistence=20.0))
    run = service.request(impatient.spec(), origin="test")
    follower = threading.Thread(target=service.follow, args=(run.id,))
    follower.start()
    eventually(lambda: service.get(run.id).stage == "fit")
    with locked(impatient):
        os.kill(service.get(run.id).pid or 0, signal.SIGKILL)
        threading.Event().wait(0.4)
    follower.join()
    end = service.get(run.id)
    assert end.error is not None
    assert (end.status, end.error.code) == ("failed", "run_killed")
