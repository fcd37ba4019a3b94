"""The box's limits, read from trees as kernels and platforms show them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from placar.box.limits import Limit, cpu_quota, memory_limit, memory_use

MB = 1024**2
HOST = "MemTotal:       65536000 kB\nMemFree:        1000 kB\nMemAvailable:   64536000 kB\n"
HOST_BYTES = 65_536_000 * 1024
ALL_CPUS = len(os.sched_getaffinity(0))
MACHINE = Limit(HOST_BYTES, "memory of the machine")


def a_tree(root: Path, groups: str, files: Mapping[str, str]) -> Path:
    """Write a ``proc`` and a ``sys/fs/cgroup`` with these files, and return their root."""
    for name, text in {
        "proc/self/cgroup": groups,
        "proc/meminfo": HOST,
        **{f"sys/fs/cgroup/{name}": text for name, text in files.items()},
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_version_2_in_a_container_of_its_own(tmp_path: Path) -> None:
    root = a_tree(tmp_path, "0::/\n", {"memory.max": "536870912\n"})
    assert memory_limit(root=root) == Limit(512 * MB, "cgroup v2")


def test_version_2_without_a_limit_leaves_the_machine(tmp_path: Path) -> None:
    root = a_tree(tmp_path, "0::/\n", {"memory.max": "max\n"})
    assert memory_limit(root=root) == MACHINE


@pytest.mark.parametrize("tight", ["memory.max", "a/memory.max", "a/b/memory.max"])
def test_version_2_takes_the_tightest_of_every_ancestor(tmp_path: Path, tight: str) -> None:
    files = {"memory.max": "max", "a/memory.max": "2147483648", "a/b/memory.max": "max"}
    root = a_tree(tmp_path, "0::/a/b\n", files | {tight: str(256 * MB)})
    assert memory_limit(root=root).bytes == 256 * MB


def test_a_path_of_the_host_that_is_not_here_leaves_the_root(tmp_path: Path) -> None:
    root = a_tree(tmp_path, "0::/kubepods/pod1/abc\n", {"memory.max": str(512 * MB)})
    assert memory_limit(root=root).bytes == 512 * MB


def test_a_group_inside_a_container_that_shows_the_hosts_path_is_found(tmp_path: Path) -> None:
    files = {"memory.max": str(512 * MB), "ours/memory.max": str(128 * MB)}
    root = a_tree(tmp_path, "0::/docker/abc/ours\n", files)
    assert memory_limit(root=root).bytes == 128 * MB


def test_a_path_from_outside_the_namespace_does_not_climb_out(tmp_path: Path) -> None:
    root = a_tree(tmp_path, "0::/../../x\n", {"memory.max": str(512 * MB)})
    (tmp_path / "sys" / "memory.max").write_text("1")
    assert memory_limit(root=root).bytes == 512 * MB


def test_version_1(tmp_path: Path) -> None:
    root = a_tree(
        tmp_path,
        "5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n",
        {
            "memory/memory.limit_in_bytes": str(2**63 - 4096),
            "memory/docker/abc/memory.limit_in_bytes": str(512 * MB),
            "cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "50000",
            "cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000",
        },
    )
    assert memory_limit(root=root) == Limit(512 * MB, "cgroup v1")
    assert cpu_quota(root) == 0.5


def test_version_1_tells_of_a_limit_above_what_the_container_sees(tmp_path: Path) -> None:
    files = {
        "memory/memory.limit_in_bytes": str(2**63 - 4096),
        "memory/memory.stat": f"cache 5\nhierarchical_memory_limit {512 * MB}\n",
    }
    root = a_tree(tmp_path, "4:memory:/kubepods/pod1/abc\n", files)
    assert memory_limit(root=root) == Limit(512 * MB, "cgroup v1")


def test_the_number_that_stands_for_no_limit_in_version_1_is_none(tmp_path: Path) -> None:
    files = {"memory/memory.limit_in_bytes": "9223372036854771712"}
    assert memory_limit(root=a_tree(tmp_path, "4:memory:/\n", files)) == MACHINE


def test_both_versions_at_once(tmp_path: Path) -> None:
    files = {"memory/x/memory.limit_in_bytes": str(300 * MB), "unified/y/cgroup.procs": "1"}
    root = a_tree(tmp_path, "4:memory:/x\n0::/y\n", files)
    assert memory_limit(root=root) == Limit(300 * MB, "cgroup v1")


@pytest.mark.parametrize(
    "odd", ["", "\n", "many", "-5", "0", "12 34 56", "٣", "1e9", "\x00\x01", "9" * 5000]
)
def test_an_odd_file_says_nothing(tmp_path: Path, odd: str) -> None:
    files = dict.fromkeys(("memory.max", "cpu.max", "memory.current", "memory.stat"), odd)
    root = a_tree(tmp_path, "0::/\n", files)
    assert memory_limit(root=root) == MACHINE
    assert cpu_quota(root) == ALL_CPUS
    assert memory_use(root) >= 0


@pytest.mark.parametrize(
    "line", ["", "nonsense", "0:", "::", "x:y", "0::relative", "a:memory:", "0::/a\0b"]
)
def test_an_odd_list_of_groups_says_nothing(tmp_path: Path, line: str) -> None:
    assert memory_limit(root=a_tree(tmp_path, line, {"cgroup.procs": "1"})) == MACHINE


def test_bytes_that_are_no_text_say_nothing(tmp_path: Path) -> None:
    root = a_tree(tmp_path, "0::/\n", {"cgroup.procs": "1"})
    (root / "sys/fs/cgroup/memory.max").write_bytes(b"\xff\xfe512")
    (root / "proc/self/cgroup").write_bytes(b"0::/\xff\n")
    assert memory_limit(root=root) == MACHINE


def test_a_folder_where_a_file_should_be_says_nothing(tmp_path: Path) -> None:
    assert memory_limit(root=a_tree(tmp_path, "0::/\n", {"memory.max/x": ""})) == MACHINE


def test_without_proc_and_sys_the_machine_is_asked(tmp_path: Path) -> None:
    assert memory_limit(root=tmp_path).bytes > 0
    assert memory_use(tmp_path) == 0
    assert cpu_quota(tmp_path) == ALL_CPUS


def test_the_setting_counts(tmp_path: Path) -> None:
    root = a_tree(tmp_path, "0::/\n", {"memory.max": str(1024 * MB)})
    assert memory_limit(512 * MB, root=root) == Limit(512 * MB, "PLACAR_MEMORY_LIMIT")


def test_a_setting_above_what_the_kernel_allows_does_not(tmp_path: Path) -> None:
    root = a_tree(tmp_path, "0::/\n", {"memory.max": str(512 * MB)})
    assert memory_limit(2048 * MB, root=root) == Limit(512 * MB, "cgroup v2")


@pytest.mark.parametrize(
    ("cpus", "megabytes"), [("0.1", 512), ("0.5", 512), ("1", 2048), ("2.0", 4096), ("4", 8192)]
)
def test_the_plan_is_known_by_its_cpus(tmp_path: Path, cpus: str, megabytes: int) -> None:
    root = a_tree(tmp_path, "0::/\n", {"memory.max": "max"})
    assert memory_limit(root=root, plan_cpu=cpus) == Limit(megabytes * MB, f"plan with {cpus} CPU")


@pytest.mark.parametrize("cpus", ["", "half", "0", "-1", "nan", "inf", "3.7"])
def test_a_plan_that_is_not_known_says_nothing(tmp_path: Path, cpus: str) -> None:
    root = a_tree(tmp_path, "0::/\n", {})
    assert memory_limit(root=root, plan_cpu=cpus) == MACHINE
    assert 0 < cpu_quota(root, plan_cpu=cpus) <= ALL_CPUS


def test_the_container_knows_better_than_the_plan(tmp_path: Path) -> None:
    root = a_tree(tmp_path, "0::/\n", {"memory.max": str(1024 * MB), "cpu.max": "25000 100000"})
    assert memory_limit(root=root, plan_cpu="0.5") == Limit(1024 * MB, "cgroup v2")
    assert cpu_quota(root, plan_cpu="0.5") == 0.25


def test_use_is_the_working_set_of_the_group_that_limits(tmp_path: Path) -> None:
    root = a_tree(
        tmp_path,
        "0::/a/b\n",
        {
            "a/memory.max": str(512 * MB),
            "a/memory.current": str(300 * MB),
            "a/memory.stat": f"anon 1\ninactive_file {100 * MB}\nactive_file 5\n",
            "a/b/memory.max": "max",
            "a/b/memory.current": "1",
        },
    )
    assert memory_use(root) == 200 * MB


def test_use_under_version_1(tmp_path: Path) -> None:
    files = {
        "memory/memory.limit_in_bytes": str(512 * MB),
        "memory/memory.usage_in_bytes": str(300 * MB),
        "memory/memory.stat": f"inactive_file 1\ntotal_inactive_file {50 * MB}\n",
    }
    assert memory_use(a_tree(tmp_path, "4:memory:/\n", files)) == 250 * MB


def test_use_where_nothing_limits_is_that_of_our_own_group(tmp_path: Path) -> None:
    files = {"memory.max": "max", "a/memory.current": str(7 * MB), "a/memory.max": "max"}
    assert memory_use(a_tree(tmp_path, "0::/a\n", files)) == 7 * MB


def test_use_without_groups_is_the_machines(tmp_path: Path) -> None:
    assert memory_use(a_tree(tmp_path, "0::/\n", {})) == 1_000_000 * 1024


@pytest.mark.parametrize(
    ("text", "cpus"), [("50000 100000", 0.5), ("10000 100000", 0.1), ("150000 100000", 1.5)]
)
def test_cpu_quota_of_version_2(tmp_path: Path, text: str, cpus: float) -> None:
    root = a_tree(tmp_path, "0::/a\n", {"cpu.max": "max 100000", "a/cpu.max": text})
    assert cpu_quota(root) == min(cpus, ALL_CPUS)


@pytest.mark.parametrize("text", ["max 100000", "50000", "0 100000", "1 0", "50000 x", ""])
def test_no_cpu_quota_means_the_cpus_we_may_run_on(tmp_path: Path, text: str) -> None:
    assert cpu_quota(a_tree(tmp_path, "0::/\n", {"cpu.max": text})) == ALL_CPUS


def test_minus_one_is_no_quota_in_version_1(tmp_path: Path) -> None:
    files = {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}
    assert cpu_quota(a_tree(tmp_path, "3:cpu:/\n", files)) == ALL_CPUS


def test_the_platforms_word_bounds_the_cpus(tmp_path: Path) -> None:
    assert cpu_quota(a_tree(tmp_path, "0::/\n", {}), plan_cpu="0.5") == 0.5
