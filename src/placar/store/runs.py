"""Queries on runs. Whoever follows a run holds its lease; each query says what that takes.

A lease is the pair (``follower``, ``heartbeat_at``). It is taken by one UPDATE, so that of two
who want it one gets it, and it is kept by writing ``heartbeat_at`` again and again. Every write
of a follower names its token: one that lost its lease changes nothing.

Clocks of two machines differ, and a clock may be set while a run is under way. So an old
heartbeat alone takes nobody's lease: whoever wants it looks twice, some seconds of its own
monotonic clock apart, and goes on only if there was no heartbeat in between.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Update,
    and_,
    case,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from placar.errors import IllegalTransition, RunAlreadyActive, RunNotFound
from placar.package.run_folder import Failure, RunSpec, Stage
from placar.store.database import Store, fields_of
from placar.store.records import ACTIVE, Ending, RunRecord
from placar.store.schema import runs

_LANE = "training"
"""Active runs of one lane exclude each other (index ``one_active_run``); there is one lane."""

_NEARLY_ALL, _ALL = 0.999, 1.0
"""The share done of a run whose version is being published: it cannot be cancelled any more."""

_ACTIVE = runs.c.status.in_(ACTIVE)
_Sign = tuple[str, str, float]
"""A run, its follower, and the heartbeat that was seen."""

_UNCLAIMED = and_(runs.c.status == "queued", runs.c.follower.is_(None))


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds of silence after which a run counts as abandoned."""

    queued: float = 10.0
    """Nobody has taken it up yet."""
    here: float = 4.0
    """Its follower, on this machine."""
    elsewhere: float = 15.0
    """Its follower, on another machine: clocks may differ, and its process is out of reach."""
    sure: float = 1.5
    """Between the look that finds it silent and the one that confirms it: longer than between
    two heartbeats."""


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who wants a lease."""

    token: str
    """Never used twice."""
    machine: str


@dataclass(frozen=True, slots=True)
class Heard:
    """What a follower hears when it beats."""

    held: bool
    """It still has the lease."""
    cancel_requested: bool


class RunStore:
    """The runs of one store."""

    def __init__(
        self,
        store: Store,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.time,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        """Use the tables of ``store``.

        Args:
            store: where runs are written down.
            patience: how long a follower may be silent.
            clock: what is written down; it may jump.
            stopwatch: what never jumps, and means nothing elsewhere.
        """
        self._store = store
        self._patience = patience or Patience()
        self._clock = clock
        self._stopwatch = stopwatch
        self._suspect: tuple[_Sign, float] | None = None

    def add(
        self,
        spec: RunSpec,
        *,
        origin: str,
        promote: bool,
        folders: Path,
        idempotency_key: str | None = None,
    ) -> RunRecord:
        """Queue a run with a folder under ``folders``; the same key again means the same run.

        Raises:
            RunAlreadyActive: with the id of the active run.
        """
        run_id = f"run_{secrets.token_hex(8)}"
        now = self._clock()
        values = {
            "id": run_id,
            "lane": _LANE,
            "idempotency_key": idempotency_key,
            "model": spec.model,
            "status": "queued",
            "origin": origin,
            "spec": msgspec.json.encode(spec).decode(),
            "promote": promote,
            "folder": str((folders / run_id).absolute()),
            "requested_at": now,
            "heartbeat_at": now,
            "done": 0.0,
            "cancel_requested": False,
            "promoted": False,
            "gate": "",
        }
        try:
            with self._store.write() as connection:
                connection.execute(insert(runs).values(values))
        except IntegrityError:
            return self._in_the_way(idempotency_key)
        return self.get(run_id)

    def get(self, run_id: str) -> RunRecord:
        """Return one run.

        Raises:
            RunNotFound: there is none of this id.
        """
        found = self._one(runs.c.id == run_id)
        if found is None:
            raise RunNotFound
        return found

    def asked_with(self, beginning: str) -> tuple[str, RunRecord] | None:
        """Return the run whose idempotency key begins like this, after that key."""
        found = runs.c.idempotency_key.startswith(beginning, autoescape=True)
        with self._store.read() as connection:
            row = connection.execute(select(runs).where(found).limit(1)).mappings().one_or_none()
        return (row["idempotency_key"], _record(row)) if row is not None else None

    def latest(self, limit: int) -> tuple[RunRecord, ...]:
        """Return the newest runs, newest first."""
        query = select(runs).order_by(runs.c.requested_at.desc(), runs.c.id).limit(limit)
        with self._store.read() as connection:
            return tuple(_record(row) for row in connection.execute(query).mappings())

    def active(self) -> RunRecord | None:
        """Return the run that is queued or running."""
        return self._one(_ACTIVE)

    def last_succeeded(self, model: str) -> RunRecord | None:
        """Return the latest run that made a version of a model."""
        return self._one(and_(runs.c.status == "succeeded", runs.c.model == model))

    def abandoned(self, machine: str) -> RunRecord | None:
        """Return the active run if nobody follows it any more: one look at a tiny index.

        A follower that fell silent is first suspected; see ``suspects``.
        """
        return self._confirmed(self._one(self._is_abandoned(machine)))

    @property
    def suspects(self) -> bool:
        """The last look found a silent follower; another one, ``sure`` seconds on, will tell."""
        return self._suspect is not None

    def claim(self, run_id: str, claimant: Claimant) -> RunRecord | None:
        """Take the lease of a run that nobody follows; None when somebody does, or it ended.

        A run that was just queued is free to whoever comes first; a follower that fell silent is
        first suspected.
        """
        free = and_(runs.c.id == run_id, or_(_UNCLAIMED, self._is_abandoned(claimant.machine)))
        found = self._confirmed(self._one(free))
        if found is None:
            return None
        statement = (
            update(runs)
            # Neither a heartbeat nor another claimant came in between.
            .where(free, runs.c.heartbeat_at == found.heartbeat_at)
            .values(
                follower=claimant.token,
                heartbeat_at=self._clock(),
                # Where the process is, once there is one, does not change with the follower.
                machine=case((runs.c.pid.is_(None), claimant.machine), else_=runs.c.machine),
            )
            .returning(runs)
        )
        with self._store.write() as connection:
            row = connection.execute(statement).mappings().one_or_none()
        return _record(row) if row is not None else None

    def _confirmed(self, silent: RunRecord | None) -> RunRecord | None:
        """Return a run whose follower seems gone, once it was seen twice without a heartbeat."""
        if silent is None or silent.follower is None:  # followed well, or by nobody on purpose
            self._suspect = None
            return silent
        sign = (silent.id, silent.follower, silent.heartbeat_at)
        now = self._stopwatch()
        if self._suspect is None or self._suspect[0] != sign:
            self._suspect = (sign, now)
            return None
        return silent if now - self._suspect[1] >= self._patience.sure else None

    def claim_abandoned(self, claimant: Claimant) -> RunRecord | None:
        """Take the lease of the active run if it is abandoned; of several who try, one gets it."""
        found = self.abandoned(claimant.machine)
        return self.claim(found.id, claimant) if found is not None else None

    def start(self, run_id: str, token: str, pid: int, pid_started: int | None) -> bool:
        """Write down that the run's process runs; False when the lease is gone."""
        now = self._clock()
        return self._as_follower(
            run_id,
            token,
            update(runs).values(
                status="running",
                started_at=now,
                heartbeat_at=now,
                pid=pid,
                pid_started=pid_started,
            ),
        )

    def beat(self, run_id: str, token: str, stage: Stage | None, done: float) -> Heard:
        """Renew the lease, say how far the run is, and hear whether it is to be cancelled."""
        statement = (
            update(runs)
            .where(runs.c.id == run_id, runs.c.follower == token, _ACTIVE)
            .values(
                heartbeat_at=self._clock(),
                stage=func.coalesce(stage, runs.c.stage),
                # Only ``settle`` and ``end`` say that all is done, and nobody takes that back.
                done=case((runs.c.done >= _ALL, _ALL), else_=min(done, _NEARLY_ALL)),
            )
            .returning(runs.c.cancel_requested)
        )
        with self._store.write() as connection:
            asked = connection.execute(statement).scalar_one_or_none()
        return Heard(held=asked is not None, cancel_requested=bool(asked))

    def release(self, run_id: str, token: str) -> None:
        """Give the lease back, so that another takes it at once."""
        self._as_follower(run_id, token, update(runs).values(follower=None))

    def request_cancel(self, run_id: str) -> RunRecord:
        """Ask whoever follows the run, or will, to end it.

        Raises:
            RunNotFound: there is none of this id.
            IllegalTransition: it has ended already, or its version is being published.
        """
        statement = (
            update(runs)
            .where(runs.c.id == run_id, _ACTIVE, runs.c.done < _ALL)
            .values(cancel_requested=True)
        )
        with self._store.write() as connection:
            asked = connection.execute(statement).rowcount == 1
        run = self.get(run_id)
        if asked:
            return run
        if run.active:
            raise IllegalTransition(
                "The run has done its work and its version is being published.",
                way_out="Once it has ended, roll back if you do not want that version to answer.",
            )
        raise IllegalTransition(f"The run has ended already: {run.status}.")

    def settle(self, run_id: str, token: str) -> Heard:
        """Rule out that the run is cancelled from now on, unless somebody asked for it before."""
        settled = self._as_follower(
            run_id, token, update(runs).where(~runs.c.cancel_requested).values(done=_ALL)
        )
        if settled:
            return Heard(held=True, cancel_requested=False)
        run = self.get(run_id)
        return Heard(held=run.follower == token, cancel_requested=run.cancel_requested)

    def end(self, run_id: str, token: str, ending: Ending) -> bool:
        """Write down how the run ended; False when the lease is gone, and with it the right to."""
        published, error = ending.publication, ending.error
        values: dict[str, object] = {
            "status": ending.status,
            "ended_at": self._clock(),
            "follower": None,
            "stage": func.coalesce(ending.stage, runs.c.stage),
            "seconds": func.coalesce(ending.seconds, self._seconds_since_start()),
            "peak_memory": ending.peak_memory,
        }
        if published is not None:
            values |= {
                "done": 1.0,
                "version": published.version.version,
                "promoted": published.promoted,
                "gate": "\n".join(published.gate),
            }
        if error is not None:
            values |= {
                "error_code": error.code,
                "error_message": error.message,
                "error_way_out": error.way_out,
            }
        return self._as_follower(run_id, token, update(runs).values(values))

    def _seconds_since_start(self) -> ColumnElement[float]:
        seconds = self._clock() - runs.c.started_at
        return case((seconds < 0.0, 0.0), else_=seconds)  # the clock was set back

    def _as_follower(self, run_id: str, token: str, change: Update) -> bool:
        statement = change.where(runs.c.id == run_id, runs.c.follower == token, _ACTIVE)
        with self._store.write() as connection:
            return connection.execute(statement).rowcount == 1

    def _is_abandoned(self, machine: str) -> ColumnElement[bool]:
        # The difference either way: a beat from the future was written before a clock jumped.
        silence = func.abs(self._clock() - runs.c.heartbeat_at)
        patience = case(
            (_UNCLAIMED, self._patience.queued),
            (runs.c.machine != machine, self._patience.elsewhere),
            (runs.c.follower.is_(None), -1.0),  # given back on purpose
            else_=self._patience.here,
        )
        return and_(_ACTIVE, silence > patience)

    def _in_the_way(self, idempotency_key: str | None) -> RunRecord:
        """Return the run that was asked for by this key, or raise for the one that is active."""
        if idempotency_key is not None:
            earlier = self._one(runs.c.idempotency_key == idempotency_key)
            if earlier is not None:
                return earlier
        active = self.active()
        if active is None:  # it ended between the two looks
            raise RunAlreadyActive("Another run was active until just now.", way_out="Try again.")
        raise RunAlreadyActive(
            f"{active.id} is active; one run at a time.",
            way_out=f"Look at it with GET /runs/{active.id} or `placar runs show {active.id}`; "
            "it can be cancelled as well.",
            run_id=active.id,
        )

    def _one(self, condition: ColumnElement[bool]) -> RunRecord | None:
        query = select(runs).where(condition).order_by(runs.c.requested_at.desc()).limit(1)
        with self._store.read() as connection:
            row = connection.execute(query).mappings().one_or_none()
        return _record(row) if row is not None else None


def _record(row: RowMapping) -> RunRecord:
    fields = fields_of(row)
    fields["spec"] = msgspec.json.decode(row["spec"], type=RunSpec)
    fields["error"] = (
        Failure(code=row["error_code"], message=row["error_message"], way_out=row["error_way_out"])
        if row["error_code"] is not None
        else None
    )
    return msgspec.convert(fields, RunRecord)
