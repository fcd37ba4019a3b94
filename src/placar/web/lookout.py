"""What keeps an eye on a worker: the watchdog of its loop and its flight recorder, wired up."""

from __future__ import annotations

import asyncio
import faulthandler
from types import TracebackType

from placar.box import alarm
from placar.box.limits import box_limit
from placar.box.watchdog import Watchdog
from placar.settings import worker_slot
from placar.web.server import report_box
from placar.web.state import AppState
from placar.web.stopping import running_server

_STDERR = 2


class Lookout:
    """Watches for as long as the worker lives: ``async with Lookout(state):``."""

    def __init__(self, state: AppState) -> None:
        """Prepare; nothing runs yet."""
        self._state = state
        self._recorder = state.recorder
        self._watchdog: Watchdog | None = None
        self._keeps_faults = False

    async def __aenter__(self) -> None:
        """Take a slot of the recorder and let the watchdog out."""
        # A server owns its process. In anybody else's, such as a test, signals are not ours.
        served = running_server() is not None
        may_ring = served and alarm.is_free()
        await asyncio.to_thread(self._open, served=served)
        slot = self._recorder.slot
        ring = None
        if slot is not None and served:
            faulthandler.enable(file=slot.stacks, all_threads=True)
            self._keeps_faults = True
            ring = alarm.Alarm(slot) if may_ring else None
        loop = asyncio.get_running_loop()
        self._watchdog = Watchdog(loop, self._recorder, self._state.meters, alarm=ring)
        self._watchdog.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Call the watchdog in, and say that the worker stopped as it should."""
        await asyncio.to_thread(self._close)

    def _open(self, *, served: bool) -> None:
        settings, slot = self._state.settings, worker_slot()
        limit = box_limit(settings)
        self._recorder.open(slot or 0, limit=limit.bytes, tells=slot is None)
        if slot is None and served:  # no master has done so
            report_box(settings, settings.workers or 1)

    def _close(self) -> None:
        if self._watchdog is not None:
            self._watchdog.stop()
        if self._keeps_faults:
            faulthandler.enable(file=_STDERR, all_threads=True)  # the other file is given back
        self._recorder.close()
