"""Keeping the slot filled with the champion: load off the loop, swap, then let the old one go."""

from __future__ import annotations

import logging
import time
from threading import Lock

from placar.errors import PackageError
from placar.scoring.load import load_scorer
from placar.scoring.scorer import Scorer
from placar.scoring.slot import Slot
from placar.store.records import VersionRecord
from placar.web.memory import give_memory_back
from placar.web.metrics import Meters
from placar.web.readiness import Readiness
from placar.web.services import Services

_log = logging.getLogger(__name__)

RETRY = 10.0
"""Seconds after which a refused champion is tried again."""


class ChampionKeeper:
    """Follows the registry's champion. Called by the ticker, and right after a promotion here."""

    def __init__(self, model: str | None, slot: Slot, meters: Meters, readiness: Readiness) -> None:
        """Keep ``slot`` filled with the champion of ``model`` (None: the first one made)."""
        self._model = model
        self._slot = slot
        self._meters = meters
        self._readiness = readiness
        self._lock = Lock()
        self._retry_at = 0.0
        self._told: set[str] = set()
        self.generation = -1
        """The registry's generation that was last acted upon."""

    def refresh(self, services: Services) -> None:
        """Bring the slot up to date if any champion changed. May block; cheap when none did.

        A champion whose package is refused does not answer: the one in the slot stays, and an
        empty slot gets the latest earlier champion that can be loaded. Now and then the refused
        one is tried again, as somebody may have put its files back.

        Raises:
            StoreUnavailable: nothing changed here.
        """
        with self._lock:
            generation = services.registry.generation()
            again = self._readiness.refused and time.monotonic() >= self._retry_at
            if generation != self.generation or again:
                self._bring(services)
                self._retry_at = time.monotonic() + RETRY
                self.generation = generation

    def _bring(self, services: Services) -> None:
        record = services.registry.champion(self._model)
        if record is None:
            if self._model is not None:
                self._readiness.refused = (
                    f"The model {self._model}, which PLACAR_MODEL names, has no champion."
                )
            return
        current = self._slot.current
        if current is not None and (current.model, current.version) == (record.model, record.short):
            self._readiness.refused = ""
            return
        scorer = self._load(services, record)
        if scorer is not None:
            self._readiness.refused = ""
            self._swap(scorer)
        elif current is None or current.model != record.model:
            self._fall_back(services, record.model)

    def _fall_back(self, services: Services, model: str) -> None:
        refused = self._readiness.refused
        for earlier in services.registry.fallback(model):
            scorer = self._load(services, earlier)
            if scorer is not None:
                self._readiness.refused = f"{refused} The earlier version {scorer.version} answers."
                self._swap(scorer)
                return
        self._readiness.refused = refused

    def _load(self, services: Services, record: VersionRecord) -> Scorer | None:
        try:
            return load_scorer(services.packages.path(record.version), record.version)
        except PackageError as error:
            fields = {
                "model": record.model,
                "version": record.short,
                "code": error.code,
                "why": error.message,
            }
            refused = f"Version {record.short} of {record.model} was refused: {error.message}"
            if refused not in self._told:  # else it is being tried again
                _log.error("champion_refused", extra=fields)
                self._told.add(refused)
            if not self._readiness.refused.startswith(refused):
                self._readiness.refused = refused
            return None

    def _swap(self, scorer: Scorer) -> None:
        if self._slot.current is not None:
            self._meters.swaps += 1
        self._slot.swap(scorer)
        give_memory_back()
        _log.info("champion_answers", extra={"model": scorer.model, "version": scorer.version})
