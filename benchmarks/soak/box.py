"""A real box: a control group of the kernel with a memory limit and a share of a CPU.

Version 1 needs root and the memory and cpu controllers; version 2 a folder in which groups may be
made. Where neither can be had, ``open_box`` says why, and nothing is measured as if it were a box.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

GROUPS = Path("/sys/fs/cgroup")
MB = 1024**2
_PERIOD = 100_000
"""Microseconds of one turn of the CPU quota; what platforms use."""

_ENTER = 'while [ "$1" != -- ]; do echo $$ > "$1" || exit 125; shift; done; shift; exec "$@"'
"""A shell that joins the groups it is given, and then becomes the command."""


class NoBox(Exception):
    """The machine lets us make no group; the message says why."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The memory of a box at one time, in bytes."""

    at: float
    """Seconds of the monotonic clock."""
    usage: int
    """What the limit counts: page cache included."""
    inactive_file: int
    anonymous: int
    mapped: int
    """Files that are mapped, such as libraries."""

    @property
    def working_set(self) -> int:
        """What platforms show and kill by: all but the cache that can be dropped at once."""
        return max(0, self.usage - self.inactive_file)


@dataclass(frozen=True, slots=True)
class Throttling:
    """How often the CPU quota was used up."""

    periods: int
    throttled: int
    seconds: float
    """Summed over the CPUs that had to wait."""
    cpu_seconds: float
    """CPU time that the box used."""


@dataclass(frozen=True, slots=True)
class Box:
    """A group with limits; processes enter it by ``enter``."""

    version: int
    memory: Path
    cpu: Path
    limit: int
    cpus: float

    def enter(self, command: Sequence[str]) -> list[str]:
        """Return the command that joins the box and then becomes ``command``."""
        files = {str(folder / "cgroup.procs") for folder in (self.memory, self.cpu)}
        return ["sh", "-c", _ENTER, "box", *sorted(files), "--", *command]

    def pids(self) -> list[int]:
        """Return every process in the box."""
        with contextlib.suppress(OSError):
            return [int(word) for word in (self.memory / "cgroup.procs").read_text().split()]
        return []

    def read(self) -> Reading:
        """Return the memory in use now."""
        stat = _pairs(self.memory / "memory.stat")
        if self.version == 1:
            return Reading(
                time.monotonic(),
                _number(self.memory / "memory.usage_in_bytes"),
                stat["total_inactive_file"],
                stat["total_rss"],
                stat["total_mapped_file"],
            )
        usage = _number(self.memory / "memory.current")
        return Reading(
            time.monotonic(), usage, stat["inactive_file"], stat["anon"], stat["file_mapped"]
        )

    def kernel_kills(self) -> int:
        """Return how many processes the kernel has killed here for want of memory."""
        name = "memory.oom_control" if self.version == 1 else "memory.events"
        return _pairs(self.memory / name).get("oom_kill", 0)

    def highest(self) -> int | None:
        """Return the kernel's own record of the highest use, where it keeps one."""
        name = "memory.max_usage_in_bytes" if self.version == 1 else "memory.peak"
        with contextlib.suppress(OSError):
            return _number(self.memory / name)
        return None

    def throttling(self) -> Throttling:
        """Return what the CPU quota did so far."""
        stat = _pairs(self.cpu / "cpu.stat")
        if self.version == 1:
            waited, used = stat["throttled_time"] / 1e9, _cpu_seconds_v1(self.cpu)
        else:
            waited, used = stat["throttled_usec"] / 1e6, stat["usage_usec"] / 1e6
        return Throttling(stat["nr_periods"], stat["nr_throttled"], waited, used)


def _number(path: Path) -> int:
    return int(path.read_text(encoding="ascii"))


def _pairs(path: Path) -> dict[str, int]:
    lines = (line.split() for line in path.read_text(encoding="ascii").splitlines())
    return {words[0]: int(words[1]) for words in lines if len(words) == 2}


