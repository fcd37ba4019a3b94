"""What the event loop itself does once a second, whichever server runs it."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import cast

from uvicorn import Server

from placar.web.guard import Guard
from placar.web.protocol import GuardedHttp

_log = logging.getLogger(__name__)

_EVERY = 1.0

GRACE = 20
"""Seconds that answers get while the server stops; less than gunicorn and platforms wait."""


def guard_connections(server: Server, guard: Guard) -> None:
    """Have a server that does not listen yet speak ``GuardedHttp``, and stop within ``GRACE``.

    From here rather than by a worker class of ours: so it holds for every way of starting.
    """
    speak = partial(GuardedHttp, guard)
    server.config.http_protocol_class = cast("type[asyncio.Protocol]", speak)
    server.config.timeout_graceful_shutdown = GRACE


async def attend(server: Server | None, guard: Guard) -> None:
    """Look at the connections, and tell a gunicorn master that the loop is alive.

    Uvicorn tells it every half of the time-out only, and by the wall clock: a block of half the
    time-out can be fatal then, and a clock that is set back silences a worker until it is killed.
    """
    beat = server.config.callback_notify if server is not None else None
    while True:
        try:
            guard.look_around()
            if beat is not None:
                await beat()
        except Exception:  # noqa: BLE001 - an outermost loop: without it nothing is ever ended
            _log.exception("attendance_failed")
        await asyncio.sleep(_EVERY)
