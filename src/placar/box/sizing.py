"""How many web workers fit beside a run, from what one costs on this very machine."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from placar.settings import child_environment

_log = logging.getLogger(__name__)

MOST_WORKERS = 2
"""Web workers when nobody asks for a number: one more buys little and costs its memory."""

_SERVING = "placar.web.asgi:app"
_SOURCE = Path(__file__).resolve().parents[2]
_PATIENCE = 60.0
_MB = 1024**2
BODY_OVERHEAD = 1.25
"""A body takes this many times its size: its undecoded rows, and the slice that is worked on."""
_LEAST_FOR_BODIES, _MOST_FOR_BODIES = 8 * _MB, 128 * _MB


@dataclass(frozen=True, slots=True)
class ServingCost:
    """Bytes that serving takes: ``master`` once, ``worker`` for each web worker.

    ``master + n * worker`` is the memory of a master and its workers, as their PSS adds up.
    """

    master: int
    """The master, and what all workers share with it or with each other."""
    worker: int
    """What a worker shares with nobody."""
    measured: bool = True
    """False where nothing could be measured; then these are what other machines showed."""


TYPICAL = ServingCost(master=90 * _MB, worker=20 * _MB, measured=False)


def measure_serving(app: str = _SERVING, package: Path | None = None) -> ServingCost:
    """Start the serving side in a process of its own, and return what it costs here.

    A worker's cost is what it shares with nobody. Shared pages are counted with the master, once:
    adding up each process's RSS would count them again and again.

    Args:
        app: what a master imports and a worker starts, as ``module:name``.
        package: a model that each worker loads.
    """
    command = [sys.executable, "-m", "placar.box.probe", app]
    if package is not None:
        command.append(str(package.absolute()))
    try:
        with tempfile.TemporaryDirectory(prefix="placar-") as home:
            done = subprocess.run(
                command,
                env=_environment(home),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_PATIENCE,
                check=True,
            )
        found = json.loads(done.stdout.splitlines()[-1])
        return ServingCost(int(found["master"]), int(found["worker"]))
    except (OSError, subprocess.SubprocessError, LookupError, TypeError, ValueError) as error:
        _log.warning("serving_not_measured", extra={"why": type(error).__name__})
        return TYPICAL


def measure_worker(app: str = _SERVING, package: Path | None = None) -> int:
    """Return the bytes that one more web worker takes on this machine."""
    return measure_serving(app, package).worker


def usable(limit: int) -> int:
    """Return what of a limit may be planned with: a tenth stays free.

    >>> usable(512)
    460
    """
    return limit - -(-limit // 10)


def workers_that_fit(limit: int, master: int, worker: int, run_memory: int, most: int) -> int:
    """Return how many web workers fit into a box together with their master and one run.

    >>> workers_that_fit(512, master=100, worker=25, run_memory=256, most=8)
    4

    Args:
        limit: memory of the box; a tenth of it stays free.
        master: what the master takes, with all that its workers share.
        worker: what each worker takes beyond that.
        run_memory: what one run may use.
        most: never more than this.

    Returns:
        0 when not even one fits; whoever starts workers then starts one all the same.
    """
    left = usable(limit) - master - run_memory
    return max(0, min(most, left // max(1, worker)))


def default_workers(limit: int, run_memory: int) -> int:
    """Return how many web workers to start when nobody asked for a number; at least one.

    It goes by the typical cost: measuring takes seconds, and a start has none to give away.
    """
    return max(1, workers_that_fit(limit, TYPICAL.master, TYPICAL.worker, run_memory, MOST_WORKERS))


def memory_for_bodies(limit: int, workers: int, run_memory: int) -> int:
    """Return the bytes that each of the web workers may spend on the bodies of its requests.

    It is what the box has left beside its service and a run, in equal shares; never so little that
    nothing larger than a row could be sent, and never more than is of use.

    >>> memory_for_bodies(4 * 1024**3, 2, 256 * 1024**2) // 1024**2
    128
    """
    left = usable(limit) - TYPICAL.master - workers * TYPICAL.worker - run_memory
    return max(_LEAST_FOR_BODIES, min(_MOST_FOR_BODIES, left // workers))


def largest_body(room: int) -> int:
    """Return the bytes of the largest body for which there is so much memory."""
    return int(room / BODY_OVERHEAD)


def share_of_worker(limit: int, workers: int, run_memory: int) -> int:
    """Return the bytes that each web worker may hold alone, bodies included, beside a run."""
    left = usable(limit) - TYPICAL.master - run_memory
    least = 2 * TYPICAL.worker + memory_for_bodies(limit, workers, run_memory)
    return max(least, left // workers)


def _environment(home: str) -> dict[str, str]:
    """Return the probe's environment: ours, with a store that is empty and its own."""
    environment = child_environment()
    inherited = environment.get("PYTHONPATH")
    return environment | {
        "MALLOC_ARENA_MAX": "2",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(_SOURCE), inherited])),
        "PLACAR_HOME": home,
        "PLACAR_DATABASE_URL": f"sqlite:///{home}/placar.db",
    }
