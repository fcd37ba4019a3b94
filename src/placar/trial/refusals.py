"""Answers that are no: refused for now, or for a reason; and how to say so to a reader."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import msgspec

from placar.trial.client import Answer
from placar.trial.facts import Check, Status

_LATER = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_LONGEST = 300

_TO_DO: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "Pass a key that this service knows: --key or PLACAR_KEY.",
    HTTPStatus.FORBIDDEN: "Use a key with the scope: `placar keys create --scope …` makes one.",
    HTTPStatus.NOT_FOUND: "Check the URL: it must be the service's base address.",
    HTTPStatus.BAD_GATEWAY: "The platform cannot reach the service: see the service's log.",
    HTTPStatus.GATEWAY_TIMEOUT: "The platform gave up on the service: see the service's log.",
}


class _Problem(msgspec.Struct):
    title: str = ""
    detail: str = ""
    way_out: str = ""


def good(answer: Answer) -> bool:
    """Tell whether this is an answer to build on."""
    return answer.status < HTTPStatus.BAD_REQUEST


def retry_after(answer: Answer) -> float | None:
    """Return the seconds after which a refused request may come again.

    None where the answer is no such refusal: another status, or no usable Retry-After.
    """
    if answer.status not in _LATER:
        return None
    text = answer.headers.get("retry-after", "")
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        then = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (then.replace(tzinfo=then.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def reading(text: str) -> str:
    """Return foreign text fit for a terminal: one line, printable, not too long."""
    line = "".join(c if c.isprintable() else " " for c in text[: 2 * _LONGEST])
    return " ".join(line.split())[:_LONGEST]


def problem_of(answer: Answer) -> tuple[str, str]:
    """Return what a problem document (RFC 9457) says, and its way out; empty where it is none."""
    try:
        problem = msgspec.json.decode(answer.body, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "", ""
    return reading(problem.detail or problem.title), reading(problem.way_out)


def is_problem(answer: Answer) -> bool:
    """Tell whether the answer claims to be a problem document."""
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type == "application/problem+json"


def unexpected(name: str, answer: Answer, status: Status = "fail") -> Check:
    """Return the check for an answer that should have been another."""
    if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
        place = reading(answer.headers.get("location", "")) or "nowhere"
        found = f"Redirects to {place}, which was not followed: the key goes to no other place."
        return Check(name, status, found, "Check that address, if it is yours.")
    detail, way_out = problem_of(answer)
    wait = retry_after(answer)
    found = f"Status {answer.status}{': ' + detail if detail else '.'}"
    if wait is not None:
        found += f" It asks to come again in {wait:g} s."
    otherwise = "See the service's log at this time."
    return Check(name, status, found, way_out or _TO_DO.get(answer.status, otherwise))
