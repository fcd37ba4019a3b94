"""From the store's address to an engine: SQLite or PostgreSQL, and their errors in our words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from placar.errors import ConfigurationError, DiskFull, StoreUnavailable

WRITES = "placar_writes"
"""Execution option of a connection that is going to write."""

_CANNOT_WRITE = frozenset(
    f"SQLITE_{name}"
    for name in (
        "IOERR_FSYNC",
        "IOERR_SHMMAP",
        "IOERR_SHMOPEN",
        "IOERR_SHMSIZE",
        "IOERR_TRUNCATE",
        "IOERR_WRITE",
        "READONLY",
        "READONLY_DIRECTORY",
    )
)

_PATIENCE = 5
"""Seconds to wait for a lock, a connection or the server."""


def make_engine(address: str) -> Engine:
    """Return an engine; nothing is connected yet.

    Raises:
        ConfigurationError: the address cannot be used. It is never repeated: it holds a password.
    """
    url = _parse(address)
    if url.get_backend_name() == "sqlite":
        return _sqlite(url)
    return _create(
        url.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        connect_args={"connect_timeout": _PATIENCE},
    )


def database_file(engine: Engine) -> Path | None:
    """Return the file of an SQLite store, or None for PostgreSQL."""
    if engine.dialect.name != "sqlite":
        return None
    return Path(str(engine.url.database))


def _parse(address: str) -> URL:
    try:
        url = make_url(address)
    except ArgumentError:
        raise ConfigurationError(
            "PLACAR_DATABASE_URL is not an address.",
            way_out="Write sqlite:////absolute/path.db or postgresql://user:password@host/name.",
        ) from None
    backend = url.get_backend_name()
    if backend == "sqlite" and Path(url.database or "").name not in ("", ":memory:"):
        return url
    if backend in ("postgresql", "postgres"):
        return url
    raise ConfigurationError(
        "PLACAR_DATABASE_URL names a database that Placar does not use.",
        way_out="Use PostgreSQL, or SQLite in a file.",
    )


def _sqlite(url: URL) -> Engine:
    # A pool that keeps a connection: closing the last one makes SQLite fold its log away,
    # which locks the file and costs a sync each time.
    engine = _create(
        url.set(drivername="sqlite+pysqlite"), connect_args={"timeout": float(_PATIENCE)}
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _create(url: URL, *, pool_pre_ping: bool = False, connect_args: dict[str, float]) -> Engine:
    try:
        return create_engine(
            url,
            poolclass=QueuePool,
            pool_size=2,
            max_overflow=8,
            pool_timeout=_PATIENCE,
            pool_pre_ping=pool_pre_ping,
            connect_args=connect_args,
            hide_parameters=True,  # in errors: they are people's specs and digests of keys
        )
    except ImportError:
        raise ConfigurationError(
            "PLACAR_DATABASE_URL names PostgreSQL, whose driver is not installed.",
            way_out="Install it: pip install 'placar[postgres]'.",
        ) from None


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    # The driver's own transactions begin too late and cannot be immediate: we begin them.
    if isinstance(connection, sqlite3.Connection):
        connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    # With WAL a crash of the process loses nothing; a power cut may lose the last moments.
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later would fail, not wait, if another wrote
    # in between: writers take the lock at once.
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def translated() -> Iterator[None]:
    """Turn failures of the database into errors that Placar knows by name.

    Broken constraints pass: they mean something to whoever wrote. So do mistakes in our SQL.
    """
    try:
        yield
    except (IntegrityError, ProgrammingError):
        raise
    except (DBAPIError, PoolTimeout, sqlite3.Error) as error:
        raise _named(error.orig if isinstance(error, DBAPIError) else error) from error


def _named(original: BaseException | None) -> StoreUnavailable | DiskFull:
    name = getattr(original, "sqlite_errorname", "")
    if name == "SQLITE_FULL":
        return DiskFull("The store could not write: the disk is full.")
    if name in _CANNOT_WRITE:
        return StoreUnavailable(
            "The store could not write: its disk is full, or does not let us.",
            way_out="Free some space, or check the permissions of PLACAR_HOME.",
        )
    if name.startswith("SQLITE_BUSY"):
        return StoreUnavailable(
            "The store is locked by another process.", way_out="Try again in a moment."
        )
    if name:
        return StoreUnavailable(f"The store cannot be used: {name.removeprefix('SQLITE_')}.")
    return StoreUnavailable()
