"""``python -m placar.training <run folder>``: the run child.

Exit code 0 when a package was made, 1 when not (``report.json`` says why), 2 when there is no
run folder to read. SIGTERM ends it quietly: whoever sent it knows why.

This process itself stays small and waits for two forks that do the work, see ``forked.py``.
"""

from __future__ import annotations

import logging
import shutil
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType

import msgspec

from placar.box.confine import confine
from placar.errors import PlacarError
from placar.package.run_folder import Failure, Made, RunFolder, RunReport, RunSpec
from placar.training.ending import failure_of, write_report
from placar.training.forked import in_fork
from placar.training.lean import keep_out_unwanted
from placar.training.memory import peak_memory
from placar.training.progress import ProgressLog
from placar.training.runlog import log_to_stdout

log = logging.getLogger(__name__)

_MIB = 1024 * 1024

_RESERVED = 512 * _MIB
"""Bytes that ``RLIMIT_DATA`` is raised by. It counts what is reserved, touched or not: buffers of
OpenBLAS (64 MB), stacks of the table engine's threads (8 MB each), what its allocator keeps. What
is really held is watched in ``forked.py``; this limit is for a sudden, single demand."""


Half = Callable[[RunSpec, RunFolder, ProgressLog], Made | None]


class _Word(msgspec.Struct, frozen=True, kw_only=True):
    """What a fork has to say in the end."""

    made: Made | None = None
    failure: Failure | None = None


def main(arguments: list[str]) -> int:
    """Confine this process, then run what the folder's spec asks for."""
    folder = RunFolder(Path(arguments[0] if arguments else "."))
    try:
        spec = folder.read_spec()
    except (OSError, msgspec.MsgspecError) as error:
        sys.stderr.write(f"There is no spec to read: {type(error).__name__}.\n")
        return 2
    signal.signal(signal.SIGTERM, _end_quietly)
    confine(spec.memory + _RESERVED)
    keep_out_unwanted()
    log_to_stdout()
    try:
        with ProgressLog(folder.progress) as progress:
            report = _run(spec, folder, progress)
        write_report(folder.report, report)
    except OSError as error:
        log.error("run_folder_unusable", extra={"why": error.strerror})  # noqa: TRY400 - it says enough
        return 1
    return 0 if report.succeeded else 1


def _run(spec: RunSpec, folder: RunFolder, progress: ProgressLog) -> RunReport:
    """Run both halves; whatever happens becomes a report."""
    word = _Word()
    try:
        folder.scratch.mkdir(exist_ok=True)
        halves: tuple[Half, ...] = (_read_table, _make_package)
        for half in halves:
            work = partial(_answered, half, spec, folder, progress)
            answer = in_fork(work, spec.memory)
            word = msgspec.json.decode(answer, type=_Word)
            if word.failure is not None:
                break
    except (PlacarError, OSError) as error:
        word = _Word(failure=failure_of(error))
        log.error("run_ended", extra={"code": failure_of(error).code})  # noqa: TRY400 - the same
    finally:
        # Before the report is written: on a full disk this makes the room for it.
        shutil.rmtree(folder.scratch, ignore_errors=True)
    if word.made is None:
        # A package without a version would be taken for a whole one.
        shutil.rmtree(folder.package, ignore_errors=True)
    told = folder.read_progress()
    return RunReport(
        succeeded=word.made is not None,
        seconds=round(progress.seconds, 3),
        peak_memory=peak_memory(),
        stage=told[-1].stage if told else "read",
        version=word.made.version if word.made else None,
        verdict=word.made.verdict if word.made else "",
        notes=word.made.notes if word.made else (),
        failure=word.failure,
    )


def _answered(half: Half, spec: RunSpec, folder: RunFolder, progress: ProgressLog) -> bytes:
    """Do one half of the run in this process and return its word."""
    try:
        word = _Word(made=half(spec, folder, progress))
    except Exception as error:
        word = _Word(failure=failure_of(error))
        # What Placar raised says enough; of anything else the log keeps the traceback.
        if isinstance(error, PlacarError):
            log.error("run_failed", extra={"code": error.code})  # noqa: TRY400
        else:
            log.exception("run_failed")
    return msgspec.json.encode(word)


# The heavy libraries come in inside the forks, each only where it is needed.


def _read_table(spec: RunSpec, folder: RunFolder, progress: ProgressLog) -> None:
    from placar.training.reading import read_table  # noqa: PLC0415

    read_table(spec, folder, progress)


def _make_package(spec: RunSpec, folder: RunFolder, progress: ProgressLog) -> Made:
    from placar.training.learning import make_package  # noqa: PLC0415

    return make_package(spec, folder, progress)


def _end_quietly(number: int, frame: FrameType | None) -> None:
    """Unwind, so that the scratch folder goes as well."""
    del frame
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
