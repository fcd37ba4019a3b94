"""Bringing the store to the newest schema at start, by one process at a time.

Alembic is imported only when there is something to do: a worker that finds the schema as it
should be pays one query.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from placar.errors import StoreUnavailable
from placar.store.engine import WRITES, database_file
from placar.store.lock import file_lock
from placar.store.schema import REVISIONS

_SCRIPTS = Path(__file__).parent / "migrations"

_ADVISORY_LOCK = 0x706C61636172
"""The word *placar* as a number: the lock that every Placar asks PostgreSQL for."""


def bring_up_to_date(engine: Engine) -> None:
    """Create or migrate the schema where it is behind; starts at the same time wait in turn.

    Raises:
        StoreUnavailable: the store was made by a later Placar, or is locked for too long.
        DiskFull: no permission beside the database file.
    """
    file = database_file(engine)
    if file is None:
        _migrate(engine)
        return
    with file_lock(file.with_name(file.name + ".lock")):
        _use_wal(engine)
        _migrate(engine)


def _use_wal(engine: Engine) -> None:
    # Kept in the file from then on. Under the lock, because two first connections that switch
    # at once do not wait for each other but fail; outside a transaction, which SQLite demands.
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.close()
    finally:
        connection.close()


def _migrate(engine: Engine) -> None:
    with engine.connect() as connection:
        if _up_to_date(connection):
            return
    with engine.connect() as plain:
        connection = plain.execution_options(**{WRITES: True})
        with connection.begin():
            if engine.dialect.name == "postgresql":
                connection.execute(
                    text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK}
                )
            if not _up_to_date(connection):
                _upgrade(connection)


def _up_to_date(connection: Connection) -> bool:
    if not inspect(connection).has_table("alembic_version"):
        return False
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if revision is not None and revision not in REVISIONS:
        raise StoreUnavailable(
            "The store was made by a later version of Placar.",
            way_out="Upgrade Placar, or use another PLACAR_HOME or PLACAR_DATABASE_URL.",
        )
    return bool(revision == REVISIONS[-1])


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - heavy, and seldom needed
    from alembic.config import Config  # noqa: PLC0415 - the same

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
