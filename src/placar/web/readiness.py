"""Whether this worker is ready, as plain memory: ``/ready`` reads it, the ticker writes it."""

from __future__ import annotations

import logging
import time

from placar.errors import PlacarError
from placar.scoring.slot import Slot

_log = logging.getLogger(__name__)

STORE_PATIENCE = 15.0
"""Seconds without any word from the store after which it counts as lost."""


class Readiness:
    """What is known about the champion and the store. Every write is one assignment."""

    def __init__(self, slot: Slot) -> None:
        """Start with nothing known."""
        self._slot = slot
        self._store_answered: float | None = None
        self._store_trouble = "The store has not answered yet."
        self._lost = False
        self.refused = ""
        """Why the champion that the registry names does not answer; empty when it does."""

    @property
    def store_reachable(self) -> bool:
        """The store answered lately."""
        answered = self._store_answered
        return (
            not self._store_trouble
            and answered is not None
            and time.monotonic() - answered < STORE_PATIENCE
        )

    def store_answered(self) -> None:
        """Note that the store answered; log it when it had been lost."""
        if self._lost:
            _log.warning("store_is_back")
        self._lost = False
        self._store_answered = time.monotonic()
        self._store_trouble = ""

    def store_lost(self, error: PlacarError) -> None:
        """Note that the store did not answer; log it once."""
        if not self._lost:
            _log.error("store_lost", extra={"why": error.message})
        self._lost = True
        self._store_trouble = error.message

    def reasons(self) -> tuple[str, ...]:
        """Return why this worker is not ready; nothing when it is."""
        found = []
        if self._slot.current is None:
            found.append(self.refused or "No model has been promoted yet.")
        if not self.store_reachable:
            found.append(self._store_trouble or "The store has not answered for a while.")
        return tuple(found)

    def notes(self) -> tuple[str, ...]:
        """Return what is worth knowing though the worker is ready."""
        return (self.refused,) if self.refused else ()
