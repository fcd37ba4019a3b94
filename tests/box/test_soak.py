"""A short soak in a real box: what must hold on any machine, however busy it is.

The long one is `make soak`; it also judges times. Where no control group can be made the same
load runs without limits, and what is left to show is that nothing breaks under it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SOAK = Path(__file__).resolve().parents[2] / "benchmarks" / "soak" / "soak.py"
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


def test_everything_at_once_in_a_small_box_breaks_no_promise(tmp_path: Path) -> None:
    out = tmp_path / "soak.json"
    command = [sys.executable, str(SOAK), "--seconds", "20", "--usual-seconds", "0"]
    done = subprocess.run(
        [*command, "--out", str(out)], capture_output=True, text=True, timeout=230, check=False
    )
    assert out.exists(), done.stdout + done.stderr
    found: dict[str, Any] = json.loads(out.read_bytes())
    broken = [each for each in found["promises"] if each["hard"] and not each["kept"]]
    assert broken == [], done.stdout
    ours = found["placar"]
    assert ours["compared"] > 1_000  # or nothing was shown
    assert sum(sum(ends.values()) for ends in ours["attacks"].values()) > 20
