"""Keys and scopes: who gets in, and what others learn."""

from __future__ import annotations

import logging

import httpx
import pytest

from factories import a_row
from placar.errors import NotAllowed, NotAuthenticated
from placar.store.keys import Key, Scope, digest_of
from placar.web.auth import KeyRing
from web_scenes import KEY, Service

OPEN = ("/health", "/ready", "/docs", "/openapi.json", "/static/docs.css", "/")


def a_key(secret: str, *scopes: Scope) -> Key:
    digest = digest_of(secret)
    return Key(
        id=f"key_{secret}", name="", scopes=scopes, digest=digest, created_at=0.0, revoked_at=None
    )


@pytest.mark.parametrize(
    "headers",
    [
        [(b"x-api-key", b"one")],
        [(b"x-api-key", b" one ")],
        [(b"authorization", b"Bearer one")],
        [(b"authorization", b"bearer  one")],
        [(b"authorization", b"Bearer wrong"), (b"x-api-key", b"one")],
    ],
)
def test_a_key_comes_in_either_header(headers: list[tuple[bytes, bytes]]) -> None:
    ring = KeyRing("")
    ring.replace([a_key("other", "read"), a_key("one", "score")])
    assert ring.admit(headers, "score") == "key_one"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"x-api-key", b"")],
        [(b"x-api-key", b"ONE")],
        [(b"x-api-key", b"\xff\x00")],
        [(b"authorization", b"Basic one")],
        [(b"authorization", b"one")],
    ],
)
def test_anything_else_is_not_a_key(headers: list[tuple[bytes, bytes]]) -> None:
    ring = KeyRing("")
    ring.replace([a_key("one", "score")])
    with pytest.raises(NotAuthenticated):
        ring.admit(headers, "score")


def test_without_any_key_nobody_gets_in() -> None:
    ring = KeyRing("")
    assert ring.empty
    with pytest.raises(NotAuthenticated):
        ring.admit([(b"x-api-key", b"")], "read")


def test_a_scope_opens_only_itself() -> None:
    ring = KeyRing("")
    ring.replace([a_key("one", "score")])
    with pytest.raises(NotAllowed, match="lacks the scope train") as caught:
        ring.admit([(b"x-api-key", b"one")], "train")
    assert "--scope train" in caught.value.way_out


def test_the_administrators_key_outlives_every_refresh() -> None:
    ring = KeyRing("root")
    ring.replace([])
    scopes: tuple[Scope, ...] = ("read", "score", "train")
    assert {ring.admit([(b"x-api-key", b"root")], scope) for scope in scopes} == {"admin"}


@pytest.mark.anyio
@pytest.mark.parametrize("path", OPEN)
async def test_open_addresses_need_no_key(service: Service, path: str) -> None:
    response = await service.client.get(path, headers={"X-API-Key": ""})
    assert response.status_code < 400


@pytest.mark.anyio
async def test_every_other_address_needs_one(service: Service) -> None:
    closed = [route for route in service.app.routes if getattr(route, "needs", None)]
    assert len(closed) == 21
    for route in closed:
        path = route.path.format(model="m", version="v" * 8, run="r")  # type: ignore[attr-defined]
        method = route.method  # type: ignore[attr-defined]
        response = await service.client.request(method, path, headers={"X-API-Key": "wrong"})
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.anyio
async def test_keys_of_the_store_open_and_revoked_ones_close(service: Service) -> None:
    state, client = service.state, service.client
    new = state.services.keys.create("app", ["score"])
    state.keys.replace(state.services.keys.active())
    headers = {"X-API-Key": new.secret}
    assert (await client.post("/predict", json=a_row(), headers=headers)).status_code == 200
    refused = await client.get("/models", headers=headers)
    assert (refused.status_code, refused.json()["scope"]) == (403, "read")
    state.services.keys.revoke(new.id)
    state.keys.replace(state.services.keys.active())
    assert (await client.post("/predict", json=a_row(), headers=headers)).status_code == 401


@pytest.mark.anyio
async def test_keys_are_never_logged(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        await client.get("/models")
        await client.get("/models", headers={"X-API-Key": "a-wrong-key"})
    assert KEY not in caplog.text
    assert "a-wrong-key" not in caplog.text
