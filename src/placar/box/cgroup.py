"""Reading control groups, version 2 and version 1, as they are met inside containers.

Nothing here raises: a file that is missing, unreadable or odd says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

UNLIMITED = 2**60
"""A limit from here on means none: version 1 says so with a number near 2^63."""

_MOST_READ = 1 << 16


@dataclass(frozen=True, slots=True)
class Tree:
    """Where the groups of one controller are mounted, and which files tell what."""

    name: str
    controller: str
    """As /proc/self/cgroup names it; empty for version 2."""
    mounts: tuple[str, ...]
    limit: str = ""
    usage: str = ""
    inactive: str = ""
    """The line of ``memory.stat`` with the file cache that is given back on demand."""
    kills: str = ""
    """The file that counts processes which the kernel killed for memory."""


MEMORY = (
    Tree(
        "cgroup v2",
        "",
        ("sys/fs/cgroup", "sys/fs/cgroup/unified"),
        limit="memory.max",
        usage="memory.current",
        inactive="inactive_file",
        kills="memory.events",
    ),
    Tree(
        "cgroup v1",
        "memory",
        ("sys/fs/cgroup/memory",),
        limit="memory.limit_in_bytes",
        usage="memory.usage_in_bytes",
        inactive="total_inactive_file",
        kills="memory.oom_control",
    ),
)
CPU = (
    Tree("cgroup v2", "", ("sys/fs/cgroup", "sys/fs/cgroup/unified")),
    Tree("cgroup v1", "cpu", ("sys/fs/cgroup/cpu", "sys/fs/cgroup/cpu,cpuacct")),
)


def folders(root: Path, tree: Tree) -> tuple[Path, ...]:
    """Return this process's group in ``tree`` and every group above it, innermost first.

    A container often sees a part of the tree only, mounted as if it were the whole, while
    /proc/self/cgroup still gives the path from the host's root. So the path is also tried
    without its first folders; the mount itself always counts.
    """
    parts = _group(root, tree.controller)
    found: list[Path] = []
    for mount in (root / name for name in tree.mounts):
        if not _is_folder(mount):
            continue
        for start in range(len(parts)):
            own = mount.joinpath(*parts[start:])
            if _is_folder(own):
                found += [own, *own.parents[: len(parts) - start - 1]]
                break
        found.append(mount)
    return tuple(dict.fromkeys(found))


def read_text(path: Path) -> str:
    """Return what a small file holds, empty when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_MOST_READ).decode("utf-8", "replace").strip()
    except (OSError, ValueError):
        return ""


def read_bytes(path: Path) -> int | None:
    """Return the number of bytes in a file, or None where it holds none or means no limit."""
    return whole_number(read_text(path))


def read_line(path: Path, name: str) -> int | None:
    """Return the number after ``name`` in a file of ``name number`` lines."""
    for line in read_text(path).splitlines():
        words = line.replace(":", " ").split()
        if len(words) > 1 and words[0] == name:
            return whole_number(words[1])
    return None


def whole_number(text: str) -> int | None:
    """Return a number that can be an amount of memory, else None."""
    if not (text.isascii() and text.isdigit() and len(text) < 30):  # noqa: PLR2004 - > 2^64
        return None
    number = int(text)
    return number if number < UNLIMITED else None


def oom_kills(root: Path = Path("/")) -> int:
    """Return how many processes of our groups the kernel has killed for memory, as far as told.

    Only a difference between two calls says something: each group above ours that can be seen
    counts as well, because the limit that was reached may be its own.
    """
    counts = [
        read_line(folder / tree.kills, "oom_kill")
        for tree in MEMORY
        for folder in folders(root, tree)
    ]
    return sum(count for count in counts if count)


def _group(root: Path, controller: str) -> tuple[str, ...]:
    """Return the folders of this process's group, none when it is at the root or not visible."""
    for line in read_text(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        ours = controller in names.split(",") if controller else (number == "0" and not names)
        if ours and path.startswith("/"):
            parts = PurePosixPath(path).parts[1:]
            # A group outside of the container's own tree is shown as /../name.
            return () if ".." in parts else parts
    return ()


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
