"""Runs as everybody else sees them: ask for one, follow it, look at it, end it."""

from __future__ import annotations

import logging
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from placar.box.process import ProcessIdentity, is_alive, machine
from placar.errors import (
    DiskFull,
    IllegalTransition,
    InputError,
    InvalidRequest,
    Issue,
    RunAlreadyActive,
    RunLost,
    StoreUnavailable,
)
from placar.package.run_folder import Progress, RunFolder, RunSpec
from placar.runs import endings
from placar.runs.follower import Follower, OnProgress, Publisher, Tools
from placar.runs.interrupts import Interrupts
from placar.runs.launcher import Launcher
from placar.runs.process import find_by_argument
from placar.runs.request import LARGEST_SEED, IdempotencyKey, RunRequest, fill_in
from placar.runs.tail import MOST_AT_ONCE, ProgressTail, read_text
from placar.runs.timing import Timing
from placar.settings import Settings
from placar.store.database import Store
from placar.store.models import ModelStore, check_model_name
from placar.store.records import RunRecord
from placar.store.runs import Claimant, RunStore

log = logging.getLogger(__name__)

_DEFAULT_MODEL = "default"


class RunService:
    """The runs of one store, as one process handles them. Safe between threads."""

    def __init__(
        self,
        store: Store,
        registry: Publisher,
        settings: Settings,
        *,
        launcher: Launcher | None = None,
        timing: Timing | None = None,
    ) -> None:
        """Use the tables of ``store``; successes go to ``registry``.

        Args:
            store: where runs are written down.
            registry: takes in what runs produce.
            settings: folders and limits.
            launcher: starts processes; tests give one with another command.
            timing: how often to look and how long to wait; tests are in a hurry.
        """
        timing = timing or Timing()
        self._settings = settings
        self._models = ModelStore(store)
        self._runs = RunStore(store, timing.patience)
        self._machine = machine()
        self._leaving = threading.Event()
        self._threads: list[threading.Thread] = []
        self._followed: dict[str, None] = {}
        self._tools = Tools(
            runs=self._runs,
            publisher=registry,
            launcher=launcher or Launcher(),
            timing=timing,
            time_limit=settings.run_timeout,
            leaving=self._leaving,
        )

    def request(
        self,
        spec: RunSpec | RunRequest,
        *,
        origin: str,
        promote: bool | None = None,
        idempotency_key: IdempotencyKey | None = None,
    ) -> RunRecord:
        """Queue a run; ``follow`` starts it.

        Args:
            spec: whole, or what an HTTP client said of it.
            origin: who asks, such as ``cli`` or ``http``.
            promote: let a version that passes the gates answer (None: as the request says).
            idempotency_key: a second request with the same key gets the first one's run.

        Raises:
            RunAlreadyActive: with the id of the active run, in ``fields`` as ``run_id``.
            InvalidRequest: the key came before, with a request for something else.
            InputError, TableNotFound: see ``spec_for_retrain``.
        """
        if isinstance(spec, RunRequest):
            earlier = self._earlier(idempotency_key)
            if earlier is not None:
                return earlier
            promote = spec.promote if promote is None else promote
            spec = self.spec_for_retrain(spec.model, spec)
        _check(spec)
        add = partial(
            self._runs.add,
            spec,
            origin=origin,
            promote=promote is not False,
            folders=self._settings.runs,
            idempotency_key=_stored(idempotency_key),
        )
        try:
            return add()
        except RunAlreadyActive:
            # In the way may be a dead run that nobody has buried yet.
            if self.settle_stale() is None:
                raise
            return add()

    def spec_for_retrain(self, model: str | None, overrides: RunRequest) -> RunSpec:
        """Return a spec: from ``overrides``, else the settings, else the model's last success.

        The seed is one that no version of the model was made with, so that training on the
        same table again makes a new version.

        Raises:
            InputError: nothing names a table or a target, or the model's name cannot be one.
            TableNotFound: the table is not there, or not one that a request may name.
        """
        name = model or self._settings.model or self._first_model()
        check_model_name(name)
        last = self._runs.last_succeeded(name)
        known = self._models.model(name)
        following = (last.spec.seed + 1) % LARGEST_SEED if last else 0
        seed = max(known.versions if known else 0, following)
        return fill_in(
            overrides, self._settings, model=name, last=last.spec if last else None, seed=seed
        )

    def follow(
        self,
        run_id: str,
        on_progress: OnProgress | None = None,
        interrupts: Interrupts | None = None,
    ) -> RunRecord:
        """Start the run if it is queued, and stay with it until it ends; blocks the thread.

        Where another process follows it already, wait for that one, and take over if it dies.

        Args:
            run_id: the run.
            on_progress: called with every new step, in this thread.
            interrupts: when one comes, the run is cancelled.

        Raises:
            RunNotFound: there is none of this id.
            StoreUnavailable: its ending could not be written down; ``adopt_stale`` will.
        """
        run = self._runs.get(run_id)
        interrupts = interrupts or Interrupts()
        while run.active and not self._leaving.is_set():
            claimed = self._runs.claim(run_id, self._claimant())
            if claimed is not None:
                with self._following(run_id):
                    Follower(claimed, self._tools, on_progress, interrupts).follow()
            elif interrupts.count > 1:
                break  # whoever follows it will end it; this caller waits no longer
            else:
                if interrupts.count and not run.cancel_requested:
                    with suppress(IllegalTransition):  # it has ended, or is about to
                        self._runs.request_cancel(run_id)
                self._leaving.wait(self._tools.timing.poll)
            run = self._runs.get(run_id)
        return run

    def adopt_stale(self) -> RunRecord | None:
        """Take up the active run if its follower is gone, and return it; mostly there is none.

        Call it every few seconds. It returns at once: a thread of its own follows the run, or
        launches it, or finds that its process is gone and writes down how it ended.
        """
        if self._leaving.is_set():
            return None
        claimed = self._runs.claim_abandoned(self._claimant())
        if claimed is None:
            return None
        log.warning("run_adopted", extra={"run": claimed.id, "status": claimed.status})
        thread = threading.Thread(
            target=self._follow_adopted, args=(claimed,), name=f"follow {claimed.id}", daemon=True
        )
        self._threads = [each for each in self._threads if each.is_alive()]
        self._threads.append(thread)
        thread.start()
        return claimed

    def settle_stale(self) -> RunRecord | None:
        """End the active run if its follower and its process are gone, and return how it ended.

        For commands that pass by: unlike ``adopt_stale`` it takes on nothing that takes long.
        """
        run = self._runs.abandoned(self._machine)
        if run is None or self._is_running(run):
            return None
        claimed = self._runs.claim(run.id, self._claimant())
        if claimed is None:
            return None
        if claimed.pid is None and not RunFolder(Path(run.folder)).report.exists():
            never = RunLost("The run was never started: whoever asked for it is gone.")
            self._runs.end(run.id, claimed.follower or "", endings.of_error(never))
        else:
            Follower(claimed, self._tools).follow()
        return self._runs.get(run.id)

    def cancel(self, run_id: str) -> RunRecord:
        """Have a run ended, whoever follows it; one that nobody follows is ended here and now.

        Raises:
            RunNotFound: there is none of this id.
            IllegalTransition: it has ended already.
        """
        self._runs.request_cancel(run_id)
        claimed = self._runs.claim(run_id, self._claimant())
        if claimed is not None:
            Follower(claimed, self._tools).follow()
        return self._runs.get(run_id)

    def get(self, run_id: str) -> RunRecord:
        """Return one run.

        Raises:
            RunNotFound: there is none of this id.
        """
        return self._runs.get(run_id)

    def list(self, limit: int = 50) -> tuple[RunRecord, ...]:
        """Return the newest runs, newest first."""
        return self._runs.latest(max(1, limit))

    def log(self, run_id: str, offset: int = 0, limit: int = MOST_AT_ONCE) -> tuple[str, int]:
        """Return a run's log from a byte offset on, and the offset to go on from.

        Readable while the run runs; at most 256 KB at once.

        Raises:
            RunNotFound: there is none of this id.
        """
        return read_text(self.folder(run_id).log, offset, limit)

    def progress(self, run_id: str) -> tuple[Progress, ...]:
        """Return the steps that a run has reported so far.

        Raises:
            RunNotFound: there is none of this id.
        """
        return ProgressTail(self.folder(run_id).progress).new()

    def folder(self, run_id: str) -> RunFolder:
        """Return a run's folder, which may not be there yet.

        Raises:
            RunNotFound: there is none of this id.
        """
        return RunFolder(Path(self._runs.get(run_id).folder))

    def close(self) -> None:
        """Stop following, for good; the runs go on, and other processes take them up at once."""
        self._leaving.set()
        for thread in self._threads:
            thread.join(timeout=5.0)

    @property
    def followed(self) -> tuple[str, ...]:
        """Ids of the runs that this process follows now."""
        return tuple(self._followed.copy())

    @contextmanager
    def _following(self, run_id: str) -> Iterator[None]:
        self._followed[run_id] = None
        try:
            yield
        finally:
            self._followed.pop(run_id, None)

    def _follow_adopted(self, run: RunRecord) -> None:
        try:
            with self._following(run.id):
                Follower(run, self._tools).follow()
        except (StoreUnavailable, DiskFull) as error:  # still abandoned, so adopted again
            log.warning("run_left", extra={"run": run.id, "why": error.code})
        except Exception:
            log.exception("follower_failed", extra={"run": run.id})

    def _earlier(self, key: IdempotencyKey | None) -> RunRecord | None:
        if key is None:
            return None
        stored, run = self._runs.asked_with(f"{key.name} ") or (_stored(key), None)
        if stored != _stored(key):
            issue = Issue("Idempotency-Key", "reused", "Came before, with another request.")
            raise InvalidRequest((issue,), "The Idempotency-Key stands for another request.")
        return run

    def _claimant(self) -> Claimant:
        return Claimant(f"{os.getpid()} {secrets.token_hex(8)}", self._machine)

    def _is_running(self, run: RunRecord) -> bool:
        if run.machine != self._machine:
            return False
        if run.pid is None or run.pid_started is None:  # started, perhaps, but not written down
            return find_by_argument(run.folder) is not None
        return is_alive(ProcessIdentity(run.pid, run.pid_started))

    def _first_model(self) -> str:
        """Return the model that answers, else the one that was made first."""
        every = (model.name for model in self._models.models())
        return self._models.first_promoted() or next(every, _DEFAULT_MODEL)


def _stored(key: IdempotencyKey | None) -> str | None:
    return f"{key.name} {key.request}" if key is not None else None


def _check(spec: RunSpec) -> None:
    check_model_name(spec.model)
    if not 0 <= spec.seed <= LARGEST_SEED:
        raise InputError(f"The seed must lie between 0 and {LARGEST_SEED}.")
    if not spec.target:
        raise InputError("The target has no name.")
    if not Path(spec.table).is_absolute():
        raise InputError("The table's path must be absolute.")
