"""Scoring one row: from request bytes to answer bytes, on the event loop, without a thread hop."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import msgspec
from starlette.types import Receive, Scope, Send

from placar.errors import DeadlineUnmet, InvalidRow, NoChampion
from placar.scoring.reasons import Reason
from placar.scoring.scorer import Scorer
from placar.signature.body import LARGEST_ROW, Body, decode_row
from placar.web.admission import SHED, deadline_of
from placar.web.ids import new_prediction_id
from placar.web.metrics import Meters
from placar.web.state import AppState
from placar.web.wire import (
    WireIssue,
    encode_json,
    on_the_wire,
    query,
    read_body,
    require_json,
    send_json,
    whole_number,
)

MOST_REASONS = 50

_LARGEST_INLINE = 64 * 1024
"""A larger row goes to the pool: decoding it would keep the loop busy for milliseconds."""

_MOST_INLINE_CELLS = 20_000
"""So do reasons that take the model through more cells than this."""


class Prediction(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The answer to one row."""

    prediction_id: str
    prediction: str
    """The target's value that is predicted."""
    probability: float
    """Calibrated probability of the positive value."""
    score: int
    """Points from 0 to 1000."""
    band: str
    reasons: tuple[Reason, ...] | None = None
    """What moved the score most; only with `?reasons=N`, and not under pressure."""
    model: str
    version: str
    warnings: tuple[WireIssue, ...] = ()


class PredictRow:
    """``POST /predict``, and the same for a model or a version by name."""

    def __init__(self, state: AppState) -> None:
        """Answer with what the worker holds."""
        self._state = state
        self._largest = min(LARGEST_ROW, state.settings.max_body)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Score the row in the body."""
        require_json(scope["headers"])
        reasons = wanted_reasons(scope)
        deadline = deadline_of(scope)
        admission = self._state.admission
        with admission.bodies.hold() as hold:
            body = await read_body(scope, receive, self._largest, hold)
            scorer = await scorer_for(self._state, scope["path_params"])
            admission.take_row(deadline)
            began = time.perf_counter()
            extra: tuple[tuple[bytes, bytes], ...] = ()
            if reasons and admission.sheds_reasons():
                reasons, extra = 0, ((SHED, b"reasons"),)
            cells = scorer.reason_cells if reasons else 0
            meters = self._state.meters
            if len(body) <= _LARGEST_INLINE and cells <= _MOST_INLINE_CELLS:
                answer = _answer(scorer, body, reasons, meters)
                # Before it is sent: a client that does not read must not make rows seem slow.
                admission.rows.done(time.perf_counter() - began)
            else:
                work = partial(_answer, scorer, body, reasons, meters)
                answer = await self._state.compute(_unless_expired, deadline, work)
        await send_json(send, answer, headers=extra)


async def scorer_for(state: AppState, path: dict[str, str]) -> Scorer:
    """Return the scorer that an address means: the champion, or a model or version by name.

    Raises:
        NoChampion: nothing has been promoted.
        NotFound: no such model or version.
        PackageError: the version cannot answer.
    """
    model = path.get("model")
    if model is None:
        champion = state.slot.current
        if champion is None:
            raise NoChampion(" ".join(state.readiness.reasons()) or None)
        return champion
    version = path.get("version")
    found = state.shelf.at_hand(model, version)
    return found or await state.shelf.fetch(state.services, model, version)


def wanted_reasons(scope: Scope) -> int:
    """Return what ``?reasons=`` asks for.

    Raises:
        InvalidRequest: not a whole number up to ``MOST_REASONS``.
    """
    if not scope["query_string"]:
        return 0
    return whole_number(query(scope, ("reasons",)), "reasons", 0, MOST_REASONS, 0)


def _unless_expired(deadline: float | None, work: Callable[[], bytes]) -> bytes:
    """Do what waited for the pool, unless its caller has stopped waiting meanwhile."""
    if deadline is not None and time.monotonic() > deadline:
        raise DeadlineUnmet("The caller's time was over before the work began.")
    return work()


def _answer(scorer: Scorer, body: Body, reasons: int, meters: Meters) -> bytes:
    try:
        answer = scorer.score_row(decode_row(body), reasons)
    except InvalidRow:
        meters.rows(scorer.model, scorer.version, rejected=1)
        raise
    meters.rows(scorer.model, scorer.version, scored=1)
    for warning in answer.warnings:
        meters.warning(scorer.model, warning.code)
    return encode_json(
        Prediction(
            prediction_id=new_prediction_id(),
            prediction=answer.prediction,
            probability=answer.probability,
            score=answer.score,
            band=answer.band,
            reasons=answer.reasons,
            model=scorer.model,
            version=scorer.version,
            warnings=on_the_wire(answer.warnings) if answer.warnings else (),
        )
    )
