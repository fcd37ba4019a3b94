"""Learning that the server is about to stop, while requests still run.

Uvicorn ends the lifespan only after every connection is closed and every background task is
done. Whoever follows a run, or streams events, must hear of it earlier, or the worker would
wait for the end of a run and be killed for it. The server object tells: it is the owner of the
signal handler that it installs, and it closes its listening sockets first, also when it stops
without a signal (``--max-requests``).
"""

from __future__ import annotations

import asyncio
import signal
from threading import Event

from uvicorn import Server

_PAUSE = 0.2


def running_server() -> Server | None:
    """Return the uvicorn server that runs this application, if one does."""
    owner = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return owner if isinstance(owner, Server) else None


def listening_hosts(server: Server) -> list[str]:
    """Return the hosts that a server listens on, as far as it was told.

    A gunicorn worker gets sockets that are open already; its uvicorn believes to be on loopback.
    """
    worker = getattr(server.config.callback_notify, "__self__", None)
    addresses = getattr(getattr(worker, "cfg", None), "address", None)
    if addresses is not None:
        return [each[0] if isinstance(each, tuple) else str(each) for each in addresses]
    if server.config.fd is not None:
        return [""]  # somebody else's socket: nobody here knows where it is
    return [server.config.uds or server.config.host]


def is_stopping(server: Server) -> bool:
    """Tell whether the server takes no new connections any more."""
    listening = getattr(server, "servers", ())
    return server.should_exit or any(not each.is_serving() for each in listening)


def stop_on_quit(server: Server) -> None:
    """Let SIGQUIT, by which a gunicorn master hurries its workers, stop the server as well.

    Uvicorn's worker only takes a note of it, and is killed for that half a minute later.
    """

    def stop() -> None:
        server.should_exit = True

    asyncio.get_running_loop().add_signal_handler(signal.SIGQUIT, stop)


async def set_when_stopping(stopping: Event) -> None:
    """Set the event as soon as the server begins to stop."""
    server = running_server()
    if server is None:
        return
    while not is_stopping(server):  # noqa: ASYNC110 - the server tells nobody: it must be asked
        await asyncio.sleep(_PAUSE)
    stopping.set()