def _cpu_seconds_v1(folder: Path) -> float:
    """Return the CPU time of a group of version 1, where cpuacct counts with cpu; else 0."""
    with contextlib.suppress(OSError):
        return _number(folder / "cpuacct.usage") / 1e9
    return 0.0


@contextlib.contextmanager
def open_box(memory: int = 512 * MB, cpus: float = 0.5) -> Iterator[Box]:
    """Make a box, and remove it with everything in it at the end, also after Ctrl-C.

    Args:
        memory: bytes; no swap on top.
        cpus: 0 for no limit.

    Raises:
        NoBox: this machine lets us make none.
    """
    make = _make_v2 if (GROUPS / "cgroup.controllers").is_file() else _make_v1
    made: list[Path] = []
    try:
        yield make(memory, cpus, made)
    finally:
        for folder in reversed(made):
            _remove(folder)


def _make_v1(memory: int, cpus: float, made: list[Path]) -> Box:
    folders = [_folder(GROUPS / name, made) for name in ("memory", "cpu")]
    _write(folders[0] / "memory.limit_in_bytes", memory)
    with contextlib.suppress(OSError):  # kernels without swap accounting have no such file
        (folders[0] / "memory.memsw.limit_in_bytes").write_text(str(memory))
    if cpus:
        _write(folders[1] / "cpu.cfs_period_us", _PERIOD)
        _write(folders[1] / "cpu.cfs_quota_us", int(cpus * _PERIOD))
    return Box(1, folders[0], folders[1], memory, cpus)


def _make_v2(memory: int, cpus: float, made: list[Path]) -> Box:
    folder = _folder(GROUPS, made)
    _write(folder / "memory.max", memory)
    with contextlib.suppress(OSError):
        (folder / "memory.swap.max").write_text("0")
    if cpus:
        _write(folder / "cpu.max", f"{int(cpus * _PERIOD)} {_PERIOD}")
    return Box(2, folder, folder, memory, cpus)


def _folder(parent: Path, made: list[Path]) -> Path:
    folder = parent / f"placar-box-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as error:
        raise NoBox(f"no group can be made in {parent}: {error.strerror}") from error
    made.append(folder)
    return folder


def _write(path: Path, value: object) -> None:
    try:
        path.write_text(str(value), encoding="ascii")
    except OSError as error:
        raise NoBox(f"{path} takes no {value}: {error.strerror}") from error


def _remove(folder: Path) -> None:
    """End what is left in a group, and remove the group."""
    for _ in range(100):
        with contextlib.suppress(OSError):
            for word in (folder / "cgroup.procs").read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(word), signal.SIGKILL)
            folder.rmdir()
            return
        time.sleep(0.05)


@dataclass
class Watch:
    """Reads a box's memory ten times a second, in a thread, from ``with`` to its end."""

    box: Box
    every: float = 0.1
    readings: list[Reading] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(self.every):
            with contextlib.suppress(OSError, KeyError):
                self.readings.append(self.box.read())

    def peak(self) -> Reading:
        """Return the reading with the largest working set."""
        return max(self.readings, key=lambda reading: reading.working_set)

    def raw_peak(self) -> int:
        """Return the highest use that was seen or that the kernel recorded, in bytes."""
        return max(self.box.highest() or 0, *(reading.usage for reading in self.readings))


def end_well_on_sigterm() -> None:
    """Let SIGTERM do what Ctrl-C does: end what was started, and remove the box."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def forget_cached(folders: Sequence[Path]) -> None:
    """Drop files from the page cache, so that the box pays for those it reads.

    Pages count for the group that reads them first; whatever this machine has in its cache would
    be free in the box, which it is not in a fresh container.
    """
    for folder in folders:
        for path in folder.rglob("*"):
            if path.suffix not in (".so", ".pyc", ".py") and ".so." not in path.name:
                continue
            with contextlib.suppress(OSError):
                file = os.open(path, os.O_RDONLY)
                try:
                    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
                finally:
                    os.close(file)
