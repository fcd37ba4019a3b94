"""Scenes for tests of the store, the registry and the runs: a home, and what happens in it.

As a program this module follows a run in a process of its own, so that a test can kill it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy.schema import CreateSchema

from factories import a_package
from placar.package.run_folder import RunFolder, RunSpec
from placar.registry.registry import Registry
from placar.runs.launcher import Launcher
from placar.runs.service import RunService
from placar.runs.timing import Timing
from placar.settings import Settings
from placar.store.database import Store
from placar.store.engine import make_engine
from placar.store.packages import PackageFolder
from placar.store.records import RunRecord
from placar.store.runs import Patience

FAST = Timing(
    poll=0.02,
    heartbeat=0.1,
    grace=0.4,
    insistence=0.3,
    patience=Patience(queued=0.5, here=0.6, elsewhere=1.2, sure=0.25),
)
"""In a hurry, but slower than the pauses of a busy machine."""

CHILD = Path(__file__).with_name("misbehaving_child.py")

_open_stores: list[Store] = []


@pytest.fixture(autouse=True)
def close_stores() -> Iterator[None]:
    """Close what ``a_scene`` opened; each conftest beside the tests imports this."""
    yield
    while _open_stores:
        _open_stores.pop().close()


@dataclass(frozen=True, slots=True)
class Scene:
    """A home in a folder, with a store, a registry, and a package that children produce."""

    home: Path
    settings: Settings
    store: Store
    registry: Registry

    def service(self, behaviour: str, *, timing: Timing = FAST) -> RunService:
        """Return a service whose children behave like this."""
        return RunService(
            self.store,
            self.registry,
            self.settings,
            launcher=self.launcher(behaviour),
            timing=timing,
        )

    def launcher(self, behaviour: str) -> Launcher:
        """Return a launcher of children that behave like this."""
        return Launcher(self.command(behaviour))

    def command(self, behaviour: str) -> list[str]:
        """Return the command of a child that behaves like this, but for the run folder."""
        made = self.home / "made"
        version = made.with_suffix(".version")
        if not version.exists():
            version.write_text(a_package(made), encoding="utf-8")
        return [
            sys.executable,
            "-I",
            "-S",
            str(CHILD),
            behaviour,
            str(made),
            version.read_text(),
        ]

    def spec(self, **changes: object) -> RunSpec:
        """Return a spec."""
        values = {"table": str(self.home / "loans.csv"), "target": "Status", "model": "loans"}
        return RunSpec(**(values | changes))  # type: ignore[arg-type]

    def run(self, behaviour: str, *, promote: bool = True) -> RunRecord:
        """Request a run and follow it to its end."""
        service = self.service(behaviour)
        queued = service.request(self.spec(), origin="test", promote=promote)
        return service.follow(queued.id)

    def version(self, model: str = "loans", *, seed: int, auc: float = 0.8) -> str:
        """Register a version that no run made, and return its 64 digits."""
        folder = self.home / f"{model}-{seed}"
        version = a_package(folder, model=model, seed=seed, auc=auc)
        return self.registry.register(model, version, folder, None).version


def a_scene(home: Path, **settings: object) -> Scene:
    """Open a store in ``home``, or in a fresh schema of PLACAR_TEST_DATABASE_URL."""
    home.mkdir(exist_ok=True)
    if "database_url" not in settings:
        settings["database_url"] = a_database()
    values: dict[str, object] = {"home": home, **settings}
    chosen = Settings(**values)  # type: ignore[arg-type]
    store = Store.open(chosen)
    _open_stores.append(store)
    return Scene(home, chosen, store, Registry(store, PackageFolder(chosen.packages)))


def a_database() -> str | None:
    """Return the address of an empty PostgreSQL schema, or None to use SQLite."""
    server = os.environ.get("PLACAR_TEST_DATABASE_URL")
    if not server:
        return None
    schema = f"test_{uuid4().hex}"
    engine = make_engine(server)
    with engine.begin() as connection:
        connection.execute(CreateSchema(schema))
    engine.dispose()
    return f"{server}?options=-csearch_path%3D{schema}"


def eventually(true: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError("it never came true")
        time.sleep(0.01)


def folder_of(run: RunRecord) -> RunFolder:
    """Return the run's folder."""
    return RunFolder(Path(run.folder))


def pids(run: RunRecord) -> tuple[int, int]:
    """Wait for a hanging child and return its id and its grandchild's."""
    file = Path(run.folder) / "pids"
    eventually(file.exists)
    child, grandchild = file.read_text().split()
    return int(child), int(grandchild)


def gone(pid: int) -> bool:
    """Tell whether no process of this id runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def follower_process(scene: Scene, behaviour: str, run: RunRecord) -> subprocess.Popen[bytes]:
    """Start a process that follows the run; the caller kills it."""
    arguments = [str(scene.home), scene.settings.database_url or "", behaviour, run.id]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen([sys.executable, __file__, *arguments], env=environment)


def main(home: str, database: str, behaviour: str, run_id: str) -> None:
    """Follow a run; see ``follower_process``."""
    scene = a_scene(Path(home), database_url=database or None)
    scene.service(behaviour).follow(run_id)


if __name__ == "__main__":
    main(*sys.argv[1:])
