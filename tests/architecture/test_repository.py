"""What is committed speaks of the project alone, and the package ships what it needs."""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "src/placar/cli/demo"


def committed() -> list[Path]:
    try:
        done = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_committed_file_names_a_machine_or_an_index() -> None:
    odd = re.compile(
        rb"/roo[t]/|/wor[k]/|--index-ur[l]|--extra-inde[x]|pypi\.or[g]/simple|/hom[e]/[a-z]+/"
    )
    assert [path.name for path in committed() if odd.search(path.read_bytes())] == []


def test_pins_name_no_index() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert re.fullmatch(r"#.*|[a-z0-9-]+==[0-9][0-9a-z.]*", line), (path.name, line)


def test_the_demo_table_is_the_one_its_provenance_names() -> None:
    digest = hashlib.sha256((DEMO / "credit_data.csv").read_bytes()).hexdigest()
    assert digest in (DEMO / "PROVENANCE.md").read_text(encoding="utf-8")
