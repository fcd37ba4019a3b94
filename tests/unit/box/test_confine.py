"""What a confined process may do, tried in processes of their own."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from placar.box import confine as module
from placar.box.confine import confine

LIMIT = 200 * 1024**2
SOURCE = Path(module.__file__).resolve().parents[2]
PROLOGUE = f"""
import json, mmap, os, resource, sys, threading
from placar.box.confine import confine
confine({LIMIT})
"""


def confined(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROLOGUE + code],
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_gives_way_and_leaves_no_core() -> None:
    done = confined(
        "print(json.dumps([os.nice(0), open('/proc/self/oom_score_adj').read().strip(),"
        " resource.getrlimit(resource.RLIMIT_CORE), resource.getrlimit(resource.RLIMIT_DATA)]))"
    )
    assert json.loads(done.stdout) == [19, "1000", [0, 0], [LIMIT, LIMIT]]


def test_an_allocation_beyond_the_limit_is_a_memory_error() -> None:
    done = confined("bytearray(300 * 1024**2)")
    assert (done.returncode, "MemoryError" in done.stderr) == (1, True)


def test_threads_and_reserved_address_space_do_not_count() -> None:
    """Under the same limit of address space, neither would work."""
    done = confined(
        "mmap.mmap(-1, 400 * 1024**2, prot=mmap.PROT_READ)\n"
        "gate = threading.Barrier(13)\n"
        "for _ in range(12): threading.Thread(target=gate.wait).start()\n"
        "gate.wait(); print('all')"
    )
    assert done.stdout == "all\n", done.stderr


def test_a_lower_limit_that_is_already_there_stays() -> None:
    done = confined("confine(10**12); print(resource.getrlimit(resource.RLIMIT_DATA)[0])")
    assert done.stdout == f"{LIMIT}\n"


def test_it_needs_the_standard_library_alone() -> None:
    done = confined(
        "print(*{name.partition('.')[0] for name in sys.modules}"
        " & {'numpy', 'pydantic', 'pydantic_settings', 'msgspec'})"
    )
    assert done.stdout == "\n"


def test_what_the_system_refuses_is_logged_and_done_without(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    taken = []

    def refuse(*_: object) -> None:
        raise PermissionError(1, "not here")

    monkeypatch.setattr(os, "setpriority", refuse)
    monkeypatch.setattr(module, "_OOM_SCORE", tmp_path / "none" / "oom_score_adj")
    monkeypatch.setattr(resource, "setrlimit", lambda which, _: taken.append(which))
    confine(LIMIT)
    assert [vars(record)["step"] for record in caplog.records] == ["nice", "oom_score_adj"]
    assert taken == [resource.RLIMIT_DATA, resource.RLIMIT_CORE]
