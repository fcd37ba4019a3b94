"""The slot: where the scorer that answers is kept, and swapped while requests run."""

from __future__ import annotations

from placar.scoring.scorer import Scorer


class Slot:
    """Holds the champion's scorer. Swapping is one assignment: readers take no lock."""

    def __init__(self) -> None:
        """Start empty."""
        self.current: Scorer | None = None

    def swap(self, scorer: Scorer) -> None:
        """Let ``scorer`` answer from now on; requests under way keep the one they took."""
        self.current = scorer
