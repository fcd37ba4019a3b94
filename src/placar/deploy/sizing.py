"""How a plan's memory is shared out: a tenth free, the web workers, and the rest for a run."""

from __future__ import annotations

import math
from dataclasses import dataclass

from placar.box.sizing import MOST_WORKERS, TYPICAL, usable, workers_that_fit
from placar.deploy.plans import PLANS, Plan, Platform
from placar.errors import ConfigurationError

_MB = 1024**2
_STEP = 64 * _MB
_RUN = 256 * _MB
"""What a run gets before a second worker gets anything: the setting's default."""
_LEAST_RUN = 128 * _MB
"""Importing what a run trains with takes nearly as much."""
_LEAST_LEFT = 16 * _MB
"""What requests need beside the workers themselves."""


@dataclass(frozen=True, slots=True)
class Sizing:
    """What fits into a plan; all memory in bytes."""

    limit: int
    workers: int
    serving: int
    """What the workers take, with their master."""
    run_memory: int
    """What one run may use."""

    @property
    def trains(self) -> bool:
        """A run fits beside the workers."""
        return self.run_memory >= _LEAST_RUN

    @property
    def free(self) -> int:
        """What stays free when workers and run take all they may."""
        return self.limit - self.serving - self.run_memory


def size(plan: Plan) -> Sizing:
    """Share out a plan's memory.

    Workers are two, or one per CPU where there are more, as long as a run of usual size fits
    beside them; one on a plan too small for that. A run may use what is left, up to half of the
    memory: the rest of a large box is better spent on the files it caches.

    Raises:
        ConfigurationError: not even one worker fits.
    """
    most = max(MOST_WORKERS, math.ceil(plan.cpus))
    fitting = workers_that_fit(plan.limit, TYPICAL.master, TYPICAL.worker, _RUN, most)
    workers = max(1, fitting)
    serving = TYPICAL.master + workers * TYPICAL.worker
    left = usable(plan.limit) - serving
    if left < _LEAST_LEFT:
        raise ConfigurationError(
            f"{in_words(plan.memory)} are too small: one web worker with its master takes "
            f"{in_words(serving)}, and a tenth has to stay free.",
            way_out="Choose a plan of 512 MB.",
        )
    run_memory = min(left, max(_RUN, plan.limit // 2))
    step = _STEP if run_memory >= _STEP else _MB
    return Sizing(plan.limit, workers, serving, run_memory // step * step)


def smallest_that_trains(platform: Platform, *, disk: bool) -> Plan:
    """Return the platform's smallest plan in which a run fits beside the workers."""
    fitting = [plan for plan in PLANS[platform] if size(plan).trains and (plan.disk or not disk)]
    return min(fitting, key=lambda plan: plan.memory)


def in_words(amount: int) -> str:
    """Return bytes as people say them: ``512 MB``, ``2 GB``, ``2.5 GB``."""
    megabytes = amount // _MB
    gigabytes = megabytes / 1024
    whole = gigabytes >= 1 and (gigabytes * 2).is_integer()
    return f"{gigabytes:g} GB" if whole else f"{megabytes:,} MB"
