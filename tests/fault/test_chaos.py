"""Some seconds of kill -9 at random under load, and a deploy; `make chaos` is the long form."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

CHAOS = Path(__file__).resolve().parents[2] / "benchmarks" / "soak" / "chaos.py"
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def test_kills_at_random_lose_nothing_and_a_deploy_answers_what_is_under_way(
    tmp_path: Path,
) -> None:
    out = tmp_path / "chaos.json"
    command = [sys.executable, str(CHAOS), "--seconds", "15", "--no-box", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)
    assert out.exists(), done.stdout + done.stderr
    found = json.loads(out.read_bytes())
    broken = [each for each in found["promises"] if each["hard"] and not each["kept"]]
    assert broken == [], done.stdout  # which names the seed that repeats the kills
    assert len(found["kills"]) >= 3
