"""Following one run from wherever it is to its end, and writing down which end it was.

What decides, first match first:

1. somebody cancelled it: ``cancelled``, whatever the process managed to do meanwhile; once its
   version is about to be published it cannot be cancelled any more;
2. a whole ``report.json``: it says success or failure itself;
3. the time limit had passed: ``timed_out``;
4. the exit code, where this process started the other: ``failed`` with the signal named, or
   ``out_of_memory`` where the log or the kernel says so;
5. nothing at all: ``lost``.

Success is one only when the version is registered. Any of this may happen twice (a lease that
was lost in between, a follower that was killed): registering and promoting the same version
again change nothing, and only the holder of the lease writes the ending.
"""

from __future__ import annotations

import logging
import shutil
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Protocol

from msgspec import structs

from placar.box.process import ProcessIdentity, is_alive, machine
from placar.errors import DiskFull, PlacarError, StoreUnavailable, TrainingFailed
from placar.package.run_folder import Progress, RunFolder, RunReport
from placar.runs import endings
from placar.runs.interrupts import Interrupts
from placar.runs.launcher import AdoptedChild, Child, Launcher
from placar.runs.lease import Lease
from placar.runs.process import find_by_argument, oom_kills
from placar.runs.tail import ProgressTail, cut_log, read_end
from placar.runs.timing import Timing
from placar.store.records import Ending, Publication, RunRecord
from placar.store.runs import RunStore

log = logging.getLogger(__name__)

_LAST_WORDS = 8 * 1024

OnProgress = Callable[[Progress], None]


class Publisher(Protocol):
    """Who takes in what a run produced; the registry does."""

    def publish(
        self, model: str, version: str, package: Path, *, run_id: str, promote: bool
    ) -> Publication:
        """Register a package and, when asked and allowed, promote it."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What every follower of one process shares."""

    runs: RunStore
    publisher: Publisher
    launcher: Launcher
    timing: Timing
    time_limit: float
    leaving: threading.Event
    """Set when this process wants to go: followers give their leases back."""


class _Watched(Enum):
    ENDED = auto()
    CANCELLED = auto()
    TIMED_OUT = auto()
    LEFT = auto()


