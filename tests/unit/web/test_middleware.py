"""What happens around every request."""

from __future__ import annotations

import logging

import httpx
import pytest

from factories import a_row
from placar.web.logs import ACCESS

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("given", ["abc", "0af7651916cd43dd8448eb211c80319c", "a.b-c_d:e/f+g="])
async def test_a_harmless_request_id_is_kept(client: httpx.AsyncClient, given: str) -> None:
    response = await client.get("/nowhere", headers={"X-Request-Id": given})
    assert response.headers["x-request-id"] == response.json()["request_id"] == given


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "<script>", "a\tb"])
async def test_any_other_is_replaced(client: httpx.AsyncClient, given: str) -> None:
    response = await client.get("/health", headers={"X-Request-Id": given})
    assert len(response.headers["x-request-id"]) == 32


@pytest.mark.parametrize("path", ["/health", "/nowhere", "/docs", "/models", "/static/docs.css"])
async def test_every_answer_is_guarded(client: httpx.AsyncClient, path: str) -> None:
    headers = (await client.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"]


async def test_scores_are_not_to_be_stored(client: httpx.AsyncClient) -> None:
    response = await client.post("/predict", json=a_row())
    assert response.headers["cache-control"] == "no-store"


async def test_the_access_log_shows_the_path_and_no_query(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, ACCESS):
        await client.post("/predict?reasons=1&income=secret", json=a_row())
    (record,) = [each for each in caplog.records if each.name == ACCESS]
    fields = vars(record)
    assert [fields[name] for name in ("method", "path", "status")] == ["POST", "/predict", 200]
    assert "secret" not in str(fields)


async def test_the_access_log_is_quiet_unless_turned_on(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger(ACCESS).setLevel(logging.WARNING)
    await client.get("/health")
    assert not [each for each in caplog.records if each.name == ACCESS]
