"""Who was champion, read from the promotions in order."""

from __future__ import annotations

from collections.abc import Iterable

from placar.store.records import PromotionRecord


def champions(promotions: Iterable[PromotionRecord]) -> tuple[str, ...]:
    """Return the champions that a model can roll back through, the present one first.

    A promotion lays a version on top, a rollback takes the top away: rolling back twice goes
    two champions back, and a version that was rolled back is not come back to.
    """
    stack: list[str] = []
    for promotion in promotions:
        if promotion.kind == "promote":
            stack.append(promotion.version)
        elif stack:
            stack.pop()
    return tuple(reversed(stack))
