"""Queries on models, versions and promotions."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    case,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from placar.errors import IllegalTransition, InputError
from placar.package.manifest import Manifest, Metrics
from placar.store.database import Store, fields_of
from placar.store.records import ModelRecord, PromotionKind, PromotionRecord, VersionRecord
from placar.store.schema import generation, models, promotions, versions

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

_STATUS: ColumnElement[str] = case(
    (models.c.champion == versions.c.version, literal("champion")),
    (versions.c.promoted_at.is_not(None), literal("retired")),
    else_=literal("candidate"),
)


def check_model_name(name: str) -> None:
    """Refuse a name that would not fit into an address or into ``NAME@VERSION``.

    Raises:
        InputError: it does not fit.
    """
    if _NAME.fullmatch(name) is None:
        raise InputError(
            "A model cannot have this name.",
            way_out="Use 1 to 64 of a-z A-Z 0-9 _ . - and begin with a letter or a digit.",
        )


class ModelStore:
    """Models, their versions, and who was champion when."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        """Use the tables of ``store``."""
        self._store = store
        self._clock = clock

    def models(self) -> tuple[ModelRecord, ...]:
        """Return every model, oldest first."""
        return self._models(_MODELS)

    def model(self, name: str) -> ModelRecord | None:
        """Return one model."""
        return next(iter(self._models(_MODELS.where(models.c.name == name))), None)

    def versions(self, model: str) -> tuple[VersionRecord, ...]:
        """Return a model's versions, newest first."""
        return self._versions(_VERSIONS.where(versions.c.model == model))

    def versions_like(self, model: str, prefix: str) -> tuple[VersionRecord, ...]:
        """Return a model's versions that begin with these hexadecimal digits."""
        return self._versions(
            _VERSIONS.where(versions.c.model == model, versions.c.version.startswith(prefix))
        )

    def champion(self, model: str) -> VersionRecord | None:
        """Return the version that answers for a model."""
        query = _VERSIONS.where(versions.c.model == model, versions.c.version == models.c.champion)
        return next(iter(self._versions(query)), None)

    def promotions(self, model: str) -> tuple[PromotionRecord, ...]:
        """Return a model's changes of champion, in the order in which they happened."""
        query = select(promotions).where(promotions.c.model == model).order_by(promotions.c.id)
        with self._store.read() as connection:
            rows = connection.execute(query).mappings()
            return tuple(msgspec.convert(fields_of(row), PromotionRecord) for row in rows)

    def first_promoted(self) -> str | None:
        """Return the model that had a champion before all others."""
        query = select(promotions.c.model).order_by(promotions.c.id).limit(1)
        with self._store.read() as connection:
            name: str | None = connection.execute(query).scalar_one_or_none()
        return name

    def generation(self) -> int:
        """Return the number of changes of any champion so far: one row by its key."""
        with self._store.read() as connection:
            return int(connection.execute(_GENERATION).scalar_one())

    def add_version(self, manifest: Manifest, version: str, run_id: str | None) -> VersionRecord:
        """Register a version, and its model if it is the first; what is there stays as it is."""
        row = {
            "model": manifest.model,
            "version": version,
            "created_at": self._clock(),
            "run_id": run_id,
            "target": manifest.signature.target.name,
            "positive": manifest.signature.target.positive,
            "rows": manifest.training.rows,
            "metrics": msgspec.json.encode(manifest.metrics).decode(),
        }
        self._insert_model(manifest.model)
        try:
            with self._store.write() as connection:
                connection.execute(insert(versions).values(row))
        except IntegrityError:  # the same bytes came before
            pass
        (record,) = self.versions_like(manifest.model, version)
        return record

    def crown(
        self,
        record: VersionRecord,
        *,
        kind: PromotionKind,
        previous: str | None,
        actor: str,
    ) -> None:
        """Make a version the champion, unless the champion is no longer ``previous``.

        Raises:
            IllegalTransition: somebody else changed the champion meanwhile.
        """
        now = self._clock()
        with self._store.write() as connection:
            if _locked_champion(connection, record.model) != previous:
                raise IllegalTransition(
                    "The champion was changed by somebody else just now.",
                    way_out="Look at the model's versions, then decide again.",
                )
            connection.execute(
                insert(promotions).values(
                    model=record.model,
                    kind=kind,
                    version=record.version,
                    previous=previous,
                    actor=actor,
                    at=now,
                )
            )
            connection.execute(
                update(models).where(models.c.name == record.model).values(champion=record.version)
            )
            connection.execute(
                update(versions)
                .where(versions.c.model == record.model, versions.c.version == record.version)
                .values(promoted_at=now)
            )
            connection.execute(_NEXT_GENERATION)

    def announce(self) -> None:
        """Have every worker look at the champions again, as after a change."""
        with self._store.write() as connection:
            connection.execute(_NEXT_GENERATION)

    def _insert_model(self, name: str) -> None:
        try:
            with self._store.write() as connection:
                connection.execute(insert(models).values(name=name, created_at=self._clock()))
        except IntegrityError:
            pass

    def _models(self, query: Select[tuple[object, ...]]) -> tuple[ModelRecord, ...]:
        with self._store.read() as connection:
            rows = connection.execute(query.order_by(models.c.created_at, models.c.name))
            return tuple(msgspec.convert(fields_of(row), ModelRecord) for row in rows.mappings())

    def _versions(self, query: Select[tuple[object, ...]]) -> tuple[VersionRecord, ...]:
        with self._store.read() as connection:
            rows = connection.execute(
                query.order_by(versions.c.created_at.desc(), versions.c.version)
            )
            return tuple(_version_record(row) for row in rows.mappings())


_MODELS = select(
    models.c.name,
    models.c.created_at,
    models.c.champion,
    select(func.count())
    .where(versions.c.model == models.c.name)
    .scalar_subquery()
    .label("versions"),
)
_VERSIONS = select(versions, _STATUS.label("status")).join(
    models, models.c.name == versions.c.model
)
_NEXT_GENERATION = update(generation).values(value=generation.c.value + 1)
_GENERATION = select(generation.c.value).where(generation.c.id == 1)


def _locked_champion(connection: Connection, model: str) -> str | None:
    # PostgreSQL locks the row; SQLite has locked everything for the writer already.
    query = select(models.c.champion).where(models.c.name == model).with_for_update()
    champion: str | None = connection.execute(query).scalar_one()
    return champion


def _version_record(row: RowMapping) -> VersionRecord:
    fields = fields_of(row)
    fields["metrics"] = msgspec.json.decode(row["metrics"], type=Metrics)
    return msgspec.convert(fields, VersionRecord)
