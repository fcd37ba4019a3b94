"""Why a worker ended: from what it had written down, and from what others saw of its end."""

from __future__ import annotations

import re
from dataclasses import dataclass

from placar.box.flight.record import Cause, Record

_FATAL = re.compile(r"^Fatal Python error: (.+)$", re.MULTILINE)
_SIGNALS = {
    "Segmentation fault": "SIGSEGV",
    "Aborted": "SIGABRT",
    "Bus error": "SIGBUS",
    "Floating-point exception": "SIGFPE",
    "Illegal instruction": "SIGILL",
}
"""What faulthandler calls them."""

_ALARM = "Stack (most recent call first)"
"""How faulthandler begins what the alarm of a blocked loop makes it write."""
_NEARLY_FULL = 0.95
_MB = 1024**2


@dataclass(frozen=True, slots=True)
class Witness:
    """What was seen of a worker's end from outside."""

    timed_out: bool = False
    """Its master ended it: it had not shown any life for gunicorn's time-out."""
    signal: str | None = None
    exit_code: int | None = None
    oom_kills: int = 0
    """Processes that the kernel has killed for memory here until now."""
    master_lives: bool = False
    """Who had started it goes on."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A cause, whether it is proven, and a sentence for people."""

    cause: Cause
    certain: bool
    sentence: str


def fatal_signal(fault: str) -> str | None:
    """Return the name of the signal that faulthandler wrote about.

    >>> fatal_signal("Fatal Python error: Aborted")
    'SIGABRT'
    """
    found = _FATAL.search(fault)
    return _SIGNALS.get(found[1].strip()) if found else None


def judge(record: Record, fault: str, witness: Witness) -> Verdict:
    """Return why a worker ended.

    Args:
        record: the last that it wrote down.
        fault: what faulthandler wrote.
        witness: what was seen of its end.
    """
    signal = witness.signal or fatal_signal(fault)
    blocked = record.block is not None and not record.block.over
    if witness.timed_out or (signal == "SIGABRT" and blocked):
        return _timed_out(record, blocked=blocked or fault.startswith(_ALARM))
    if witness.oom_kills > record.memory.oom_kills and signal in (None, "SIGKILL"):
        return Verdict(
            "out_of_memory",
            certain=witness.master_lives,
            sentence=f"The kernel killed it for memory: {_memory(record)}.",
        )
    if signal not in (None, "SIGKILL", "SIGTERM", "SIGINT", "SIGQUIT"):
        return Verdict(
            "fatal_signal", certain=True, sentence=f"It died of {signal}, in compiled code mostly."
        )
    return _unproven(record, witness)


def _timed_out(record: Record, *, blocked: bool) -> Verdict:
    if blocked:
        since = f" for {record.lag:.0f} s or more" if record.lag >= 1 else ""
        return Verdict(
            "blocked_loop",
            certain=True,
            sentence=f"Its event loop was blocked{since}, until gunicorn's time-out ended it.",
        )
    return Verdict(
        "timed_out",
        certain=True,
        sentence="Gunicorn's time-out ended it, though its loop was not seen blocked: the whole "
        "process stood still, or the clock jumped.",
    )


def _unproven(record: Record, witness: Witness) -> Verdict:
    """Judge an end that left no trace of its own."""
    if record.ended:
        return Verdict(
            "master_killed", certain=True, sentence="Its master was killed, so it stopped."
        )
    if record.activity.stopping or witness.signal in ("SIGTERM", "SIGINT", "SIGQUIT"):
        return Verdict(
            "stop_cut_short",
            certain=True,
            sentence="It was stopping, and was ended before it had finished.",
        )
    if witness.exit_code:
        sentence = f"It exited with code {witness.exit_code}."
        return Verdict("exited", certain=True, sentence=sentence)
    if record.memory.limit and record.memory.box >= _NEARLY_FULL * record.memory.limit:
        return Verdict(
            "out_of_memory",
            certain=False,
            sentence=f"It was killed, probably for memory: {_memory(record)}.",
        )
    if witness.master_lives:
        return Verdict(
            "killed",
            certain=False,
            sentence=f"It was killed and left no trace. Memory was not short: {_memory(record)}.",
        )
    return Verdict(
        "killed_with_everything",
        certain=False,
        sentence="It ended together with its master: power, a kill of the whole container, or "
        f"memory ({_memory(record)}).",
    )


def _memory(record: Record) -> str:
    memory = record.memory
    return f"{memory.box // _MB:,} of {memory.limit // _MB:,} MB were in use"
