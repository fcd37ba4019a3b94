"""The worker's one housekeeping thread: champion, keys, metrics, runs without a follower."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from placar.box.guard import find_gauge
from placar.box.limits import box_limit
from placar.errors import DiskFull, StoreUnavailable
from placar.settings import worker_master
from placar.web.state import AppState

_log = logging.getLogger(__name__)

_TICK = 0.25


@dataclass(slots=True)
class Chore:
    """Something to be done again and again."""

    every: float
    work: Callable[[], object]
    due: float = 0.0
    """On the monotonic clock."""


class Ticker:
    """Does the chores in turn, in one daemon thread, until it is stopped."""

    def __init__(self, state: AppState, *more: Chore) -> None:
        """Prepare; nothing runs yet.

        Args:
            state: the worker's.
            more: chores beside those that every worker has.
        """
        self._state = state
        self._master = worker_master()
        self._gauge = find_gauge(box_limit(state.settings))
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="placar-ticker", daemon=True)
        self._chores: tuple[Chore, ...] = (
            Chore(0.5, self._with_store(self._follow_champion)),
            Chore(1.0, self._with_store(self._refresh_keys)),
            Chore(1.0, state.files.flush),
            Chore(2.0, self._with_store(self._adopt_runs)),
            Chore(1.0, self._leave_with_the_master),
            Chore(0.5, self._look_at_the_box),
            *more,
        )

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the chore that is being done; wait for it a moment."""
        self._over.set()
        self._thread.join(timeout=5.0)

    def _run(self) -> None:
        while not self._over.wait(_TICK):
            for chore in self._chores:
                if time.monotonic() >= chore.due and not self._over.is_set():
                    self._do(chore)

    def _do(self, chore: Chore) -> None:
        try:
            chore.work()
        except Exception:  # noqa: BLE001 - an outermost loop: it logs and goes on
            _log.exception("chore_failed")
        chore.due = time.monotonic() + chore.every

    def _with_store(self, work: Callable[[], None]) -> Callable[[], None]:
        """Return ``work`` with the store's trouble noted, and its recovery."""

        def noted() -> None:
            try:
                if not self._state.opened:
                    self._state.open()
                work()
            except (StoreUnavailable, DiskFull) as error:
                self._state.readiness.store_lost(error)
            else:
                self._state.readiness.store_answered()

        return noted

    def _leave_with_the_master(self) -> None:
        # A worker whose master was killed would serve on and keep the port from the next one.
        if self._master is not None and os.getppid() != self._master:
            _log.error("master_is_gone")
            os.kill(os.getpid(), signal.SIGTERM)

    def _look_at_the_box(self) -> None:
        if self._gauge is not None:
            self._state.admission.box_use = self._gauge.pressure()

    def _follow_champion(self) -> None:
        self._state.keeper.refresh(self._state.services)

    def _refresh_keys(self) -> None:
        self._state.keys.replace(self._state.services.keys.active())

    def _adopt_runs(self) -> None:
        if not self._state.stopping.is_set():
            self._state.services.runs.adopt_stale()
