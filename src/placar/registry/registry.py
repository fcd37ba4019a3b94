"""Models and versions: registering, promoting, rolling back.

A version is registered or promoted only after its package proved itself on this machine
(hashes, format, golden rows); when it does not, the champion stays as it is.
"""

from __future__ import annotations

import difflib
import logging
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from placar.errors import (
    IllegalTransition,
    ModelNotFound,
    PackageDamaged,
    PackageError,
    VersionNotFound,
)
from placar.package.manifest import Manifest
from placar.package.reader import read_package
from placar.registry.gates import GateVerdict, gate
from placar.registry.history import champions
from placar.scoring.load import load_scorer
from placar.store.database import Store
from placar.store.models import ModelStore, check_model_name
from placar.store.packages import PackageFolder
from placar.store.records import ModelRecord, PromotionRecord, Publication, VersionRecord

log = logging.getLogger(__name__)

_PREFIX = re.compile(r"[0-9a-f]{6,64}")


class Proven(Protocol):
    """What comes of a package that proved itself."""

    @property
    def manifest(self) -> Manifest:
        """The package's manifest."""


class Registry:
    """Which versions there are, and which one answers."""

    def __init__(
        self,
        store: Store,
        packages: PackageFolder,
        *,
        prove: Callable[[Path, str], Proven] = load_scorer,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Use the tables of ``store`` and the files of ``packages``.

        Args:
            store: where models and versions are written down.
            packages: where their files are.
            prove: raises PackageError for a package that is not fit to answer.
            clock: seconds since the epoch.
        """
        self.packages = packages
        self._models = ModelStore(store, clock)
        self._prove = prove

    def models(self) -> tuple[ModelRecord, ...]:
        """Return every model, oldest first."""
        return self._models.models()

    def model(self, name: str) -> ModelRecord:
        """Return one model.

        Raises:
            ModelNotFound: there is none of this name.
        """
        found = self._models.model(name)
        if found is None:
            names = [model.name for model in self._models.models()]
            meant = difflib.get_close_matches(name, names, n=1)
            raise ModelNotFound(way_out=f"Did you mean {meant[0]}?" if meant else None)
        return found

    def default_model(self, wanted: str | None) -> str | None:
        """Return ``wanted``, or else the first model that was ever promoted, if there is one."""
        return wanted if wanted is not None else self._models.first_promoted()

    def versions(self, model: str) -> tuple[VersionRecord, ...]:
        """Return a model's versions, newest first.

        Raises:
            ModelNotFound: there is no such model.
        """
        return self._models.versions(self.model(model).name)

    def version(self, model: str, prefix: str) -> VersionRecord:
        """Return the version whose name begins with ``prefix``, 6 hexadecimal digits or more.

        Raises:
            ModelNotFound: there is no such model.
            VersionNotFound: none, or more than one, begins like this.
        """
        name = self.model(model).name
        if _PREFIX.fullmatch(prefix) is None:
            raise VersionNotFound("A version is named by 6 to 64 hexadecimal digits.")
        found = self._models.versions_like(name, prefix)
        if len(found) > 1:
            raise VersionNotFound(f"{len(found)} versions begin with {prefix}; give more digits.")
        if not found:
            raise VersionNotFound
        return found[0]

    def champion(self, model: str | None) -> VersionRecord | None:
        """Return the version that answers for a model (None: the default one), if there is one."""
        name = self.default_model(model)
        return self._models.champion(name) if name is not None else None

    def fallback(self, model: str) -> tuple[VersionRecord, ...]:
        """Return the earlier champions that a model can go back to, latest first."""
        present, *earlier = champions(self._models.promotions(model)) or ("",)
        names = [name for name in dict.fromkeys(earlier) if name != present]
        known = {record.version: record for record in self._models.versions(model)}
        return tuple(known[name] for name in names)

    def promotions(self, model: str) -> tuple[PromotionRecord, ...]:
        """Return a model's changes of champion, in the order in which they happened."""
        return self._models.promotions(self.model(model).name)

    def generation(self) -> int:
        """Return a counter that grows with every change of a champion: what workers poll."""
        return self._models.generation()

    def register(
        self, model: str, version: str, package: Path, run_id: str | None
    ) -> VersionRecord:
        """Take a package in as a version of a model; the same bytes again change nothing.

        Args:
            model: must be the one that the manifest names.
            version: all 64 digits.
            package: the folder that a run produced; it is copied.
            run_id: the run.

        Raises:
            PackageError: it is damaged, too new, another model's, or fails its golden rows.
            DiskFull: it could not be copied.
        """
        check_model_name(model)
        manifest = self._prove(package, version).manifest
        if manifest.model != model:
            raise PackageDamaged("The package was made for a model of another name.")
        self.packages.adopt(package, version)
        record = self._models.add_version(manifest, version, run_id)
        log.info("version_registered", extra={"model": model, "version": record.short})
        return record

    def promote(self, model: str, version: str, *, actor: str = "") -> VersionRecord:
        """Make a version the champion after it proved itself; the old champion retires.

        The present champion stays what it is, and workers that could not load it try again.

        Raises:
            ModelNotFound: there is no such model.
            VersionNotFound: there is no such version.
            PackageError: the package is not fit to answer; the champion stays.
            IllegalTransition: somebody else changed the champion meanwhile.
        """
        record = self.version(model, version)
        champion = self._models.champion(model)
        self._prove(self.packages.path(record.version), record.version)
        if champion is not None and champion.version == record.version:
            self._models.announce()  # to workers that refused it while its files were damaged
            return champion
        previous = champion.version if champion is not None else None
        self._models.crown(record, kind="promote", previous=previous, actor=actor)
        log.info("version_promoted", extra={"model": model, "version": record.short})
        return self.version(model, record.version)

    def rollback(self, model: str, *, actor: str = "") -> VersionRecord:
        """Make the champion before the present one the champion again.

        Raises:
            ModelNotFound: there is no such model.
            IllegalTransition: there was no champion before, or somebody else was faster.
            PackageError: the earlier package is not fit to answer; the champion stays.
        """
        present, *earlier = champions(self.promotions(model)) or ("",)
        if not earlier:
            raise IllegalTransition(
                "There is no earlier champion to go back to.",
                way_out="Promote a version by name instead.",
            )
        record = self.version(model, earlier[0])
        self._prove(self.packages.path(record.version), record.version)
        self._models.crown(record, kind="rollback", previous=present, actor=actor)
        log.info("version_rolled_back", extra={"model": model, "version": record.short})
        return self.version(model, record.version)

    def judge(self, record: VersionRecord) -> GateVerdict:
        """Hold a registered version against the gates and its model's champion.

        Raises:
            PackageError: the version's own package cannot be read.
        """
        candidate = self._manifest(record)
        champion = self._models.champion(record.model)
        if champion is None or champion.version == record.version:
            return gate(candidate, None)
        try:
            return gate(candidate, self._manifest(champion))
        except PackageError:  # a champion that cannot answer must not be in the way of one that can
            log.warning("champion_unreadable", extra={"model": record.model})
            return gate(candidate, None)

    def publish(
        self, model: str, version: str, package: Path, *, run_id: str, promote: bool
    ) -> Publication:
        """Take in what a run produced: register, judge, and promote when asked and allowed.

        Raises:
            PackageError: see ``register`` and ``promote``.
            DiskFull: see ``register``.
        """
        record = self.register(model, version, package, run_id)
        reasons = self.judge(record).reasons
        if promote and not reasons:
            try:
                record = self.promote(model, version, actor=run_id)
            except IllegalTransition as conflict:  # judged against a champion that is none now
                reasons = (conflict.message,)
        return Publication(version=record, promoted=record.status == "champion", gate=reasons)

    def _manifest(self, record: VersionRecord) -> Manifest:
        return read_package(self.packages.path(record.version), record.version).manifest
