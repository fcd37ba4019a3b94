"""Who was champion: a stack that promotions grow and rollbacks shrink."""

from __future__ import annotations

import pytest

from placar.registry.history import champions
from placar.store.records import PromotionRecord


def history(steps: str) -> list[PromotionRecord]:
    """Promotions by letter; ``<`` rolls back."""
    return [
        PromotionRecord(
            id=number,
            model="loans",
            kind="rollback" if step == "<" else "promote",
            version=step,
            previous=None,
            actor="",
            at=0.0,
        )
        for number, step in enumerate(steps)
    ]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("", ""),
        ("a", "a"),
        ("abc", "cba"),
        ("abc<", "ba"),
        ("abc<<", "a"),
        ("abc<d", "dba"),
        ("aba<", "ba"),
        ("ab<b", "ba"),
    ],
)
def test_the_present_champion_comes_first_and_those_to_go_back_to_follow(
    steps: str, expected: str
) -> None:
    assert "".join(champions(history(steps))) == expected
