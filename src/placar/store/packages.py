"""Package files: a folder of immutable folders, each under its version."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

from placar.errors import DiskFull, PackageDamaged, VersionNotFound
from placar.package.manifest import MANIFEST_FILE
from placar.package.reader import read_package
from placar.store.lock import file_lock

_VERSION = re.compile(r"[0-9a-f]{64}")


class PackageFolder:
    """Where registered packages live; a version's folder is whole or not there."""

    def __init__(self, root: Path) -> None:
        """Name the folder; it is made when the first package comes."""
        self.root = root

    def path(self, version: str) -> Path:
        """Return the folder of a version, there or not.

        Raises:
            VersionNotFound: not 64 hexadecimal digits, so no version at all.
        """
        if _VERSION.fullmatch(version) is None:
            raise VersionNotFound("A version is named by 64 hexadecimal digits here.")
        return self.root / version

    def adopt(self, package: Path, version: str) -> Path:
        """Copy a package in, all at once, and return its place; a whole one there is kept.

        Raises:
            PackageDamaged: what is to be copied is not that version, whole.
            DiskFull: the copy could not be written; nothing is left of it.
        """
        place = self.path(version)
        if _is_whole(place, version):
            return place
        names = (*read_package(package, version).manifest.files, MANIFEST_FILE)
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with file_lock(self.root / ".lock"):
                self._sweep()
                self._put(package, names, version)
        except OSError as error:
            raise DiskFull(f"The package could not be kept: {error.strerror}.") from error
        return place

    def remove(self, version: str) -> None:
        """Remove a version's files, all at once for whoever looks."""
        hidden = self._hidden(version)
        try:
            self.path(version).rename(hidden)
        except FileNotFoundError:
            return
        shutil.rmtree(hidden, ignore_errors=True)

    def _put(self, package: Path, names: Iterable[str], version: str) -> None:
        place, copy, damaged = self.path(version), self._hidden(version), self._hidden(version)
        if _is_whole(place, version):  # another process was faster to the lock
            return
        try:
            _copy_synced(package, names, copy)
            if place.exists():  # damaged on disk: the same bytes came again and heal it
                place.rename(damaged)
            copy.rename(place)
            _sync(self.root)
        finally:
            shutil.rmtree(copy, ignore_errors=True)
            shutil.rmtree(damaged, ignore_errors=True)

    def _hidden(self, version: str) -> Path:
        return self.root / f".{version}.{secrets.token_hex(4)}"

    def _sweep(self) -> None:
        """Remove copies whose process died: under the lock nobody else is making one."""
        for hidden in self.root.glob(".*.*"):
            shutil.rmtree(hidden, ignore_errors=True)


def _is_whole(place: Path, version: str) -> bool:
    try:
        read_package(place, version)
    except PackageDamaged:
        return False
    return True


def _copy_synced(source: Path, names: Iterable[str], target: Path) -> None:
    target.mkdir()
    for name in names:
        with (source / name).open("rb") as reader, (target / name).open("wb") as writer:
            shutil.copyfileobj(reader, writer)
            writer.flush()
            os.fsync(writer.fileno())
    _sync(target)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
