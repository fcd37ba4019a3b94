"""What most commands need: the store and the services on it, opened once and closed.

The services are imported when they are opened: ``placar --help`` should not wait for a database.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from placar.errors import NoChampion

if TYPE_CHECKING:
    from placar.registry.registry import Registry
    from placar.runs.service import RunService
    from placar.scoring.scorer import Scorer
    from placar.settings import Settings
    from placar.store.keys import KeyStore
    from placar.store.packages import PackageFolder
    from placar.store.records import VersionRecord


@dataclass(frozen=True, slots=True)
class Workspace:
    """Settings, and the services over one store."""

    settings: Settings
    packages: PackageFolder
    registry: Registry
    runs: RunService
    keys: KeyStore

    def version(self, wanted: str | None) -> VersionRecord:
        """Return the version that ``NAME``, ``NAME@VERSION`` or nothing means.

        Raises:
            ModelNotFound: no such model.
            VersionNotFound: no such version.
            NoChampion: a model alone was named (or none), and it has no champion.
        """
        name, _, prefix = (wanted or "").partition("@")
        if prefix:
            return self.registry.version(name, prefix)
        model = self.registry.default_model(name or self.settings.model)
        if model is not None:
            self.registry.model(model)
        champion = self.registry.champion(model) if model else None
        if champion is None:
            raise NoChampion
        return champion

    def scorer(self, wanted: str | None) -> Scorer:
        """Return the scorer of a version, verified; see ``version``."""
        from placar.scoring.load import load_scorer

        record = self.version(wanted)
        return load_scorer(self.packages.path(record.version), record.version)


@contextmanager
def workspace(settings: Settings | None = None) -> Iterator[Workspace]:
    """Open the store, hand out the services, close the store."""
    from placar.registry.registry import Registry
    from placar.runs.service import RunService
    from placar.settings import read_settings
    from placar.store.database import Store
    from placar.store.keys import KeyStore
    from placar.store.packages import PackageFolder

    settings = settings or read_settings()
    store = Store.open(settings)
    try:
        packages = PackageFolder(settings.packages)
        registry = Registry(store, packages)
        runs = RunService(store, registry, settings)
        yield Workspace(settings, packages, registry, runs, KeyStore(store))
    finally:
        store.close()
