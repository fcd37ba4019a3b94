"""One row over HTTP: the answer, and every way to be refused."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from factories import a_row, a_scorer
from placar.settings import Settings
from placar.web.ids import new_prediction_id
from web_scenes import HEADERS, Service, add_version, damage, running, settings_of

pytestmark = pytest.mark.anyio


async def test_a_row_gets_the_scorers_answer(client: httpx.AsyncClient, version: str) -> None:
    answer = (await client.post("/predict", json=a_row())).json()
    expected = a_scorer().score_row(a_row())
    assert answer.pop("prediction_id")
    assert answer == {
        "prediction": expected.prediction,
        "probability": pytest.approx(expected.probability, abs=1e-9),
        "score": expected.score,
        "band": expected.band,
        "model": "loans",
        "version": version[:12],
    }


async def test_each_answer_has_its_own_sortable_id(client: httpx.AsyncClient) -> None:
    answers = [(await client.post("/predict", json=a_row())).json() for _ in range(3)]
    ids = [uuid.UUID(answer["prediction_id"]) for answer in answers]
    assert len(set(ids)) == 3
    assert {each.version for each in ids} == {7}


def test_ids_sort_by_time() -> None:
    first = [new_prediction_id() for _ in range(50)]
    assert all(len(each) == 36 for each in first)
    assert {each[14] for each in first} == {"7"}
    assert {each[19] for each in first} <= set("89ab")


async def test_reasons_come_when_asked_for(client: httpx.AsyncClient) -> None:
    answer = (await client.post("/predict?reasons=1", json=a_row(income=0, home="owner"))).json()
    assert [reason["code"] for reason in answer["reasons"]] == ["INCOME_UP"]
    typical = (await client.post("/predict?reasons=3", json=a_row())).json()
    assert typical["reasons"] == []


@pytest.mark.parametrize("value", ["-1", "51", "x", "", "1.0", "٣", "9" * 30])
async def test_reasons_must_be_a_number_up_to_fifty(client: httpx.AsyncClient, value: str) -> None:
    response = await client.post("/predict", params={"reasons": value}, json=a_row())
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert (error["pointer"], error["expected"]) == ("reasons", "a whole number from 0 to 50")


async def test_unknown_parameters_are_ignored_but_misspelt_and_repeated_ones_refused(
    client: httpx.AsyncClient,
) -> None:
    assert (await client.post("/predict?utm_source=x", json=a_row())).status_code == 200
    misspelt = (await client.post("/predict?reason=3", json=a_row())).json()
    assert misspelt["errors"][0]["did_you_mean"] == "reasons"
    repeated = await client.post("/predict?reasons=1&reasons=2", json=a_row())
    assert repeated.json()["errors"][0]["code"] == "repeated"


async def test_warnings_come_with_pointers_and_without_values(client: httpx.AsyncClient) -> None:
    answer = (await client.post("/predict", json=a_row(income="12", home="castle"))).json()
    assert [(each["pointer"], each["code"]) for each in answer["warnings"]] == [
        ("/income", "coerced"),
        ("/home", "unseen_category"),
    ]
    assert "castle" not in json.dumps(answer)


async def test_a_bad_row_gets_every_issue_at_once(client: httpx.AsyncClient) -> None:
    response = await client.post("/predict", json=a_row(income="secret", married="perhaps"))
    problem = response.json()
    assert (response.status_code, problem["type"]) == (422, "/docs#invalid_row")
    assert [each["pointer"] for each in problem["errors"]] == ["/income", "/married"]
    assert "secret" not in response.text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"\xff", 400),
        (b'{"income": NaN}', 400),
        (b'{"income": 1e999}', 400),
        (b'{"income": 1, "income": 2}', 400),
        (b"[" * 100_000, 400),
        (b"{}", 422),
        (b'"' + b"x" * 2_000_000 + b'"', 413),
    ],
)
async def test_what_is_not_a_row_is_refused(
    client: httpx.AsyncClient, body: bytes, status: int
) -> None:
    response = await client.post("/predict", content=body)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["way_out"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "application/json; charset=utf-8"}, 200),
        ({"content-type": 'Application/JSON;charset="UTF-8"'}, 200),
        ({"content-type": "application/vnd.loans+json"}, 200),
        ({"content-type": ""}, 200),
        ({"content-encoding": "identity"}, 200),
        ({"content-type": "text/csv"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 200),
        ({"content-type": "application/json; charset=latin-1"}, 415),
        ({"content-encoding": "gzip"}, 415),
    ],
)
async def test_content_types_and_encodings(
    client: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    response = await client.post("/predict", content=json.dumps(a_row()), headers=headers)
    assert response.status_code == status


async def test_a_body_that_comes_in_pieces_is_read_to_its_limit(client: httpx.AsyncClient) -> None:
    text = json.dumps(a_row()).encode()

    async def pieces(times: int = 1) -> AsyncIterator[bytes]:
        for _ in range(times):
            yield text[:10]
            yield text[10:]

    assert (await client.post("/predict", content=pieces())).status_code == 200
    assert (await client.post("/predict", content=pieces(20_000))).status_code == 413


async def test_a_large_row_is_scored_off_the_loop(client: httpx.AsyncClient) -> None:
    row = a_row() | {"id": "x" * 100_000}
    assert (await client.post("/predict", json=row)).status_code == 200


async def test_models_and_versions_answer_by_name(
    settings: Settings, version: str, client: httpx.AsyncClient
) -> None:
    other = add_version(settings, seed=1, promote=False)
    houses = add_version(settings, seed=2, model="houses")
    for path, answers in [
        ("/models/loans/predict", version),
        (f"/models/loans/versions/{version[:6]}/predict", version),
        (f"/models/loans/versions/{other[:12]}/predict", other),
        (f"/models/loans/versions/{other}/predict", other),
        ("/models/houses/predict", houses),
    ]:
        for _ in range(2):  # loaded, then at hand
            answer = (await client.post(path, json=a_row())).json()
            assert answer["version"] == answers[:12]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/models/nobody/predict", "model_not_found"),
        ("/models/loans/versions/ffffffffffff/predict", "version_not_found"),
        ("/models/loans/versions/x/predict", "version_not_found"),
    ],
)
async def test_unknown_models_and_versions_are_not_found(
    client: httpx.AsyncClient, path: str, code: str
) -> None:
    response = await client.post(path, json=a_row())
    assert (response.status_code, response.json()["type"]) == (404, f"/docs#{code}")


async def test_a_damaged_version_is_refused_by_name(
    settings: Settings, client: httpx.AsyncClient
) -> None:
    other = add_version(settings, seed=1, promote=False)
    damage(settings, other)
    response = await client.post(f"/models/loans/versions/{other[:8]}/predict", json=a_row())
    assert (response.status_code, response.json()["type"]) == (409, "/docs#package_damaged")


async def test_a_model_follows_its_champion(settings: Settings, service: Service) -> None:
    add_version(settings, seed=1, model="houses")
    path = "/models/houses/predict"
    first = (await service.client.post(path, json=a_row())).json()
    second = add_version(settings, seed=2, model="houses")
    service.state.keeper.refresh(service.state.services)
    answer = (await service.client.post(path, json=a_row())).json()
    assert answer["version"] == second[:12] != first["version"]


async def test_few_scorers_are_kept(settings: Settings, service: Service) -> None:
    versions = [add_version(settings, seed=seed, promote=False) for seed in range(1, 6)]
    for version in versions:
        await service.client.post(f"/models/loans/versions/{version[:12]}/predict", json=a_row())
    kept = [service.state.shelf.at_hand("loans", version[:12]) for version in versions]
    assert [scorer is not None for scorer in kept] == [False, False, True, True, True]


async def test_without_a_champion_nothing_is_scored(tmp_path: Path) -> None:
    async with running(settings_of(tmp_path / "empty")) as service:
        response = await service.client.post("/predict", json=a_row())
        assert response.status_code == 503
        assert response.headers["retry-after"] == "5"
        assert "placar train" in response.json()["way_out"]
        assert (await service.client.get("/ready", headers=HEADERS)).status_code == 503
