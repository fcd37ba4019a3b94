"""A folder with a table in it, and a way to call ``placar init`` as a person does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from placar.cli import init
from placar.cli.app import app
from placar.errors import PlacarError

Init = Callable[..., Result]

TABLE = ("--table", "tables/my loans.csv", "--target", "Status", "--positive", "bad")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty project, but for a table; it is the working folder."""
    project = tmp_path / "Loans API"
    (project / "tables").mkdir(parents=True)
    rows = "".join(f"{'bad' if i % 3 else 'good'},{i}\n" for i in range(30))
    (project / "tables/my loans.csv").write_text(f"Status,Age\n{rows}", encoding="utf-8")
    monkeypatch.chdir(project)
    return project


@pytest.fixture
def call(folder: Path) -> Init:
    """Call ``placar init`` where nobody can be asked."""
    return lambda *words: CliRunner().invoke(app, ["init", *words])


@pytest.fixture
def answer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Init:
    """Call ``placar init`` on a terminal, with what a person types."""
    monkeypatch.setattr(init, "on_a_terminal", lambda: True)
    return lambda typed, *words: CliRunner().invoke(app, ["init", *words], input=typed)


def refusal(result: Result) -> PlacarError:
    """Return the named failure that a call ended in."""
    assert isinstance(result.exception, PlacarError), result.output
    return result.exception


def held(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder and what it holds."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
