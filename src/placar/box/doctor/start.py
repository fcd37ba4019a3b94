"""Where a folder says how its service is started: the command, and the variables beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_MOST = 1 << 18
_SERVER = re.compile(r"\b(?:gunicorn|uvicorn)\b")
_KEY = re.compile(r"^\s*(?:-\s+)?(startCommand|dockerCommand|command|entrypoint):\s*(.*)$")
_PLAN_MB = {
    "free": 512,
    "starter": 512,
    "0.5c-512mb": 512,
    "standard": 2048,
    "1c-2g": 2048,
    "pro": 4096,
    "2c-4g": 4096,
}


@dataclass(frozen=True, slots=True)
class Start:
    """One way this folder's service is started."""

    file: str
    line: int
    platform: str
    """render, heroku, docker or compose."""
    command: str
    shell: bool = True
    """False for the JSON form of CMD, in which nobody replaces $PORT."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """What the file sets beside the command."""
    patience: float = 30.0
    """Seconds between the platform's SIGTERM and its SIGKILL."""
    memory: int | None = None
    """Bytes that the file's plan or limit allows."""


def find_starts(folder: Path) -> list[Start]:
    """Return every start command of a web server that the folder's deployment files name."""
    found = [
        *_render(folder / "render.yaml"),
        *_procfile(folder / "Procfile"),
        *_dockerfile(folder / "Dockerfile"),
    ]
    for name in ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"):
        found += _compose(folder / name)
    return [start for start in found if _SERVER.search(start.command)]


def read_small(path: Path) -> str:
    """Return a file's text, empty when it is not there or not text; never more than 256 KB."""
    try:
        with path.open("rb") as file:
            return file.read(_MOST).decode("utf-8", "replace")
    except OSError:
        return ""


def _procfile(path: Path) -> Iterator[Start]:
    for number, line in enumerate(read_small(path).splitlines(), start=1):
        name, _, command = line.partition(":")
        if name.strip() == "web":
            yield Start(path.name, number, "heroku", command.strip())


def _render(path: Path) -> Iterator[Start]:
    text = read_small(path)
    patience = re.search(r"^\s*maxShutdownDelaySeconds:\s*(\d+)", text, re.MULTILINE)
    plan = re.search(r"^\s*plan:\s*['\"]?([\w.-]+)", text, re.MULTILINE)
    memory = _PLAN_MB.get(plan[1]) if plan else 512
    for number, key, command in _yaml_commands(text):
        if key in {"startCommand", "dockerCommand"}:
            yield Start(
                path.name,
                number,
                "render" if key == "startCommand" else "docker",
                command,
                variables=_yaml_pairs(text),
                patience=float(patience[1]) if patience else 30.0,
                memory=memory * 1024**2 if memory else None,
            )


def _compose(path: Path) -> Iterator[Start]:
    text = read_small(path)
    grace = re.search(r"^\s*stop_grace_period:\s*['\"]?(?:(\d+)m)?(\d+)?s?", text, re.MULTILINE)
    limit = re.search(
        r"^\s*(?:mem_limit|memory):\s*['\"]?(\d+)([kmg])", text, re.MULTILINE | re.IGNORECASE
    )
    patience = float(int(grace[1] or 0) * 60 + int(grace[2] or 0)) if grace else 10.0
    size = {"k": 1024, "m": 1024**2, "g": 1024**3}
    for number, key, command in _yaml_commands(text):
        if key in {"command", "entrypoint"}:
            words = _json_words(command)
            yield Start(
                path.name,
                number,
                "compose",
                " ".join(words) if words else command,
                shell=_has_shell(words) if words else True,
                patience=patience,
                memory=int(limit[1]) * size[limit[2].lower()] if limit else None,
            )


def _dockerfile(path: Path) -> Iterator[Start]:
    variables: dict[str, str] = {}
    last: Start | None = None
    entry = ""
    for number, line in _continued(read_small(path)):
        word, _, rest = line.strip().partition(" ")
        match word.upper():
            case "FROM":
                variables, last, entry = {}, None, ""
            case "ENV":
                pairs = re.findall(r"(\w+)=(\"[^\"]*\"|'[^']*'|\S+)", rest)
                name, _, value = rest.partition(" ")
                variables |= {k: v.strip("\"'") for k, v in pairs or [(name, value.strip())]}
            case "CMD" | "ENTRYPOINT":
                words = _json_words(rest)
                command = " ".join(words) if words else rest
                shell = _has_shell(words) if words else True
                if word.upper() == "ENTRYPOINT" and not _SERVER.search(command):
                    entry = command
                    continue
                last = Start(
                    path.name, number, "docker", f"{entry} {command}".strip(), shell, patience=10.0
                )
            case _:
                pass
    if last is not None:
        yield Start(
            last.file, last.line, last.platform, last.command, last.shell, variables, last.patience
        )


def _has_shell(words: list[str]) -> bool:
    return len(words) > 1 and words[0].rpartition("/")[2] in {"sh", "bash"} and "c" in words[1]


def _json_words(text: str) -> list[str]:
    try:
        words = json.loads(text)
    except ValueError:
        return []
    return [str(word) for word in words] if isinstance(words, list) else []


def _continued(text: str) -> Iterator[tuple[int, str]]:
    """Yield logical lines of a Dockerfile: a backslash at the end goes on."""
    joined, begin = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        if not joined:
            begin = number
        if line.lstrip().startswith("#"):
            continue
        joined += line.rstrip("\\") if line.endswith("\\") else line
        if not line.endswith("\\"):
            yield begin, joined
            joined = ""


def _yaml_commands(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield the commands of a YAML file: plain, quoted, folded, or a list of words."""
    lines = text.splitlines()
    for index, line in enumerate(lines):
        found = _KEY.match(line)
        if found is None or line.lstrip().startswith("#"):
            continue
        value = found[2].strip()
        if not value or value[0] in "|>":
            indent = found.start(1)
            block = []
            for below in lines[index + 1 :]:
                if below.strip() and len(below) - len(below.lstrip()) <= indent:
                    break
                block.append(below.strip())
            items = [part[1:].strip().strip("\"'") for part in block if part.startswith("- ")]
            value = json.dumps(items) if items and not value else " ".join(block)
        elif value[0] in "\"'" and value[-1] == value[0]:
            value = value[1:-1]
        yield index + 1, found[1], value.strip()


def _yaml_pairs(text: str) -> dict[str, str]:
    """Return Render's ``envVars`` that have a plain value."""
    pairs: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        found = re.match(r"^\s*(?:-\s+)?(key|value):\s*([^#]*)", line)
        if found is None or line.lstrip().startswith("#"):
            continue
        value = found[2].strip().strip("\"'")
        if found[1] == "key":
            name = value
        elif name:
            pairs[name] = value
    return pairs
