"""The same in groups of the kernel's own, where this machine lets us make one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from placar.box import limits as module

MB = 1024**2
SOURCE = Path(module.__file__).resolve().parents[2]
GROUPS = Path("/sys/fs/cgroup")
LOOK = """
import json, os, sys
for folder in sys.argv[1:]:
    with open(folder + "/cgroup.procs", "w") as file:
        file.write(str(os.getpid()))
from placar.box.limits import cpu_quota, memory_limit, memory_use
limit, before = memory_limit(), memory_use()
held = b"x" * (50 * 1024**2)
print(json.dumps([limit.bytes, limit.source, memory_use() - before, cpu_quota()]))
"""


def a_group(parent: Path, files: dict[str, str]) -> Path:
    """Make a group below ``parent``, or skip the test and say why."""
    folder = parent / f"placar-test-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no group can be made in {parent}: {error.strerror}")
    for name, text in files.items():
        try:
            (folder / name).write_text(text)
        except OSError as error:
            folder.rmdir()
            pytest.skip(f"a group in {parent} takes no {name}: {error.strerror}")
    return folder


@pytest.fixture
def groups() -> Iterator[tuple[str, list[Path]]]:
    """Groups with 300 MB and half a CPU: of version 2, else of version 1."""
    if (GROUPS / "cgroup.controllers").is_file():
        files = {"memory.max": str(300 * MB), "cpu.max": "50000 100000"}
        version, made = "cgroup v2", [a_group(GROUPS, files)]
    else:
        version, made = "cgroup v1", [a_group(GROUPS / "memory", {})]
        (made[0] / "memory.limit_in_bytes").write_text(str(300 * MB))
        cpu = {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "50000"}
        made.append(a_group(GROUPS / "cpu", cpu))
    yield version, made
    for folder in made:
        folder.rmdir()


def test_a_process_in_a_group_sees_the_groups_limits(groups: tuple[str, list[Path]]) -> None:
    version, folders = groups
    done = subprocess.run(
        [sys.executable, "-c", LOOK, *map(str, folders)],
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    limit, source, grown, cpus = json.loads(done.stdout)
    assert (limit, source, cpus) == (300 * MB, version, 0.5)
    assert 45 * MB < grown < 60 * MB
