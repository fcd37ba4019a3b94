"""What the code of the folder gives away, by looking at its text; nothing of it is imported."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from placar.box.doctor.start import read_small

_MOST_FILES = 400
_SKIPPED = frozenset(
    {
        "venv",
        "env",
        "node_modules",
        "build",
        "dist",
        "__pycache__",
        "site-packages",
        "tests",
        "docs",
    }
)
_OPENMP = ("lightgbm", "xgboost", "torch", "scikit-learn", "catboost", "faiss-cpu", "numba")
_TASKS = re.compile(r"\bBackgroundTasks?\b")
_CPU_COUNT = re.compile(r"\bint\(\s*os\.(?:environ(?:\.get\(|\[)|getenv\()\s*['\"]RENDER_CPU_COUNT")
_HOST_CPUS = re.compile(r"\bcpu_count\(\)|\$\(nproc\)")


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file."""

    file: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Sources:
    """What was found; each with its first place, None where there is none."""

    openmp: Place | None
    """A library in the requirements that brings its own OpenMP threads."""
    background: Place | None
    """A use of background tasks."""
    cpu_count: Place | None
    """``int()`` of Render's CPU count, which may be 0.5."""


def look(folder: Path) -> Sources:
    """Look through requirements and Python files, a bounded number of them."""
    code = list(islice(_python_files(folder, 4), _MOST_FILES))
    return Sources(
        openmp=_first(folder, _requirements(folder), _openmp_pattern()),
        background=_first(folder, code, _TASKS),
        cpu_count=_first(folder, code, _CPU_COUNT),
    )


def host_cpus(folder: Path, config: str) -> Place | None:
    """Return where a configuration file counts the host's CPUs."""
    return _first(folder, [folder / config], _HOST_CPUS) if config else None


def is_asgi(folder: Path, app: str) -> bool:
    """Tell whether the module of ``module:name`` makes an ASGI application."""
    module = app.partition(":")[0].replace(".", "/")
    texts = (read_small(folder / f"{module}.py"), read_small(folder / module / "__init__.py"))
    made = re.compile(r"=\s*(?:fastapi\.)?(?:FastAPI|Starlette|Litestar|Quart|Sanic)\(")
    return any(made.search(text) for text in texts)


def _openmp_pattern() -> re.Pattern[str]:
    return re.compile(rf"^\s*[\"']?(?:{'|'.join(_OPENMP)})\b", re.IGNORECASE)


def _requirements(folder: Path) -> list[Path]:
    places = [*folder.glob("requirements*.txt"), *folder.glob("requirements/*.txt")]
    return sorted([*places, folder / "pyproject.toml", folder / "Pipfile"])[:20]


def _python_files(folder: Path, depth: int) -> Iterator[Path]:
    try:
        inside = sorted(folder.iterdir())
    except OSError:
        return
    for path in inside:
        if path.suffix == ".py" and path.is_file():
            yield path
        elif depth and path.is_dir() and path.name not in _SKIPPED and path.name[0] != ".":
            yield from _python_files(path, depth - 1)


def _first(folder: Path, paths: list[Path], pattern: re.Pattern[str]) -> Place | None:
    for path in paths:
        text = read_small(path)
        for number, line in enumerate(text.splitlines(), start=1):
            if pattern.search(line) and not line.lstrip().startswith("#"):
                name = path.relative_to(folder) if path.is_relative_to(folder) else path
                return Place(str(name), number, line)
    return None
