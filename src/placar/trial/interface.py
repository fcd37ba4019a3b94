"""What a service says of itself in ``/openapi.json``: what it can do, and an example to try."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from placar.trial.client import Answer

EXPECTED = ("/health", "/ready", "/predict", "/predict/batch", "/run-pipeline")
"""Addresses of a Placar service that a trial tries."""

_OK = 200


class _Info(msgspec.Struct):
    title: str = ""
    version: str = ""


class _Document(msgspec.Struct):
    info: _Info = msgspec.field(default_factory=_Info)
    paths: dict[str, dict[str, msgspec.Raw]] = {}


class _Content(msgspec.Struct):
    example: msgspec.Raw = msgspec.Raw()


class _Body(msgspec.Struct):
    content: dict[str, _Content] = {}


class _Parameter(msgspec.Struct):
    name: str = ""


class _Operation(msgspec.Struct):
    parameters: list[_Parameter] = []
    requestBody: _Body | None = None  # noqa: N815 - OpenAPI's name


@dataclass(frozen=True, slots=True)
class Interface:
    """What can be tried."""

    placar: str
    """Version of the service; empty where it is not Placar."""
    missing: tuple[str, ...]
    """Of the expected addresses."""
    row: bytes | None
    """An example row as JSON; None where there is none, such as before a first model."""
    reasons: bool
    said: str = ""
    """Why nothing is known."""

    def has(self, path: str) -> bool:
        """Tell whether the service has one of the expected addresses."""
        return path not in self.missing


def read_interface(answer: Answer) -> Interface:
    """Return what the answer to ``GET /openapi.json`` says."""
    if answer.status != _OK:
        return _unknown(f"/openapi.json answers with status {answer.status}.")
    try:
        document = msgspec.json.decode(answer.body, type=_Document)
        predict = _operation(document, "/predict")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _unknown("/openapi.json is not an OpenAPI document.")
    return Interface(
        placar=document.info.version[:40] if document.info.title == "Placar" else "",
        missing=tuple(path for path in EXPECTED if path not in document.paths),
        row=_example(predict),
        reasons=any(each.name == "reasons" for each in predict.parameters),
    )


def _unknown(said: str) -> Interface:
    return Interface(placar="", missing=EXPECTED, row=None, reasons=False, said=said)


def _operation(document: _Document, path: str) -> _Operation:
    raw = document.paths.get(path, {}).get("post")
    return _Operation() if raw is None else msgspec.json.decode(raw, type=_Operation)


def _example(operation: _Operation) -> bytes | None:
    body = operation.requestBody or _Body()
    example = body.content.get("application/json", _Content()).example
    if not bytes(example).startswith(b"{"):
        return None
    return msgspec.json.encode(msgspec.json.decode(example))
