"""What memory a run may use: what was asked for, within what the box has left when it starts."""

from __future__ import annotations

from msgspec import structs

from placar.box.guard import Gauge, find_gauge
from placar.box.limits import box_limit
from placar.errors import RunDoesNotFit
from placar.package.run_folder import LEAST_MEMORY, RunSpec
from placar.settings import Settings

_MB = 1024**2


def allow(settings: Settings, spec: RunSpec) -> RunSpec:
    """Return the spec with the memory that the run gets now, and the box that it must watch.

    Raises:
        RunDoesNotFit: it is less than what importing the training libraries takes.
    """
    if spec.memory < LEAST_MEMORY:
        raise RunDoesNotFit(
            f"The run may use {_mb(spec.memory)}; any run needs {_mb(LEAST_MEMORY)} at least.",
            way_out=f"Set PLACAR_RUN_MEMORY={_mb(LEAST_MEMORY, '')} or more (or --memory).",
        )
    limit = box_limit(settings)
    gauge = find_gauge(limit)
    if gauge is None:
        return spec
    left = gauge.left()
    if left < LEAST_MEMORY:
        raise _does_not_fit(gauge, left)
    return structs.replace(spec, memory=min(spec.memory, left), box=gauge.limit)


def _does_not_fit(gauge: Gauge, left: int) -> RunDoesNotFit:
    return RunDoesNotFit(
        f"Of the box's {_mb(gauge.limit)}, {_mb(gauge.held())} are held now, which leaves "
        f"{_mb(max(0, left))} for a run; any run needs {_mb(LEAST_MEMORY)} at least.",
        way_out="Start it again when there is less load, run fewer web workers "
        "(WEB_CONCURRENCY), or choose a larger plan.",
    )


def _mb(amount: int, blank: str = " ") -> str:
    return f"{amount // _MB}{blank}MB"
