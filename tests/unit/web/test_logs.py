"""Log lines: one per event, fields after the name, never torn."""

from __future__ import annotations

import logging
import sys

import pytest

from placar.web.logs import REQUEST_ID, EventFormatter


def line(message: str = "event_name", **fields: object) -> str:
    record = logging.LogRecord("placar.x", logging.INFO, __file__, 1, message, None, None)
    vars(record).update(fields)
    return EventFormatter().format(record)


def test_fields_follow_the_event() -> None:
    assert line(model="loans", rows=3).endswith("[INFO] event_name model=loans rows=3")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("two words", '"two words"'),
        ("", '""'),
        ('say "hi"', '"say \\"hi\\""'),
        ("a\nb\tc\rd", '"a\\nb\\tc\\rd"'),
        ("a=b", '"a=b"'),
        (None, "None"),
    ],
)
def test_values_stay_on_their_line(value: object, shown: str) -> None:
    text = line(why=value)
    assert text.endswith(f"why={shown}")
    assert "\n" not in text


def test_the_request_is_named_while_it_is_answered() -> None:
    token = REQUEST_ID.set("abc")
    assert line().endswith("event_name request_id=abc")
    REQUEST_ID.reset(token)
    assert line().endswith("event_name")


def test_a_stack_stands_below_its_line() -> None:
    text = line(seconds=2, stack="in a\nin b")
    head, *below = text.splitlines()
    assert head.endswith("event_name seconds=2")
    assert below == ["  in a", "  in b"]
    assert line(stack="").endswith("event_name")


def test_a_traceback_follows() -> None:
    text = ""
    try:
        int("x")
    except ValueError:
        text = line(exc_info=sys.exc_info())
    assert text.rpartition("\n")[2].startswith("ValueError")
