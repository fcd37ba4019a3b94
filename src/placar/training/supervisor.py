"""Both halves of a run, each in a fork, each begun once more with less when memory runs short.

A fork that holds too much, or that must give way because the box runs short, is ended: nothing
else gives its memory back for certain. Then the half that it was in is done again with less. For
reading that is a smaller share for the table engine, which changes nothing but the time it takes.
For learning it is half of the rows and fewer bins, which the package and its report tell. When
that is too much as well, the run ends as ``out_of_memory``.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Protocol

import msgspec
from msgspec import structs

from placar.box.confine import limit_data
from placar.box.guard import find_gauge
from placar.errors import PlacarError, RunOutOfMemory
from placar.package.run_folder import LEAST_MEMORY, Failure, Made, RunFolder, RunSpec
from placar.training.ending import failure_of
from placar.training.forked import in_fork
from placar.training.needs import FEWER_BINS, advice, learning_need, megabytes
from placar.training.progress import ProgressLog

log = logging.getLogger(__name__)

_OUT_OF_MEMORY = RunOutOfMemory().code
_RESERVED = 224 * 1024 * 1024
"""Bytes by which learning may go over its memory in address space that it never touches: buffers
of OpenBLAS, stacks of threads. It was 140 MB at most, whatever the table; the table engine, which
reserves more, is under the limit of the whole run (``__main__.py``)."""
_SMALLER_SHARE = 0.5
"""Of the memory, for the table engine's second attempt."""


class Extent(msgspec.Struct, frozen=True, kw_only=True):
    """How much there is to learn from."""

    rows: int
    """Of the training part."""
    columns: int
    """Of the encoded matrix."""


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """What a half of the run has to say in the end."""

    extent: Extent | None = None
    """From reading."""
    made: Made | None = None
    """From learning."""
    failure: Failure | None = None


class Half(Protocol):
    """Half of a run, as it is done in a fork."""

    def __call__(self, spec: RunSpec, folder: RunFolder, progress: ProgressLog, /) -> Word:
        """Do it and return its word."""


class Supervisor:
    """One run, from the process that waits for its two forks."""

    def __init__(self, spec: RunSpec, folder: RunFolder, progress: ProgressLog) -> None:
        """Prepare; nothing is forked yet."""
        self._spec = spec
        self._folder = folder
        self._progress = progress
        self._gauge = find_gauge(spec.box) if spec.box is not None else None

    def run(self) -> Word:
        """Read the table, then learn from it, and return the last word.

        Raises:
            RunOutOfMemory: memory ran short, with less as well.
            RunKilled, TrainingFailed: a fork ended without a word.
            SystemExit: this process is to end.
        """
        read = self._read()
        if read.extent is None:
            return read
        log.info("table_read", extra=structs.asdict(read.extent))
        return self._learn(read.extent)

    def _read(self) -> Word:
        try:
            return self._attempt(_read_table, self._spec)
        except RunOutOfMemory as error:
            less = self._what_is_left(error)
            log.warning("reading_again", extra={"why": error.message})
        shutil.rmtree(self._folder.scratch, ignore_errors=True)
        self._folder.scratch.mkdir()
        return self._attempt(partial(_read_table, share=_SMALLER_SHARE), less)

    def _learn(self, extent: Extent) -> Word:
        try:
            return self._attempt(_make_package, self._spec)
        except RunOutOfMemory as error:
            less = self._what_is_left(error)
            rows = extent.rows // 2
            need = learning_need(rows, extent.columns, FEWER_BINS)
            if need > less.memory:
                raise _advised(error, extent, self._spec.memory) from None
            log.warning("learning_again", extra={"why": error.message, "rows": rows})
        shutil.rmtree(self._folder.package, ignore_errors=True)  # it may be half written
        try:
            return self._attempt(partial(_make_package, rows=rows), less)
        except RunOutOfMemory as error:
            error = RunOutOfMemory(
                f"{error.message} It had begun again with half of the rows already.",
                way_out=error.way_out,
            )
            raise _advised(error, extent, less.memory) from None

    def _what_is_left(self, error: RunOutOfMemory) -> RunSpec:
        """Return the spec with the memory that is there now, or raise ``error`` if it is none."""
        left = self._spec.memory
        if self._gauge is not None:
            left = min(left, self._gauge.left())
        if left < LEAST_MEMORY:
            raise RunOutOfMemory(
                f"{error.message} {megabytes(max(0, left))} are left, too little to begin again.",
                way_out=error.way_out,
            ) from None
        return structs.replace(self._spec, memory=left)

    def _attempt(self, half: Half, spec: RunSpec) -> Word:
        """Do a half of the run in a fork; an allocation that failed in there is raised here."""
        told = self._folder.read_progress()
        self._progress.go_on_from(told[-1].done if told else 0.0)
        work = partial(_answered, partial(half, spec, self._folder, self._progress))
        word = msgspec.json.decode(in_fork(work, spec.memory, self._gauge), type=Word)
        if word.failure is not None and word.failure.code == _OUT_OF_MEMORY:
            raise RunOutOfMemory(word.failure.message, way_out=word.failure.way_out)
        return word


def _advised(error: RunOutOfMemory, extent: Extent, memory: int) -> RunOutOfMemory:
    """Return the error with figures in its advice, unless it knows better than the run's limit."""
    if error.way_out != RunOutOfMemory.way_out:
        return error
    return RunOutOfMemory(error.message, way_out=advice(extent.rows, extent.columns, memory))


def _answered(half: Callable[[], Word]) -> bytes:
    """Do half of the run in this process and return its word."""
    try:
        word = half()
    except Exception as error:
        word = Word(failure=failure_of(error))
        # What Placar raised says enough; of anything else the log keeps the traceback.
        if isinstance(error, PlacarError):
            log.error("run_failed", extra={"code": error.code})  # noqa: TRY400
        else:
            log.exception("run_failed")
    return msgspec.json.encode(word)


# The heavy libraries come in inside the forks, each only where it is needed.


def _read_table(
    spec: RunSpec, folder: RunFolder, progress: ProgressLog, share: float = 1.0
) -> Word:
    from placar.training.reading import read_table  # noqa: PLC0415

    rows, columns = read_table(spec, folder, progress, share)
    return Word(extent=Extent(rows=rows, columns=columns))


def _make_package(
    spec: RunSpec, folder: RunFolder, progress: ProgressLog, rows: int | None = None
) -> Word:
    from placar.training.learning import make_package  # noqa: PLC0415
    from placar.training.reduction import Reduction  # noqa: PLC0415

    with suppress(OSError, ValueError):  # it is watched anyway
        limit_data(spec.memory + _RESERVED)
    reduction = None if rows is None else Reduction(rows)
    return Word(made=make_package(spec, folder, progress, reduction))
