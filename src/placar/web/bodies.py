"""The memory that a worker's requests may hold together, whoever sends them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from placar.box.sizing import BODY_OVERHEAD, largest_body
from placar.errors import BodyTooLarge, Overloaded

_RETRY_AFTER = 2


class Bodies:
    """Counts the bytes that requests hold; what they take is bounded as a whole."""

    def __init__(self, room: int) -> None:
        """Begin with an empty room of so many bytes."""
        self.room = room
        self.held = 0

    @property
    def largest(self) -> int:
        """Bytes of the largest body that fits into the empty room."""
        return largest_body(self.room)

    @contextmanager
    def hold(self) -> Iterator[Hold]:
        """Return what a request takes bytes with; they are free again at the end."""
        hold = Hold(self)
        try:
            yield hold
        finally:
            self.held -= hold.bytes


class Hold:
    """What one request holds."""

    __slots__ = ("_bodies", "bytes")

    def __init__(self, bodies: Bodies) -> None:
        """Hold nothing yet."""
        self._bodies = bodies
        self.bytes = 0

    def foresee(self, size: int) -> None:
        """Refuse ``size`` more bytes of a body if they could never be taken.

        Raises:
            BodyTooLarge: they would not even fit into the empty room.
        """
        bodies = self._bodies
        if self.bytes + int(size * BODY_OVERHEAD) > bodies.room:
            raise BodyTooLarge(
                f"The body is larger than {bodies.largest} bytes, which is what this worker has "
                "memory for.",
                limit=bodies.largest,
            )

    def grow(self, size: int) -> None:
        """Take the memory of ``size`` more bytes of a body.

        Raises:
            Overloaded: other requests hold too much just now.
            BodyTooLarge: it would not even fit into the empty room.
        """
        self.foresee(size)
        bodies = self._bodies
        more = int(size * BODY_OVERHEAD)
        if bodies.held + more > bodies.room:
            raise Overloaded(
                "Other requests fill the memory that this worker has for bodies.",
                retry_after=_RETRY_AFTER,
            )
        bodies.held += more
        self.bytes += more
