"""What the event loop does once a second."""

from __future__ import annotations

import asyncio
from threading import Event

import pytest

from placar.web import attendance
from placar.web.admission import Admission
from placar.web.attendance import attend
from placar.web.guard import Guard
from placar.web.metrics import Meters

pytestmark = pytest.mark.anyio


async def test_a_look_that_fails_is_not_the_last_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looks = []

    def look_around(guard: Guard) -> None:
        looks.append(guard)
        raise RuntimeError("the handler is closed")

    monkeypatch.setattr(attendance, "_EVERY", 0.01)
    monkeypatch.setattr(Guard, "look_around", look_around)
    task = asyncio.create_task(attend(None, Guard(Admission(1000, Meters()), Meters(), Event())))
    await asyncio.sleep(0.1)
    task.cancel()
    assert len(looks) > 1
    assert "attendance_failed" in caplog.text
