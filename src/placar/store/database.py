"""The store: one database, opened once per process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping

from placar.settings import Settings
from placar.store.engine import WRITES, database_file, make_engine, translated
from placar.store.home import make_database_file, make_home
from placar.store.migrate import bring_up_to_date


def fields_of(row: RowMapping) -> dict[str, Any]:
    """Return a row by column names that are plain text (SQLAlchemy's are a kind of their own)."""
    return {str(name): value for name, value in row.items()}


class Store:
    """A database at the newest schema.

    Safe between threads, not across a fork: a worker opens its own.
    """

    def __init__(self, engine: Engine) -> None:
        """Wrap an engine whose schema is known to be right; see ``open``."""
        self.engine = engine

    @classmethod
    def open(cls, settings: Settings) -> Store:
        """Open the store, and create or migrate it first where that is needed.

        Raises:
            ConfigurationError: ``PLACAR_DATABASE_URL`` cannot be used.
            DiskFull: ``PLACAR_HOME`` cannot be made or written to.
            StoreUnavailable: the database cannot be reached, or is a later Placar's.
        """
        engine = make_engine(settings.database)
        file = database_file(engine)
        make_home(settings)
        if file is not None:
            make_database_file(file)
        try:
            with translated():
                bring_up_to_date(engine)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Lend a connection for queries.

        Raises:
            StoreUnavailable: the database cannot be reached.
        """
        with translated(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Lend a connection in a transaction: committed at the end, or all undone.

        Raises:
            StoreUnavailable: the database cannot be reached, or stays locked.
            DiskFull: it has no room.
        """
        with translated(), self.engine.connect() as plain:
            connection = plain.execution_options(**{WRITES: True})
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()
