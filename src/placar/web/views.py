"""What clients see of records: no machine paths, no process ids, times in ISO 8601."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import PurePath

import msgspec

from placar.package.manifest import VERSION_LENGTH, Band, Importance, Manifest, Metrics, Provenance
from placar.package.run_folder import Failure
from placar.runs.tables import TableFile
from placar.signature.model import Signature
from placar.store.records import ModelRecord, RunRecord, VersionRecord


class RunView(msgspec.Struct, kw_only=True, frozen=True):
    """A run."""

    id: str
    model: str
    status: str
    stage: str | None
    done: float
    """Share of the run that is done, 0 to 1."""
    origin: str
    table: str
    """The table's file name."""
    target: str
    seed: int
    requested_at: str | None
    started_at: str | None
    ended_at: str | None
    seconds: float | None
    peak_memory: int | None
    """Bytes."""
    version: str | None
    promoted: bool
    gate: tuple[str, ...]
    """Why the gates did not promote it."""
    error: Failure | None


class RunList(msgspec.Struct, frozen=True):
    """Runs, newest first."""

    runs: tuple[RunView, ...]


class TableView(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A table that `/run-pipeline` may name."""

    name: str
    bytes: int
    changed_at: str | None
    sha256: str | None = None
    """Of the file, when it was just received."""


class TableList(msgspec.Struct, frozen=True):
    """The tables folder, by name."""

    tables: tuple[TableView, ...]


class ModelView(msgspec.Struct, kw_only=True, frozen=True):
    """A model."""

    name: str
    champion: str | None
    versions: int
    created_at: str | None


class ModelList(msgspec.Struct, frozen=True):
    """Models, oldest first."""

    models: tuple[ModelView, ...]


class VersionView(msgspec.Struct, kw_only=True, frozen=True):
    """A version of a model."""

    model: str
    version: str
    sha256: str
    """The version in full: the hash of its package's manifest."""
    status: str
    created_at: str | None
    promoted_at: str | None
    run_id: str | None
    target: str
    positive: str
    rows: int
    metrics: Metrics


class ModelDetail(msgspec.Struct, kw_only=True, frozen=True):
    """A model with its versions, newest first."""

    name: str
    champion: str | None
    created_at: str | None
    versions: tuple[VersionView, ...]


class VersionDetail(msgspec.Struct, kw_only=True, frozen=True):
    """A version with what its package says of it."""

    version: VersionView
    signature: Signature
    bands: tuple[Band, ...]
    threshold: float
    importance: tuple[Importance, ...]
    training: Provenance


def run_view(run: RunRecord) -> RunView:
    """Return what clients see of a run."""
    return RunView(
        id=run.id,
        model=run.model,
        status=run.status,
        stage=run.stage,
        done=round(run.done, 4),
        origin=run.origin,
        table=PurePath(run.spec.table).name,
        target=run.spec.target,
        seed=run.spec.seed,
        requested_at=moment(run.requested_at),
        started_at=moment(run.started_at),
        ended_at=moment(run.ended_at),
        seconds=run.seconds,
        peak_memory=run.peak_memory,
        version=short(run.version),
        promoted=run.promoted,
        gate=tuple(run.gate.splitlines()),
        error=run.error,
    )


def table_view(table: TableFile) -> TableView:
    """Return what clients see of a table."""
    return TableView(
        name=table.name,
        bytes=table.bytes,
        changed_at=moment(table.changed_at),
        sha256=table.sha256,
    )


def model_view(model: ModelRecord) -> ModelView:
    """Return what clients see of a model."""
    return ModelView(
        name=model.name,
        champion=short(model.champion),
        versions=model.versions,
        created_at=moment(model.created_at),
    )


def model_detail(model: ModelRecord, versions: tuple[VersionRecord, ...]) -> ModelDetail:
    """Return what clients see of a model when they ask for it alone."""
    return ModelDetail(
        name=model.name,
        champion=short(model.champion),
        created_at=moment(model.created_at),
        versions=tuple(version_view(version) for version in versions),
    )


def version_view(version: VersionRecord) -> VersionView:
    """Return what clients see of a version."""
    return VersionView(
        model=version.model,
        version=version.short,
        sha256=version.version,
        status=version.status,
        created_at=moment(version.created_at),
        promoted_at=moment(version.promoted_at),
        run_id=version.run_id,
        target=version.target,
        positive=version.positive,
        rows=version.rows,
        metrics=version.metrics,
    )


def version_detail(version: VersionRecord, manifest: Manifest) -> VersionDetail:
    """Return what clients see of a version when they ask for it alone."""
    return VersionDetail(
        version=version_view(version),
        signature=manifest.signature,
        bands=manifest.bands,
        threshold=manifest.threshold,
        importance=manifest.importance,
        training=manifest.training,
    )


def moment(seconds: float | None) -> str | None:
    """Return a stored moment in ISO 8601, UTC."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="milliseconds")


def short(version: str | None) -> str | None:
    """Return the digits that name a version in addresses."""
    return version[:VERSION_LENGTH] if version else None
