"""The platforms and the plans that they sell, as far as sizing needs to know them.

Names are the platforms' own. Fly's have the memory behind a colon, as ``fly machine list`` shows
them, because a size alone leaves it open. Docker has no plans: the ones below stand for usual
boxes, and any other is written the same way, ``1.5c-768mb``.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Literal, get_args

from placar.errors import ConfigurationError
from placar.settings import parse_size

Platform = Literal["render", "heroku", "docker", "fly"]
PLATFORMS: tuple[Platform, ...] = get_args(Platform)

TITLES: dict[Platform, str] = {
    "render": "Render",
    "heroku": "Heroku",
    "docker": "Docker",
    "fly": "Fly",
}

_MB = 1024**2
_GB = 1024**3
_ANY_BOX = re.compile(r"(\d+(?:\.\d+)?)c-(\d+(?:\.\d+)?)(mb?|gb?)", re.IGNORECASE)
_FLY_KERNEL = 40 * _MB
"""A Fly machine is a small virtual one: its memory holds a kernel of its own as well."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One size of box that a platform offers."""

    name: str
    memory: int
    """Bytes, as the platform counts them."""
    cpus: float
    also: tuple[str, ...] = ()
    """Other names that the platform knows or knew it by."""
    disk: bool = True
    """A disk that survives restarts can be had with it."""
    sleeps: int = 0
    """Minutes without a request after which the platform stops it; 0: never."""
    system: int = 0
    """Bytes of the memory that are not ours to use."""

    @property
    def limit(self) -> int:
        """Bytes that processes can use."""
        return self.memory - self.system


PLANS: dict[Platform, tuple[Plan, ...]] = {
    "render": (
        Plan("free", 512 * _MB, 0.1, disk=False, sleeps=15),
        Plan("0.5c-512mb", 512 * _MB, 0.5, ("starter",)),
        Plan("1c-2g", 2 * _GB, 1, ("standard",)),
        Plan("2c-4g", 4 * _GB, 2, ("pro",)),
        Plan("2c-8g", 8 * _GB, 2),
        Plan("4c-8g", 8 * _GB, 4, ("pro plus",)),
        Plan("2c-16g", 16 * _GB, 2),
    ),
    "heroku": (
        Plan("eco", 512 * _MB, 1, disk=False, sleeps=30),
        Plan("basic", 512 * _MB, 1, disk=False),
        Plan("standard-1x", 512 * _MB, 1, disk=False),
        Plan("standard-2x", 1 * _GB, 1, disk=False),
        Plan("performance-m", 2560 * _MB, 2, disk=False),
        Plan("performance-l", 14 * _GB, 8, disk=False),
    ),
    "docker": (
        Plan("0.5c-512mb", 512 * _MB, 0.5),
        Plan("1c-1g", 1 * _GB, 1),
        Plan("1c-2g", 2 * _GB, 1),
        Plan("2c-4g", 4 * _GB, 2),
    ),
    "fly": (
        Plan("shared-cpu-1x:256mb", 256 * _MB, 1, ("shared-cpu-1x",), system=_FLY_KERNEL),
        Plan("shared-cpu-1x:512mb", 512 * _MB, 1, system=_FLY_KERNEL),
        Plan("shared-cpu-1x:1gb", 1 * _GB, 1, system=_FLY_KERNEL),
        Plan("shared-cpu-1x:2gb", 2 * _GB, 1, system=_FLY_KERNEL),
        Plan("shared-cpu-2x:4gb", 4 * _GB, 2, ("shared-cpu-2x",), system=_FLY_KERNEL),
        Plan("performance-1x:2gb", 2 * _GB, 1, ("performance-1x",), system=_FLY_KERNEL),
        Plan("performance-2x:4gb", 4 * _GB, 2, ("performance-2x",), system=_FLY_KERNEL),
    ),
}

USUAL: dict[Platform, str] = {
    "render": "0.5c-512mb",
    "heroku": "basic",
    "docker": "0.5c-512mb",
    "fly": "shared-cpu-1x:512mb",
}
"""The plan when nobody names one: the smallest paid one that serves and trains."""


def find_platform(name: str) -> Platform:
    """Return the platform of this name.

    Raises:
        ConfigurationError: there is none; it names the nearest.
    """
    for platform in PLATFORMS:
        if platform == name.strip().lower():
            return platform
    raise _unknown("platform", name, PLATFORMS, PLATFORMS)


def find_plan(platform: Platform, name: str) -> Plan:
    """Return a platform's plan by any of its names; for Docker also one made to measure.

    Raises:
        ConfigurationError: the platform has none of this name; it names the nearest.
    """
    wanted = name.strip().lower()
    for plan in PLANS[platform]:
        if wanted in (plan.name, *plan.also):
            return plan
    if platform == "docker" and (box := _ANY_BOX.fullmatch(wanted)) and float(box[1]) > 0:
        return Plan(wanted, parse_size(box[2] + box[3]), float(box[1]))
    names = [plan.name for plan in PLANS[platform]]
    known = [*names, *(each for plan in PLANS[platform] for each in plan.also)]
    raise _unknown(f"plan on {TITLES[platform]}", name, names, known)


def _unknown(
    what: str, name: str, listed: tuple[str, ...] | list[str], known: tuple[str, ...] | list[str]
) -> ConfigurationError:
    meant = difflib.get_close_matches(name.strip().lower(), known, n=1, cutoff=0.5)
    hint = f" Did you mean {meant[0]}?" if meant else ""
    return ConfigurationError(
        f"There is no {what} named {name!r}.{hint}", way_out=f"There are {', '.join(listed)}."
    )
