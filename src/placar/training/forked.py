"""A piece of work in a process of its own.

Reading a table and learning from it each get a fork of a small process that has imported
nothing yet. So the memory of the one is gone when the other begins, somebody can watch how much
they hold, and when a library dies instead of raising, as some do when an allocation is refused,
somebody is left to say so.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import select
import signal
from collections.abc import Callable

from placar.box.cgroup import oom_kills
from placar.box.guard import Gauge
from placar.box.pacing import LOOK, pacer_for
from placar.errors import RunKilled, RunOutOfMemory, TrainingFailed
from placar.training.memory import held_memory

_MB = 1024**2
_PR_SET_PDEATHSIG = 1
_BETWEEN_LOOKS = 0.05
"""Seconds. A process can touch some tens of megabytes in that time, and a look takes a tenth of a
millisecond."""
_STARVED = frozenset({signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGSEGV})
"""How libraries die that do not check what an allocation returns."""


def in_fork(work: Callable[[], bytes], memory: int, gauge: Gauge | None = None) -> bytes:
    """Do the work in a fork of this process, which must have one thread only.

    The fork dies with this process, and on SIGTERM at once. Where the box has a CPU quota it is
    stopped now and then, so that the web workers are not frozen with it.

    Args:
        work: what to do; its answer must be some bytes.
        memory: bytes that the fork may hold (see ``held_memory``).
        gauge: of the box; when that runs short, the fork gives way, whatever it holds itself.

    Raises:
        RunOutOfMemory: it held more, the box ran short, or it died the way libraries die when
            memory is refused.
        RunKilled: somebody killed the fork.
        TrainingFailed: it ended without a word.
        SystemExit: it was ended by SIGTERM; so is this process, then.
    """
    kills = oom_kills()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _work_and_exit(work, writing)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as pipe:
            pacer = pacer_for(child)
            pause = _BETWEEN_LOOKS if pacer is None else min(LOOK, _BETWEEN_LOOKS)
            while not select.select([pipe], [], [], pause)[0]:
                _look_at(child, memory, gauge)
                if pacer is not None:
                    pacer.look()
            if pacer is not None:
                pacer.release()  # else it might stand between its last word and its end
            answer = pipe.read()
        _, status = os.waitpid(child, 0)
    except BaseException:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    code = os.waitstatus_to_exitcode(status)
    if code == 0:
        return answer
    if code == -signal.SIGKILL and oom_kills() > kills:
        raise RunOutOfMemory("The kernel ended the run's process because memory ran out.")
    raise _death(code)


def _look_at(child: int, memory: int, gauge: Gauge | None) -> None:
    held = held_memory(child)
    if held > memory:
        raise RunOutOfMemory(f"The run needed more than the {memory // _MB} MB it may use.")
    if gauge is not None and gauge.short():
        raise RunOutOfMemory(
            f"The box ran short of memory: {gauge.held() // _MB} of {gauge.limit // _MB} MB were "
            f"held, {held // _MB} MB of them by the run, which gave way before the kernel would "
            "end somebody.",
            way_out="Start it again when there is less load, run fewer web workers "
            "(WEB_CONCURRENCY), or choose a larger plan.",
        )


def _work_and_exit(work: Callable[[], bytes], writing: int) -> None:
    """Never return: this is a copy of a process whose stack has other duties."""
    code = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _die_with_parent()
        faulthandler.enable()
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(work())
        code = 0
    finally:
        os._exit(code)


def _die_with_parent() -> None:
    """Ask the kernel to kill this process when the one that forked it ends (Linux)."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _death(code: int) -> BaseException:
    if code > 0:
        return TrainingFailed(
            f"The run's process ended with exit code {code} and left no word.",
            way_out="Its log may say why; too little memory is the usual cause.",
        )
    if -code not in set(map(int, signal.Signals)):  # a real-time signal has no name
        return RunKilled(f"The run's process was ended by signal {-code}.", signal=str(-code))
    number = signal.Signals(-code)
    if number == signal.SIGTERM:
        return SystemExit(128 + number)
    if number in _STARVED:
        return RunOutOfMemory(
            f"The run's process ended with {number.name}, most likely for want of memory."
        )
    return RunKilled(f"The run's process was ended by {number.name}.", signal=number.name)
