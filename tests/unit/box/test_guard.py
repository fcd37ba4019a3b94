"""What the box has left for a run, by the files that tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from placar.box.cgroup import oom_kills
from placar.box.guard import find_gauge
from placar.box.limits import Limit

MB = 1024**2
MACHINE = 8192 * MB


def a_root(tmp_path: Path, *, free: int = 4096, swap: int = 0) -> Path:
    """A machine of 8 GB."""
    meminfo = {"MemTotal": 8192, "MemAvailable": free, "SwapFree": swap}
    write(
        tmp_path,
        {
            "proc/meminfo": "".join(f"{name}: {mb * 1024} kB\n" for name, mb in meminfo.items()),
            "proc/self/cgroup": "0::/\n1:memory:/\n",
        },
    )
    return tmp_path


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def version_2(limit: str, usage: int) -> dict[str, str]:
    """A group with so much in use, 100 MB of it cached files, 30 MB of these mapped."""
    stat = {"anon": usage - 100, "inactive_file": 60, "active_file": 40, "file_mapped": 30}
    lines = [f"{name} {amount * MB}" for name, amount in stat.items()]
    return {
        "sys/fs/cgroup/memory.max": limit,
        "sys/fs/cgroup/memory.current": str(usage * MB),
        "sys/fs/cgroup/memory.stat": "\n".join(lines) + "\n",
    }


def test_cached_files_are_not_held_but_mapped_ones_are_in_use(tmp_path: Path) -> None:
    root = a_root(tmp_path)
    write(root, version_2(str(512 * MB), 300))
    gauge = find_gauge(512 * MB, root)
    assert gauge is not None
    assert gauge.held() == 200 * MB
    # 460 MB to plan with, 200 held, 30 of libraries, 32 reserved for the web workers.
    assert gauge.left() // MB == 460 - 230 - 32
    assert not gauge.short()


def test_version_1_tells_the_same(tmp_path: Path) -> None:
    root = a_root(tmp_path)
    lines = {"total_inactive_file": 60, "total_active_file": 40, "total_mapped_file": 30}
    write(
        root,
        {
            "sys/fs/cgroup/memory/memory.limit_in_bytes": str(512 * MB),
            "sys/fs/cgroup/memory/memory.usage_in_bytes": str(300 * MB),
            "sys/fs/cgroup/memory/memory.stat": "".join(
                f"{name} {amount * MB}\n" for name, amount in lines.items()
            ),
        },
    )
    gauge = find_gauge(512 * MB, root)
    assert gauge is not None
    assert gauge.held() == 200 * MB
    assert gauge.left() // MB == 460 - 230 - 32


def test_the_box_is_short_when_nine_tenths_are_held(tmp_path: Path) -> None:
    root = a_root(tmp_path)
    write(root, version_2(str(512 * MB), 560))
    gauge = find_gauge(512 * MB, root)
    assert gauge is not None
    assert not gauge.short()
    write(root, version_2(str(512 * MB), 562))
    assert gauge.short()


def test_a_service_at_rest_leaves_a_run_its_256_megabytes(tmp_path: Path) -> None:
    root = a_root(tmp_path)
    write(root, version_2(str(512 * MB), 122 + 70))
    gauge = find_gauge(512 * MB, root)
    assert gauge is not None
    assert gauge.left() > 256 * MB


def test_a_setting_below_the_groups_limit_counts_with_the_groups_use(tmp_path: Path) -> None:
    root = a_root(tmp_path)
    write(root, version_2(str(1024 * MB), 700))
    gauge = find_gauge(Limit(512 * MB, "PLACAR_MEMORY_LIMIT"), root)
    assert gauge is not None
    assert gauge.short()


def test_a_machine_without_limits_goes_by_what_is_available(tmp_path: Path) -> None:
    gauge = find_gauge(MACHINE, a_root(tmp_path, free=1000))
    assert gauge is not None
    assert gauge.left() // MB == 1000 - 256 - 32
    assert not gauge.short()


def test_a_machine_that_can_swap_is_not_short(tmp_path: Path) -> None:
    gauge = find_gauge(MACHINE, a_root(tmp_path, free=100, swap=4096))
    assert gauge is not None
    assert not gauge.short()
    assert gauge.left() > 3 * 1024 * MB


def test_the_machines_figures_are_not_taken_for_a_plans(tmp_path: Path) -> None:
    """Where no group can be seen, nobody knows what is in use of the plan."""
    assert find_gauge(Limit(512 * MB, "plan with 0.5 CPU"), a_root(tmp_path)) is None


def test_a_group_that_holds_more_than_the_limit_is_another_box(tmp_path: Path) -> None:
    root = a_root(tmp_path)
    write(root, {"sys/fs/cgroup/cgroup.procs": "1\n7\n"})
    write(root, version_2("max", 3000))
    assert find_gauge(512 * MB, root) is None
    write(root, version_2("max", 300))
    gauge = find_gauge(512 * MB, root)
    assert gauge is not None
    assert gauge.held() == 200 * MB


def test_somebodys_session_on_a_machine_is_not_the_box(tmp_path: Path) -> None:
    """It holds whatever else is open there; a container's group has the first process."""
    root = a_root(tmp_path)
    write(root, {"sys/fs/cgroup/cgroup.procs": "4711\n"})
    write(root, version_2("max", 300))
    assert find_gauge(512 * MB, root) is None


def test_without_any_figure_nothing_is_watched(tmp_path: Path) -> None:
    assert find_gauge(10**15, tmp_path) is None


@pytest.mark.parametrize("spoilt", ["", "nonsense", "-1", "9" * 40])
def test_figures_that_turn_odd_end_no_run(tmp_path: Path, spoilt: str) -> None:
    root = a_root(tmp_path)
    write(root, version_2(str(512 * MB), 300))
    gauge = find_gauge(512 * MB, root)
    assert gauge is not None
    write(root, {"sys/fs/cgroup/memory.current": spoilt})
    assert not gauge.short()


def test_kills_are_counted_in_every_group_that_can_be_seen(tmp_path: Path) -> None:
    assert oom_kills(tmp_path) == 0
    write(
        tmp_path,
        {
            "proc/self/cgroup": "3:memory:/box\n0::/box/inner\n",
            "sys/fs/cgroup/memory/box/memory.oom_control": "under_oom 0\noom_kill 2\n",
            "sys/fs/cgroup/box/inner/memory.events": "low 0\noom 4\noom_kill 3\n",
            "sys/fs/cgroup/box/memory.events": "oom_kill 5\n",
        },
    )
    assert oom_kills(tmp_path) == 10


def test_a_group_as_the_host_sees_it_is_found_where_the_container_has_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/kubepods/pod1/abc\n",
            "sys/fs/cgroup/memory.events": "oom_kill 1\n",
        },
    )
    assert oom_kills(tmp_path) == 1
