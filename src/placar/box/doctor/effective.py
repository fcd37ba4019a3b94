"""What gunicorn's settings really are, by gunicorn's own loader, without the application.

Precedence is gunicorn's: configuration file, then ``GUNICORN_CMD_ARGS``, then the command line.
The file is run in a short-lived process, because it is a program.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_PATIENCE = 20.0
_MARK = "placar-doctor:"
_VARIABLE = re.compile(r"\$\{(\w+)(?::?-([^}]*))?\}|\$(\w+)")
_COUNTED = re.compile(r"\$\(.*?\)+|`[^`]*`")
_END = re.compile(r"\s*(?:&&|\|\||;|\|(?!\|))\s*")

_PROBE = """
import json, os, sys, shlex
from gunicorn.app.wsgiapp import WSGIApplication
names = json.loads(sys.argv.pop(1))
seen = {}
class Look(WSGIApplication):
    def get_config_from_filename(self, name):
        found = super().get_config_from_filename(name)
        seen.update({k.lower(): repr(v) for k, v in found.items() if k.lower() in names})
        return found
    def get_config_from_module_name(self, name):
        found = super().get_config_from_module_name(name)
        seen.update({k.lower(): repr(v) for k, v in found.items() if k.lower() in names})
        return found
app = Look("%(prog)s [OPTIONS] [APP_MODULE]")
def given(words):
    found = vars(app.cfg.parser().parse_known_args(words)[0])
    return {k: repr(v) for k, v in found.items() if v is not None and k in names}
value = {}
for name in names:
    if name in app.cfg.settings:
        one = app.cfg.settings[name].get()
        value[name] = one if isinstance(one, (int, float, bool, str, list)) else None
value["worker_class"] = str(app.cfg.settings["worker_class"].value)
answer = {"value": value, "file": seen,
          "variable": given(shlex.split(os.environ.get("GUNICORN_CMD_ARGS", ""))),
          "command": given(sys.argv[1:]), "config": app.cfg.config or ""}
print()
print("placar-doctor:" + json.dumps(answer))
"""
_NAMES = [
    "workers",
    "worker_class",
    "threads",
    "timeout",
    "graceful_timeout",
    "keepalive",
    "bind",
    "preload_app",
    "max_requests",
    "worker_tmp_dir",
    "reload",
]


@dataclass(frozen=True, slots=True)
class Effective:
    """Gunicorn's settings after all three sources, and what each source said."""

    workers: int = 1
    worker_class: str = "sync"
    timeout: int = 30
    graceful_timeout: int = 30
    keepalive: int = 2
    bind: tuple[str, ...] = ()
    preload_app: bool = False
    max_requests: int = 0
    worker_tmp_dir: str | None = None
    reload: bool = False
    by_file: Mapping[str, str] = field(default_factory=dict)
    by_variable: Mapping[str, str] = field(default_factory=dict)
    by_command: Mapping[str, str] = field(default_factory=dict)
    config: str = ""
    """The configuration file that was read, if any."""

    def source(self, name: str) -> str:
        """Return who said so, for people."""
        if name in self.by_command:
            return "command line"
        if name in self.by_variable:
            return "GUNICORN_CMD_ARGS"
        return self.config or "configuration file" if name in self.by_file else "default"


def words_of(command: str, variables: Mapping[str, str]) -> list[str]:
    """Return gunicorn's own words of a start command, variables replaced as a shell would.

    ``$(nproc)`` and the like become 1: the number does not matter here, that it is counted does.

    >>> words_of("python check.py && exec gunicorn -b 0.0.0.0:$PORT main:app", {"PORT": "80"})
    ['-b', '0.0.0.0:80', 'main:app']
    """
    text = _COUNTED.sub("1", command)
    known = {"PORT": "10000", "WEB_CONCURRENCY": "1"} | dict(variables)
    text = _VARIABLE.sub(lambda m: known.get(m[1] or m[3], m[2] or "1"), text)
    for part in _END.split(text):
        try:
            words = shlex.split(part)
        except ValueError:
            words = part.replace('"', " ").replace("'", " ").split()
        places = [n for n, word in enumerate(words) if word.rpartition("/")[2] == "gunicorn"]
        if places:
            return words[places[0] + 1 :]
        if len(words) == 3 and "gunicorn" in words[2]:  # noqa: PLR2004 - sh -c '…'
            return words_of(words[2], variables)
    return []


def effective(words: list[str], folder: Path, environment: Mapping[str, str]) -> Effective | str:
    """Return gunicorn's settings, or one line that says why it would not start."""
    command = [sys.executable, "-c", _PROBE, json.dumps(_NAMES), *words]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=dict(environment) | {"PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"its configuration file did not end within {_PATIENCE:.0f} s"
    except OSError as error:
        return f"Python could not be started: {error.strerror}"
    answers = [line for line in done.stdout.splitlines() if line.startswith(_MARK)]
    if not answers:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        return lines[-1].strip() if lines else "gunicorn refused it without a word"
    return _read(json.loads(answers[-1].removeprefix(_MARK)))


def _read(answer: dict[str, dict[str, object]]) -> Effective:
    value = answer["value"]
    bind = value.get("bind")
    return Effective(
        workers=_whole(value.get("workers"), 1),
        worker_class=str(value.get("worker_class") or "sync"),
        timeout=_whole(value.get("timeout"), 30),
        graceful_timeout=_whole(value.get("graceful_timeout"), 30),
        keepalive=_whole(value.get("keepalive"), 2),
        bind=tuple(map(str, bind)) if isinstance(bind, list) else (str(bind),),
        preload_app=value.get("preload_app") is True,
        max_requests=_whole(value.get("max_requests"), 0),
        worker_tmp_dir=str(value["worker_tmp_dir"]) if value.get("worker_tmp_dir") else None,
        reload=value.get("reload") is True,
        by_file={name: str(text) for name, text in answer["file"].items()},
        by_variable={name: str(text) for name, text in answer["variable"].items()},
        by_command={name: str(text) for name, text in answer["command"].items()},
        config=str(answer["config"]).removeprefix("./"),
    )


def _whole(value: object, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else default
