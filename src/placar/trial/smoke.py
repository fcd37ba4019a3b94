"""The smoke test: a handful of requests, right ones and wrong ones, and what must come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from http import HTTPStatus
from typing import TypeVar

import msgspec

from placar.errors import AnswerTimedOut, DeploymentUnusable
from placar.trial.client import Answer, Door, Request, make_request
from placar.trial.facts import Check, milliseconds
from placar.trial.interface import Interface, read_interface
from placar.trial.refusals import is_problem, problem_of, reading, retry_after, unexpected

PATIENCE = 10.0
"""Seconds that an answer may take."""

SMALL_BATCH = 10
"""Rows."""

_TIMES = 3
"""How often the example is scored: over connections of their own, so by several workers."""

_LONGEST_WAIT = 10.0
_OVERSIZED = 2**40
_OVERSIZED_PATIENCE = 5.0
_WRONG_KEY = "placar-check-sends-a-wrong-key"
_MARK = "placar-check-sends-no-number"
T = TypeVar("T")
_JSON = {"Content-Type": "application/json"}
_LOOK = "This should not happen; compare the service's version with this command's."
_NO_KEY = Check(
    "score",
    "warn",
    "Scoring was not tried: no key was given.",
    "Pass one with --key, or better in the variable PLACAR_KEY.",
)


class Scored(msgspec.Struct):
    """What a score must hold."""

    probability: float
    score: int
    band: str
    model: str
    version: str
    reasons: list[dict[str, object]] | None = None


class _ScoredBatch(msgspec.Struct):
    scored: int
    rejected: int


class Smoke:
    """Asks one service a handful of things; each answer becomes a check."""

    def __init__(self, door: Door, key: str | None) -> None:
        """Prepare; nothing is asked yet."""
        self._door = door
        self._key = key
        self.interface = Interface(placar="", missing=(), row=None, reasons=False)
        """What the service says of itself, once it was asked."""
        self.scored: Scored | None = None
        """The first good score."""
        self.healthy = False
        """``/health`` answers."""

    def open_request(self, path: str) -> Request:
        """Return a request without a key, for what anybody may look at."""
        return make_request(self._door.target, "GET", path)

    def request(self, method: str, path: str, body: bytes = b"", key: str | None = None) -> Request:
        """Return a request with the caller's key, or with another one."""
        key = key or self._key
        headers = (_JSON if body else {}) | ({"X-API-Key": key} if key else {})
        return make_request(self._door.target, method, path, headers, body)

    async def checks(self, into: list[Check]) -> None:
        """Ask everything that can be asked; what was found is added to ``into``.

        Raises:
            DeploymentUnusable: not even a connection can be had.
        """
        (await self._door.connect()).close()
        into.append(await _guarded("health", self._health()))
        into.append(await _guarded("interface", self._interface()))
        if self.interface.has("/ready"):
            into.append(await _guarded("ready", self._ready()))
        if self.interface.has("/predict"):
            async for check in self._scoring():
                into.append(check)  # noqa: PERF401 - an interruption must leave those before it
        target = self._door.target
        if self._key and not target.secure and not target.own:
            told = "The key and every row travel unencrypted."
            into.append(Check("transport", "warn", told, "Use the https:// address."))

    async def _scoring(self) -> AsyncIterator[Check]:
        row = self.interface.row
        if self._key is None:
            yield _NO_KEY
        elif row is None:
            yield Check(
                "score",
                "warn",
                "Scoring was not tried: /openapi.json has no example row.",
                "Train and promote a model; then it has one.",
            )
        else:
            yield await _guarded("score", self._score(row))
            if self.interface.reasons and self.scored:
                yield await _guarded("reasons", self._reasons(row))
            yield await _guarded("bad row", self._bad_row(row))
            if self.interface.has("/predict/batch"):
                yield await _guarded("batch", self._batch(row))
                yield await _guarded("oversized body", self._oversized())
        yield await _guarded("wrong key", self._wrong_key(row or b"{}"))

    async def _ask(self, request: Request) -> Answer:
        """Ask; when told to come again soon, do so once."""
        answer = await self._door.ask(request, PATIENCE)
        wait = retry_after(answer)
        if wait is None or wait > _LONGEST_WAIT:
            return answer
        await asyncio.sleep(wait)
        return await self._door.ask(request, PATIENCE)

    async def _health(self) -> Check:
        answer = await self._ask(self.open_request("/health"))
        if answer.status != HTTPStatus.OK:
            return unexpected("health", answer)
        self.healthy = True
        return Check("health", "ok", f"/health answered in {_ms(answer)}.")

    async def _ready(self) -> Check:
        answer = await self._ask(self.open_request("/ready"))
        if answer.status != HTTPStatus.OK:
            return unexpected("ready", answer)
        return Check("ready", "ok", f"/ready answered in {_ms(answer)}.")

    async def _interface(self) -> Check:
        self.interface = read_interface(await self._ask(self.open_request("/openapi.json")))
        found = self.interface
        if found.placar and not found.missing:
            return Check("interface", "ok", f"Placar {reading(found.placar)}.")
        lacks = f"It lacks {', '.join(found.missing)}." if found.missing else ""
        what = "" if found.placar else found.said or "It does not say that it is Placar."
        to_do = "Check the URL. What it does have was tried, as far as that can be done."
        return Check(
            "interface", "fail" if found.missing else "note", f"{what} {lacks}".strip(), to_do
        )

    async def _score(self, row: bytes) -> Check:
        answers, slowest = set(), 0.0
        for _ in range(_TIMES):
            answer = await self._ask(self.request("POST", "/predict", row))
            if answer.status != HTTPStatus.OK:
                return unexpected("score", answer)
            scored = _decoded(answer, Scored)
            if scored is None or not 0.0 <= scored.probability <= 1.0:
                return Check("score", "fail", "The answer to the example row is no score.", _LOOK)
            self.scored = self.scored or scored
            answers.add((scored.model, scored.version, scored.probability))
            slowest = max(slowest, answer.seconds)
        return _alike(answers, slowest)

    async def _reasons(self, row: bytes) -> Check:
        answer = await self._ask(self.request("POST", "/predict?reasons=3", row))
        if answer.status != HTTPStatus.OK:
            return unexpected("reasons", answer)
        scored = _decoded(answer, Scored)
        if scored is None or scored.reasons is None:
            if "placar-shed" in answer.headers:
                return Check("reasons", "note", "Left out: the service is under pressure.")
            return Check("reasons", "fail", "The answer has no reasons.", _LOOK)
        return Check("reasons", "ok", f"{len(scored.reasons)} reasons came in {_ms(answer)}.")

    async def _bad_row(self, row: bytes) -> Check:
        """Send a list where a value belongs: wrong for every kind of feature."""
        values = msgspec.json.decode(row, type=dict[str, object])
        values[next(iter(values), "x")] = [_MARK]
        answer = await self._ask(self.request("POST", "/predict", msgspec.json.encode(values)))
        if answer.status != HTTPStatus.UNPROCESSABLE_ENTITY:
            return unexpected("bad row", answer)
        if _MARK.encode() in answer.body:
            return Check("bad row", "fail", "The refusal repeats the data that was sent.", _LOOK)
        if not is_problem(answer) or not problem_of(answer)[0]:
            return Check(
                "bad row", "warn", "Refused with 422, but not as a problem document.", _LOOK
            )
        return Check("bad row", "ok", "Refused with 422, a problem document, and no echo.")

    async def _wrong_key(self, row: bytes) -> Check:
        answer = await self._ask(self.request("POST", "/predict", row, key=_WRONG_KEY))
        if answer.status == HTTPStatus.UNAUTHORIZED:
            return Check("wrong key", "ok", "Refused with 401.")
        if answer.status < HTTPStatus.MULTIPLE_CHOICES:
            found = "Any key may score: a made-up one was let in."
            return Check("wrong key", "fail", found, "Put the service behind its keys.")
        return unexpected("wrong key", answer, "warn")

    async def _oversized(self) -> Check:
        """Announce a terabyte, and send none of it."""
        headers = _JSON | {"X-API-Key": self._key or ""}
        request = make_request(
            self._door.target, "POST", "/predict/batch", headers, announced=_OVERSIZED
        )
        try:
            answer = await self._door.ask(request, _OVERSIZED_PATIENCE)
        except AnswerTimedOut:
            found = (
                f"A body of a terabyte was announced; {_OVERSIZED_PATIENCE:g} s later no answer."
            )
            to_do = "What stands before the service waits for bodies: limit their size there."
            return Check("oversized body", "warn", found, to_do)
        if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return Check("oversized body", "ok", "Refused with 413 before it was sent.")
        return unexpected("oversized body", answer, "warn")

    async def _batch(self, row: bytes) -> Check:
        body = batch_body(row, SMALL_BATCH)
        answer = await self._ask(self.request("POST", "/predict/batch", body))
        if answer.status != HTTPStatus.OK:
            return unexpected("batch", answer)
        scored = _decoded(answer, _ScoredBatch)
        if scored is None or (scored.scored, scored.rejected) != (SMALL_BATCH, 0):
            return Check(
                "batch", "fail", f"{SMALL_BATCH} rows went in, not as many came out.", _LOOK
            )
        return Check("batch", "ok", f"{SMALL_BATCH} rows were scored in {_ms(answer)}.")


