"""Models over HTTP: look, promote, roll back; and a champion that cannot answer."""

from __future__ import annotations

import logging

import httpx
import pytest

from factories import a_row
from placar.package.manifest import REPORT_FILE
from placar.scoring.scorer import Scorer
from placar.settings import Settings
from placar.web.services import Services
from web_scenes import Service, add_version, damage, running

pytestmark = pytest.mark.anyio


async def answering(client: httpx.AsyncClient) -> str:
    version: str = (await client.post("/predict", json=a_row())).json()["version"]
    return version


async def test_models_and_versions_are_listed(
    settings: Settings, client: httpx.AsyncClient, version: str
) -> None:
    other = add_version(settings, seed=1, promote=False)
    (model,) = (await client.get("/models")).json()["models"]
    assert (model["name"], model["champion"], model["versions"]) == ("loans", version[:12], 2)
    listed = (await client.get("/models/loans")).json()["versions"]
    assert [(each["sha256"], each["status"]) for each in listed] == [
        (other, "candidate"),
        (version, "champion"),
    ]
    detail = (await client.get(f"/models/loans/versions/{version[:7]}")).json()
    assert detail["version"]["version"] == version[:12]
    assert detail["signature"]["features"][0]["name"] == "income"
    assert detail["version"]["created_at"].endswith("+00:00")


async def test_no_answer_tells_where_files_are(
    settings: Settings, client: httpx.AsyncClient, version: str
) -> None:
    for path in ("/models", "/models/loans", f"/models/loans/versions/{version[:12]}", "/runs"):
        assert str(settings.home) not in (await client.get(path)).text


async def test_the_report_is_shown_with_its_own_policy(
    client: httpx.AsyncClient, version: str
) -> None:
    response = await client.get(f"/models/loans/versions/{version[:12]}/report")
    assert "A report." in response.text
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = response.headers["content-security-policy"]
    assert "style-src 'unsafe-inline'" in policy
    assert "script-src" not in policy
    assert "default-src 'none'" in policy


async def test_a_report_that_was_changed_is_not_shown(
    settings: Settings, client: httpx.AsyncClient, version: str
) -> None:
    (settings.packages / version / REPORT_FILE).write_text("<h1>Another report.</h1>")
    response = await client.get(f"/models/loans/versions/{version[:12]}/report")
    assert (response.status_code, response.json()["type"]) == (409, "/docs#package_damaged")


async def test_a_missing_report_is_a_problem(
    settings: Settings, client: httpx.AsyncClient, version: str
) -> None:
    (settings.packages / version / REPORT_FILE).unlink()
    response = await client.get(f"/models/loans/versions/{version[:12]}/report")
    assert (response.status_code, response.json()["type"]) == (409, "/docs#package_damaged")


async def test_promoting_and_rolling_back_change_the_answer_at_once(
    settings: Settings, client: httpx.AsyncClient, version: str
) -> None:
    other = add_version(settings, seed=1, promote=False)
    promoted = await client.post(f"/models/loans/versions/{other[:12]}/promote")
    assert (promoted.status_code, promoted.json()["status"]) == (200, "champion")
    assert await answering(client) == other[:12]
    back = await client.post("/models/loans/rollback")
    assert back.json()["version"] == version[:12]
    assert await answering(client) == version[:12]
    again = await client.post("/models/loans/rollback")
    assert (again.status_code, again.json()["type"]) == (409, "/docs#illegal_transition")


async def test_promotions_name_the_key(service: Service, settings: Settings) -> None:
    other = add_version(settings, seed=1, promote=False)
    await service.client.post(f"/models/loans/versions/{other[:12]}/promote")
    promotions = service.state.services.registry.promotions("loans")
    assert promotions[-1].actor == "admin"


async def test_a_damaged_version_is_not_promoted_and_the_champion_stays(
    settings: Settings, client: httpx.AsyncClient, version: str
) -> None:
    other = add_version(settings, seed=1, promote=False)
    damage(settings, other)
    refused = await client.post(f"/models/loans/versions/{other[:12]}/promote")
    assert (refused.status_code, refused.json()["type"]) == (409, "/docs#package_damaged")
    assert await answering(client) == version[:12]
    assert (await client.get("/ready")).json()["notes"] == []


