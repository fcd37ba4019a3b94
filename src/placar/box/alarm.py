"""The second line of the watchdog: the kernel's timer, for when no thread can run.

Compiled code that keeps Python's lock stops the watchdog's thread as well. The thread therefore
winds a timer of the kernel whenever it runs; when it no longer does, the kernel's signal makes
``faulthandler`` write the stack of the main thread to a file. That needs no lock, and it is safe:
the thread that is interrupted writes about itself (``faulthandler.dump_traceback_later`` would
read the stack of a thread that may go on meanwhile).
"""

from __future__ import annotations

import faulthandler
import signal
import threading
import time

from placar.box.flight.slot import SlotFile
from placar.box.flight.stacks import failed_stack

AFTER = 1.5
"""Seconds without a sign of life from the watchdog's thread."""

_SINCE = 0.3
"""A stack that was written so many seconds ago was written while nothing else ran."""


class Alarm:
    """Writes the main thread's stack when the watchdog's thread does not rewind it in time."""

    def __init__(self, slot: SlotFile) -> None:
        """Take SIGALRM; see ``is_free``."""
        self._slot = slot
        self._lock = threading.Lock()
        self._stopped = False
        faulthandler.register(signal.SIGALRM, file=slot.stacks, all_threads=False)

    def rewind(self) -> None:
        """Show life."""
        with self._lock:  # wound up after its end it would end the process
            if not self._stopped:
                signal.setitimer(signal.ITIMER_REAL, AFTER)

    def stop(self) -> None:
        """Never ring again."""
        with self._lock:
            self._stopped = True
            signal.setitimer(signal.ITIMER_REAL, 0.0)
        faulthandler.unregister(signal.SIGALRM)

    def stack(self) -> tuple[str, ...]:
        """Return the stack that was written while the watchdog could not run, and forget it.

        Empty when there is none, or when it was written only just now: then the whole process
        had stood still, and the signal came when it went on.
        """
        try:
            text, written = self._slot.stacks_text(), self._slot.written()
            if text:
                self._slot.clear_stacks()
        except OSError:
            return ()
        if time.time() - written < _SINCE:
            return ()
        return failed_stack(text)


def is_free() -> bool:
    """Tell whether this process's alarm may be taken: by its main thread, while nobody uses it."""
    return (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
        and signal.getitimer(signal.ITIMER_REAL)[0] == 0
    )
