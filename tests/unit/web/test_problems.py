"""Errors over HTTP: which status, what the document says, and what it never says."""

from __future__ import annotations

import logging

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from placar.errors import (
    Conflict,
    InvalidRequest,
    Issue,
    MalformedBody,
    PlacarError,
    RunAlreadyActive,
    StoreUnavailable,
)
from placar.web.address import Address
from placar.web.auth import KeyRing
from placar.web.problems import STATUS, problem, status_of
from placar.web.wire import WireIssue
from web_scenes import Service

pytestmark = pytest.mark.anyio


def errors_of(document: dict[str, object]) -> tuple[WireIssue, ...]:
    errors = document["errors"]
    assert isinstance(errors, tuple)
    return errors


SCOPE = {"type": "http", "path": "/here", "placar.request_id": "abc"}


async def test_unknown_addresses_are_problems(client: httpx.AsyncClient) -> None:
    response = await client.get("/nowhere")
    assert (response.status_code, response.json()["type"]) == (404, "/docs#route_not_found")
    assert response.json()["instance"] == "/nowhere"


async def test_wrong_methods_are_problems_that_name_the_right_one(
    client: httpx.AsyncClient,
) -> None:
    response = await client.get("/predict")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert response.json()["title"] == "Method Not Allowed"


async def test_an_address_with_a_slash_too_many_is_not_found(client: httpx.AsyncClient) -> None:
    """A redirect would lead a client with its key to wherever the Host header says."""
    for path in ("/health/", "/predict/", "/models/"):
        response = await client.get(path, headers={"Host": "evil.example"})
        assert (response.status_code, "location" in response.headers) == (404, False)


async def test_a_fault_of_ours_says_nothing_and_is_raised_on(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(request: Request) -> Response:
        raise ZeroDivisionError(f"secret {request.url}")

    service.app.router.routes.insert(0, Address("GET", "/broken", broken, KeyRing("")))
    with caplog.at_level(logging.ERROR, "placar"):
        response = await service.client.get("/broken")
    assert response.status_code == 500
    assert "secret" not in response.text
    assert "ZeroDivisionError" not in response.text
    assert caplog.records[0].message == "request_failed"
    raising = httpx.AsyncClient(
        transport=httpx.ASGITransport(app=service.app), base_url="http://placar.test"
    )
    async with raising:
        with pytest.raises(ZeroDivisionError):
            await raising.get("/broken")


async def test_an_error_after_the_answer_began_is_raised_on(service: Service) -> None:
    class Late:
        async def __call__(self, _scope: object, _receive: object, send: object) -> None:
            start = {"type": "http.response.start", "status": 200, "headers": []}
            await send(start)  # type: ignore[operator]
            raise Conflict

    service.app.router.routes.insert(0, Address("GET", "/late", Late(), KeyRing("")))
    raising = httpx.AsyncClient(
        transport=httpx.ASGITransport(app=service.app), base_url="http://placar.test"
    )
    async with raising:
        with pytest.raises(Conflict):
            await raising.get("/late")


def test_fields_become_members_but_never_overwrite_the_documents_own() -> None:
    error = RunAlreadyActive(run_id="run_1", status="strange")
    status, document, _ = problem(SCOPE, error)
    assert (status, document["status"], document["run_id"]) == (409, 409, "run_1")
    assert document["request_id"] == "abc"


def test_a_path_becomes_an_error_with_a_pointer() -> None:
    _, document, _ = problem(SCOPE, MalformedBody("No.", path="/rows"))
    (error,) = errors_of(document)
    assert (error.pointer, error.code) == ("/rows", "malformed_body")
    assert "path" not in document


def test_issues_keep_what_was_expected_and_meant() -> None:
    issue = Issue("/a", "c", "m", "e", "d")
    _, document, _ = problem(SCOPE, InvalidRequest((issue,)))
    (error,) = errors_of(document)
    assert (error.pointer, error.expected, error.did_you_mean) == ("/a", "e", "d")


def test_what_is_unavailable_says_when_to_try_again() -> None:
    status, _, headers = problem(SCOPE, StoreUnavailable())
    assert (status, headers) == (503, {"Retry-After": "5"})


def test_the_nearest_ancestor_decides() -> None:
    class Odd(MalformedBody):
        """Odd."""

    assert status_of(Odd) == STATUS[MalformedBody] == 400
    assert status_of(PlacarError) is None


def test_an_error_without_a_status_is_a_fault_of_ours() -> None:
    status, document, _ = problem(SCOPE, PlacarError("secret"))
    assert status == 500
    assert "secret" not in str(document)
