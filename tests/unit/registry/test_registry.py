"""Registering, promoting, rolling back, with real packages and a real store."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest

from factories import a_package
from placar.errors import (
    IllegalTransition,
    InputError,
    ModelNotFound,
    PackageDamaged,
    PackageRefused,
    VersionNotFound,
)
from placar.package.manifest import MODEL_FILE
from placar.package.reader import Package, read_package
from placar.registry.registry import Registry
from run_scenes import Scene, a_scene


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return a_scene(tmp_path / "home")


def damage(scene: Scene, version: str) -> None:
    (scene.registry.packages.path(version) / MODEL_FILE).write_bytes(b"rot")


def champion(scene: Scene) -> str | None:
    record = scene.registry.champion("loans")
    return record.version if record else None


def test_nothing_is_there_before_the_first_version(scene: Scene) -> None:
    registry = scene.registry
    assert registry.models() == ()
    assert registry.default_model(None) is None
    assert registry.champion(None) is None
    assert registry.champion("loans") is None
    assert registry.fallback("loans") == ()
    assert registry.generation() == 0
    for ask in (registry.model, registry.versions, registry.promotions, registry.rollback):
        with pytest.raises(ModelNotFound):
            ask("loans")


def test_a_registered_version_is_a_candidate_with_the_facts_of_its_manifest(scene: Scene) -> None:
    version = scene.version(seed=0)
    record = scene.registry.version("loans", version[:6])
    assert (record.version, record.short, record.status) == (version, version[:12], "candidate")
    assert (record.target, record.positive, record.rows) == ("Status", "bad", 4500)
    assert record.metrics.auc == 0.8
    model = scene.registry.model("loans")
    assert (model.name, model.champion, model.versions) == ("loans", None, 1)


def test_the_same_bytes_twice_are_one_version(scene: Scene) -> None:
    assert scene.version(seed=0) == scene.version(seed=0)
    assert len(scene.registry.versions("loans")) == 1


def test_two_models_have_versions_of_their_own(scene: Scene) -> None:
    scene.version("loans", seed=0)
    scene.version("cards", seed=0)
    assert [model.name for model in scene.registry.models()] == ["loans", "cards"]
    assert len(scene.registry.versions("cards")) == 1


def test_the_first_model_that_was_promoted_answers(scene: Scene) -> None:
    loans, cards = scene.version("loans", seed=0), scene.version("cards", seed=0)
    assert scene.registry.default_model(None) is None
    assert scene.registry.default_model("cards") == "cards"
    scene.registry.promote("cards", cards)
    assert scene.registry.default_model(None) == "cards"
    scene.registry.promote("loans", loans)  # the older model
    assert scene.registry.default_model(None) == "cards"


def test_a_package_of_another_model_is_refused(scene: Scene, tmp_path: Path) -> None:
    version = a_package(tmp_path / "made", model="loans")
    with pytest.raises(PackageDamaged, match="another name"):
        scene.registry.register("cards", version, tmp_path / "made", None)
    assert scene.registry.models() == ()


@pytest.mark.parametrize("name", ["", "a b", "a@b", "../x", ".x", "x" * 65, "a/b"])
def test_a_model_needs_a_name_that_fits_into_an_address(
    scene: Scene, tmp_path: Path, name: str
) -> None:
    with pytest.raises(InputError):
        scene.registry.register(name, "0" * 64, tmp_path, None)


def test_promoting_makes_the_champion_and_retires_the_one_before(scene: Scene) -> None:
    first, second = scene.version(seed=0), scene.version(seed=1)
    scene.registry.promote("loans", first[:8], actor="me")
    assert scene.registry.promote("loans", second).status == "champion"
    assert champion(scene) == second
    assert scene.registry.version("loans", first).status == "retired"
    made, changed = scene.registry.promotions("loans")
    assert (made.kind, made.version, made.previous, made.actor) == ("promote", first, None, "me")
    assert (changed.version, changed.previous, changed.actor) == (second, first, "")
    assert scene.registry.generation() == 2


def test_promoting_the_champion_has_workers_look_at_it_again(scene: Scene) -> None:
    version = scene.version(seed=0)
    first = scene.registry.promote("loans", version)
    assert scene.registry.promote("loans", version) == first
    assert len(scene.registry.promotions("loans")) == 1
    assert scene.registry.generation() == 2


def test_a_damaged_champion_cannot_be_promoted_again(scene: Scene) -> None:
    version = scene.version(seed=0)
    scene.registry.promote("loans", version)
    damage(scene, version)
    with pytest.raises(PackageDamaged):
        scene.registry.promote("loans", version)


def test_rolling_back_goes_one_champion_back_each_time(scene: Scene) -> None:
    a, b, c = (scene.version(seed=seed) for seed in range(3))
    for version in (a, b, c):
        scene.registry.promote("loans", version)
    assert [record.version for record in scene.registry.fallback("loans")] == [b, a]
    assert scene.registry.rollback("loans").version == b
    assert [record.version for record in scene.registry.fallback("loans")] == [a]
    assert scene.registry.rollback("loans").version == a
    assert scene.registry.generation() == 5
    with pytest.raises(IllegalTransition, match="no earlier champion"):
        scene.registry.rollback("loans")
    assert champion(scene) == a


def test_a_damaged_package_is_not_promoted_and_the_champion_stays(scene: Scene) -> None:
    first, second = scene.version(seed=0), scene.version(seed=1)
    scene.registry.promote("loans", first)
    damage(scene, second)
    with pytest.raises(PackageDamaged):
        scene.registry.promote("loans", second)
    assert champion(scene) == first
    assert scene.registry.generation() == 1


def test_nor_is_one_rolled_back_to(scene: Scene) -> None:
    first, second = scene.version(seed=0), scene.version(seed=1)
    scene.registry.promote("loans", first)
    scene.registry.promote("loans", second)
    damage(scene, first)
    with pytest.raises(PackageDamaged):
        scene.registry.rollback("loans")
    assert champion(scene) == second


def test_a_package_that_fails_its_golden_rows_is_neither_registered_nor_promoted(
    scene: Scene, tmp_path: Path
) -> None:
    version = scene.version(seed=0)

    def refuse(_folder: Path, _version: str) -> NoReturn:
        raise PackageRefused

    strict = Registry(scene.store, scene.registry.packages, prove=refuse)
    with pytest.raises(PackageRefused):
        strict.promote("loans", version)
    other = a_package(tmp_path / "other", seed=1)
    with pytest.raises(PackageRefused):
        strict.register("loans", other, tmp_path / "other", None)
    assert champion(scene) is None
    assert len(scene.registry.versions("loans")) == 1


def test_a_version_is_found_by_six_digits_that_only_it_has(scene: Scene) -> None:
    version = scene.version(seed=0)
    assert scene.registry.version("loans", version[:6]).version == version
    for prefix in (version[:5], "", "zzzzzz", "%" * 6, version.upper(), "0" * 6):
        with pytest.raises(VersionNotFound):
            scene.registry.version("loans", prefix)


def test_somebody_who_decided_on_an_old_champion_is_told(scene: Scene) -> None:
    first, second, third = (scene.version(seed=seed) for seed in range(3))
    scene.registry.promote("loans", first)

    def prove_slowly(folder: Path, version: str) -> Package:
        scene.registry.promote("loans", second)
        return read_package(folder, version)

    slow = Registry(scene.store, scene.registry.packages, prove=prove_slowly)
    with pytest.raises(IllegalTransition, match="somebody else"):
        slow.promote("loans", third)
    assert champion(scene) == second


def publish(scene: Scene, *, seed: int, auc: float, promote: bool = True) -> tuple[bool, str]:
    made = scene.home / f"made-{seed}"
    version = a_package(made, seed=seed, auc=auc)
    published = scene.registry.publish("loans", version, made, run_id="run_1", promote=promote)
    assert published.version.run_id == "run_1"
    return published.promoted, " ".join(published.gate)


def test_publishing_promotes_what_passes_the_gates(scene: Scene) -> None:
    assert publish(scene, seed=0, auc=0.8) == (True, "")
    assert publish(scene, seed=1, auc=0.82) == (True, "")
    assert publish(scene, seed=1, auc=0.82) == (True, "")
    assert len(scene.registry.promotions("loans")) == 2


def test_publishing_keeps_back_what_does_not(scene: Scene) -> None:
    publish(scene, seed=0, auc=0.8)
    before = champion(scene)
    promoted, gate = publish(scene, seed=1, auc=0.7)
    assert not promoted
    assert "clearly worse" in gate
    assert champion(scene) == before


def test_publishing_without_promoting_still_judges(scene: Scene) -> None:
    assert publish(scene, seed=0, auc=0.8, promote=False) == (False, "")
    promoted, gate = publish(scene, seed=1, auc=0.52, promote=False)
    assert not promoted
    assert "chance" in gate
    assert champion(scene) is None


def test_a_champion_that_cannot_be_read_is_not_in_the_way(scene: Scene) -> None:
    publish(scene, seed=0, auc=0.8)
    version = champion(scene)
    assert version is not None
    damage(scene, version)
    promoted, gate = publish(scene, seed=1, auc=0.7)
    assert (promoted, gate) == (True, "")
    assert champion(scene) == scene.registry.versions("loans")[0].version
