"""The services over one store, opened by each worker for itself, after the fork."""

from __future__ import annotations

from dataclasses import dataclass

from placar.registry.registry import Registry
from placar.runs.service import RunService
from placar.settings import Settings
from placar.store.database import Store
from placar.store.keys import KeyStore
from placar.store.packages import PackageFolder
from placar.store.runs import RunStore


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that reads or writes the store. Its methods may block: not for the event loop."""

    store: Store
    packages: PackageFolder
    registry: Registry
    runs: RunService
    keys: KeyStore

    @classmethod
    def open(cls, settings: Settings) -> Services:
        """Open the store, creating or migrating it where needed. May block.

        Raises:
            ConfigurationError: the database's address cannot be used.
            DiskFull: the home cannot be made or written to.
            StoreUnavailable: the database cannot be reached.
        """
        return cls.over(Store.open(settings), settings)

    @classmethod
    def over(cls, store: Store, settings: Settings) -> Services:
        """Return the services over a store that is open."""
        packages = PackageFolder(settings.packages)
        registry = Registry(store, packages)
        runs = RunService(store, registry, settings)
        return cls(store, packages, registry, runs, KeyStore(store))

    def rehearse(self) -> None:
        """Ask once what every worker asks again and again: compiled queries are then shared.

        For the master, before it closes the store and forks: each worker saves megabytes.
        """
        for _ in range(2):  # the first time prepares, the second compiles
            self.keys.active()
            self.registry.generation()
            self.registry.champion(None)
            RunStore(self.store).abandoned(machine="")

    def close(self) -> None:
        """Give up runs that are followed here, others take them up; then close connections."""
        self.runs.close()
        self.store.close()
