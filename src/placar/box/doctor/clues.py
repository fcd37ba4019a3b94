"""Clues: which signs belong together. Each keeps a few lines of evidence and forgets the rest."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from placar.box.doctor.signs import Sighting

_MOST_KEPT = 1024
_FIRST = 3


@dataclass(frozen=True, slots=True)
class Seen:
    """One of these signs, at least so many times."""

    signs: tuple[str, ...]
    times: int = 1


@dataclass(frozen=True, slots=True)
class Follows:
    """One of ``then`` soon after one of ``first``, of the same process if so wanted."""

    first: tuple[str, ...]
    then: tuple[str, ...]
    same_pid: bool = True
    lines: int = 5000
    seconds: float = 15.0


@dataclass(frozen=True, slots=True)
class Alone:
    """One of these signs with none of ``without`` soon before it for the same process."""

    signs: tuple[str, ...]
    without: tuple[str, ...]
    lines: int = 5000
    seconds: float = 15.0


Clue = Seen | Follows | Alone


@dataclass(slots=True)
class Watch:
    """How far one clue has come."""

    clue: Clue
    count: int = 0
    evidence: list[Sighting] = field(default_factory=list)
    last: Sighting | None = None
    _line: int = 0
    _before: OrderedDict[int | None, Sighting] = field(default_factory=OrderedDict)

    @property
    def holds(self) -> bool:
        """The clue was met."""
        return self.count >= (self.clue.times if isinstance(self.clue, Seen) else 1)

    @property
    def signs(self) -> tuple[str, ...]:
        """Every sign that this clue looks at."""
        match self.clue:
            case Seen(signs):
                return signs
            case Follows(first, then):
                return first + then
            case Alone(signs, without):
                return signs + without

    def feed(self, sighting: Sighting) -> None:
        """Take one sighting of ``signs`` in."""
        match self.clue:
            case Seen():
                self._keep(sighting)
            case Follows(first, _, same_pid, lines, seconds):
                key = sighting.pid if same_pid else None
                if sighting.sign in first:
                    self._remember(key, sighting)
                elif (before := self._near(key, sighting, lines, seconds)) is not None:
                    self._keep(before)
                    self._keep(sighting)
            case Alone(_, without, lines, seconds):
                if sighting.sign in without:
                    self._remember(sighting.pid, sighting)
                elif self._near(sighting.pid, sighting, lines, seconds) is None:
                    self._keep(sighting)

    def _keep(self, sighting: Sighting) -> None:
        if sighting.line == self._line and isinstance(self.clue, Seen):
            return  # two signs in one line are one event
        self._line = sighting.line
        self.count += 1
        if len(self.evidence) < _FIRST:
            self.evidence.append(sighting)
        else:
            self.last = sighting

    def _remember(self, key: int | None, sighting: Sighting) -> None:
        self._before.pop(key, None)
        self._before[key] = sighting
        if len(self._before) > _MOST_KEPT:
            self._before.popitem(last=False)

    def _near(
        self, key: int | None, sighting: Sighting, lines: int, seconds: float
    ) -> Sighting | None:
        before = self._before.get(key)
        if before is None or sighting.line - before.line > lines:
            return None
        if before.moment is not None and sighting.moment is not None:
            return before if abs(sighting.moment - before.moment) <= seconds else None
        return before
