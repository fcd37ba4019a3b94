"""How often a follower looks, and how long it waits."""

from __future__ import annotations

from dataclasses import dataclass, field

from placar.store.runs import Patience


@dataclass(frozen=True, slots=True)
class Timing:
    """All in seconds."""

    poll: float = 0.2
    """Between two looks at the process."""
    heartbeat: float = 1.0
    """Between two signs of life of a follower."""
    grace: float = 5.0
    """Between the polite signal and the one that cannot be refused."""
    insistence: float = 30.0
    """Time to go on trying to write down how a run ended."""
    patience: Patience = field(default_factory=Patience)
