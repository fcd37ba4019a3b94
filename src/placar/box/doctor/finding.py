"""What the doctor says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Confidence(StrEnum):
    """How sure a finding is: it was seen, nearly all such logs mean it, or many do."""

    CERTAIN = "certain"
    LIKELY = "likely"
    POSSIBLE = "possible"

    @property
    def rank(self) -> int:
        """0 for the surest."""
        return list(Confidence).index(self)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One line that shows it: its number, its text cleaned and masked, its file if not the log."""

    line: int
    text: str
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause, in words for the person whose service fell.

    ``fix`` and ``avoid`` hold one instruction a line.
    """

    id: str
    title: str
    confidence: Confidence
    what: str
    evidence: tuple[Evidence, ...]
    why: str
    fix: str
    avoid: str
