"""What each address is for, in words and types: the source of ``/openapi.json`` and ``/docs``.

A test holds that every address of ``app.py`` is here, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec

from placar.box.flight.record import Crash
from placar.runs.request import RunRequest
from placar.web.routes.batch import RejectedRow, RowPrediction
from placar.web.routes.predict import MOST_REASONS, Prediction
from placar.web.routes.runs import FARTHEST, MOST_RUNS
from placar.web.views import (
    ModelDetail,
    ModelList,
    RunList,
    RunView,
    TableList,
    TableView,
    VersionDetail,
    VersionView,
)


class Row(msgspec.Struct):
    """Stands for a row of the champion's signature; ``schemas.py`` describes it."""


class Rows(msgspec.Struct):
    """Stands for ``{"rows": [...]}``."""


_EITHER = [{"$ref": f"#/components/schemas/{k.__name__}"} for k in (RowPrediction, RejectedRow)]


class BatchPrediction(msgspec.Struct):
    """The answer to a batch: one entry per row, in order."""

    predictions: Annotated[
        tuple[Any, ...], msgspec.Meta(extra_json_schema={"items": {"anyOf": _EITHER}})
    ]
    model: str
    version: str
    scored: int
    rejected: int
    warnings: dict[str, int]
    """How often each code of warning occurred."""


class Alive(msgspec.Struct):
    """The loop is alive."""

    status: str


class Readiness(msgspec.Struct):
    """The worker can score."""

    status: str
    model: str
    version: str
    notes: tuple[str, ...]
    last_crash: Crash | None = None
    """The last end of a worker that nobody had asked for; only for keys with the scope `read`."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter that is a whole number and may be left out."""

    name: str
    low: int
    high: int
    about: str


@dataclass(frozen=True, slots=True)
class TextParameter:
    """A query parameter that is a text and must be there."""

    name: str
    about: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One address in words."""

    group: str
    about: str
    answer: type | str
    """A struct, or the media type of what is not JSON."""
    status: int = 200
    body: type | str | None = None
    """A struct, or the media type of what is not JSON."""
    parameters: tuple[Parameter | TextParameter, ...] = ()
    refusals: tuple[int, ...] = field(default=())
    """Statuses of problems, beside 401 and 403 where a key is needed."""
    scores: bool = False
    """It takes a deadline, and may leave reasons out under pressure."""


PARTS = (RowPrediction, RejectedRow)
"""Structs that answers refer to only by name."""

_REASONS = Parameter("reasons", 0, MOST_REASONS, "How many reasons to give for each score.")
_SCORING = (400, 404, 408, 409, 413, 415, 422, 503)
_ROW = (Prediction, 200, Row, (_REASONS,), _SCORING, True)
_ROWS = (BatchPrediction, 200, Rows, (_REASONS,), _SCORING, True)
_LOOKING = (404, 503)

OPERATIONS: dict[tuple[str, str], Operation] = {
    ("POST", "/predict"): Operation("Score", "Score one row with the champion.", *_ROW),
    ("POST", "/predict/batch"): Operation(
        "Score", "Score many rows; bad ones are reported in their place.", *_ROWS
    ),
    ("POST", "/models/{model}/predict"): Operation(
        "Score", "Score one row with a model's champion.", *_ROW
    ),
    ("POST", "/models/{model}/predict/batch"): Operation(
        "Score", "Score many rows with a model's champion.", *_ROWS
    ),
    ("POST", "/models/{model}/versions/{version}/predict"): Operation(
        "Score", "Score one row with a version; 6 digits or more name it.", *_ROW
    ),
    ("POST", "/models/{model}/versions/{version}/predict/batch"): Operation(
        "Score", "Score many rows with a version.", *_ROWS
    ),
    ("POST", "/tables"): Operation(
        "Runs",
        "Send a table to train on: CSV, CSV.gz, Parquet or JSON lines, as it is.",
        TableView,
        201,
        "application/octet-stream",
        (TextParameter("name", "File name to keep it under, such as loans.csv."),),
        (413, 415, 422, 507),
    ),
    ("GET", "/tables"): Operation("Runs", "List the tables to train on.", TableList),
    ("POST", "/run-pipeline"): Operation(
        "Runs",
        "Train a new version; without a body, as the last time. "
        "An Idempotency-Key header makes it safe to ask twice.",
        RunView,
        202,
        RunRequest,
        (),
        (400, 404, 409, 413, 415, 422, 503, 507),
    ),
    ("GET", "/runs"): Operation(
        "Runs",
        "List runs, newest first.",
        RunList,
        parameters=(Parameter("limit", 1, MOST_RUNS, "How many."),),
        refusals=(422, 503),
    ),
    ("GET", "/runs/{run}"): Operation("Runs", "Look at a run.", RunView, refusals=_LOOKING),
    ("GET", "/runs/{run}/log"): Operation(
        "Runs",
        "Read a run's log, also while it runs; X-Next-Offset says where to go on.",
        "text/plain",
        parameters=(Parameter("offset", 0, FARTHEST, "First byte."),),
        refusals=(404, 422, 503),
    ),
    ("GET", "/runs/{run}/events"): Operation(
        "Runs",
        "Follow a run's progress (server-sent events).",
        "text/event-stream",
        refusals=_LOOKING,
    ),
    ("POST", "/runs/{run}/cancel"): Operation(
        "Runs",
        "End a run; nothing of it is published.",
        RunView,
        202,
        refusals=(404, 409, 503, 507),
    ),
    ("GET", "/models"): Operation("Models", "List models.", ModelList, refusals=(503,)),
    ("GET", "/models/{model}"): Operation(
        "Models", "Look at a model and its versions.", ModelDetail, refusals=_LOOKING
    ),
    ("GET", "/models/{model}/versions/{version}"): Operation(
        "Models",
        "Look at a version: signature, bands, metrics, provenance.",
        VersionDetail,
        refusals=(404, 409, 503),
    ),
    ("GET", "/models/{model}/versions/{version}/report"): Operation(
        "Models", "Read a version's report.", "text/html", refusals=(404, 409, 503)
    ),
    ("POST", "/models/{model}/versions/{version}/promote"): Operation(
        "Models",
        "Make a version the champion, in every worker within two seconds.",
        VersionView,
        refusals=(404, 409, 503, 507),
    ),
    ("POST", "/models/{model}/rollback"): Operation(
        "Models", "Go back to the champion before.", VersionView, refusals=(404, 409, 503, 507)
    ),
    ("GET", "/metrics"): Operation(
        "Service", "Counters of all workers, for Prometheus.", "text/plain"
    ),
    ("GET", "/health"): Operation("Service", "The service is alive.", Alive),
    ("GET", "/ready"): Operation("Service", "The service can score.", Readiness, refusals=(503,)),
    ("GET", "/docs"): Operation("Service", "This page.", "text/html"),
    ("GET", "/openapi.json"): Operation(
        "Service", "This interface as OpenAPI 3.1.", "application/json"
    ),
    ("GET", "/"): Operation("Service", "Leads to /docs.", "text/html", 307),
}
