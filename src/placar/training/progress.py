"""Telling the parent how far the run is: lines of ``progress.jsonl``."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from placar.package.run_folder import STAGES, Progress, Stage

log = logging.getLogger(__name__)

Advance = Callable[[float], None]
"""Takes the share of a piece of work that is done, 0…1."""

_WEIGHTS: dict[Stage, float] = {
    "read": 0.10,
    "split": 0.02,
    "profile": 0.13,
    "fit": 0.60,
    "calibrate": 0.02,
    "compile": 0.05,
    "evaluate": 0.04,
    "package": 0.04,
}
"""Usual share of each stage in the time of a run."""

_STEP = 0.005
"""Smaller advances are not worth a line."""


class ProgressLog:
    """Writes stages and shares, flushed line by line. A context manager."""

    def __init__(self, path: Path) -> None:
        """Open the file; the run begins now."""
        self._file = path.open("wb")
        self._began = time.monotonic()
        self._done = 0.0
        self.stage: Stage = STAGES[0]

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self._file.close()

    @property
    def seconds(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._began

    def enter(self, stage: Stage, note: str = "") -> Advance:
        """Begin a stage and return what takes the share of it that is done."""
        self.stage = stage
        log.info("stage_entered", extra={"stage": stage, "seconds": round(self.seconds, 3)})
        before = sum(_WEIGHTS[earlier] for earlier in STAGES[: STAGES.index(stage)])
        self._write(before, note)
        return portion(self._advance, before, before + _WEIGHTS[stage])

    def go_on_from(self, done: float) -> None:
        """Take up the share that another process reached: what is told never falls."""
        self._done = max(self._done, done)

    def finish(self, note: str = "") -> None:
        """Say that everything is done."""
        self._write(1.0, note)

    def _advance(self, done: float) -> None:
        if done >= self._done + _STEP:
            self._write(done, "")

    def _write(self, done: float, note: str) -> None:
        self._done = min(1.0, max(self._done, done))
        line = Progress(
            stage=self.stage, done=round(self._done, 4), note=note, at=round(self.seconds, 3)
        )
        self._file.write(msgspec.json.encode(line) + b"\n")
        self._file.flush()


def portion(advance: Advance, start: float, end: float) -> Advance:
    """Return what takes the share of a part that goes from ``start`` to ``end`` of the whole."""

    def within(done: float) -> None:
        advance(start + done * (end - start))

    return within
