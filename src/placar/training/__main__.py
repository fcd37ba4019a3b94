"""``python -m placar.training <run folder>``: the run child.

Exit code 0 when a package was made, 1 when not (``report.json`` says why), 2 when there is no
run folder to read. SIGTERM ends it quietly: whoever sent it knows why.

This process itself stays small and waits for two forks that do the work, see ``supervisor.py``.
"""

from __future__ import annotations

import logging
import shutil
import signal
import sys
from pathlib import Path
from types import FrameType

import msgspec

from placar.box.confine import confine
from placar.errors import PlacarError
from placar.package.run_folder import RunFolder, RunReport, RunSpec
from placar.training.ending import failure_of, write_report
from placar.training.lean import keep_out_unwanted
from placar.training.memory import peak_memory
from placar.training.progress import ProgressLog
from placar.training.runlog import log_to_stdout
from placar.training.supervisor import Supervisor, Word

log = logging.getLogger(__name__)

_MIB = 1024 * 1024

_RESERVED = 512 * _MIB
"""Bytes that ``RLIMIT_DATA`` is raised by. It counts what is reserved, touched or not: buffers of
OpenBLAS (64 MB), stacks of the table engine's threads (8 MB each), what its allocator keeps. What
is really held is watched in ``forked.py``; this limit is for a sudden, single demand."""


def main(arguments: list[str]) -> int:
    """Confine this process, then run what the folder's spec asks for."""
    folder = RunFolder(Path(arguments[0] if arguments else "."))
    try:
        spec = folder.read_spec()
    except (OSError, msgspec.MsgspecError) as error:
        sys.stderr.write(f"There is no spec to read: {type(error).__name__}.\n")
        return 2
    signal.signal(signal.SIGTERM, _end_quietly)
    log_to_stdout()
    confine(spec.memory + _RESERVED)
    keep_out_unwanted()
    log.info("run_began", extra={"memory": spec.memory, "box": spec.box})
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
    word = Word()
    try:
        folder.scratch.mkdir(exist_ok=True)
        word = Supervisor(spec, folder, progress).run()
    except (PlacarError, OSError) as error:
        word = Word(failure=failure_of(error))
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


def _end_quietly(number: int, frame: FrameType | None) -> None:
    """Unwind, so that the scratch folder goes as well."""
    del frame
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
