"""Watching the event loop from a thread: how late it answers, and which line blocks it.

Four times a second the thread asks the loop to answer. An answer that does not come for a second
is a blocked loop: the stack of the loop's thread is logged and recorded, again after 5, 15 and
60 seconds. A small CPU quota is no block: time in which this thread could not run itself does
not count. When it could not run for a second, either compiled code kept Python's lock, or the
whole process stood still; ``Alarm`` and the CPU time that was used tell which.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from placar.box.alarm import Alarm
from placar.box.flight.crashes import told
from placar.box.flight.record import Block
from placar.box.flight.recorder import FlightRecorder
from placar.box.flight.stacks import place, stack_of

_log = logging.getLogger(__name__)

PULSE = 0.25
MARKS = (1.0, 5.0, 15.0, 60.0)
"""Seconds of one block after which it is reported."""
_STILL = 1.0
"""Seconds without running, beyond its pause, after which this thread asks why."""
_BUSY = 0.25
"""Of that time, how much CPU time says that something in the process ran: half of a small quota."""
_PATIENCE = 2.0


class LoopMeter(Protocol):
    """Counts what the watchdog sees."""

    def loop_answered(self, lag: float) -> None:
        """Count an answer that took so many seconds."""

    def loop_blocked(self) -> None:
        """Count a block; once, when it is first reported."""

    def process_stalled(self) -> None:
        """Count a time in which the whole process stood still."""


class Beat:
    """A question to the loop."""

    def __init__(self, sent: float, clock: Callable[[], float]) -> None:
        """Remember when it was asked."""
        self._clock = clock
        self.sent = sent
        self.answered: float | None = None
        self.excused = 0.0
        """Seconds of the wait that are not the loop's fault."""

    def answer(self) -> None:
        """Called by the loop."""
        self.answered = self._clock()


class Watchdog:
    """One daemon thread for one loop, which must run in the thread that makes this."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        recorder: FlightRecorder,
        meter: LoopMeter,
        *,
        alarm: Alarm | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; nothing runs yet."""
        self._loop = loop
        self._watched = threading.get_ident()
        self._recorder = recorder
        self._meter = meter
        self._alarm = alarm
        self._clock = clock
        self._beat: Beat | None = None
        self._reported = 0
        """How many of ``MARKS`` the present block has passed."""
        self._stack: tuple[str, ...] = ()
        """Of the block that was reported."""
        self._seen: tuple[str, ...] = ()
        """Of the loop that owes an answer, when last looked at."""
        self._at_work = ""
        """The requests in flight then."""
        self._lag = 0.0
        self._cpu = time.process_time()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="placar-watchdog", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; wait for it a moment."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(_PATIENCE)
        if self._alarm is not None:
            self._alarm.stop()

    def look(self, late: float) -> None:
        """Do what is to be done four times a second.

        Args:
            late: seconds by which this thread woke up later than it wanted.
        """
        if self._alarm is not None:
            self._alarm.rewind()
        cpu = time.process_time()
        if late >= _STILL:
            self._explain(late, used=cpu - self._cpu)
        elif self._beat is not None:
            # While the process computed, it was not frozen: something kept Python's lock.
            self._beat.excused += max(0.0, late - (cpu - self._cpu))
        self._cpu = cpu
        self._listen()
        self._recorder.beat(self._lag)

    def _run(self) -> None:
        while True:
            began = self._clock()
            if self._over.wait(PULSE):
                return
            try:
                self.look(self._clock() - began - PULSE)
            except RuntimeError:  # the loop is closed
                return
            except Exception:  # noqa: BLE001 - an outermost loop: it logs and goes on
                _log.exception("watchdog_failed")

    def _listen(self) -> None:
        """Take the loop's answer and ask again, or see for how long there has been none."""
        beat = self._beat
        if beat is None:
            self._ask()
        elif beat.answered is not None:
            self._answered(beat.answered - beat.sent, beat.excused)
            self._ask()
        else:
            self._waiting(beat)

    def _ask(self) -> None:
        self._beat = Beat(self._clock(), self._clock)
        self._loop.call_soon_threadsafe(self._beat.answer)

    def _answered(self, lag: float, excused: float) -> None:
        self._lag = lag
        self._meter.loop_answered(lag)
        if not self._reported and lag - excused >= MARKS[0]:
            # Compiled code let this thread have Python's lock too seldom to say so in time.
            self._report(lag, self._seen, requests=self._at_work)
        self._seen, self._at_work = (), ""
        if self._reported:
            self._free(lag)

    def _waiting(self, beat: Beat) -> None:
        seconds = self._clock() - beat.sent - beat.excused
        self._lag = seconds
        stack = stack_of(self._watched)
        if beat.answered is not None:
            return  # this is the stack of what came after
        self._seen, self._at_work = stack, told(self._recorder.activity().requests)
        if self._reported < len(MARKS) and seconds >= MARKS[self._reported]:
            self._report(seconds, stack)

    def _explain(self, late: float, used: float) -> None:
        """Say why this thread could not run: something kept Python's lock, or nothing ran."""
        stack = self._alarm.stack() if self._alarm is not None else ()
        if not stack and used < _BUSY * late:
            self._meter.process_stalled()
            _log.warning("process_stalled", extra={"seconds": round(late, 2)})
            if self._beat is not None:
                self._beat.excused += late
            return
        self._report(late, stack, lock="kept by compiled code")
        if self._beat is None or self._beat.answered is not None:  # it came before all that
            self._meter.loop_answered(late)
            self._free(late)

    def _report(self, seconds: float, stack: tuple[str, ...], **fields: str) -> None:
        if not self._reported:
            self._meter.loop_blocked()
        while self._reported < len(MARKS) and seconds >= MARKS[self._reported]:
            self._reported += 1
        self._stack = stack
        self._recorder.blocked(Block(seconds=seconds, stack=stack))
        requests = fields.pop("requests", "") or told(self._recorder.activity().requests)
        extra = {
            "seconds": round(seconds, 2),
            "at": place(stack) or "unknown",
            "requests": requests or "none",
            **fields,
            "stack": "\n".join(stack),
        }
        _log.warning("loop_blocked", extra=extra)

    def _free(self, seconds: float) -> None:
        self._reported = 0
        _log.warning("loop_free_again", extra={"seconds": round(seconds, 2)})
        self._recorder.blocked(Block(seconds=seconds, stack=self._stack, over=True))
