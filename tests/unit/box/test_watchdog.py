"""The watchdog: what counts as a blocked loop, what does not, and which line it names."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from placar.box import alarm as alarm_module
from placar.box import watchdog as module
from placar.box.alarm import Alarm
from placar.box.flight.record import Activity
from placar.box.flight.recorder import FlightRecorder
from placar.box.watchdog import PULSE, Watchdog
from run_scenes import eventually

SOURCE = Path(module.__file__).resolve().parents[2]


class Clock:
    """Moves when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Loop:
    """Answers when told."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], object]] = []

    def call_soon_threadsafe(self, callback: Callable[[], object]) -> None:
        self.waiting.append(callback)

    def turn(self) -> None:
        for callback in self.waiting:
            callback()
        self.waiting.clear()


class Meter:
    """Counts."""

    def __init__(self) -> None:
        self.lags: list[float] = []
        self.blocks = 0
        self.stalls = 0

    def loop_answered(self, lag: float) -> None:
        self.lags.append(round(lag, 3))

    def loop_blocked(self) -> None:
        self.blocks += 1

    def process_stalled(self) -> None:
        self.stalls += 1


class Scene:
    """A watchdog of a loop that only moves when told."""

    def __init__(self, recorder: FlightRecorder) -> None:
        self.clock, self.loop, self.meter, self.recorder = Clock(), Loop(), Meter(), recorder
        self.watchdog = Watchdog(self.loop, recorder, self.meter, clock=self.clock)  # type: ignore[arg-type]

    def pass_(self, seconds: float, *, answering: bool = False, late: float = 0.0) -> None:
        """Let time pass in which the watchdog wakes up, each time so much too late."""
        end = self.clock.now + seconds
        while self.clock.now < end - 1e-9:
            self.clock.now += PULSE + late
            self.watchdog.look(late)
            if answering:
                self.loop.turn()


def busy() -> Activity:
    return Activity(requests={"/predict": 2})


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[FlightRecorder]:
    made = FlightRecorder(tmp_path / "flight", busy)
    made.open(0, limit=512 * 1024**2, tells=False)
    yield made
    made.close()


@pytest.fixture
def scene(recorder: FlightRecorder) -> Scene:
    return Scene(recorder)


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def block_of(recorder: FlightRecorder) -> tuple[float, bool]:
    assert recorder.slot is not None
    record = recorder.slot.read()
    assert record is not None
    assert record.block is not None
    return round(record.block.seconds, 2), record.block.over


def test_a_loop_that_answers_is_only_measured(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.pass_(2.0, answering=True)
    assert scene.meter.lags == [0.0] * 7
    assert events(caplog) == []


def test_a_block_is_reported_at_each_mark_and_when_it_is_over(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.pass_(0.25)
    scene.pass_(0.75)
    assert events(caplog) == []
    scene.pass_(70.0)
    assert events(caplog) == ["loop_blocked"] * 4
    seconds = [vars(record)["seconds"] for record in caplog.records]
    assert seconds == [1.0, 5.0, 15.0, 60.0]
    assert {vars(record)["requests"] for record in caplog.records} == {"/predict:2"}
    assert block_of(scene.recorder) == (60.0, False)
    scene.loop.turn()
    scene.pass_(0.25, answering=True)
    assert events(caplog)[4:] == ["loop_free_again"]
    assert block_of(scene.recorder) == (70.75, True)
    assert (scene.meter.blocks, scene.meter.lags) == (1, [70.75])
    scene.pass_(5.0, answering=True)
    scene.pass_(1.5)
    assert events(caplog)[5:] == ["loop_blocked"]


def test_a_process_that_is_throttled_has_no_blocked_loop(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """Half a CPU: every wait takes 0.9 s longer, so the loop takes seconds to come round."""
    scene.pass_(0.25)
    scene.pass_(3.0, late=0.9)
    assert events(caplog) == []
    scene.pass_(1.0)
    assert events(caplog) == ["loop_blocked"]


def test_a_process_that_stood_still_is_stalled_and_not_blocked(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.pass_(0.25)
    scene.clock.now += 30.0
    scene.watchdog.look(29.75)
    assert events(caplog) == ["process_stalled"]
    assert (scene.meter.blocks, scene.meter.stalls) == (0, 1)
    scene.loop.turn()
    scene.pass_(1.0, answering=True)
    assert events(caplog) == ["process_stalled"]


def test_compiled_code_that_keeps_the_lock_and_computes_has_blocked_the_loop(
    scene: Scene, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.pass_(0.5, answering=True)
    used = time.process_time()
    monkeypatch.setattr(time, "process_time", lambda: used + 3.0)
    scene.clock.now += 6.25
    scene.watchdog.look(6.0)
    assert events(caplog) == ["loop_blocked", "loop_free_again"]
    assert vars(caplog.records[0])["lock"] == "kept by compiled code"
    assert vars(caplog.records[0])["at"] == "unknown"
    assert 6.0 in scene.meter.lags


def test_the_line_that_really_blocks_is_named(
    recorder: FlightRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    meter = Meter()

    async def blocked() -> None:
        watchdog = Watchdog(asyncio.get_running_loop(), recorder, meter)
        watchdog.start()
        await asyncio.sleep(0.6)
        time.sleep(1.6)  # noqa: ASYNC251 - the line
        await asyncio.sleep(0.6)
        watchdog.stop()

    thread = threading.Thread(target=lambda: asyncio.run(blocked()))
    thread.start()
    thread.join(20)
    assert events(caplog) == ["loop_blocked", "loop_free_again"]
    stack = vars(caplog.records[0])["stack"].splitlines()
    assert vars(caplog.records[0])["at"].endswith("in blocked")
    assert Path(__file__).name in stack[0]
    assert not any("runners.py" in line for line in stack)
    assert meter.lags
    assert max(meter.lags) > 1.0


def test_a_closed_loop_ends_the_watch(recorder: FlightRecorder) -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    watchdog = Watchdog(loop, recorder, Meter())
    watchdog.start()
    eventually(lambda: not watchdog._thread.is_alive(), 5)
    watchdog.stop()


def test_a_mistake_in_the_watch_is_logged_and_the_watch_goes_on(
    recorder: FlightRecorder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    watchdog = Watchdog(Loop(), recorder, Meter())  # type: ignore[arg-type]
    calls: list[float] = []

    def fail(late: float) -> None:
        calls.append(late)
        raise ValueError

    monkeypatch.setattr(watchdog, "look", fail)
    watchdog.start()
    eventually(lambda: len(calls) > 1, 5)
    watchdog.stop()
    assert set(events(caplog)) == {"watchdog_failed"}


HELD = """
import ctypes, sys, threading, time
from pathlib import Path
from placar.box.alarm import Alarm, is_free
from placar.box.flight.slot import SlotFile

