"""A cause as data: the clues that give it away, and what to say about it."""

from __future__ import annotations

from dataclasses import dataclass

from placar.box.doctor.clues import Clue
from placar.box.doctor.finding import Confidence


@dataclass(frozen=True, slots=True)
class On:
    """A sentence for those only of whom one of these is known: a stack word or a sign seen."""

    known: str
    text: str


Words = tuple[str | On, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """One cause. Among causes that are equally sure, the rule written first comes first.

    ``when``: all must hold. ``adds``: further evidence and fields, where there are any.
    ``certain_with``: signs any of which makes it certain. ``explains``: ids of rules that
    are only a consequence of this one, and are then not reported by themselves. Texts may name
    fields of the sightings, ``{pid}`` and ``{times}``.
    """

    id: str
    title: str
    when: tuple[Clue, ...]
    confidence: Confidence
    what: Words
    why: Words
    fix: Words
    avoid: Words
    adds: tuple[Clue, ...] = ()
    certain_with: tuple[str, ...] = ()
    explains: tuple[str, ...] = ()
