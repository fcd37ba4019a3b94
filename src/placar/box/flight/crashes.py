"""The crashes of a home: finding them, keeping the latest, telling each start about the last."""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from placar.box.cgroup import oom_kills
from placar.box.flight.record import Crash, CrashBook, Record
from placar.box.flight.slot import SlotFile
from placar.box.flight.stacks import failed_stack, place
from placar.box.flight.verdict import Witness, fatal_signal, judge
from placar.box.process import ProcessIdentity, is_alive, machine

_log = logging.getLogger(__name__)

KEPT = 20
"""Crashes that keep a file of their own."""
_FAULT = 16 * 1024
"""Characters of a fault that are kept: the thread that failed comes first."""
_OURS_ALONE = 0o700
_PATIENCE = 1.0
_PAUSE = 0.02
_MB = 1024**2


class CrashFolder:
    """Reads what workers left, and writes down what ended them. Its methods may block."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; nothing is read or made yet."""
        self._folder = folder

    @property
    def book_path(self) -> Path:
        """The file that changes whenever a crash is added."""
        return self._folder / "crashes.json"

    def book(self) -> CrashBook:
        """Return what is kept of all crashes."""
        try:
            return msgspec.json.decode(self.book_path.read_bytes(), type=CrashBook)
        except (OSError, msgspec.MsgspecError):  # none yet, or of another version of Placar
            return CrashBook()

    def recover(self, pid: int | None = None, witness: Witness | None = None) -> list[Crash]:
        """Write down each crash that nobody has yet, and return them; mostly there are none.

        Args:
            pid: only that worker's.
            witness: what was seen of its end; else only what can still be seen is used.

        Raises:
            OSError: the folder cannot be used.
        """
        found: list[Crash] = []
        with self._alone() as alone:
            for path in sorted(self._folder.glob("slot-*.flight")) if alone else ():
                crash = self._recover_one(path, pid, witness)
                found += [crash] if crash is not None else []
        return found

    def tell(self) -> Crash | None:
        """Log the last crash if no start has reported it yet, and return it.

        Raises:
            OSError: the folder cannot be used.
        """
        with self._alone() as alone:
            book = self.book()
            if not alone or book.last is None or book.last.id == book.told:
                return None
            book.told = book.last.id
            _write(self.book_path, msgspec.json.encode(book))
        log_crash("last_crash", book.last, logging.WARNING)
        return book.last

    def _recover_one(self, path: Path, pid: int | None, witness: Witness | None) -> Crash | None:
        slot = SlotFile.claim(path)
        if slot is None:
            return None
        try:
            record = slot.read()
            if (
                record is None
                or (record.ended and not record.orphaned)
                or pid not in (None, record.pid)
            ):
                return None
            fault = slot.stacks_text()
            crash = _crash(record, slot.slot, fault, witness or _witness(record))
            self._keep(crash)
            slot.write(msgspec.structs.replace(record, ended=True, orphaned=False))
            return crash
        finally:
            slot.close()

    def _keep(self, crash: Crash) -> None:
        _write(self._folder / f"crash-{crash.id}.json", msgspec.json.encode(crash))
        book = self.book()
        book.counts[crash.cause] = book.counts.get(crash.cause, 0) + 1
        book.last = msgspec.structs.replace(crash, fault="")
        _write(self.book_path, msgspec.json.encode(book))
        for old in sorted(self._folder.glob("crash-*.json"))[:-KEPT]:
            old.unlink(missing_ok=True)

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Keep others from the folder meanwhile; yields False when it stays theirs."""
        self._folder.mkdir(mode=_OURS_ALONE, parents=True, exist_ok=True)
        lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield _within(_PATIENCE, lambda: _locked(lock))
        finally:
            os.close(lock)


def log_crash(event: str, crash: Crash, level: int) -> None:
    """Log a crash as one event, with the stack that blocked or failed below it."""
    fields = {
        "cause": crash.cause,
        "certain": crash.certain,
        "why": crash.sentence,
        "signal": crash.signal,
        "exit_code": crash.exit_code,
        "worker": crash.pid,
        "slot": crash.slot,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(crash.found)),
        "lived": f"{max(0.0, crash.seen - crash.began):.0f}s",
        "worker_mb": crash.memory.worker // _MB,
        "box_mb": crash.memory.box // _MB,
        "limit_mb": crash.memory.limit // _MB,
        "requests": told(crash.activity.requests),
        "runs": " ".join(crash.activity.runs),
        "champion": crash.activity.champion,
        "line": place(crash.stack),
        "stack": "\n".join(crash.stack),
    }
    extra = {name: fact for name, fact in fields.items() if fact not in (None, "")}
    _log.log(level, event, extra=extra)


def told(requests: dict[str, int]) -> str:
    """Return requests in flight as text.

    >>> told({"/predict": 2, "/ready": 1})
    '/predict:2 /ready:1'
    """
    return " ".join(f"{route}:{count}" for route, count in requests.items())


def _crash(record: Record, slot: int, fault: str, witness: Witness) -> Crash:
    verdict = judge(record, fault, witness)
    moment = time.time()
    block = record.block
    return Crash(
        id=f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(moment))}"
        f"{int(moment % 1 * 1000):03d}-{slot}",
        cause=verdict.cause,
        certain=verdict.certain,
        sentence=verdict.sentence,
        pid=record.pid,
        slot=slot,
        found=moment,
        began=record.began,
        seen=record.seen,
        memory=record.memory,
        activity=record.activity,
        lag=record.lag,
        signal=witness.signal or fatal_signal(fault),
        exit_code=witness.exit_code,
        stack=block.stack if block is not None and not block.over else failed_stack(fault),
        fault=fault[:_FAULT],
    )


def _witness(record: Record) -> Witness:
    """Return what can still be seen when nobody was there."""
    parent = ProcessIdentity(*record.parent)
    return Witness(
        oom_kills=oom_kills() if record.machine == machine() else 0,
        master_lives=record.machine == machine() and is_alive(parent),
    )


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _within(seconds: float, true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)
    return True


def _write(path: Path, content: bytes) -> None:
    """Write a file all at once."""
    half = path.with_suffix(".tmp")
    half.write_bytes(content)
    half.chmod(0o600)
    os.replace(half, path)  # noqa: PTH105 - atomic, and said so
