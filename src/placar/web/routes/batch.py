"""Scoring many rows of one JSON body, in slices on the worker's pool, so that the loop stays free.

Good rows are scored; a bad row is reported in its place. Nothing of a batch is larger than the
slice that is worked on, but for the body and the answer themselves.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from placar.errors import BodyTooLarge, InputError, InvalidRow, Issue, MalformedBody
from placar.scoring.reasons import Reason
from placar.scoring.scorer import Scorer
from placar.signature.body import decode_row, decode_rows
from placar.web.ids import new_prediction_id
from placar.web.routes.predict import scorer_for, wanted_reasons
from placar.web.state import AppState
from placar.web.wire import WireIssue, encode_json, on_the_wire, read_body, require_json

_MOST_ISSUES = 2_000
"""Issues that one answer tells in full: a mistake made in every row is told often enough, and an
answer must not outgrow its request. Beyond them a bad row keeps its first error, and warnings are
only counted."""

_SLICE = 500
"""Rows per visit to the pool at most: some milliseconds, so that batches take turns."""

_CELLS = 1_000_000
"""Cells that the model goes through in one visit, about; wide rows and their reasons have many."""


class RowPrediction(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The answer to one row of a batch."""

    prediction_id: str
    prediction: str
    """The target's value that is predicted."""
    probability: float
    """Calibrated probability of the positive value."""
    score: int
    """Points from 0 to 1000."""
    band: str
    reasons: tuple[Reason, ...] | None = None
    """What moved the score most; only with `?reasons=N`."""
    warnings: tuple[WireIssue, ...] = ()


class RejectedRow(msgspec.Struct):
    """What stands in the place of a row that could not be scored."""

    errors: tuple[WireIssue, ...]


@dataclass(frozen=True, slots=True)
class _Task:
    """What one visit to the pool is for."""

    scorer: Scorer
    rows: Sequence[msgspec.Raw]
    start: int
    """Position of the first row in its batch."""
    reasons: int
    issues: int
    """How many issues may still be told in full."""


@dataclass(slots=True)
class _Slice:
    """What one visit to the pool makes."""

    text: bytes = b""
    issues: int = 0
    """Told in full."""
    scored: int = 0
    rejected: int = 0
    warnings: Counter[str] = field(default_factory=Counter)


class PredictBatch:
    """``POST /predict/batch``."""

    def __init__(self, state: AppState) -> None:
        """Answer with what the worker holds."""
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Score the rows in the body, all with the same version."""
        require_json(scope["headers"])
        reasons = wanted_reasons(scope)
        settings = self._state.settings
        body = await read_body(scope, receive, settings.max_body)
        scorer = await scorer_for(self._state, scope["path_params"])
        rows = await self._state.compute(decode_rows, body, settings.max_rows)
        del body
        hung_up = asyncio.ensure_future(receive())  # all there is to receive is a disconnect
        try:
            slices: list[_Slice] = []
            issues_left = _MOST_ISSUES
            step = _rows_per_visit(scorer, reasons)
            for start in range(0, len(rows), step):
                if hung_up.done():
                    raise ClientDisconnect
                task = _Task(scorer, rows[start : start + step], start, reasons, issues_left)
                slices.append(await self._state.compute(_score, task))
                issues_left -= slices[-1].issues
        finally:
            hung_up.cancel()
        self._count(scorer, slices)
        await _send(send, scorer, slices)

    def _count(self, scorer: Scorer, slices: list[_Slice]) -> None:
        meters = self._state.meters
        for each in slices:
            meters.rows(scorer.model, scorer.version, scored=each.scored, rejected=each.rejected)
            for code, count in each.warnings.items():
                meters.warning(scorer.model, code, count)


def _rows_per_visit(scorer: Scorer, reasons: int) -> int:
    cells = scorer.reason_cells if reasons else len(scorer.manifest.reference_row)
    return max(1, min(_SLICE, _CELLS // cells))


def _score(task: _Task) -> _Slice:
    """Return a slice's entries as JSON, without the brackets around them."""
    done, scorer = _Slice(), task.scorer
    entries: list[RejectedRow | None] = []
    values: list[list[float]] = []
    warnings: list[tuple[Issue, ...]] = []
    for position, row in enumerate(task.rows, task.start):
        try:
            encoded = scorer.row_encoder.encode(decode_row(row), f"/rows/{position}")
        except (InvalidRow, MalformedBody, BodyTooLarge) as error:
            rejected = _rejected(error, position)
            if done.issues >= task.issues:  # one says enough by now
                rejected = RejectedRow(rejected.errors[:1])
            done.issues += len(rejected.errors)
            entries.append(rejected)
            done.rejected += 1
        else:
            entries.append(None)
            values.append(encoded.values)
            warnings.append(encoded.warnings if done.issues < task.issues else ())
            done.issues += len(encoded.warnings)
            done.warnings.update(issue.code for issue in encoded.warnings)
    done.scored = len(values)
    scored = iter(_predictions(scorer, values, warnings, task.reasons))
    texts = [encode_json(entry if entry is not None else next(scored)) for entry in entries]
    done.text = b",".join(texts)
    return done


def _predictions(
    scorer: Scorer,
    values: list[list[float]],
    warnings: list[tuple[Issue, ...]],
    reasons: int,
) -> list[RowPrediction]:
    if not values:
        return []
    matrix = np.array(values, dtype=np.float32)
    scores = scorer.score_matrix(matrix)
    answers = zip(
        scores.predictions.tolist(),
        scores.probabilities.tolist(),
        scores.scores.tolist(),
        scores.bands.tolist(),
        warnings,
        strict=True,
    )
    return [
        RowPrediction(
            prediction_id=new_prediction_id(),
            prediction=prediction,
            probability=probability,
            score=score,
            band=band,
            reasons=scorer.reasons(matrix[row : row + 1], reasons) if reasons else None,
            warnings=on_the_wire(noted) if noted else (),
        )
        for row, (prediction, probability, score, band, noted) in enumerate(answers)
    ]


def _rejected(error: InputError, position: int) -> RejectedRow:
    if isinstance(error, InvalidRow):
        return RejectedRow(on_the_wire(error.issues))
    return RejectedRow((WireIssue(f"/rows/{position}", error.code, error.message),))


async def _send(send: Send, scorer: Scorer, slices: Sequence[_Slice]) -> None:
    """Send the slices one after another: the answer is never in memory twice."""
    warnings = sum((each.warnings for each in slices), Counter[str]())
    tail = {
        "model": scorer.model,
        "version": scorer.version,
        "scored": sum(each.scored for each in slices),
        "rejected": sum(each.rejected for each in slices),
        "warnings": dict(sorted(warnings.items())),
    }
    # The entries are JSON already; the rest of the object follows them.
    parts = [b'{"predictions":[']
    for number, each in enumerate(slices):
        parts += [b",", each.text] if number else [each.text]
    parts.append(b"]," + encode_json(tail)[1:] + b"\n")
    length = str(sum(map(len, parts))).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
