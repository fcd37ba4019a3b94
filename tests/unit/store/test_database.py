"""Opening the store: created, migrated, by many at once; and what it says when it cannot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

import placar.store
from placar.errors import ConfigurationError, DiskFull, StoreUnavailable
from placar.settings import Settings
from placar.store.database import Store
from placar.store.engine import make_engine
from placar.store.schema import METADATA, REVISIONS
from run_scenes import a_scene


def test_opening_makes_the_home_and_the_newest_schema(tmp_path: Path) -> None:
    store = Store.open(Settings(home=tmp_path / "deep" / "home"))
    with store.read() as connection:
        assert connection.execute(text("SELECT value FROM generation")).scalars().all() == [0]
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
    store.close()
    assert (tmp_path / "deep" / "home").stat().st_mode & 0o777 == 0o700


def test_in_a_home_that_others_may_look_into_they_find_nothing_to_read(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    Store.open(Settings(home=tmp_path)).close()
    modes = {path.name: path.stat().st_mode & 0o077 for path in tmp_path.iterdir()}
    assert {modes[name] for name in ("placar.db", "packages", "runs", "tables", "metrics")} == {0}


def test_the_migrations_make_what_the_schema_says(tmp_path: Path) -> None:
    store = a_scene(tmp_path / "home").store
    with store.read() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), METADATA)
    # The schema leaves this one to the migration; see there.
    assert [(kind, index.name) for kind, index in differences] == [
        ("remove_index", "one_active_run")
    ]


def test_every_migration_is_known_by_name() -> None:
    scripts = ScriptDirectory(str(Path(placar.store.__file__).parent / "migrations"))
    assert tuple(reversed([script.revision for script in scripts.walk_revisions()])) == REVISIONS


OPEN = """
import sys
from pathlib import Path
from placar.settings import Settings
from placar.store.database import Store
from placar.store.models import ModelStore
ModelStore(Store.open(Settings(home=Path(sys.argv[1])))).generation()
print("alembic" in sys.modules)
"""


def opening(home: Path) -> subprocess.Popen[str]:
    """Open the store in a process of its own, which prints whether it needed Alembic."""
    command = [sys.executable, "-c", OPEN, str(home)]
    environment = {"PYTHONPATH": ":".join(sys.path)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def test_starting_at_once_all_succeed_and_one_migrates(tmp_path: Path) -> None:
    starts = [opening(tmp_path / "home") for _ in range(3)]
    assert sorted(start.communicate()[0].strip() for start in starts) == ["False", "False", "True"]
    assert [start.returncode for start in starts] == [0, 0, 0]


def test_importing_the_store_brings_nothing_heavy() -> None:
    code = (
        "import sys, placar.store.database, placar.store.keys, placar.store.runs, "
        "placar.store.models, placar.store.packages\n"
        "print(sorted({'alembic', 'numpy', 'pandas', 'sqlalchemy.orm'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    found = subprocess.run(
        command, env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


def test_a_store_of_a_later_placar_is_left_alone(tmp_path: Path) -> None:
    scene = a_scene(tmp_path / "home")
    with scene.store.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreUnavailable, match="later version") as caught:
        Store.open(scene.settings)
    assert "Upgrade" in caught.value.way_out


@pytest.mark.parametrize(
    "address",
    ["hunter2", "mysql://me:hunter2@host/db", "sqlite://", "sqlite:///:memory:", "sqlite:////"],
)
def test_an_address_that_cannot_be_used_is_named_by_its_setting_and_not_repeated(
    tmp_path: Path, address: str
) -> None:
    with pytest.raises((ConfigurationError, StoreUnavailable)) as caught:
        Store.open(Settings(home=tmp_path / "home", database_url=address))
    assert "PLACAR_DATABASE_URL" in caught.value.sentence
    assert "hunter2" not in caught.value.sentence


def test_postgresql_by_any_of_its_names_uses_one_driver() -> None:
    psycopg = pytest.importorskip("psycopg")
    assert psycopg
    for address in ("postgres://u@h/d", "postgresql://u@h/d", "postgresql+psycopg2://u@h/d"):
        assert make_engine(address).url.drivername == "postgresql+psycopg"


def test_a_home_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DiskFull, match="cannot be written to: Not a directory"):
        Store.open(Settings(home=tmp_path / "file" / "home"))


def test_a_transaction_is_done_whole_or_not_at_all(tmp_path: Path) -> None:
    store = a_scene(tmp_path / "home").store

    def fail_halfway() -> None:
        with store.write() as connection:
            connection.execute(text("UPDATE generation SET value = 7"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    with store.read() as connection:
        assert connection.execute(text("SELECT value FROM generation")).scalar() == 0


def test_an_older_schema_is_brought_forward_and_keeps_its_rows(tmp_path: Path) -> None:
    file = tmp_path / "placar.db"
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE somebody_elses (x INTEGER)"))
        connection.execute(text("INSERT INTO somebody_elses VALUES (1)"))
    engine.dispose()
    store = Store.open(Settings(home=tmp_path))
    with store.read() as connection:
        assert connection.execute(text("SELECT x FROM somebody_elses")).scalar() == 1
        assert (
            connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
            == (REVISIONS[-1])
        )
    store.close()
