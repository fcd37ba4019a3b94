"""Confining the run child, before it imports anything large."""

from __future__ import annotations

import logging
import os
import resource
from collections.abc import Callable
from pathlib import Path

_log = logging.getLogger(__name__)

LOWEST_PRIORITY = 19
FIRST_TO_GO = 1000
"""The kernel's highest ``oom_score_adj``. Anyone may raise their own; few may lower it."""

_OOM_SCORE = Path("/proc/self/oom_score_adj")


def confine(memory: int) -> None:
    """Make this process yield to the web workers, and fail before they do.

    It gets the lowest CPU priority, is the kernel's first choice when memory runs out, leaves no
    core file, and may not take more than ``memory`` bytes for its data: then an allocation fails
    in here, with a clean MemoryError, while the kernel has no reason to end anyone.

    The limit is RLIMIT_DATA and not RLIMIT_AS. Address space is also spent on what never becomes
    memory: 8 MB for a thread's stack, 64 MB for the allocator's reservation beside it, libraries
    mapped from disk. Under an RLIMIT_AS that would protect a small box no thread can be started.

    What the operating system refuses is logged and done without.

    Args:
        memory: bytes of private, writable memory, stacks included.
    """
    steps: dict[str, Callable[[], None]] = {
        "nice": lambda: os.setpriority(os.PRIO_PROCESS, 0, LOWEST_PRIORITY),
        "oom_score_adj": lambda: _write(_OOM_SCORE, str(FIRST_TO_GO)),
        "rlimit_data": lambda: limit_data(memory),
        "rlimit_core": lambda: _lower(resource.RLIMIT_CORE, 0),
    }
    for step, take in steps.items():
        try:
            take()
        except (OSError, ValueError) as error:
            _log.warning("confinement_refused", extra={"step": step, "why": str(error)})


def limit_data(memory: int) -> None:
    """Let this process take no more than ``memory`` bytes for its data; see ``confine``.

    Raises:
        OSError, ValueError: the operating system refuses.
    """
    _lower(resource.RLIMIT_DATA, memory)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="ascii")


def _lower(which: int, wanted: int) -> None:
    """Set a limit for good, never above the one that is already there."""
    _, hard = resource.getrlimit(which)
    value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(which, (value, value))
