"""The interface as an OpenAPI 3.1 document, with the champion's own row schema and example."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus

import msgspec

from placar import __version__
from placar.runs.request import RunRequest
from placar.scoring.scorer import Scorer
from placar.web.address import Address
from placar.web.admission import LONGEST_DEADLINE, SHED
from placar.web.operations import OPERATIONS, PARTS, Operation, Parameter, Row, Rows, TextParameter
from placar.web.schemas import Json, prediction_example, row_schema, telling_row
from placar.web.wire import WireIssue

_PLACEHOLDER = re.compile(r"{(\w+)}")
_REFERENCE = "#/components/schemas/{name}"
_BARE = {"Row", "Rows"}

_PLACEHOLDERS = {
    "model": "Name of a model.",
    "version": "At least 6 hexadecimal digits of a version.",
    "run": "Id of a run.",
}


class Problem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str = ""
    way_out: str = ""
    instance: str
    request_id: str
    errors: tuple[WireIssue, ...] = ()


def openapi_document(addresses: Iterable[Address], champion: Scorer | None) -> Json:
    """Return the document for these addresses; rows are those of ``champion`` when there is one."""
    listed = list(addresses)
    paths: dict[str, dict[str, Json]] = {}
    for address in listed:
        operation = OPERATIONS[address.method, address.path]
        paths.setdefault(address.path, {})[address.method.lower()] = _operation(
            address, operation, champion
        )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Placar",
            "version": __version__,
            "description": "A scoring service: rows in, calibrated scores out.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(listed, champion),
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }


_DEADLINE: Json = {
    "name": "X-Request-Timeout",
    "in": "header",
    "required": False,
    "description": "Seconds that the caller waits. What cannot be done in time is not begun.",
    "schema": {"type": "number", "exclusiveMinimum": 0, "maximum": LONGEST_DEADLINE},
}
_SHED: Json = {
    "description": "What was left out because the service is under pressure.",
    "schema": {"const": "reasons"},
}
_RETRY_AFTER: Json = {
    "description": "Seconds after which to try again.",
    "schema": {"type": "integer", "minimum": 1},
}


def _operation(address: Address, operation: Operation, champion: Scorer | None) -> Json:
    described: Json = {
        "operationId": _identifier(address),
        "summary": operation.about,
        "tags": [operation.group],
        "responses": _responses(address, operation, champion),
    }
    parameters = [
        *(_path_parameter(name) for name in _PLACEHOLDER.findall(address.path)),
        *(_query_parameter(parameter) for parameter in operation.parameters),
        *([_DEADLINE] if operation.scores else []),
    ]
    if parameters:
        described["parameters"] = parameters
    if isinstance(operation.body, str):
        described["requestBody"] = {"required": True, "content": {operation.body: {}}}
    elif operation.body is not None:
        described["requestBody"] = {
            "required": operation.body is not RunRequest,  # nothing said: as the last time
            "content": {"application/json": _content(operation.body, address, champion)},
        }
    described["security"] = [{"key": []}, {"bearer": []}] if address.needs else []
    if address.needs:
        described["description"] = f"Needs a key with the scope `{address.needs}`."
    return described


def _identifier(address: Address) -> str:
    words = re.sub(r"\W+", "_", address.path).strip("_") or "root"
    return f"{address.method.lower()}_{words}"


def _responses(address: Address, operation: Operation, champion: Scorer | None) -> Json:
    good: Json = {"description": HTTPStatus(operation.status).phrase}
    if isinstance(operation.answer, str):
        if operation.status < HTTPStatus.MULTIPLE_CHOICES:
            good["content"] = {operation.answer: {}}
    else:
        good["content"] = {"application/json": _content(operation.answer, address, champion)}
    if operation.scores:
        good["headers"] = {SHED.decode(): _SHED}
    refusals = set(operation.refusals) | ({401, 403} if address.needs else set())
    responses: Json = {str(operation.status): good}
    for status in sorted(refusals):
        schema = {"schema": {"$ref": _REFERENCE.format(name="Problem")}}
        bad: Json = {
            "description": HTTPStatus(status).phrase,
            "content": {"application/problem+json": schema},
        }
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            bad["headers"] = {"Retry-After": _RETRY_AFTER}
        responses[str(status)] = bad
    return responses


def _content(kind: type, address: Address, champion: Scorer | None) -> Json:
    # Named models and versions have signatures of their own: the champion's says nothing there.
    named = "{model}" in address.path
    schema: Json = {"$ref": _REFERENCE.format(name=kind.__name__)}
    if named and kind is Row:
        return {"schema": {"type": "object"}}
    if named and kind is Rows:
        return {"schema": _rows_schema({"type": "object"})}
    content: Json = {"schema": schema}
    if champion is not None and not named:
        row = telling_row(champion.manifest)
        examples: dict[str, object] = {
            "Row": row,
            "Rows": {"rows": [row]},
            "Prediction": prediction_example(champion),
        }
        if kind.__name__ in examples:
            content["example"] = examples[kind.__name__]
    return content


def _schemas(addresses: list[Address], champion: Scorer | None) -> Json:
    operations = [OPERATIONS[address.method, address.path] for address in addresses]
    answers = [each.answer for each in operations if isinstance(each.answer, type)]
    bodies = [each.body for each in operations if isinstance(each.body, type)]
    kinds = {kind.__name__: kind for kind in (*answers, *bodies, *PARTS, Problem)}
    structs = [kind for name, kind in sorted(kinds.items()) if name not in _BARE]
    _, components = msgspec.json.schema_components(structs, ref_template=_REFERENCE)
    schemas: Json = {**components}
    schemas["Row"] = row_schema(champion.manifest.signature) if champion else {"type": "object"}
    schemas["Rows"] = _rows_schema({"$ref": _REFERENCE.format(name="Row")})
    return schemas


def _rows_schema(row: Json) -> Json:
    return {
        "type": "object",
        "properties": {"rows": {"type": "array", "items": row}},
        "required": ["rows"],
        "additionalProperties": False,
    }


def _path_parameter(name: str) -> Json:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": _PLACEHOLDERS[name],
        "schema": {"type": "string"},
    }


def _query_parameter(parameter: Parameter | TextParameter) -> Json:
    return {
        "name": parameter.name,
        "in": "query",
        "required": isinstance(parameter, TextParameter),
        "description": parameter.about,
        "schema": _parameter_schema(parameter),
    }


def _parameter_schema(parameter: Parameter | TextParameter) -> Json:
    if isinstance(parameter, TextParameter):
        return {"type": "string"}
    return {"type": "integer", "minimum": parameter.low, "maximum": parameter.high}
