"""A worker's own side of the flight recorder: it writes down how it is, about once a second.

Called by the watchdog's thread, never by the event loop; nothing here raises for what the disk
does. Nothing is synced either: what a process has written survives it, and a machine that loses
its power loses a second at most and the reason is known.
"""

from __future__ import annotations

import logging
import os
import resource
import threading
import time
from collections.abc import Callable
from pathlib import Path

from placar.box.cgroup import oom_kills, read_text
from placar.box.flight.crashes import CrashFolder
from placar.box.flight.record import Activity, Block, Crash, CrashBook, Memory, Record
from placar.box.flight.slot import SlotFile
from placar.box.limits import memory_use
from placar.box.process import identify, machine

_log = logging.getLogger(__name__)

EVERY = 1.0
"""Seconds between two records."""
_SLOTS = 64
_STATM = Path("/proc/self/statm")


class FlightRecorder:
    """Writes the record of one worker, and knows the last crash of them all."""

    def __init__(self, folder: Path, look: Callable[[], Activity]) -> None:
        """Prepare; safe before a fork.

        Args:
            folder: of all slots and crashes.
            look: returns what this worker is busy with; called by other threads.
        """
        self.crashes = CrashFolder(folder)
        self.book = CrashBook()
        """What is known of crashes, as plain memory."""
        self._folder = folder
        self._limit = 0
        self._has_master = False
        self._look = look
        self._slot: SlotFile | None = None
        self._lock = threading.Lock()
        self._due = 0.0
        self._lag = 0.0
        self._block: Block | None = None
        self._book_changed = -1
        self._complained = False
        self._memory: Memory | None = None
        self._origin = (0.0, (0, 0), "")

    def open(self, slot: int, *, limit: int, tells: bool) -> None:
        """Report and clear away what an earlier worker left, then take a slot. May block.

        Args:
            slot: the number to take; another one where somebody else has it.
            limit: memory of the box in bytes.
            tells: no master has reported the last crash, so this worker does.
        """
        self._limit = limit
        self._has_master = not tells
        parent = identify(os.getppid())
        origin = (parent.pid, parent.started) if parent is not None else (0, 0)
        self._origin = (time.time(), origin, machine())
        try:
            self.crashes.recover()
            if tells:
                self.crashes.tell()
            self._slot = self._claim(slot)
            if self._slot is not None:
                self._slot.clear_stacks()
        except OSError as error:
            self._complain(error)
        self.beat(0.0)

    @property
    def slot(self) -> SlotFile | None:
        """The file of this worker; None where nothing can be kept."""
        return self._slot

    @property
    def last_crash(self) -> Crash | None:
        """The last crash of any worker, as far as this one has heard."""
        return self.book.last

    def activity(self) -> Activity:
        """Return what this worker is busy with."""
        return self._look()

    def beat(self, lag: float) -> None:
        """Write the record again if it is time for that.

        Args:
            lag: seconds that the loop last took to answer.
        """
        self._lag = lag
        if time.monotonic() >= self._due:
            self.write()

    def blocked(self, block: Block) -> None:
        """Write down at once that the loop is blocked, or was."""
        self._block = block
        self.write(measure=False)

    def write(self, *, ended: bool = False, measure: bool = True) -> None:
        """Write the record now. Threads may meet here.

        Args:
            ended: the worker stops as it should.
            measure: look at the memory as well. Each file that is read gives Python's lock away,
                and where something hardly lets go of it, it may not come back in time.
        """
        with self._lock:
            self._due = time.monotonic() + EVERY
            self._read_book()
            if self._slot is None:
                return
            try:
                if measure or self._memory is None:
                    self._memory = self._measured()
                self._slot.write(self._record(self._memory, ended=ended))
            except OSError as error:
                self._complain(error)
            else:
                self._complained = False

    def close(self) -> None:
        """Say that this worker stopped as it should, and give its slot back.

        One that stopped because its master was killed is reported all the same: no master can be.
        """
        self.write(ended=True)
        with self._lock:
            slot, self._slot = self._slot, None
        if slot is not None:
            slot.close()

    def _claim(self, wanted: int) -> SlotFile | None:
        others = (number for number in range(_SLOTS) if number != wanted)
        for number in (wanted, *others):
            slot = SlotFile.claim(self._folder / f"slot-{number}.flight")
            if slot is not None:
                return slot
        return None

    def _measured(self) -> Memory:
        return Memory(
            worker=_resident(), box=memory_use(), limit=self._limit, oom_kills=oom_kills()
        )

    def _record(self, memory: Memory, *, ended: bool) -> Record:
        began, parent, here = self._origin
        return Record(
            pid=os.getpid(),
            parent=parent,
            machine=here,
            began=began,
            seen=time.time(),
            memory=memory,
            activity=self._look(),
            lag=self._lag,
            block=self._block,
            orphaned=self._has_master and os.getppid() != parent[0],
            ended=ended,
        )

    def _read_book(self) -> None:
        try:
            changed = self.crashes.book_path.stat().st_mtime_ns
        except OSError:  # nothing has crashed yet
            return
        if changed != self._book_changed:
            self._book_changed = changed
            self.book = self.crashes.book()

    def _complain(self, error: OSError) -> None:
        if not self._complained:
            _log.warning("flight_not_recorded", extra={"error": error.strerror})
        self._complained = True


def _resident() -> int:
    """Return the bytes of memory that this process has resident, 0 where nobody tells."""
    words = read_text(_STATM).split()
    return int(words[1]) * resource.getpagesize() if len(words) > 1 else 0
