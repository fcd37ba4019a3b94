"""How much memory and CPU the box has, whoever says so."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

from placar.box import cgroup
from placar.settings import Settings

_ROOT = Path("/")

_GB = 1024**3
_PLANS = {0.1: _GB // 2, 0.5: _GB // 2, 1.0: 2 * _GB, 2.0: 4 * _GB, 4.0: 8 * _GB}
"""Memory of Render's smallest plan with so much CPU (``RENDER_CPU_COUNT``)."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How many bytes the box has, and who said so."""

    bytes: int
    source: str


def memory_limit(
    setting: int | None = None, *, root: Path = _ROOT, plan_cpu: str | None = None
) -> Limit:
    """Return the memory of the box.

    The setting wins, unless the kernel allows less. Then the smallest limit of a control group
    that holds this process, then what the platform's plan has, then the machine's memory: inside
    a container the last is the host's, and far too much.

    Args:
        setting: bytes, when somebody knows better.
        root: where ``proc`` and ``sys`` are.
        plan_cpu: CPUs of the platform's plan, such as "0.5", if it tells.
    """
    machine = machine_memory(root)
    group = tightest_group(root)
    if setting is not None and (group is None or setting <= group.limit.bytes):
        return Limit(setting, "PLACAR_MEMORY_LIMIT")
    if group is not None and group.limit.bytes < machine:
        return group.limit
    plan = _PLANS.get(_cpus(plan_cpu))
    if plan is not None and plan < machine:
        return Limit(plan, f"plan with {plan_cpu} CPU")
    return Limit(machine, "memory of the machine")


def box_limit(settings: Settings) -> Limit:
    """Return the memory of the box, as the settings and this machine say."""
    return memory_limit(settings.memory_limit, plan_cpu=settings.plan_cpu)


def memory_use(root: Path = _ROOT) -> int:
    """Return the bytes in use that count against the limit: the working set.

    That is usage without the file cache which the kernel gives back on demand; of the group with
    the tightest limit, else of this process's own group, else of the machine.
    """
    group = tightest_group(root)
    innermost = ((folder, tree) for tree in cgroup.MEMORY for folder in cgroup.folders(root, tree))
    places = [(group.folder, group.tree)] if group is not None else innermost
    for folder, tree in places:
        usage = cgroup.read_bytes(folder / tree.usage)
        if usage is not None:
            inactive = cgroup.read_line(folder / "memory.stat", tree.inactive) or 0
            return max(0, usage - inactive)
    total = meminfo(root, "MemTotal")
    return max(0, total - meminfo(root, "MemAvailable"))


def cpu_quota(root: Path = _ROOT, *, plan_cpu: str | None = None) -> float:
    """Return how many CPUs the box may use at once; 0.5 is a usual answer.

    Args:
        root: where ``proc`` and ``sys`` are.
        plan_cpu: CPUs of the platform's plan, if it tells.
    """
    quotas = [
        quota
        for tree in cgroup.CPU
        for folder in cgroup.folders(root, tree)
        if (quota := _quota(folder)) is not None
    ]
    usable = float(len(os.sched_getaffinity(0)))
    plan = _cpus(plan_cpu)
    if not quotas and plan > 0:
        quotas.append(plan)
    return min([usable, *quotas])


@dataclass(frozen=True, slots=True)
class Group:
    """A control group that limits memory."""

    folder: Path
    tree: cgroup.Tree
    limit: Limit


def tightest_group(root: Path) -> Group | None:
    """Return the group with the smallest limit: each one above us binds us as well."""
    groups = [
        Group(folder, tree, Limit(amount, tree.name))
        for tree in cgroup.MEMORY
        for folder in cgroup.folders(root, tree)
        if (amount := _limit_of(folder, tree))
    ]
    return min(groups, key=lambda group: group.limit.bytes, default=None)


def _limit_of(folder: Path, tree: cgroup.Tree) -> int | None:
    """Return a group's limit; version 1 also tells of groups above that are out of sight."""
    own = cgroup.read_bytes(folder / tree.limit)
    above = cgroup.read_line(folder / "memory.stat", "hierarchical_memory_limit")
    return min((limit for limit in (own, above) if limit), default=None)


def _quota(folder: Path) -> float | None:
    """Return a group's CPU quota in CPUs: version 2's one file, or version 1's two."""
    words = cgroup.read_text(folder / "cpu.max").split()
    if not words:
        words = [
            cgroup.read_text(folder / "cpu.cfs_quota_us"),
            cgroup.read_text(folder / "cpu.cfs_period_us"),
        ]
    amounts = [cgroup.whole_number(word) for word in words]
    match amounts:
        case [int(quota), int(period)] if quota > 0 and period > 0:
            return quota / period
        case _:
            return None


def _cpus(plan: str | None) -> float:
    """Return the plan's CPUs, 0 when it does not tell."""
    try:
        cpus = float(plan or 0)
    except ValueError:
        return 0.0
    return cpus if math.isfinite(cpus) and cpus > 0 else 0.0


def machine_memory(root: Path) -> int:
    """Return the bytes of memory that the machine has."""
    total = meminfo(root, "MemTotal")
    return total or os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def meminfo(root: Path, name: str) -> int:
    """Return a figure of /proc/meminfo in bytes, 0 where there is none."""
    return (cgroup.read_line(root / "proc/meminfo", name) or 0) * 1024
