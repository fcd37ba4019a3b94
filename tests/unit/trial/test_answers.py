"""Reading what a stranger's service says."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from placar.trial.client import Answer
from placar.trial.interface import EXPECTED, read_interface
from placar.trial.refusals import problem_of, reading, retry_after, unexpected

DEEP = b'{"paths":' + b'{"a":' * 100_000


def an_answer(status: int = 200, body: bytes = b"", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, named, body, 0.01)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", DEEP, b'{"paths":[]}', b'{"paths":{"/predict":1}}'],
)
def test_what_is_no_document_is_called_so(body: bytes) -> None:
    interface = read_interface(an_answer(body=body))
    assert (interface.placar, interface.row, interface.missing) == ("", None, EXPECTED)
    assert interface.said == "/openapi.json is not an OpenAPI document."


@pytest.mark.parametrize("example", [None, [], "text", 7])
def test_an_example_that_is_no_row_is_not_used(example: object) -> None:
    content = {"application/json": {"example": example}}
    paths = {"/predict": {"post": {"requestBody": {"content": content}}}}
    assert read_interface(an_answer(body=json.dumps({"paths": paths}).encode())).row is None


def test_an_example_is_taken_as_it_is() -> None:
    row = {"naïve": "é", "n": 1.5, "missing": None}
    operation = {
        "parameters": [{"name": "reasons", "in": "query"}],
        "requestBody": {"content": {"application/json": {"example": row}}},
    }
    document = {
        "info": {"title": "Placar", "version": "9"},
        "paths": {"/predict": {"post": operation}},
    }
    interface = read_interface(an_answer(body=json.dumps(document).encode()))
    assert interface.row is not None
    assert json.loads(interface.row) == row
    assert (interface.placar, interface.reasons) == ("9", True)


@pytest.mark.parametrize(
    ("status", "text", "seconds"),
    [
        (503, "5", 5.0),
        (429, "0", 0.0),
        (503, "99999999999", 999999999.0),
        (503, "", None),
        (503, "-1", None),
        (503, "soon", None),
        (503, "٣", None),
        (500, "5", None),
        (200, "5", None),
    ],
)
def test_a_refusal_says_when_to_come_again(status: int, text: str, seconds: float | None) -> None:
    assert retry_after(an_answer(status, retry_after=text)) == seconds


def test_a_date_to_come_again_is_understood_too() -> None:
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert retry_after(an_answer(503, retry_after=then)) == pytest.approx(30, abs=2)
    past = format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True)
    assert retry_after(an_answer(503, retry_after=past)) == 0.0


def test_foreign_text_cannot_steer_a_terminal() -> None:
    line = reading("a\x1b[2Jb\r\n\u202ec\x00" + "x" * 9999)
    assert line.startswith("a [2Jb c")
    assert line.isprintable()
    assert len(line) <= 300


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'{"detail":7}', DEEP],
    ids=["empty", "page", "list", "no words", "deep"],
)
def test_what_is_no_problem_document_says_nothing(body: bytes) -> None:
    assert problem_of(an_answer(500, body)) == ("", "")
    assert unexpected("score", an_answer(500, body)).found == "Status 500."


def test_an_unexpected_answer_passes_on_the_services_own_way_out() -> None:
    body = json.dumps({"detail": "No model.", "way_out": "Train one."}).encode()
    check = unexpected("score", an_answer(503, body, retry_after="5"))
    assert check.found == "Status 503: No model. It asks to come again in 5 s."
    assert check.to_do == "Train one."
