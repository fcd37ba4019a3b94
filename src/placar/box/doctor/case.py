"""One start command with everything that is known about it: what the checks look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from placar.box.doctor.effective import Effective
from placar.box.doctor.finding import Confidence, Evidence
from placar.box.doctor.mask import shown
from placar.box.doctor.sources import Place, Sources
from placar.box.doctor.start import Start

MB = 1024**2
ASYNC = ("uvicorn", "asgi", "gasgi")


@dataclass(frozen=True, slots=True)
class Case:
    """A start command as it would run."""

    folder: Path
    start: Start
    words: tuple[str, ...]
    """Gunicorn's own words; none when the server is another."""
    settings: Effective | None
    """None when the server is not gunicorn or would not start."""
    refused: str
    """Why gunicorn would not start, empty when it would."""
    variables: Mapping[str, str]
    """The environment it would run in."""
    sources: Sources
    memory: int
    """Bytes of the box."""

    @property
    def app(self) -> str:
        """The ``module:name`` of the command, empty when it is not visible."""
        return next((w for w in reversed(self.words) if ":" in w and "/" not in w), "")

    @property
    def is_async(self) -> bool:
        """The worker class runs an event loop."""
        return self.settings is not None and any(k in self.settings.worker_class for k in ASYNC)

    @property
    def here(self) -> Evidence:
        """The command as evidence."""
        return Evidence(self.start.line, shown(self.start.command), self.start.file)

    def said(self, name: str, value: object) -> Evidence:
        """Return a setting as evidence, with who set it."""
        source = self.settings.source(name) if self.settings else ""
        return Evidence(self.start.line, f"{name} = {value} ({source})", self.start.file)


def at(place: Place) -> Evidence:
    """Return a place in the sources as evidence."""
    return Evidence(place.line, shown(place.text), place.file)


@dataclass(frozen=True, slots=True)
class Check:
    """Settings that fight each other, and what to say: ``test`` gives evidence, or nothing."""

    id: str
    title: str
    confidence: Confidence
    test: Callable[[Case], list[Evidence]]
    what: str
    why: str
    fix: tuple[str, ...]
    avoid: str
