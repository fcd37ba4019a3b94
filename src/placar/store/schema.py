"""The tables, as the newest migration leaves them (a test compares the two)."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

REVISIONS = ("0001",)
"""Every migration, oldest first: what tells *behind* from *too new* without loading Alembic."""

METADATA = MetaData()

_DIGITS = 64

models = Table(
    "models",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("created_at", Double, nullable=False),
    Column("champion", String(_DIGITS)),
)

versions = Table(
    "versions",
    METADATA,
    Column("model", String(64), ForeignKey("models.name"), primary_key=True),
    Column("version", String(_DIGITS), primary_key=True),
    Column("created_at", Double, nullable=False),
    Column("promoted_at", Double),
    Column("run_id", String(32)),
    Column("target", Text, nullable=False),
    Column("positive", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("metrics", Text, nullable=False),
)

promotions = Table(
    "promotions",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("model", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("version", String(_DIGITS), nullable=False),
    Column("previous", String(_DIGITS)),
    Column("actor", Text, nullable=False),
    Column("at", Double, nullable=False),
    ForeignKeyConstraint(["model", "version"], ["versions.model", "versions.version"]),
)
Index("promotions_of_model", promotions.c.model, promotions.c.id)

generation = Table(
    "generation",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", BigInteger, nullable=False),
)
"""One row, raised in the same transaction as every change of a champion."""

runs = Table(
    "runs",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("lane", String(16), nullable=False),
    Column("idempotency_key", String(255), unique=True),
    Column("model", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("origin", Text, nullable=False),
    Column("spec", Text, nullable=False),
    Column("promote", Boolean, nullable=False),
    Column("folder", Text, nullable=False),
    Column("requested_at", Double, nullable=False),
    Column("started_at", Double),
    Column("ended_at", Double),
    Column("heartbeat_at", Double, nullable=False),
    Column("stage", String(16)),
    Column("done", Double, nullable=False),
    Column("cancel_requested", Boolean, nullable=False),
    Column("follower", Text),
    Column("machine", Text),
    Column("pid", BigInteger),
    Column("pid_started", BigInteger),
    Column("seconds", Double),
    Column("peak_memory", BigInteger),
    Column("version", String(_DIGITS)),
    Column("promoted", Boolean, nullable=False),
    Column("gate", Text, nullable=False),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("error_way_out", Text),
)
# One active run at a time is held by the index `one_active_run`, which only the migration knows:
# `postgresql_where` would load PostgreSQL's dialect into every process.
Index("runs_by_time", runs.c.requested_at)

keys = Table(
    "keys",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("name", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("created_at", Double, nullable=False),
    Column("revoked_at", Double),
)
