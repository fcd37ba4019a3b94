"""The package folder: whole versions or nothing."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from factories import a_package
from placar.errors import DiskFull, PackageDamaged, VersionNotFound
from placar.package.manifest import MODEL_FILE
from placar.package.reader import read_package
from placar.store.packages import PackageFolder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


def test_a_package_is_copied_under_its_version(tmp_path: Path) -> None:
    version = a_package(tmp_path / "made")
    (tmp_path / "made" / "stray.txt").write_text("not listed in the manifest")
    packages = PackageFolder(tmp_path / "packages")
    place = packages.adopt(tmp_path / "made", version)
    assert place == packages.path(version) == tmp_path / "packages" / version
    assert read_package(place, version).version == version
    assert not (place / "stray.txt").exists()
    assert names(packages.root) == [version]


def test_a_package_that_is_there_is_kept(tmp_path: Path) -> None:
    version = a_package(tmp_path / "made")
    packages = PackageFolder(tmp_path / "packages")
    first = packages.adopt(tmp_path / "made", version).stat()
    assert packages.adopt(tmp_path / "made", version).stat().st_ino == first.st_ino
    assert packages.adopt(tmp_path / "nowhere", version).stat().st_ino == first.st_ino


def test_a_damaged_one_is_healed_by_the_same_bytes(tmp_path: Path) -> None:
    version = a_package(tmp_path / "made")
    packages = PackageFolder(tmp_path / "packages")
    (packages.adopt(tmp_path / "made", version) / MODEL_FILE).write_bytes(b"rot")
    packages.adopt(tmp_path / "made", version)
    assert read_package(packages.path(version)).version == version
    assert names(packages.root) == [version]


def test_what_is_not_that_version_is_not_copied(tmp_path: Path) -> None:
    a_package(tmp_path / "made")
    packages = PackageFolder(tmp_path / "packages")
    with pytest.raises(PackageDamaged):
        packages.adopt(tmp_path / "made", "0" * 64)
    assert not packages.root.exists()


def test_many_who_copy_at_once_all_succeed(tmp_path: Path) -> None:
    version = a_package(tmp_path / "made")
    packages = PackageFolder(tmp_path / "packages")
    places: list[Path] = []
    threads = [
        threading.Thread(target=lambda: places.append(packages.adopt(tmp_path / "made", version)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert places == [packages.path(version)] * 8
    assert names(packages.root) == [version]


def test_a_copy_that_its_process_never_finished_is_removed_by_the_next(tmp_path: Path) -> None:
    version = a_package(tmp_path / "made")
    packages = PackageFolder(tmp_path / "packages")
    (packages.root / f".{version}.0000").mkdir(parents=True)
    packages.adopt(tmp_path / "made", version)
    assert names(packages.root) == [version]


def test_a_folder_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    version = a_package(tmp_path / "made")
    (tmp_path / "packages").write_text("a file in the way")
    with pytest.raises(DiskFull, match="could not be kept"):
        PackageFolder(tmp_path / "packages").adopt(tmp_path / "made", version)


def test_removing_is_for_good_and_once_more_changes_nothing(tmp_path: Path) -> None:
    version = a_package(tmp_path / "made")
    packages = PackageFolder(tmp_path / "packages")
    packages.adopt(tmp_path / "made", version)
    packages.remove(version)
    packages.remove(version)
    assert names(packages.root) == []


@pytest.mark.parametrize("version", ["", "abc", "../" * 21 + "x", "A" * 64, "0" * 63 + "\n"])
def test_only_a_version_is_a_path(tmp_path: Path, version: str) -> None:
    with pytest.raises(VersionNotFound):
        PackageFolder(tmp_path).path(version)
