"""How a run ends: what its failure is called, and ``report.json``."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import msgspec

from placar.errors import ConfigurationError, DiskFull, PlacarError, RunOutOfMemory
from placar.package.run_folder import Failure, RunReport

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG})
_NO_MEMORY = ("bad_alloc", "bad allocation", "out of memory", "cannot allocate memory")
"""How LightGBM, DuckDB and ONNX Runtime say it, in errors of their own."""


def failure_of(error: BaseException) -> Failure:
    """Return an error as it crosses to the parent; never its traceback, never a value."""
    known = _known(error)
    if known is not None:
        return Failure(code=known.code, message=known.message, way_out=known.way_out)
    return Failure(
        code="unexpected",
        message=f"The run met an error that it does not know ({type(error).__name__}).",
        way_out="Its log holds the details; please report them.",
    )


def _known(error: BaseException) -> PlacarError | None:
    if isinstance(error, PlacarError):
        return error
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return DiskFull(f"The run could not write: {error.strerror}.")
    if isinstance(error, ModuleNotFoundError):
        return ConfigurationError(
            f"The library {error.name} is not installed here.",
            way_out="Install what training needs: pip install -r requirements/training.txt.",
        )
    text = str(error).lower()
    if isinstance(error, OSError) and "libgomp" in text:
        return ConfigurationError(
            "LightGBM needs the OpenMP library libgomp.so.1, which this machine lacks.",
            way_out="On Debian: apt-get install libgomp1.",
        )
    if isinstance(error, MemoryError) or any(words in text for words in _NO_MEMORY):
        return RunOutOfMemory()
    return None


def write_report(path: Path, report: RunReport) -> None:
    """Write the child's last word so that the parent sees all of it or nothing."""
    draft = path.with_suffix(".tmp")
    with draft.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
