"""Platforms and plans are found by their names, and what does not fit is said beforehand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from placar.box.limits import memory_limit
from placar.deploy.choice import check_name, check_source, name_of, sources
from placar.deploy.plans import PLANS, PLATFORMS, USUAL, Platform, find_plan, find_platform
from placar.deploy.sizing import in_words, size
from placar.errors import ConfigurationError

MB = 1024**2
SCHEMA = Path(__file__).resolve().parents[2] / "deploy/render_schema.json"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_no_two_plans_share_a_name_and_the_usual_one_is_there(platform: Platform) -> None:
    names = [name for plan in PLANS[platform] for name in (plan.name, *plan.also)]
    assert len(names) == len(set(names))
    assert size(find_plan(platform, USUAL[platform])).trains


def test_renders_plans_are_in_its_schema() -> None:
    service = json.loads(SCHEMA.read_text(encoding="utf-8"))["$defs"]["web"]
    known = set(service["properties"]["plan"]["enum"])
    assert {name for plan in PLANS["render"] for name in (plan.name, *plan.also)} <= known


@pytest.mark.parametrize("name", ["free", "0.5c-512mb", "1c-2g", "2c-4g"])
def test_the_box_knows_renders_plans_by_the_same_memory(name: str, tmp_path: Path) -> None:
    plan = find_plan("render", name)
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 67108864 kB\n")
    assert memory_limit(root=tmp_path, plan_cpu=f"{plan.cpus:g}").bytes == plan.memory


@pytest.mark.parametrize(
    ("platform", "given", "found"),
    [
        ("render", "starter", "0.5c-512mb"),
        ("render", "Pro Plus", "4c-8g"),
        ("heroku", "Standard-1X", "standard-1x"),
        ("fly", "shared-cpu-1x", "shared-cpu-1x:256mb"),
        ("docker", "1.5c-768MB", "1.5c-768mb"),
    ],
)
def test_a_plan_is_found_by_any_of_its_names(platform: Platform, given: str, found: str) -> None:
    assert find_plan(platform, given).name == found


def test_a_box_made_to_measure_is_read_from_its_name() -> None:
    plan = find_plan("docker", "1.5c-1.5g")
    assert (plan.cpus, plan.memory) == (1.5, 1536 * MB)


@pytest.mark.parametrize("name", ["0c-512mb", "1c-0mb0", "c-512mb", "-1c-512mb", "1c-512kb"])
def test_what_is_no_box_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="There is no plan on Docker"):
        find_plan("docker", name)


@pytest.mark.parametrize(
    ("platform", "given", "meant"),
    [("render", "standar-d", "standard"), ("fly", "shared-1x", "shared-cpu-1x")],
)
def test_a_wrong_plan_is_answered_with_the_nearest(
    platform: Platform, given: str, meant: str
) -> None:
    with pytest.raises(ConfigurationError) as error:
        find_plan(platform, given)
    assert f"Did you mean {meant}?" in error.value.message
    assert PLANS[platform][0].name in error.value.way_out


def test_a_wrong_platform_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match=r"Did you mean heroku\?"):
        find_platform("herku")


def test_512_mb_hold_two_workers_and_a_run_of_usual_size() -> None:
    for platform in PLATFORMS:
        sizing = size(find_plan(platform, USUAL[platform]))
        assert (sizing.workers, sizing.run_memory) == (2, 256 * MB)


def test_a_large_plan_has_a_worker_for_each_cpu_and_half_for_a_run() -> None:
    sizing = size(find_plan("heroku", "performance-l"))
    assert (sizing.workers, sizing.run_memory) == (8, 7 * 1024 * MB)


def test_a_box_that_holds_no_worker_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="128 MB are too small"):
        size(find_plan("docker", "1c-128mb"))


@pytest.mark.parametrize(
    ("platform", "plan", "says", "way_out"),
    [
        ("heroku", "basic", "no disks", "--model-from build"),
        ("render", "free", "cannot have a disk", "--plan 0.5c-512mb"),
        ("fly", "shared-cpu-1x", "too small to train in", "--plan shared-cpu-1x:512mb"),
    ],
)
def test_a_disk_that_would_not_do_is_refused_with_what_would(
    platform: Platform, plan: str, says: str, way_out: str
) -> None:
    found = find_plan(platform, plan)
    assert sources(found) == ("build",)
    with pytest.raises(ConfigurationError, match=says) as error:
        check_source(platform, found, "disk")
    assert way_out in error.value.way_out


def test_a_way_that_does_not_exist_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match=r"Did you mean disk\?"):
        check_source("render", find_plan("render", "starter"), "disc")


@pytest.mark.parametrize(
    ("folder", "name"),
    [("Loans API", "loans-api"), ("42", "placar"), ("ação_2", "a-o-2"), ("", "placar")],
)
def test_a_service_is_named_after_its_folder(folder: str, name: str) -> None:
    assert check_name(name_of(Path("/x") / folder if folder else Path("/"))) == name


@pytest.mark.parametrize(
    ("amount", "words"), [(512, "512 MB"), (1024, "1 GB"), (2560, "2.5 GB"), (1100, "1,100 MB")]
)
def test_memory_is_said_as_people_say_it(amount: int, words: str) -> None:
    assert in_words(amount * MB) == words
