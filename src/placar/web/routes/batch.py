"""Scoring many rows of one JSON body, in slices on the worker's pool, so that the loop stays free.

Good rows are scored; a bad row is reported in its place. Each slice's answers are sent when they
are there: beside the body, nothing of a batch is larger than the slice that is worked on.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
import numpy as np
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from placar.errors import BodyTooLarge, DeadlineUnmet, InputError, InvalidRow, Issue, MalformedBody
from placar.scoring.reasons import Reason
from placar.scoring.scorer import Scorer
from placar.signature.body import decode_row
from placar.signature.rows import RowBatch, Rows, read_rows
from placar.web.admission import SHED, deadline_of
from placar.web.bodies import Hold
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
    rows: Rows
    start: int
    """Position of the first row in its batch."""
    reasons: int
    issues: int
    """How many issues may still be told in full."""
    whole: bool
    """There are as many rows as one visit may have."""


@dataclass(slots=True)
class _Slice:
    """What one visit to the pool makes."""

    text: bytes = b""
    issues: int = 0
    """Told in full."""
    scored: int = 0
    rejected: int = 0
    warnings: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Batch:
    """What a request asks for."""

    scorer: Scorer
    rows: RowBatch
    reasons: int
    deadline: float | None

    def expired(self) -> bool:
        """Tell whether the caller has stopped waiting."""
        return self.deadline is not None and time.monotonic() > self.deadline

    def tasks(self, answer: _Answer) -> Iterator[_Task]:
        """Return the batch in slices, each made when the one before it has been answered."""
        step = _rows_per_visit(self.scorer, self.reasons)
        for start, rows in self.rows.slices(step):
            issues = _MOST_ISSUES - answer.issues
            whole = len(rows) == step
            yield _Task(self.scorer, rows, start, self.reasons, issues, whole)


class _Answer:
    """The answer, sent slice by slice; the connection's own pace holds back who is too fast."""

    def __init__(self, send: Send, *, whole: Hold | None, shed: bool) -> None:
        """Begin with nothing sent.

        Args:
            send: the request's.
            whole: takes the memory for everything until the end, for HTTP/1.0, which knows no
                chunks.
            shed: reasons were asked for, and are left out.
        """
        self._send = send
        self._hold = whole
        self._whole: list[bytes] = []
        self._shed = shed
        self._begun = False
        self.issues = 0
        """Told in full so far."""
        self._scored = 0
        self._rejected = 0
        self._warnings: Counter[str] = Counter()

    @property
    def sent(self) -> bool:
        """Something of it has left: its status cannot be changed any more."""
        return self._begun and self._hold is None

    async def add(self, done: _Slice) -> None:
        """Send a slice's entries."""
        self.issues += done.issues
        self._scored += done.scored
        self._rejected += done.rejected
        self._warnings.update(done.warnings)
        await self._put((b"," if self._begun else b'{"predictions":[') + done.text)

    async def end(self, scorer: Scorer) -> None:
        """Send what follows the entries."""
        tail = {
            "model": scorer.model,
            "version": scorer.version,
            "scored": self._scored,
            "rejected": self._rejected,
            "warnings": dict(sorted(self._warnings.items())),
        }
        begin = b"" if self._begun else b'{"predictions":['
        await self._put(begin + b"]," + encode_json(tail)[1:] + b"\n")
        if self._hold is not None:
            await self._start((b"content-length", str(sum(map(len, self._whole))).encode()))
            for part in self._whole:
                await self._send({"type": "http.response.body", "body": part, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})

    async def _put(self, part: bytes) -> None:
        if self._hold is not None:
            self._hold.grow(len(part))
            self._whole.append(part)
        else:
            if not self._begun:
                await self._start()
            await self._send({"type": "http.response.body", "body": part, "more_body": True})
        self._begun = True

    async def _start(self, *more: tuple[bytes, bytes]) -> None:
        headers = [(b"content-type", b"application/json"), *more]
        if self._shed:
            headers.append((SHED, b"reasons"))
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})


class PredictBatch:
    """``POST /predict/batch``."""

    def __init__(self, state: AppState) -> None:
        """Answer with what the worker holds."""
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Score the rows in the body, all with the same version."""
        require_json(scope["headers"])
        reasons = wanted_reasons(scope)
        deadline = deadline_of(scope)
        state = self._state
        state.admission.expect_batch()
        with state.admission.bodies.hold() as hold:
            body = await read_body(scope, receive, state.settings.max_body, hold)
            scorer = await scorer_for(state, scope["path_params"])
            rows = await state.compute(read_rows, body, state.settings.max_rows)
            del body
            state.admission.take_batch(rows.count, deadline)
            shed = bool(reasons) and state.admission.sheds_reasons()
            batch = _Batch(scorer, rows, 0 if shed else reasons, deadline)
            whole = hold if scope.get("http_version") == "1.0" else None
            answer = _Answer(send, whole=whole, shed=shed)
            await self._score(batch, answer, receive)

    async def _score(self, batch: _Batch, answer: _Answer, receive: Receive) -> None:
        admission = self._state.admission
        hung_up = asyncio.ensure_future(receive())  # all there is to receive is a disconnect
        left = batch.rows.count
        admission.batches.begin(left)
        try:
            for task in batch.tasks(answer):
                await admission.give_way()
                if batch.expired() and not answer.sent:
                    raise DeadlineUnmet("The caller's time was over before anything was answered.")
                if hung_up.done() or batch.expired():
                    raise ClientDisconnect
                began = time.monotonic()
                done = await self._state.compute(_score, task)
                took = time.monotonic() - began
                admission.batches.done(len(task.rows), took, whole=task.whole)
                left -= len(task.rows)
                self._count(batch.scorer, done)
                await answer.add(done)
        finally:
            admission.batches.drop(left)
            hung_up.cancel()
        await answer.end(batch.scorer)

    def _count(self, scorer: Scorer, done: _Slice) -> None:
        meters = self._state.meters
        meters.rows(scorer.model, scorer.version, scored=done.scored, rejected=done.rejected)
        for code, count in done.warnings.items():
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
