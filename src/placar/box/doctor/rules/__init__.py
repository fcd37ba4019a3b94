"""Every cause the doctor knows, as data. The order is the order among equally sure causes."""

from __future__ import annotations

from placar.box.doctor.rule import Rule
from placar.box.doctor.rules.boot import BOOT
from placar.box.doctor.rules.crashes import CRASHES
from placar.box.doctor.rules.memory import MEMORY
from placar.box.doctor.rules.platform import PLATFORM, ROUTER
from placar.box.doctor.rules.timeouts import TIMEOUTS

RULES: tuple[Rule, ...] = (*BOOT, *TIMEOUTS, *MEMORY, *CRASHES, *PLATFORM, *ROUTER)
