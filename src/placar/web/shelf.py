"""Scorers of versions that are asked for by name: a few are kept, the least recently used go."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from contextlib import suppress

from placar.errors import NoChampion, PackageError
from placar.scoring.load import load_scorer
from placar.scoring.scorer import Scorer
from placar.scoring.slot import Slot
from placar.store.records import VersionRecord
from placar.web.champion import ChampionKeeper
from placar.web.memory import give_memory_back
from placar.web.services import Services

_log = logging.getLogger(__name__)

CAPACITY = 3
"""Scorers kept per worker, beside the champion."""

_MOST_NAMES = 256


class Shelf:
    """Finds the scorer that a model's name, or a model's and a version's, means."""

    def __init__(self, slot: Slot, keeper: ChampionKeeper) -> None:
        """Share the champion's slot."""
        self._slot = slot
        self._keeper = keeper
        self._scorers: OrderedDict[str, Scorer] = OrderedDict()
        self._names: dict[tuple[str, str | None], str] = {}
        self._generation = keeper.generation
        self._loading = asyncio.Lock()

    def at_hand(self, model: str, version: str | None) -> Scorer | None:
        """Return the scorer if it is loaded and known by this name: no waiting, no store."""
        if self._generation != self._keeper.generation:
            self._names.clear()  # another version may be the champion now
            self._generation = self._keeper.generation
        current = self._slot.current
        if version is None and current is not None and current.model == model:
            return current
        name = self._names.get((model, version))
        scorer = self._scorers.get(name) if name is not None else None
        if scorer is not None:
            self._scorers.move_to_end(scorer.version)
        return scorer

    async def fetch(self, services: Services, model: str, version: str | None) -> Scorer:
        """Return the scorer, loading it in a thread when it is not at hand.

        Raises:
            ModelNotFound: there is no such model.
            VersionNotFound: there is no such version.
            NoChampion: the model has none, and no version was named.
            PackageError: the version cannot answer.
        """
        async with self._loading:  # one at a time: memory is small, and two may want the same
            found = self.at_hand(model, version)
            if found is None:
                generation = self._keeper.generation
                found = await asyncio.to_thread(self._load, services, model, version)
                self._put(found)
                if generation == self._keeper.generation:
                    self._name(found, model, version)
                # Else the champion may have changed since we looked: the next request looks again.
            return found

    def _load(self, services: Services, model: str, version: str | None) -> Scorer:
        record = _record(services, model, version)
        try:
            return self._scorer(services, record)
        except PackageError as refused:
            if version is not None:
                raise
            # As for the model that the slot follows: the latest earlier champion that can answer.
            for earlier in services.registry.fallback(model):
                with suppress(PackageError):
                    found = self._scorer(services, earlier)
                    fields = {"model": model, "version": record.short, "code": refused.code}
                    _log.error("champion_refused", extra=fields)
                    return found
            raise

    def _scorer(self, services: Services, record: VersionRecord) -> Scorer:
        current = self._slot.current
        kept = self._scorers.get(record.short)
        if kept is not None:
            return kept
        if current is not None and (current.model, current.version) == (record.model, record.short):
            return current
        scorer = load_scorer(services.packages.path(record.version), record.version)
        give_memory_back()
        return scorer

    def _put(self, scorer: Scorer) -> None:
        self._scorers[scorer.version] = scorer
        self._scorers.move_to_end(scorer.version)
        while len(self._scorers) > CAPACITY:
            self._scorers.popitem(last=False)

    def _name(self, scorer: Scorer, model: str, version: str | None) -> None:
        if len(self._names) >= _MOST_NAMES:
            self._names.clear()
        self._names[model, version] = scorer.version


def _record(services: Services, model: str, version: str | None) -> VersionRecord:
    if version is not None:
        return services.registry.version(model, version)
    services.registry.model(model)
    champion = services.registry.champion(model)
    if champion is None:
        raise NoChampion(
            f"The model {model} has no champion yet.",
            way_out=f"Promote one of its versions; GET /models/{model} lists them.",
        )
    return champion
