"""A home with the demo model in it, and a way to call the command line as a person does."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import pytest

from placar.cli.app import run

DEMO = Path(str(resources.files("placar.cli.demo") / "credit_data.csv"))


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


Placar = Callable[..., Said]


def call(*arguments: str | Path) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["placar", *map(str, arguments)])
        try:
            run()
        except SystemExit as leaving:
            return int(leaving.code or 0)
    return 0


@pytest.fixture(scope="session")
def trained_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the demo model is the champion; shared, so never changed."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLACAR_HOME", str(folder / "home"))
        patch.chdir(folder)
        assert call("demo", "--no-serve") == 0
    return folder / "home"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with a home of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLACAR_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def demo_home(home: Path, trained_home: Path) -> Path:
    """A home of one's own with the demo model in it."""
    shutil.copytree(trained_home, home)
    return home


@pytest.fixture
def placar(capfd: pytest.CaptureFixture[str]) -> Placar:
    """Call the command line; returns exit code, output and complaints."""

    def called(*arguments: str | Path) -> Said:
        capfd.readouterr()
        code = call(*arguments)
        output = capfd.readouterr()
        return Said(code, output.out, output.err)

    return called
