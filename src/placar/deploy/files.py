"""The files of a deployment, rendered from the templates beside this module."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass
from pathlib import PurePosixPath

from jinja2 import Environment, PackageLoader, StrictUndefined

from placar import __version__
from placar.deploy.advice import loss_words, sizing_words, train_command, train_words
from placar.deploy.choice import Choice
from placar.deploy.plans import TITLES

PYTHON = "3.11.14"
"""What the images and build packs are asked for; Render wants all three numbers."""

HOME = "/var/lib/placar"
"""``PLACAR_HOME`` in a container, and where its volume is mounted."""

_RENDER_DISK = "/var/data"
_MB = 1024**2
_COMMENT_WIDTH = 98
_START = ("placar", "serve", "--host", "0.0.0.0")  # noqa: S104 - a container's only way out
_EXECUTABLE, _PRIVATE = 0o755, 0o600


@dataclass(frozen=True, slots=True)
class NewFile:
    """One file as it should be."""

    path: str
    """From the folder, with slashes."""
    text: str
    mode: int = 0o644
    lines: bool = False
    """Only its lines have to be there: whatever else the file holds is somebody else's."""

    @property
    def secret(self) -> bool:
        """Nobody but the owner may read it, and nobody is shown it."""
        return self.mode == _PRIVATE


def deployment_files(choice: Choice, key: str) -> tuple[NewFile, ...]:
    """Return every file that the choice needs, in the order in which people read them.

    Args:
        choice: what is to be deployed where.
        key: a fresh admin key, for platforms that do not make one themselves.
    """
    render = _Renderer(choice, key)
    return (
        NewFile("placar.toml", render("placar.toml.j2")),
        *_platform_files(choice, render),
        NewFile("requirements.txt", render("requirements.txt.j2")),
        *_key_file(choice, render),
        NewFile(".gitignore", _ignored(choice), lines=True),
    )


def _platform_files(choice: Choice, render: _Renderer) -> tuple[NewFile, ...]:
    match choice.platform:
        case "render":
            return (NewFile("render.yaml", render("render.yaml.j2")),)
        case "heroku":
            return (
                NewFile("Procfile", render("Procfile.j2")),
                NewFile("bin/post_compile", render("post_compile.j2"), _EXECUTABLE),
                NewFile(".python-version", render("python-version.j2")),
            )
        case "docker" | "fly":
            own = "compose.yaml" if choice.platform == "docker" else "fly.toml"
            return (
                NewFile("Dockerfile", render("Dockerfile.j2")),
                NewFile(".dockerignore", render("dockerignore.j2")),
                NewFile(own, render(f"{own}.j2")),
            )


def _key_file(choice: Choice, render: _Renderer) -> tuple[NewFile, ...]:
    if choice.platform == "render":  # makes one itself, and shows it to its owner
        return ()
    return (NewFile(".env", render("env.j2"), _PRIVATE, lines=True),)


def _ignored(choice: Choice) -> str:
    names = ["placar-home/"] if choice.platform == "render" else [".env", "placar-home/"]
    return "".join(f"{name}\n" for name in names)


class _Renderer:
    """Renders templates for one choice."""

    def __init__(self, choice: Choice, key: str) -> None:
        self._environment = Environment(
            loader=PackageLoader("placar.deploy"),
            undefined=StrictUndefined,
            autoescape=False,  # noqa: S701 - no page: texts go through the filters below
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._environment.filters |= {
            "comment": _comment,
            "megabytes": lambda amount: amount // _MB,
            "quoted": _quoted,
            "size": lambda amount: f"{amount // _MB}MB",
            "words": lambda words: f"[{', '.join(map(_quoted, words))}]",
        }
        self._values = _values(choice) | {"key": key}

    def __call__(self, template: str) -> str:
        return self._environment.get_template(template).render(self._values)


def _values(choice: Choice) -> dict[str, object]:
    build = "pip install -r requirements.txt"
    if choice.model_from == "build":
        build += f" && {train_command(choice)}"
    table = PurePosixPath(choice.table or "")
    return {
        "build_command": build,
        "choice": choice,
        "copied_table": (
            str(table),
            "./" if table.parent == PurePosixPath() else f"{table.parent}/",
        ),
        "home": HOME,
        "loss_words": loss_words(choice),
        "own_volume_first": choice.platform == "fly" and choice.model_from == "disk",
        "python": PYTHON,
        "python_minor": PYTHON.rpartition(".")[0],
        "render_disk": _RENDER_DISK,
        "sizing": choice.sizing,
        "sizing_words": sizing_words(choice),
        "start_command": f"exec {' '.join(_START)}",
        "start_words": _START,
        "title": TITLES[choice.platform],
        "train_command": train_command(choice),
        "train_words": train_words(choice),
        "version": __version__,
    }


def _comment(text: str) -> str:
    return textwrap.fill(
        text, _COMMENT_WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
    )


def _quoted(text: str) -> str:
    """Return a text between double quotes, which JSON, YAML and TOML all read alike."""
    return json.dumps(text, ensure_ascii=False)
