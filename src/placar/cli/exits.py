"""Exit codes: 0 done, 1 failed, 2 wrong use or configuration, 3 a finding, 130 interrupted."""

from __future__ import annotations

import signal

from placar.errors import ConfigurationError, InputError, NotFound, PlacarError, RunCancelled

FAILED = 1
WRONG_USE = 2
FINDING = 3
INTERRUPTED = 130


def exit_code(error: PlacarError) -> int:
    """Return the exit code of a failure."""
    if isinstance(error, RunCancelled):
        return INTERRUPTED
    return WRONG_USE if isinstance(error, ConfigurationError | InputError | NotFound) else FAILED


def interrupt_on_kill() -> None:
    """Let a closed terminal and a polite kill end this command as Ctrl-C does: it tidies up."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
