"""The deployment files, read as the platforms read them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # ships no types
from pydantic import AliasChoices

from placar.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


def render() -> dict[str, Any]:
    """Return the Blueprint."""
    found = yaml.safe_load((ROOT / "render.yaml").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def render_service() -> dict[str, Any]:
    """Return the Blueprint's one service."""
    (service,) = render()["services"]
    assert isinstance(service, dict)
    return service


def procfile_command() -> str:
    """Return the command of the Procfile's one process type."""
    (line,) = (ROOT / "Procfile").read_text(encoding="utf-8").splitlines()
    name, _, command = line.partition(": ")
    assert name == "web"
    return command


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction of a Dockerfile, continuation lines joined."""

    name: str
    rest: str

    @property
    def words(self) -> list[str]:
        """What follows, as the list that the exec form is, or split at blanks."""
        if self.rest.startswith("["):
            found = json.loads(self.rest)
            assert isinstance(found, list)
            return [str(word) for word in found]
        return self.rest.split()


def dockerfile() -> list[Instruction]:
    """Return the Dockerfile's instructions in order."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    split = (line.partition(" ") for line in joined.splitlines())
    return [Instruction(name, re.sub(r"\s+", " ", rest).strip()) for name, _, rest in split]


def instructions(name: str) -> list[Instruction]:
    """Return the Dockerfile's instructions of one kind."""
    return [each for each in dockerfile() if each.name == name]


def variables(path: Path, *, commented: bool) -> dict[str, str]:
    """Return the NAME=value lines of a file, with those that are commented out or without."""
    pattern = re.compile(r"^(?:# )?([A-Z][A-Z_]+)=(.*)$" if commented else r"^([A-Z][A-Z_]+)=(.*)$")
    lines = path.read_text(encoding="utf-8").splitlines()
    matches = [match for line in lines if (match := pattern.match(line))]
    assert len({match[1] for match in matches}) == len(matches)
    return {match[1]: match[2] for match in matches}


def settings_variables() -> dict[str, str]:
    """Return the name of each setting's variable, and the setting."""
    return {
        str(field.validation_alias.choices[0])
        if isinstance(field.validation_alias, AliasChoices)
        else f"PLACAR_{name.upper()}": name
        for name, field in Settings.model_fields.items()
    }
