"""Writing a package: every file, then the manifest that vouches for them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from placar.errors import DiskFull
from placar.package.manifest import MANIFEST_FILE, Manifest


def write_package(folder: Path, manifest: Manifest, files: Mapping[str, bytes]) -> str:
    """Write a package and return its version, the 64-digit SHA-256 of its manifest.

    The manifest is written last and everything is synced, so that a folder with a manifest is
    a whole package.

    Args:
        folder: created; must not hold a package yet.
        manifest: its ``files`` are filled in here.
        files: contents by file name.

    Raises:
        DiskFull: when the disk refuses.
    """
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    text = encode_manifest(msgspec.structs.replace(manifest, files=hashes))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in sorted(files.items()):
            _write_synced(folder / name, content)
        _write_synced(folder / MANIFEST_FILE, text)
    except OSError as error:
        raise DiskFull(f"The package could not be written: {error.strerror}.") from error
    return hashlib.sha256(text).hexdigest()


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the one text of a manifest: indented JSON in field order, with a final newline."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
