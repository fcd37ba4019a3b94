"""The documentation that the service gives of itself: complete, true, and safe to show."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import httpx
import jsonschema  # type: ignore[import-untyped]
import msgspec
import pytest

from factories import a_manifest, a_row, a_scorer
from placar.signature.model import Categorical, Moment, Numeric
from placar.web.address import Address
from placar.web.operations import OPERATIONS
from placar.web.schemas import example_row, feature_texts, row_schema
from web_scenes import KEY, Service, add_version, running, settings_of

pytestmark = pytest.mark.anyio


class Page(HTMLParser):
    """What a test looks at: text, ids and links."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.code: list[str] = []
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._open.append(tag)
        if tag == "pre":
            self.code.append("")
        if given.get("id"):
            self.ids.append(str(given["id"]))
        self.links += [str(given[name]) for name in ("href", "src") if given.get(name)]
        assert not {name for name, _ in attrs} & {"style", "onclick", "onload"}
        assert tag not in {"script", "style", "iframe"}

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if "pre" in self._open:
            self.code[-1] += data

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


async def test_the_example_commands_work(client: httpx.AsyncClient) -> None:
    page = Page((await client.get("/docs")).text)
    one, answer, many = page.code
    for command in (one, many):
        words = shlex.split(command.replace("\\\n", " ").replace("$PLACAR_KEY", KEY))
        options = iter(words)
        url, headers, body = "", {}, ""
        for word in options:
            if word == "-H":
                name, _, value = next(options).partition(": ")
                headers[name] = value
            elif word == "-d":
                body = next(options)
            elif word.startswith("http"):
                url = word
        response = await client.post(url, content=body, headers=headers)
        assert response.status_code == 200
        if command == one:
            assert url.startswith("http://placar.test/predict?")
            made, shown = response.json(), json.loads(answer)
            assert made | {"prediction_id": ""} == shown | {"prediction_id": ""}


async def test_the_example_has_reasons(client: httpx.AsyncClient) -> None:
    page = Page((await client.get("/docs")).text)
    assert json.loads(page.code[1])["reasons"] != []


async def test_behind_a_proxy_that_ends_tls_commands_do_not_send_keys_in_clear(
    client: httpx.AsyncClient,
) -> None:
    page = Page((await client.get("/docs", headers={"X-Forwarded-Proto": "https"})).text)
    assert all("https://placar.test/predict" in command for command in (page.code[0], page.code[2]))


async def test_pages_follow_the_champion_and_the_readers_address(service: Service) -> None:
    client = service.client
    first = (await client.get("/docs")).text
    for number in range(20):  # whoever forges addresses fills no memory
        page = (await client.get("/docs", headers={"Host": f"h{number}.test"})).text
        assert f"http://h{number}.test/predict" in page
    other = add_version(service.state.settings, seed=1)
    service.state.keeper.refresh(service.state.services)
    second = (await client.get("/docs")).text
    assert other[:12] in second
    assert other[:12] not in first


async def test_every_feature_and_address_is_shown(service: Service, version: str) -> None:
    page = Page((await service.client.get("/docs")).text)
    for word in ("income", "home", "married", "since", "rent, owner", "0 to 1000", version[:12]):
        assert word in page.text
    for route in service.app.routes:
        if isinstance(route, Address):
            assert f"{route.method} {route.path}" in page.text


async def test_every_type_of_a_problem_leads_to_its_place(client: httpx.AsyncClient) -> None:
    page = Page((await client.get("/docs")).text)
    for response in [
        await client.post("/predict", json={}),
        await client.post("/predict", content=b"{"),
        await client.get("/nowhere"),
        await client.get("/models/nobody"),
        await client.get("/runs/nothing"),
        await client.post("/predict?reasons=x", json={}),
        await client.post("/run-pipeline"),
        await client.get("/predict"),
        await client.get("/models", headers={"X-API-Key": "wrong"}),
    ]:
        path, _, anchor = response.json()["type"].partition("#")
        assert path == "/docs"
        assert anchor in page.ids
    assert len(page.ids) == len(set(page.ids))


async def test_the_page_works_without_a_champion(tmp_path: Path) -> None:
    async with running(settings_of(tmp_path)) as service:
        page = Page((await service.client.get("/docs")).text)
        assert "No model yet" in page.text
        document = (await service.client.get("/openapi.json")).json()
        assert document["components"]["schemas"]["Row"] == {"type": "object"}


async def test_links_on_the_page_lead_somewhere(client: httpx.AsyncClient) -> None:
    page = Page((await client.get("/docs")).text)
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids
        else:
            assert (await client.get(link)).status_code == 200


@pytest.mark.parametrize("host", ['"><script>', "a b!", "x" * 300 + "!", "[::1", "evil.com/path?"])
async def test_a_strange_host_is_not_repeated(client: httpx.AsyncClient, host: str) -> None:
    text = (await client.get("/docs", headers={"Host": host})).text
    assert host not in text
    assert "<script" not in text