def batch_body(row: bytes, rows: int) -> bytes:
    """Return a batch of the same row again and again."""
    return b'{"rows":[' + b",".join([row] * rows) + b"]}"


def _alike(answers: set[tuple[str, str, float]], slowest: float) -> Check:
    """Judge what several workers said of the same row."""
    versions = {version for _, version, _ in answers}
    if len(versions) > 1:
        found = f"The same row was scored by {len(versions)} versions within a moment."
        to_do = "Just promoted? Then check again; else see each worker's log."
        return Check("score", "warn", found, to_do)
    if len(answers) > 1:
        return Check("score", "fail", "The same row and version gave different scores.", _LOOK)
    model, version, _ = answers.pop()
    found = (
        f"The service's own example was scored {_TIMES} times alike, by {reading(model)} "
        f"{reading(version)[:12]}; the slowest took {milliseconds(slowest * 1e3)}."
    )
    return Check("score", "ok", found)


async def _guarded(name: str, asking: Awaitable[Check]) -> Check:
    """Return the check, or why it could not be made."""
    try:
        return await asking
    except DeploymentUnusable as error:
        return Check(name, "fail", error.message, error.way_out)


def _decoded(answer: Answer, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _ms(answer: Answer) -> str:
    return milliseconds(answer.seconds * 1e3)
