"""Alembic migrations of the store, run by ``store/migrate.py``; never by hand."""