async def test_names_from_the_table_are_escaped(service: Service) -> None:
    manifest = a_manifest(model="loans")
    name = "<script>alert('x')</script>"
    feature = msgspec.structs.replace(manifest.signature.features[0], name=name)
    signature = msgspec.structs.replace(
        manifest.signature, features=(feature, *manifest.signature.features[1:])
    )
    service.state.slot.swap(a_scorer(msgspec.structs.replace(manifest, signature=signature)))
    text = (await service.client.get("/docs")).text
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    command = Page(text).code[0]
    assert json.loads(shlex.split(command.replace("\\\n", " "))[-1])[name] == 300


async def test_root_leads_to_the_page(client: httpx.AsyncClient) -> None:
    response = await client.get("/")
    assert (response.status_code, response.headers["location"]) == (307, "/docs")


async def test_a_prefix_of_a_proxy_stands_before_every_link(service: Service) -> None:
    transport = httpx.ASGITransport(app=service.app, root_path="/loans")
    async with httpx.AsyncClient(transport=transport, base_url="http://x.test") as client:
        page = Page((await client.get("/loans/docs")).text)
        assert "/loans/static/docs.css" in page.links
        assert "http://x.test/loans/predict" in page.code[0]
        assert (await client.get("/loans/")).headers["location"] == "/loans/docs"


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


async def test_openapi_is_whole(service: Service) -> None:
    document = (await service.client.get("/openapi.json")).json()
    addresses = [route for route in service.app.routes if isinstance(route, Address)]
    assert {(route.method, route.path) for route in addresses} == set(OPERATIONS)
    assert document["openapi"] == "3.1.0"
    schemas = document["components"]["schemas"]
    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in schemas
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    identifiers = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            identifiers.append(operation["operationId"])
            named = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path))
            assert operation["responses"]
            assert operation["summary"].endswith(".")
            assert method in {"get", "post"}
    assert len(identifiers) == len(set(identifiers)) == len(addresses)


def validator(document: dict[str, object], name: str) -> jsonschema.Draft202012Validator:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    return jsonschema.Draft202012Validator(schema)


async def test_openapi_describes_what_really_comes(
    service: Service, client: httpx.AsyncClient, version: str
) -> None:
    document = (await client.get("/openapi.json")).json()
    place = f"/models/loans/versions/{version[:12]}"
    bad = a_row(income="x", home="castle")
    for name, response in [
        ("Prediction", await client.post("/predict?reasons=3", json=a_row(income=0, home="x"))),
        ("BatchPrediction", await client.post("/predict/batch", json={"rows": [a_row(), {}]})),
        ("Problem", await client.post("/predict", json=bad)),
        ("ModelList", await client.get("/models")),
        ("ModelDetail", await client.get("/models/loans")),
        ("VersionDetail", await client.get(place)),
        ("VersionView", await client.post(f"{place}/promote")),
        ("RunList", await client.get("/runs")),
        ("Alive", await client.get("/health")),
        ("Readiness", await client.get("/ready")),
    ]:
        validator(document, name).validate(response.json())
    assert service.state.slot.current is not None


async def test_openapi_has_the_champions_row(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    row = validator(document, "Row")
    content = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    row.validate(content["example"])
    row.validate({"home": None, "married": True, "extra": 1})
    assert not row.is_valid({"home": "rent"})
    assert not row.is_valid(a_row(income="12"))
    named = document["paths"]["/models/{model}/predict"]["post"]["requestBody"]["content"]
    assert named["application/json"] == {"schema": {"type": "object"}}


async def test_openapi_follows_the_champion(service: Service) -> None:
    before = await service.client.get("/openapi.json")
    assert (await service.client.get("/openapi.json")).content == before.content
    service.state.slot.swap(a_scorer(a_manifest(model="houses")))
    assert '"houses"' in (await service.client.get("/openapi.json")).text


def test_long_vocabularies_are_cut_in_words_only() -> None:
    names = tuple(f"n{number}" for number in range(30))
    feature = Categorical(name="place", null="accept", vocabulary=names, example="n0")
    signature = msgspec.structs.replace(a_manifest().signature, features=(feature,))
    (text,) = feature_texts(signature)
    assert text.values.endswith("n11 and 18 more.")
    assert row_schema(signature)["required"] == []


def test_kinds_are_in_plain_words() -> None:
    signature = msgspec.structs.replace(
        a_manifest().signature,
        features=(
            Numeric(name="a", null="warn", low=0.5, high=1.5, whole=False, example=1.25),
            Moment(
                name="b",
                null="warn",
                layout="dmy",
                parts=("days",),
                low="2020-01-01",
                high="2020-12-31",
                example="31/12/2020",
            ),
        ),
    )
    first, second = feature_texts(signature)
    assert (first.kind, first.example, second.kind) == ("number", "1.25", "date, DD/MM/YYYY")
    assert example_row(signature) == {"a": 1.25, "b": "31/12/2020"}
