"""Models, versions, promotions, runs and keys.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the first tables."""
    _models()
    _runs()
    op.create_table(
        "keys",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("revoked_at", sa.Double),
    )


def _models() -> None:
    op.create_table(
        "models",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("champion", sa.String(64)),
    )
    op.create_table(
        "versions",
        sa.Column("model", sa.String(64), sa.ForeignKey("models.name"), primary_key=True),
        sa.Column("version", sa.String(64), primary_key=True),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("promoted_at", sa.Double),
        sa.Column("run_id", sa.String(32)),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("positive", sa.Text, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("metrics", sa.Text, nullable=False),
    )
    op.create_table(
        "promotions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("previous", sa.String(64)),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.ForeignKeyConstraint(["model", "version"], ["versions.model", "versions.version"]),
    )
    op.create_index("promotions_of_model", "promotions", ["model", "id"])
    generation = op.create_table(
        "generation",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(generation, [{"id": 1, "value": 0}])


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("lane", sa.String(16), nullable=False),
        sa.Column("idempotency_key", sa.String(255), unique=True),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("promote", sa.Boolean, nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("requested_at", sa.Double, nullable=False),
        sa.Column("started_at", sa.Double),
        sa.Column("ended_at", sa.Double),
        sa.Column("heartbeat_at", sa.Double, nullable=False),
        sa.Column("stage", sa.String(16)),
        sa.Column("done", sa.Double, nullable=False),
        sa.Column("cancel_requested", sa.Boolean, nullable=False),
        sa.Column("follower", sa.Text),
        sa.Column("machine", sa.Text),
        sa.Column("pid", sa.BigInteger),
        sa.Column("pid_started", sa.BigInteger),
        sa.Column("seconds", sa.Double),
        sa.Column("peak_memory", sa.BigInteger),
        sa.Column("version", sa.String(64)),
        sa.Column("promoted", sa.Boolean, nullable=False),
        sa.Column("gate", sa.Text, nullable=False),
        sa.Column("error_code", sa.Text),
        sa.Column("error_message", sa.Text),
        sa.Column("error_way_out", sa.Text),
    )
    _index_runs()


def _index_runs() -> None:
    active = sa.text("status IN ('queued', 'running')")
    op.create_index(
        "one_active_run",
        "runs",
        ["lane"],
        unique=True,
        sqlite_where=active,
        postgresql_where=active,
    )
    op.create_index("runs_by_time", "runs", ["requested_at"])
