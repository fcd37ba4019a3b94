"""A short soak in a real box: what must hold on any machine, however busy it is.

The long one is `make soak`; it also judges times.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOAK = ROOT / "benchmarks" / "soak"
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def test_everything_at_once_in_a_small_box_breaks_no_promise(tmp_path: Path) -> None:
    found = run("soak.py", tmp_path / "soak.json", "--seconds", "20", "--usual-seconds", "0")
    ours = found["placar"]
    if ours["boxed"].startswith("none"):
        pytest.skip(ours["boxed"])
    broken = [each for each in found["promises"] if each["hard"] and not each["kept"]]
    assert broken == []
    assert ours["compared"] > 1_000  # or nothing was shown
    assert ours["clients"]["scores"]["latency"]["count"] > 1_000
    assert sum(sum(ends.values()) for ends in ours["attacks"].values()) > 50


def run(program: str, out: Path, *options: str) -> dict[str, dict[str, object]]:
    """Run a program of the soak and return the figures that it wrote."""
    command = [sys.executable, str(SOAK / program), "--out", str(out), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)
    assert out.exists(), done.stderr
    return json.loads(out.read_bytes())  # type: ignore[no-any-return]
