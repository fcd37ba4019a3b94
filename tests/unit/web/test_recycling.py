"""When a worker that has grown is replaced, and when not."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import cast

import pytest
from uvicorn import Server

from placar.web import recycling
from placar.web.admission import Admission
from placar.web.guard import Guard
from placar.web.memory import private_memory
from placar.web.metrics import Meters
from placar.web.recycling import Leaving, Recycling

SHARE = 100


@pytest.fixture
def admission() -> Admission:
    return Admission(1000, Meters())


@pytest.fixture(autouse=True)
def grown(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the process holds, as the tests say; old enough to be replaced."""
    holds = [SHARE + 1]
    monkeypatch.setattr(recycling, "private_memory", lambda: holds[0])
    monkeypatch.setattr(recycling, "YOUNGEST", 0.0)
    return holds


def one(folder: Path, admission: Admission) -> Recycling:
    return Recycling(SHARE, admission, folder)


def test_a_grown_worker_first_gives_back_what_is_free(tmp_path: Path, admission: Admission) -> None:
    worker = one(tmp_path, admission)
    assert [worker.due(), worker.due(), worker.due()] == [False, True, False]


def test_a_worker_that_shrank_meanwhile_stays(
    tmp_path: Path, admission: Admission, grown: list[int]
) -> None:
    worker = one(tmp_path, admission)
    seen = [worker.due()]
    for holds in (SHARE, SHARE + 1):
        grown[0] = holds
        seen.append(worker.due())
    assert seen == [False, False, False]


def test_a_worker_with_a_large_request_stays(tmp_path: Path, admission: Admission) -> None:
    worker = one(tmp_path, admission)
    with admission.bodies.hold() as hold:
        hold.grow(10)
        assert [worker.due() for _ in range(3)] == [False] * 3
    admission.batches.begin(1)
    assert [worker.due() for _ in range(3)] == [False] * 3


def test_one_worker_is_replaced_at_a_time(tmp_path: Path, admission: Admission) -> None:
    first, second = one(tmp_path, admission), one(tmp_path, admission)
    assert [first.due(), first.due()] == [False, True]
    assert [second.due() for _ in range(3)] == [False] * 3


def test_the_next_one_is_replaced_some_time_later(tmp_path: Path, admission: Admission) -> None:
    first = one(tmp_path, admission)
    assert [first.due(), first.due()] == [False, True]
    assert first._held is not None
    os.close(first._held)
    second = one(tmp_path, admission)
    assert [second.due() for _ in range(2)] == [False] * 2
    for moment in (time.time() - recycling.APART - 1, time.time() + 3600):  # or the clock was set
        os.utime(tmp_path / "recycling.lock", (moment, moment))
        another = one(tmp_path, admission)
        assert [another.due(), another.due()] == [False, True]
        assert another._held is not None
        os.close(another._held)


def test_a_young_worker_stays(
    tmp_path: Path, admission: Admission, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recycling, "YOUNGEST", 60.0)
    worker = one(tmp_path, admission)
    assert [worker.due() for _ in range(3)] == [False] * 3


def test_without_a_place_for_the_lock_nobody_is_replaced(
    tmp_path: Path, admission: Admission
) -> None:
    worker = one(tmp_path / "nowhere", admission)
    assert [worker.due() for _ in range(3)] == [False] * 3


def test_what_a_process_holds_alone_is_known() -> None:
    before = private_memory()
    block = bytearray(os.urandom(1)) * 20_000_000
    grown = private_memory() - before
    assert 15_000_000 < grown < 40_000_000
    assert block


@pytest.mark.anyio
async def test_a_worker_goes_on_listening_while_something_large_is_done(
    admission: Admission, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Listening:
        closed = False

        def close(self) -> None:
            self.closed = True

    monkeypatch.setattr(recycling, "_PAUSE", 0.01)
    listening = Listening()
    server = SimpleNamespace(
        config=SimpleNamespace(timeout_keep_alive=-0.5), servers=[listening], should_exit=False
    )
    leaving = Leaving(cast("Server", server), Guard(admission, Meters(), Event()))
    admission.batches.begin(10)
    leaves = asyncio.create_task(leaving.leave())
    await asyncio.sleep(0.05)
    assert (listening.closed, server.should_exit) == (False, False)
    admission.batches.drop(10)
    await leaves
    assert (listening.closed, server.should_exit) == (True, True)
