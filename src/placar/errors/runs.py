"""Why a run ended without a version."""

from __future__ import annotations

from placar.errors.base import PlacarError, code_of, rebuild


class TrainingFailed(PlacarError):
    """The run ended without a version."""


class TableRejected(TrainingFailed):
    """The table cannot be used for training."""


class TargetRejected(TrainingFailed):
    """The target column cannot be learnt."""


class ParityFailed(TrainingFailed):
    """The compiled model does not give the trained model's probabilities."""

    way_out = "Nothing was published. Please report this with the run's log."


class RunTimedOut(TrainingFailed):
    """The run took longer than it may and was ended."""

    way_out = "Raise PLACAR_RUN_TIMEOUT, or train on fewer rows."


class RunOutOfMemory(TrainingFailed):
    """The run reached its memory limit."""

    way_out = "Raise PLACAR_RUN_MEMORY (or --memory), or train on fewer rows or columns."


class RunDoesNotFit(TrainingFailed):
    """The run would need more memory than it may use, so it was not begun."""

    way_out = "Raise PLACAR_RUN_MEMORY (or --memory), or train on fewer rows or columns."


class RunKilled(TrainingFailed):
    """The run's process was ended by a signal."""

    way_out = "If nobody did this by hand, the machine ran out of memory: see its kernel log."


class RunCancelled(TrainingFailed):
    """The run was cancelled."""

    way_out = "Nothing was published."


class RunLost(TrainingFailed):
    """The run's process is gone and left no word of how it ended."""

    way_out = "The machine or container was probably restarted; start the run again."


def error_of(code: str, message: str, way_out: str) -> PlacarError:
    """Return the error that crossed a process border as code and words.

    A code that is not known, such as one from another version, is a TrainingFailed.
    """
    kind = _by_code(PlacarError).get(code, TrainingFailed)
    return rebuild(kind, message, way_out, {}, {})


def _by_code(kind: type[PlacarError]) -> dict[str, type[PlacarError]]:
    found = {code_of(kind): kind}
    for child in kind.__subclasses__():
        found |= _by_code(child)
    return found
