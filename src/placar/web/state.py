"""What one worker knows: made with the application, filled when the worker starts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import ParamSpec, TypeVar

from placar.box.cpu_share import CpuShare
from placar.box.flight.record import Activity
from placar.box.flight.recorder import FlightRecorder
from placar.errors import StoreUnavailable
from placar.scoring.slot import Slot
from placar.settings import Settings, worker_slot
from placar.store.database import Store
from placar.web.admission import Admission
from placar.web.auth import KeyRing
from placar.web.champion import ChampionKeeper
from placar.web.metrics import MeterFiles, Meters
from placar.web.readiness import Readiness
from placar.web.server import admin_key, cpus_for_rows, room_for_bodies
from placar.web.services import Services
from placar.web.shelf import Shelf

P = ParamSpec("P")
T = TypeVar("T")

COMPUTING_THREADS = 2
"""For batches and large rows. More would only queue for the processor."""


_UNMEASURED_ROOM = 256 * 1024**2
"""Bytes for bodies until ``start`` has looked at the box."""


class AppState:
    """The memory of one worker. Holds no thread, no open file and no store before ``start``."""

    def __init__(self, settings: Settings) -> None:
        """Prepare; safe before a fork."""
        self.settings = settings
        self.slot = Slot()
        self.keys = KeyRing(admin_key(settings))
        self.meters = Meters()
        self.admission = Admission(_UNMEASURED_ROOM, self.meters)
        self.readiness = Readiness(self.slot)
        self.keeper = ChampionKeeper(settings.model, self.slot, self.meters, self.readiness)
        self.shelf = Shelf(self.slot, self.keeper)
        self.stopping = Event()
        """Set when the server begins to stop, before it waits for what still runs."""
        self.files = MeterFiles(settings.metrics, 0, self.meters)
        self.recorder = FlightRecorder(settings.flight, self.activity)
        self._inherited: Store | None = None
        self._services: Services | None = None
        self._pool: ThreadPoolExecutor | None = None

    @property
    def services(self) -> Services:
        """The services over the store.

        Raises:
            StoreUnavailable: it could not be opened yet.
        """
        if self._services is None:
            raise StoreUnavailable
        return self._services

    @property
    def opened(self) -> bool:
        """The store has been opened."""
        return self._services is not None

    def inherit(self, store: Store) -> None:
        """Take a store that the master prepared, with every connection closed."""
        self._inherited = store

    def open(self) -> None:
        """Open the store, and learn the keys and the champion from it. May block.

        Raises:
            StoreUnavailable: it cannot be reached; try again later.
            ConfigurationError: its address cannot be used.
            DiskFull: the home cannot be made or written to.
        """
        if self._inherited is not None:
            services = Services.over(self._inherited, self.settings)
        else:
            services = Services.open(self.settings)
        try:
            self.keys.replace(services.keys.active())
            self.keeper.refresh(services)
        except BaseException:
            services.close()
            raise
        self.readiness.store_answered()
        self._services = services

    def start(self) -> None:
        """Make the thread pool, and go on counting where this slot's last worker stopped."""
        self.files = MeterFiles(self.settings.metrics, worker_slot() or 0, self.meters)
        self.files.resume()
        self.admission.bodies.room = room_for_bodies(self.settings)
        self.admission.rows.cpu = CpuShare(cpus_for_rows(self.settings))
        self._pool = ThreadPoolExecutor(COMPUTING_THREADS, thread_name_prefix="placar-compute")

    def close(self) -> None:
        """Give back what ``start`` and ``open`` took. May block."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None
        if self._services is not None:
            self._services.close()
            self._services = None

    def activity(self) -> Activity:
        """Return what this worker is busy with. For any thread; takes microseconds."""
        requests, oldest = self.meters.in_flight()
        champion = self.slot.current
        return Activity(
            requests=requests,
            oldest_request=round(oldest, 3),
            runs=self._services.runs.followed if self._services is not None else (),
            champion=f"{champion.model} {champion.version}" if champion is not None else "",
            stopping=self.stopping.is_set(),
        )

    async def compute(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run CPU work in the worker's pool, so that the loop stays free."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, lambda: work(*args, **kwargs))
