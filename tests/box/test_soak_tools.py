"""The soak can see what it says is not there: a kernel kill, a wrong answer, a failure."""

from __future__ import annotations

import asyncio
import importlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
MB = 1024**2


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Import a module of the soak by name."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.syspath_prepend(BENCHMARKS / "soak")
    before = set(sys.modules)

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    yield load
    for name in set(sys.modules) - before:
        if str(BENCHMARKS) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_a_kernel_kill_in_the_box_is_counted_and_the_box_is_gone_afterwards(tool: Any) -> None:
    module = tool("box")
    try:
        with module.open_box(64 * MB, 0.5) as box:
            greedy = "held = bytearray(b'x') * (200 * 1024**2)"
            with module.Watch(box, every=0.01) as watch:
                command = box.enter([sys.executable, "-c", greedy])
                done = subprocess.run(command, capture_output=True, timeout=60, check=False)
            assert done.returncode == -9
            assert box.kernel_kills() == 1
            assert 50 * MB < watch.peak().working_set <= 64 * MB
            folders = [box.memory, box.cpu]
    except module.NoBox as error:
        pytest.skip(str(error))
    assert not any(folder.exists() for folder in folders)


def test_a_box_ends_what_is_left_in_it(tool: Any) -> None:
    module = tool("box")
    try:
        with module.open_box() as box:
            left = subprocess.Popen(box.enter(["sleep", "600"]))
            while left.pid not in box.pids():
                pass
    except module.NoBox as error:
        pytest.skip(str(error))
    assert left.wait(10) == -9


def test_a_wrong_answer_and_one_of_an_unknown_version_are_counted(tool: Any) -> None:
    outcome, seen = tool("outcome"), tool("seen")
    answers = [("v1", 0, 0.25, 3), ("v1", 1, 0.5, 2), ("v2", 0, 0.25, 1)]
    tally = seen.Tally(answers=answers)
    assert outcome.count_wrong([tally], {"v1": [0.25, 0.6]}) == (3, 6)


@pytest.mark.parametrize(
    ("what", "begin", "end", "explained"),
    [
        ("reset", 9.0, 10.5, True),  # under way when the worker was killed
        ("connect ConnectionRefusedError", 10.5, 10.6, True),  # before it answered again
        ("reset", 5.0, 9.9, False),
        ("reset", 20.0, 20.1, False),
        ("status 500", 9.0, 10.5, False),  # an answer, and no right one
        ("status 409 run_already_active", 50.0, 50.1, True),
    ],
)
def test_a_failure_is_explained_by_a_kill_meanwhile_only(
    tool: Any, what: str, begin: float, end: float, explained: object
) -> None:
    chaos = tool("chaos")
    kills = [
        SimpleNamespace(kind="worker", at=10.0, recovered=11.0),
        SimpleNamespace(kind="run fork", at=5.0, recovered=5.1),
    ]
    failure = SimpleNamespace(what=what, begin=begin, end=end)
    assert chaos.explained(failure, kills) is explained


def test_attacks_that_wait_in_vain_are_no_hang_up_of_the_service(tool: Any) -> None:
    """``TimeoutError`` is an ``OSError``: the two were mistaken for each other once."""
    nasty = tool("nasty")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        found = asyncio.run(nasty.attack(port, nasty.Attack("waits", (b"x",), patience=0.2)))
    assert found == ("still waiting when it left", False)