async def test_a_champion_damaged_later_does_not_answer_but_the_one_in_the_slot_does(
    service: Service, settings: Settings, version: str, caplog: pytest.LogCaptureFixture
) -> None:
    other = add_version(settings, seed=1)
    damage(settings, other)
    with caplog.at_level(logging.ERROR):
        service.state.keeper.refresh(service.state.services)
        service.state.keeper.refresh(service.state.services)
    assert [record.message for record in caplog.records] == ["champion_refused"]
    assert await answering(service.client) == version[:12]
    ready = (await service.client.get("/ready")).json()
    assert other[:12] in ready["notes"][0]
    await service.client.post("/models/loans/rollback")
    assert (await service.client.get("/ready")).json()["notes"] == []


async def test_a_worker_that_starts_with_a_damaged_champion_takes_the_one_before(
    settings: Settings, version: str
) -> None:
    damaged = [add_version(settings, seed=seed) for seed in (1, 2)]
    for each in damaged:
        damage(settings, each)
    async with running(settings) as service:
        assert await answering(service.client) == version[:12]
        ready = (await service.client.get("/ready")).json()
        assert (ready["status"], len(ready["notes"])) == ("ready", 1)
        assert damaged[1][:12] in ready["notes"][0]
        assert version[:12] in ready["notes"][0]


async def test_a_worker_without_any_good_version_is_not_ready(
    settings: Settings, version: str
) -> None:
    for each in (version, add_version(settings, seed=1)):
        damage(settings, each)
    async with running(settings) as service:
        response = await service.client.get("/ready")
        assert response.status_code == 503
        assert "was refused" in response.json()["reasons"][0]
        assert (await service.client.post("/predict", json=a_row())).status_code == 503


async def test_the_setting_names_the_model_that_answers(settings: Settings, version: str) -> None:
    houses = add_version(settings, seed=1, model="houses")
    chosen = settings.model_copy(update={"model": "houses"})
    async with running(chosen) as service:
        assert await answering(service.client) == houses[:12]
    async with running(settings) as service:
        assert await answering(service.client) == version[:12]


async def test_a_refused_champion_answers_once_its_files_are_back(
    service: Service, settings: Settings, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = add_version(settings, seed=1)
    hidden = settings.packages / "hidden"
    (settings.packages / other).rename(hidden)
    service.state.keeper.refresh(service.state.services)
    assert await answering(service.client) == version[:12]
    hidden.rename(settings.packages / other)
    service.state.keeper.refresh(service.state.services)
    assert await answering(service.client) == version[:12]  # not at every tick
    service.state.keeper._retry_at = 0.0
    service.state.keeper.refresh(service.state.services)
    assert await answering(service.client) == other[:12]
    assert (await service.client.get("/ready")).json()["notes"] == []


async def test_another_models_damaged_champion_gives_way_to_the_one_before(
    service: Service, settings: Settings
) -> None:
    versions = [add_version(settings, seed=seed, model="houses") for seed in (1, 2)]
    damage(settings, versions[1])
    answer = await service.client.post("/models/houses/predict", json=a_row())
    assert (answer.status_code, answer.json()["version"]) == (200, versions[0][:12])
    damage(settings, versions[0])
    service.state.shelf._scorers.clear()
    refused = await service.client.post("/models/houses/predict", json=a_row())
    assert (refused.status_code, refused.json()["type"]) == (409, "/docs#package_damaged")


async def test_a_champion_promoted_while_the_one_before_is_loaded_answers_next(
    service: Service, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is loading must not put the old one under the model's name for good."""
    client, shelf = service.client, service.state.shelf
    add_version(settings, seed=1, model="houses")
    load = shelf._load

    def slowly(services: Services, model: str, version: str | None) -> Scorer:
        found = load(services, model, version)
        if version is None and not later:
            later.append(add_version(settings, seed=2, model="houses"))
            service.state.keeper.refresh(services)
            shelf.at_hand("houses", None)  # another request looks meanwhile
        return found

    later: list[str] = []
    monkeypatch.setattr(shelf, "_load", slowly)
    await client.post("/models/houses/predict", json=a_row())
    answer = await client.post("/models/houses/predict", json=a_row())
    assert answer.json()["version"] == later[0][:12]


async def test_a_setting_that_names_no_model_is_said(settings: Settings) -> None:
    async with running(settings.model_copy(update={"model": "laons"})) as service:
        answer = await service.client.post("/predict", json=a_row())
    assert (answer.status_code, answer.json()["type"]) == (503, "/docs#no_champion")
    assert "laons, which PLACAR_MODEL names" in answer.json()["detail"]