class Follower:
    """Follows one run, whose lease was just taken under ``run.follower``."""

    def __init__(
        self,
        run: RunRecord,
        tools: Tools,
        on_progress: OnProgress | None = None,
        interrupts: Interrupts | None = None,
    ) -> None:
        """Prepare; nothing happens yet.

        Args:
            run: the run.
            tools: shared by all followers.
            on_progress: called with every new step.
            interrupts: the first one cancels the run, a second one takes away the process's time
                to say goodbye.
        """
        self._run = run
        self._tools = tools
        self._on_progress = on_progress
        self._interrupts = interrupts or Interrupts()
        self._folder = RunFolder(Path(run.folder))
        self._tail = ProgressTail(self._folder.progress)
        self._lease = Lease(tools.runs, run.id, run.follower or "", tools.timing.heartbeat)
        self._lease.cancelled = run.cancel_requested
        self._oom_kills = oom_kills()
        self._child: Child | None = None

    def follow(self) -> None:
        """Follow the run until it has ended, the lease is lost, or this process wants to leave.

        Raises:
            StoreUnavailable: the ending could not be written; whoever adopts the run will.
        """
        with self._lease:
            try:
                ending = self._to_the_end()
            except StoreUnavailable:
                raise
            except PlacarError as error:
                self._end_child()
                ending = endings.of_error(error)
            except Exception as error:
                self._end_child()
                self._write(endings.unexpected(error))
                raise
            if ending is not None:
                self._write(ending)
            elif not self._lease.lost:
                self._tools.runs.release(self._run.id, self._lease.token)

    def _to_the_end(self) -> Ending | None:
        self._child = self._find() if self._run.pid is not None else self._launch()
        if self._child is None:
            watched, exit_code = _Watched.ENDED, None
        else:
            deadline = time.monotonic() + self._time_left()
            watched = self._watch(self._child, deadline)
            if watched is _Watched.LEFT:
                self._leave(self._child)
                return None
            exit_code = self._child.clear_away()
            self._child = None
        self._take_progress()
        if self._cancelled():
            return endings.cancelled()
        report = self._folder.read_report()
        if report is not None:
            return self._believe(report)
        if watched is _Watched.TIMED_OUT:
            return endings.timed_out(self._tools.time_limit)
        killed = oom_kills() > self._oom_kills
        return endings.of_silence(
            exit_code, read_end(self._folder.log, _LAST_WORDS), oom_killed=killed
        )

    def _find(self) -> Child | None:
        """Return the process that the record names, if it is ours to reach and still runs."""
        run = self._run
        if run.pid is None or run.pid_started is None or run.machine != machine():
            return None
        process = ProcessIdentity(run.pid, run.pid_started)
        child = AdoptedChild(process)
        if not is_alive(process):
            child.clear_away()  # what it had started may have outlived it
            return None
        return child

    def _launch(self) -> Child | None:
        """Start the process, unless a follower before us did and died before writing it down."""
        if self._folder.log.exists():
            if self._folder.read_report() is not None:
                return None
            running = find_by_argument(str(self._folder.root))
            if running is not None:
                return self._started(AdoptedChild(running))
        if self._cancelled():
            return None
        return self._started(self._tools.launcher.launch(self._folder, self._run.spec))

    def _started(self, child: Child) -> Child:
        self._child = child
        pid, started = child.process.pid, child.process.started
        held = self._tools.runs.start(self._run.id, self._lease.token, pid, started)
        self._lease.lost = not held
        log.info("run_started", extra={"run": self._run.id, "pid": pid})
        return child

    def _watch(self, child: Child, deadline: float) -> _Watched:
        while not child.ended():
            if self._lease.lost or self._tools.leaving.is_set():
                return _Watched.LEFT
            if self._cancelled():
                self._end(child)
                return _Watched.CANCELLED
            if time.monotonic() >= deadline:
                self._end(child)
                return _Watched.TIMED_OUT
            self._take_progress()
            cut_log(self._folder.log)
            self._tools.leaving.wait(self._tools.timing.poll)
        return _Watched.ENDED

    def _cancelled(self) -> bool:
        return self._lease.cancelled or self._interrupts.count > 0

    def _leave(self, child: Child) -> None:
        """Let the process go on without us.

        Whoever took the lease may be on another machine, out of its reach, and call the run lost;
        then it must not go on beside the next one.
        """
        while self._lease.lost and not (
            self._tools.leaving.is_set() or child.ended() or self._interrupts.count
        ):
            try:
                ours_no_more = not self._tools.runs.get(self._run.id).active
            except StoreUnavailable:
                ours_no_more = False
            if ours_no_more:
                self._end_child()
                return
            self._tools.leaving.wait(self._tools.timing.heartbeat)
        self._tools.launcher.leave(child)

    def _time_left(self) -> float:
        started = self._run.started_at
        gone = 0.0 if started is None else max(0.0, time.time() - started)
        return max(0.0, self._tools.time_limit - gone)

    def _take_progress(self) -> None:
        for step in self._tail.new():
            self._lease.note(step)
            if self._on_progress is not None:
                self._on_progress(step)

    def _end(self, child: Child) -> None:
        """Ask the process and all it started to end; after the grace period, make them."""
        child.send(signal.SIGTERM)
        deadline = time.monotonic() + self._tools.timing.grace
        while not child.ended() and time.monotonic() < deadline and self._interrupts.count <= 1:
            time.sleep(self._tools.timing.poll)
        while not child.ended():
            child.send(signal.SIGKILL)
            time.sleep(self._tools.timing.poll)

    def _end_child(self) -> None:
        if self._child is not None:
            self._child.send(signal.SIGKILL)
            self._child.clear_away()
            self._child = None

    def _believe(self, report: RunReport) -> Ending | None:
        if not report.succeeded:
            return endings.of_failure(report)
        if report.version is None:
            raise TrainingFailed("The run reported success without a version.")
        heard = self._tools.runs.settle(self._run.id, self._lease.token)
        if not heard.held:
            self._lease.lost = True
            return None
        if heard.cancel_requested:
            return endings.cancelled()
        publication = self._tools.publisher.publish(
            self._run.model,
            report.version,
            self._folder.package,
            run_id=self._run.id,
            promote=self._run.promote,
        )
        return endings.of_success(report, publication)

    def _write(self, ending: Ending) -> None:
        shutil.rmtree(self._folder.scratch, ignore_errors=True)
        if ending.stage is None:
            ending = structs.replace(ending, stage=self._lease.stage)
        held = self._insist_on(ending)
        if held and ending.publication is not None:
            # The registry has its own copy; two of each would fill a small disk twice as fast.
            shutil.rmtree(self._folder.package, ignore_errors=True)
        fields = {
            "run": self._run.id,
            "status": ending.status,
            "code": ending.error.code if ending.error else None,
            "written": held,
        }
        log.info("run_ended", extra=fields)

    def _insist_on(self, ending: Ending) -> bool:
        """Write the ending, also if the store is away for a while: nobody else knows it as well."""
        deadline = time.monotonic() + self._tools.timing.insistence
        while True:
            try:
                return self._tools.runs.end(self._run.id, self._lease.token, ending)
            except (StoreUnavailable, DiskFull):
                if self._tools.leaving.is_set() or time.monotonic() >= deadline:
                    raise
            self._tools.leaving.wait(self._tools.timing.poll)
