"""Writing, verifying and reading packages."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from factories import a_golden, a_manifest, a_model, a_package, a_scorer
from placar.errors import DiskFull, PackageDamaged, PackageTooNew
from placar.package.manifest import FORMAT, MANIFEST_FILE, Manifest
from placar.package.reader import read_manifest, read_package
from placar.package.writer import encode_manifest, write_package


def test_a_package_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    version = a_package(tmp_path / "p")
    package = read_package(tmp_path / "p", version)
    assert package.version == version
    assert package.model == a_model()
    assert package.golden == a_golden(a_scorer())
    assert msgspec.structs.replace(package.manifest, files={}) == a_manifest()


def test_the_same_contents_have_the_same_version(tmp_path: Path) -> None:
    assert a_package(tmp_path / "a") == a_package(tmp_path / "b")
    assert a_package(tmp_path / "a") != a_package(tmp_path / "c", seed=1)


@pytest.mark.parametrize("name", ["model.onnx", "golden.json", "report.html", "manifest.json"])
def test_a_missing_file_is_damage(tmp_path: Path, name: str) -> None:
    version = a_package(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(PackageDamaged, match=name):
        read_package(tmp_path, version)


@pytest.mark.parametrize("name", ["model.onnx", "golden.json", "report.html", "manifest.json"])
def test_every_flipped_bit_is_damage(tmp_path: Path, name: str) -> None:
    version = a_package(tmp_path)
    whole = (tmp_path / name).read_bytes()
    for position in range(0, len(whole), max(1, len(whole) // 40)):
        flipped = bytearray(whole)
        flipped[position] ^= 1
        (tmp_path / name).write_bytes(bytes(flipped))
        with pytest.raises(PackageDamaged):
            read_package(tmp_path, version)


@pytest.mark.parametrize("name", ["model.onnx", "manifest.json"])
def test_a_file_cut_short_is_damage(tmp_path: Path, name: str) -> None:
    a_package(tmp_path)
    whole = (tmp_path / name).read_bytes()
    for length in (0, 1, len(whole) // 2, len(whole) - 2):
        (tmp_path / name).write_bytes(whole[:length])
        with pytest.raises(PackageDamaged):
            read_package(tmp_path)


def rewrite(folder: Path, manifest: Manifest) -> None:
    (folder / MANIFEST_FILE).write_bytes(encode_manifest(manifest))


def test_a_later_format_is_refused_by_name(tmp_path: Path) -> None:
    a_package(tmp_path)
    later = {"format": FORMAT + 1, "something": "that this version cannot know"}
    (tmp_path / MANIFEST_FILE).write_bytes(msgspec.json.encode(later))
    with pytest.raises(PackageTooNew, match=f"format {FORMAT + 1}"):
        read_package(tmp_path)


def test_a_manifest_may_not_name_files_outside_the_package(tmp_path: Path) -> None:
    a_package(tmp_path / "p")
    manifest = read_manifest(tmp_path / "p")
    rewrite(tmp_path / "p", msgspec.structs.replace(manifest, files={"../secret": "0" * 64}))
    with pytest.raises(PackageDamaged, match="outside"):
        read_package(tmp_path / "p")


def test_a_manifest_must_vouch_for_every_file(tmp_path: Path) -> None:
    a_package(tmp_path)
    manifest = read_manifest(tmp_path)
    fewer = {k: v for k, v in manifest.files.items() if k != "model.onnx"}
    rewrite(tmp_path, msgspec.structs.replace(manifest, files=fewer))
    with pytest.raises(PackageDamaged, match=r"model\.onnx"):
        read_package(tmp_path)


def test_a_disk_that_refuses_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DiskFull):
        write_package(tmp_path / "file" / "package", a_manifest(), {})
