"""The guide's own commands work, and what it lists is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from placar.deploy.plans import PLANS, PLATFORMS, Platform, find_plan
from unit.deploy.conftest import Init, held

GUIDE = (Path(__file__).resolve().parents[3] / "docs/deploy.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"(?m)^placar init (.*)$", GUIDE)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_guide_works(call: Init, folder: Path, command: str) -> None:
    (folder / "loans.csv").write_bytes((folder / "tables/my loans.csv").read_bytes())
    before = set(held(folder))
    assert call(*shlex.split(command)).exit_code == 0
    (row,) = (line for line in GUIDE.splitlines() if line.startswith(f"| `{platform_of(command)}`"))
    written = set(held(folder)) - before - {"placar.toml", "requirements.txt", ".gitignore"}
    assert written == set(re.findall(r"`([^`]+)`", row.split("|")[3]))


def platform_of(command: str) -> str:
    words = shlex.split(command)
    return words[words.index("--platform") + 1]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_guide_shows_each_platform_and_only_plans_that_there_are(platform: Platform) -> None:
    assert platform in {platform_of(command) for command in COMMANDS}
    (row,) = (line for line in GUIDE.splitlines() if line.startswith(f"| `{platform}`"))
    named = [find_plan(platform, name) for name in re.findall(r"`([^`]+)`", row.split("|")[2])]
    assert "…" in row or {plan.name for plan in named} == {plan.name for plan in PLANS[platform]}
