"""How much memory the box has left for a run, before it starts and while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from placar.box import cgroup
from placar.box.limits import Limit, machine_memory, meminfo, tightest_group
from placar.box.sizing import usable

_ROOT = Path("/")
_MB = 1024**2
_FIRST_PROCESS = "1"
_PLANNED = 0.9

_MOST_KEPT_FREE = 256 * _MB
"""Of a machine's memory: a tenth of a large one would be more than anybody's sudden demand."""

_LARGEST_RESERVE = 32 * _MB


@dataclass(frozen=True, slots=True)
class Gauge:
    """What the box has, and where to read how much of it is held.

    *Held* is what only its owner can give back: memory of processes and of the kernel. Cached
    files do not count, however many: a run that reads its table leaves a cache of any size, and
    the kernel drops it instead of killing anyone.
    """

    limit: int
    """Bytes of the box."""
    kept_free: int
    """Bytes of it that are never planned with."""
    _root: Path
    _folder: Path | None = None
    """The control group to read; None: the machine's figures."""
    _tree: cgroup.Tree | None = None

    def held(self) -> int:
        """Return the bytes that are held; two small files are read for it."""
        return self._usage(mapped=False)

    def short(self) -> bool:
        """Tell whether so much is held that somebody has to give way."""
        return self.held() > self.limit - self.kept_free

    def pressure(self) -> float:
        """Return how much of what may be planned with is held; 0.9 of the box is all of that."""
        return _PLANNED * self.held() / max(1, self.limit - self.kept_free)

    def left(self) -> int:
        """Return the bytes that a run may use that starts now; 0 or less: nothing.

        Libraries that are mapped count as in use here, as nothing works well without them. Part
        of the rest is reserved for what the web workers take while they answer.
        """
        reserve = min(self.limit // 16, _LARGEST_RESERVE)
        return self.limit - self.kept_free - self._usage(mapped=True) - reserve

    def _usage(self, *, mapped: bool) -> int:
        if self._folder is None or self._tree is None:
            free = meminfo(self._root, "MemAvailable") + meminfo(self._root, "SwapFree")
            return self.limit - min(free, self.limit)
        tree = self._tree
        stat = _numbers(self._folder / "memory.stat")
        cached = stat.get(tree.inactive, 0) + stat.get(tree.active, 0)
        if mapped:
            cached -= stat.get(tree.mapped, 0)
        usage = cgroup.read_bytes(self._folder / tree.usage) or 0
        return max(0, usage - cached)


def find_gauge(limit: Limit | int, root: Path = _ROOT) -> Gauge | None:
    """Return where to read how much of the box is held, or None when no figure fits the limit.

    Where a control group limits us, its figures count. Else, where the limit is the machine's
    memory, those of the machine. Else somebody says what the box has (a setting, the platform's
    plan), and our own group may tell what is used of it, if it is a container's: the one of the
    first process. Somebody's session on a machine holds whatever else is open there. A figure above
    the limit cannot be this box's either, and then nothing is watched.

    Args:
        limit: of the box, see ``limits.memory_limit``.
        root: where ``proc`` and ``sys`` are.
    """
    amount = limit.bytes if isinstance(limit, Limit) else limit
    kept_free = amount - usable(amount)
    group = tightest_group(root)
    machine = machine_memory(root)
    if group is not None and group.limit.bytes < machine:
        return Gauge(amount, kept_free, root, group.folder, group.tree)
    if amount >= machine:
        known = meminfo(root, "MemAvailable") > 0
        return Gauge(amount, min(kept_free, _MOST_KEPT_FREE), root) if known else None
    for folder, tree in _own_groups(root):
        gauge = Gauge(amount, kept_free, root, folder, tree)
        if 0 < gauge.held() <= amount:
            return gauge
    return None


def _own_groups(root: Path) -> Iterator[tuple[Path, cgroup.Tree]]:
    """Yield the innermost group of each version, where it tells what it uses."""
    for tree in cgroup.MEMORY:
        folder = next(iter(cgroup.folders(root, tree)), None)
        if folder is None or cgroup.read_bytes(folder / tree.usage) is None:
            continue
        if _FIRST_PROCESS in cgroup.read_text(folder / "cgroup.procs").split():
            yield folder, tree


def _numbers(path: Path) -> dict[str, int]:
    """Return a file of ``name number`` lines."""
    pairs = (line.split() for line in cgroup.read_text(path).splitlines())
    return {
        pair[0]: number
        for pair in pairs
        if len(pair) == 2 and (number := cgroup.whole_number(pair[1])) is not None  # noqa: PLR2004
    }
