"""The file of one worker slot: of fixed size, locked for as long as its worker lives.

The lock tells whether the worker lives, and nothing else could tell as well: the kernel gives it
back with the process, whatever ended that; neither a process id that is used again nor a clock
that jumps can mislead it. The record is written to two halves in turn, so that one is whole
whenever the worker is killed. What follows them belongs to ``faulthandler``, which writes there
without Python's help. All of it is reserved when the file is made: a disk that fills up later
takes nothing away.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import msgspec

from placar.box.flight.record import Record

_HALF = 16 * 1024
_STACKS = 2 * _HALF
"""Where faulthandler's part begins."""
_SIZE = _STACKS + 64 * 1024
_LEAST_STACK = 8
"""Innermost frames that are kept when a record would be too long."""


class _Numbered(msgspec.Struct):
    number: int
    record: Record


class SlotFile:
    """One slot's file, open and locked."""

    def __init__(self, path: Path, descriptor: int, stacks: int) -> None:
        """Use ``claim``."""
        self.path = path
        self.stacks = stacks
        """Descriptor for faulthandler."""
        self._descriptor = descriptor
        self._number = 0

    @classmethod
    def claim(cls, path: Path) -> SlotFile | None:
        """Open and lock a file, made when missing; None while its worker lives.

        Raises:
            OSError: the file cannot be made, reserved or locked at all.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.posix_fallocate(descriptor, 0, _SIZE)
            stacks = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError:
            os.close(descriptor)
            raise
        os.lseek(stacks, _STACKS, os.SEEK_SET)
        slot = cls(path, descriptor, stacks)
        slot.read()  # numbers go on where the last owner's ended
        return slot

    @property
    def slot(self) -> int:
        """The number in its name."""
        return int(self.path.stem.partition("-")[2])

    def read(self) -> Record | None:
        """Return the last record that is whole; None where there is none in this format.

        Raises:
            OSError: the file cannot be read.
        """
        found = None
        for half in (0, 1):
            try:
                text = os.pread(self._descriptor, _HALF, half * _HALF).partition(b"\n")[0]
                numbered = msgspec.json.decode(text, type=_Numbered)
            except msgspec.MsgspecError:
                continue
            if found is None or numbered.number > found.number:
                found = numbered
        if found is None:
            return None
        self._number = found.number
        return found.record

    def write(self, record: Record) -> None:
        """Put a record in place of the one before the last.

        Raises:
            OSError: the disk does not take it.
        """
        self._number += 1
        content = _encode(self._number, record)
        if len(content) > _HALF and record.block is not None:
            shorter = msgspec.structs.replace(
                record.block, stack=tuple(line[:500] for line in record.block.stack[:_LEAST_STACK])
            )
            content = _encode(self._number, msgspec.structs.replace(record, block=shorter))
        if len(content) <= _HALF:
            os.pwrite(self._descriptor, content, self._number % 2 * _HALF)

    def stacks_text(self) -> str:
        """Return what faulthandler wrote; empty when it had no reason to.

        Raises:
            OSError: the file cannot be read.
        """
        content = os.pread(self._descriptor, _SIZE - _STACKS, _STACKS)
        return content.partition(b"\0")[0].decode("utf-8", "replace")

    def written(self) -> float:
        """Return when anybody last wrote to the file, by the clock on the wall.

        Raises:
            OSError: the file cannot be asked.
        """
        return os.fstat(self._descriptor).st_mtime

    def clear_stacks(self) -> None:
        """Forget what faulthandler wrote.

        Raises:
            OSError: the disk does not take it.
        """
        os.pwrite(self._descriptor, bytes(_SIZE - _STACKS), _STACKS)
        os.lseek(self.stacks, _STACKS, os.SEEK_SET)

    def close(self) -> None:
        """Give the lock back."""
        os.close(self.stacks)
        os.close(self._descriptor)


def _encode(number: int, record: Record) -> bytes:
    return msgspec.json.encode(_Numbered(number, record)) + b"\n"
