"""Reading a package: hashes first, then the manifest, and nothing is built before both hold.

Changing the format
-------------------
1. Raise ``manifest.FORMAT`` and write the change into ``docs/architecture.md`` and the changelog.
2. Move the structs that change, as they were, to ``package/old/_format_N.py`` with a function
   ``upgrade(old) -> Manifest``, and register it in ``_READERS`` below.
3. Add a package of format N to ``tests/unit/package/old/``: it must load and reproduce its
   golden rows.

A field may be added without a new format only when readers of today's format may ignore it;
structs forbid unknown fields, so that is never the case.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from placar.errors import PackageDamaged, PackageTooNew
from placar.package.manifest import (
    FORMAT,
    GOLDEN_FILE,
    MANIFEST_FILE,
    MODEL_FILE,
    REPORT_FILE,
    Golden,
    Manifest,
)

_REQUIRED = frozenset({MODEL_FILE, GOLDEN_FILE, REPORT_FILE})


@dataclass(frozen=True, slots=True)
class Package:
    """A verified package, in memory but for its report."""

    folder: Path
    version: str
    """SHA-256 of the manifest, all 64 digits."""
    manifest: Manifest
    model: bytes
    golden: Golden


class _Format(msgspec.Struct):
    format: int


def read_package(folder: Path, version: str | None = None) -> Package:
    """Return the package in ``folder`` after verifying every byte of it.

    Args:
        folder: the package.
        version: the hash that its manifest must have, when it is known.

    Raises:
        PackageDamaged: a file is missing, or does not have its hash.
        PackageTooNew: the format is later than this Placar's.
    """
    text = _read(folder, MANIFEST_FILE)
    found = hashlib.sha256(text).hexdigest()
    if version is not None and found != version:
        raise PackageDamaged(f"{MANIFEST_FILE} does not have the hash it was registered with.")
    manifest = _decode_manifest(text)
    contents = {name: _verified(folder, name, digest) for name, digest in manifest.files.items()}
    if not contents.keys() >= _REQUIRED:
        raise PackageDamaged(f"The manifest does not list {_first(_REQUIRED - contents.keys())}.")
    try:
        golden = msgspec.json.decode(contents[GOLDEN_FILE], type=Golden)
    except msgspec.MsgspecError:
        raise PackageDamaged(f"{GOLDEN_FILE} cannot be read.") from None
    return Package(folder, found, manifest, contents[MODEL_FILE], golden)


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest alone, without verifying the other files.

    Raises:
        PackageDamaged: it is missing or cannot be read.
        PackageTooNew: the format is later than this Placar's.
    """
    return _decode_manifest(_read(folder, MANIFEST_FILE))


def read_file(folder: Path, name: str) -> bytes:
    """Return one file of a package, verified.

    Raises:
        PackageDamaged: it is missing, or does not have its hash; or the manifest cannot be read.
        PackageTooNew: the format is later than this Placar's.
    """
    digest = read_manifest(folder).files.get(name)
    if digest is None:
        raise PackageDamaged(f"The manifest does not list {name}.")
    return _verified(folder, name, digest)


def _decode_manifest(text: bytes) -> Manifest:
    try:
        number = msgspec.json.decode(text, type=_Format).format
        if number > FORMAT:
            raise PackageTooNew(
                f"The package has format {number}; this Placar reads up to {FORMAT}."
            )
        return msgspec.json.decode(text, type=Manifest)
    except msgspec.MsgspecError as error:
        raise PackageDamaged(f"{MANIFEST_FILE} cannot be read: {error}.") from None


def _verified(folder: Path, name: str, digest: str) -> bytes:
    if "/" in name or name.startswith("."):
        raise PackageDamaged("The manifest lists a file outside the package.")
    content = _read(folder, name)
    if hashlib.sha256(content).hexdigest() != digest:
        raise PackageDamaged(f"{name} was changed after it was written.")
    return content


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError:
        raise PackageDamaged(f"{name} is missing or cannot be read.") from None


def _first(names: frozenset[str]) -> str:
    return min(names)
