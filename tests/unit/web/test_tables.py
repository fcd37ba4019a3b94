"""Tables over HTTP: sent in constant memory, under their names only when they are whole."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from placar.settings import Settings
from web_scenes import Service, running, settings_of

pytestmark = pytest.mark.anyio

TABLE = b"Age,Status\n30,good\n40,bad\n"


async def send(
    client: httpx.AsyncClient,
    name: str = "loans.csv",
    content: bytes = TABLE,
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    return await client.post("/tables", params={"name": name}, content=content, headers=headers)


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_a_table_is_kept_and_listed(client: httpx.AsyncClient, settings: Settings) -> None:
    answer = await send(client)
    assert answer.status_code == 201
    told = answer.json()
    assert (told["name"], told["bytes"]) == ("loans.csv", len(TABLE))
    assert told["sha256"] == hashlib.sha256(TABLE).hexdigest()
    assert (settings.tables / "loans.csv").read_bytes() == TABLE
    (listed,) = (await client.get("/tables")).json()["tables"]
    assert listed == {key: told[key] for key in ("name", "bytes", "changed_at")}


async def test_no_table_yet_is_an_empty_list(client: httpx.AsyncClient) -> None:
    assert (await client.get("/tables")).json() == {"tables": []}


async def test_a_table_of_the_same_name_takes_its_place(
    client: httpx.AsyncClient, settings: Settings
) -> None:
    await send(client)
    with (settings.tables / "loans.csv").open("rb") as reading:
        assert (await send(client, content=b"other")).status_code == 201
        assert reading.read() == TABLE  # a run that reads the old one is not disturbed
    assert (settings.tables / "loans.csv").read_bytes() == b"other"


async def test_names_in_portuguese_are_names(client: httpx.AsyncClient, settings: Settings) -> None:
    assert (await send(client, "empréstimos 2026.csv")).status_code == 201
    assert left_in(settings.tables) == ["empréstimos 2026.csv"]


@pytest.mark.parametrize(
    "name", ["", "..", ".hidden", "a/b.csv", "../x.csv", "a\\b", "a\x00b", "a\nb", "x" * 101]
)
async def test_what_is_no_file_name_is_refused(
    client: httpx.AsyncClient, settings: Settings, name: str
) -> None:
    answer = await send(client, name)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "name"
    assert left_in(settings.tables) == []


async def test_a_name_must_be_given(client: httpx.AsyncClient) -> None:
    answer = await client.post("/tables", content=TABLE)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "missing")


async def test_an_empty_body_is_no_table(client: httpx.AsyncClient, settings: Settings) -> None:
    assert (await send(client, content=b"")).status_code == 422
    assert left_in(settings.tables) == []


@pytest.mark.parametrize(
    ("headers", "way_out"),
    [
        ({"content-type": "multipart/form-data; boundary=x"}, "--data-binary"),
        ({"content-encoding": "gzip"}, "without Content-Encoding"),
    ],
)
async def test_what_would_not_be_the_file_itself_is_refused(
    client: httpx.AsyncClient, headers: dict[str, str], way_out: str
) -> None:
    answer = await send(client, headers=headers)
    assert answer.status_code == 415
    assert way_out in answer.json()["way_out"]


class TestLimits:
    @pytest.fixture
    def settings(self, tmp_path: Path) -> Settings:
        return settings_of(tmp_path / "home", max_table="1KB")

    async def test_a_body_that_says_it_is_too_large_is_not_read(
        self, client: httpx.AsyncClient, settings: Settings
    ) -> None:
        answer = await send(client, content=b"x" * 1025)
        assert (answer.status_code, answer.json()["limit"]) == (413, 1024)
        assert "PLACAR_MAX_TABLE" in answer.json()["way_out"]
        assert left_in(settings.tables) == []

    async def test_a_body_that_grows_too_large_leaves_nothing(
        self, client: httpx.AsyncClient, settings: Settings
    ) -> None:
        async def endless() -> AsyncIterator[bytes]:
            for _ in range(5):
                yield b"x" * 400

        answer = await client.post("/tables", params={"name": "t.csv"}, content=endless())
        assert answer.status_code == 413
        assert left_in(settings.tables) == []

    async def test_as_many_bytes_as_allowed_are_taken(self, client: httpx.AsyncClient) -> None:
        assert (await send(client, content=b"x" * 1024)).status_code == 201


async def test_a_client_that_goes_away_leaves_nothing(service: Service, settings: Settings) -> None:
    messages: list[dict[str, object]] = [
        {"type": "http.disconnect"},
        {"type": "http.request", "body": b"x" * 2_000_000, "more_body": True},
    ]
    sent: list[object] = []

    async def receive() -> dict[str, object]:
        return messages.pop()

    async def note(message: object) -> None:
        sent.append(message)

    await call(service, receive, note)
    assert sent == []
    assert left_in(settings.tables) == []


async def call(
    service: Service,
    receive: Callable[[], Awaitable[dict[str, object]]],
    send: Callable[[object], Awaitable[None]],
) -> None:
    headers = [(b"x-api-key", service.client.headers["x-api-key"].encode())]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/tables",
        "raw_path": b"/tables",
        "root_path": "",
        "query_string": b"name=t.csv",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await service.app(scope, receive, send)


async def test_a_key_that_may_only_score_sends_no_table(settings: Settings) -> None:
    async with running(settings) as service:
        keys = service.state.services.keys
        secret = keys.create("caller", ["score"]).secret
        service.state.keys.replace(keys.active())
        refused = await send(service.client, headers={"X-API-Key": secret})
    assert refused.status_code == 403