assert is_free()
slot = SlotFile.claim(Path(sys.argv[1]))
alarm = Alarm(slot)
alarm.rewind()
library = ctypes.PyDLL(None)  # keeps Python's lock
def hold():
    while time.monotonic() - began < 2.2:
        library.usleep(300_000)
began = time.monotonic()
hold()
print(alarm.stack()[0])
print(alarm.stack())  # forgotten by now
alarm.rewind()
alarm.stop()
alarm.rewind()  # too late: it would end this process
time.sleep(1.7)
"""


def test_the_alarm_names_the_line_when_no_thread_can_run(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELD, str(tmp_path / "slot-0.flight")],
        env={"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, again = done.stdout.splitlines()
    assert first == 'File "<string>", line 14 in hold'
    assert again == "()"


def test_an_alarm_that_came_when_the_process_went_on_says_nothing(
    recorder: FlightRecorder, tmp_path: Path
) -> None:
    assert recorder.slot is not None
    alarm = Alarm.__new__(Alarm)
    alarm._slot = recorder.slot
    written = b'Stack (most recent call first):\n  File "a.py", line 1 in b\n'
    assert alarm.stack() == ()
    os.write(recorder.slot.stacks, written)
    assert alarm.stack() == ()  # a moment ago: the whole process had stood still
    assert recorder.slot.stacks_text() == ""


def test_the_alarm_belongs_to_the_main_thread_alone() -> None:
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(alarm_module.is_free()))
    thread.start()
    thread.join()
    assert found == [False]
