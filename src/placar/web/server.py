"""What happens before and around the workers, whichever server starts them.

``gunicorn_conf.py`` calls these from gunicorn's hooks; ``lifespan.py`` calls ``ensure_key`` under
plain uvicorn.
"""

from __future__ import annotations

import ipaddress
import logging
import math
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from placar.box.cpu_share import SAFE
from placar.box.flight.crashes import CrashFolder
from placar.box.limits import box_limit, cpu_quota, memory_use
from placar.box.report import box_report, log_report
from placar.box.sizing import TYPICAL, default_workers, memory_for_bodies, share_of_worker
from placar.errors import ConfigurationError, PlacarError
from placar.settings import Settings, unknown_variables, worker_count
from placar.store.database import Store
from placar.store.keys import SCOPES, KeyStore
from placar.web.services import Services

_log = logging.getLogger(__name__)

_SHORTEST_KEY = 16
"""Characters of the administrator's key on a public address."""
_WRONG_USE = 2
_FAILED = 1

_LATE = (
    "uvloop",
    "httptools",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
    "fastapi.telemetry._runtime",
)
"""What a worker would import only after the fork."""

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where gunicorn advises to keep heartbeat files


def prepare(settings: Settings, hosts: Iterable[str]) -> Store:
    """Make the home, bring the store up to date, and see to it that there is a key.

    Returns the store with every connection closed: workers may inherit it over a fork.

    Args:
        settings: where everything is.
        hosts: addresses that will be listened on; a path of a socket counts as local.

    Raises:
        ConfigurationError: a public address without any key, or with a short one.
        DiskFull: the home cannot be made or written to.
        StoreUnavailable: the database cannot be reached.
    """
    services = Services.open(settings)
    try:
        key, listening = admin_key(settings), list(hosts)
        if key:
            _refuse_a_short_key(key, listening)
        elif not services.keys.active():
            ensure_key(services.keys, listening)
        _warn(settings, services)
        services.rehearse()
    finally:
        services.close()
    return services.store


def _warn(settings: Settings, services: Services) -> None:
    """Log what is probably not meant, once, before the first request finds out."""
    for name, meant in unknown_variables().items():
        _log.warning("unknown_setting", extra={"setting": name, "did_you_mean": meant})
    if services.registry.champion(settings.model) is None:
        fields = {"model": settings.model, "home": str(settings.home.absolute())}
        _log.warning("no_champion_yet", extra=fields)


def _refuse_a_short_key(key: str, hosts: Iterable[str]) -> None:
    public = [host for host in hosts if not is_local(host)]
    if public and len(key) < _SHORTEST_KEY:
        raise ConfigurationError(
            f"The service would listen on {public[0] or 'every address'} with a PLACAR_ADMIN_KEY "
            f"of fewer than {_SHORTEST_KEY} characters.",
            way_out="Choose a long random one: `openssl rand -hex 24` prints one.",
        )


def admin_key(settings: Settings) -> str:
    """Return the administrator's key, empty when there is none."""
    return settings.admin_key.get_secret_value().strip() if settings.admin_key else ""


def ensure_key(keys: KeyStore, hosts: Iterable[str]) -> None:
    """Make the first key and print it this once, if only this machine can reach the service.

    Raises:
        ConfigurationError: others can reach it.
    """
    public = [host for host in hosts if not is_local(host)]
    if public:
        raise ConfigurationError(
            f"The service would listen on {public[0] or 'every address'} without any API key.",
            way_out=(
                "Make one with `placar keys create --scope read --scope score --scope train`, "
                "or set PLACAR_ADMIN_KEY."
            ),
        )
    secret = keys.create("first start", SCOPES).secret
    # To the terminal and not into the log: a log is kept, a key is shown once.
    sys.stderr.write(
        f"\nNo API key existed, so this one was made. It is not shown again:\n\n  {secret}\n\n"
    )
    sys.stderr.flush()


def is_local(host: str) -> bool:
    """Tell whether only this machine can reach a host, or path of a socket."""
    if host == "localhost" or "/" in host:
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def refuse(error: PlacarError) -> NoReturn:
    """Say why the service does not start, in one sentence, and leave."""
    sys.stderr.write(f"placar: {error.sentence}\n")
    sys.stderr.flush()
    raise SystemExit(_WRONG_USE if isinstance(error, ConfigurationError) else _FAILED)


def bind_address(settings: Settings) -> str:
    """Return host:port, with brackets around an IPv6 host."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{host}:{settings.port}"


def workers(settings: Settings) -> int:
    """Return how many web workers there are, or to start: as asked for, else as many as fit."""
    started = worker_count()  # a command line knows better than the settings
    if started is not None:
        return started
    if settings.workers is not None:
        return settings.workers
    limit = box_limit(settings)
    return default_workers(limit.bytes, settings.run_memory)


def report_box(settings: Settings, workers: int) -> None:
    """Log what the box has and what serving takes of it, by what is known without measuring.

    Args:
        settings: what was set.
        workers: how many web workers there will be, whoever decided so.
    """
    chosen = settings.model_copy(update={"workers": workers})
    limit = box_limit(settings)
    cpus = cpu_quota(plan_cpu=settings.plan_cpu)
    log_report(box_report(chosen, limit, TYPICAL, in_use=memory_use(), cpus=cpus))


def report_crashes(settings: Settings) -> None:
    """Find what an earlier service left behind, and log its last crash once. For a master."""
    crashes = CrashFolder(settings.flight)
    try:
        crashes.recover()
        crashes.tell()
    except OSError as error:
        _log.warning("flight_not_recorded", extra={"error": error.strerror})


def room_for_bodies(settings: Settings) -> int:
    """Return the bytes that the requests of one worker may hold together."""
    limit = box_limit(settings)
    return memory_for_bodies(limit.bytes, workers(settings), settings.run_memory)


def share_of_memory(settings: Settings) -> int:
    """Return the bytes that one worker may hold alone before it is replaced."""
    limit = box_limit(settings)
    share = share_of_worker(limit.bytes, workers(settings), settings.run_memory)
    return settings.worker_memory or share


def cpus_for_rows(settings: Settings) -> float:
    """Return the CPUs that one worker may use on average, without end where there is no quota."""
    quota = cpu_quota(plan_cpu=settings.plan_cpu)
    usable = len(os.sched_getaffinity(0))
    return SAFE * quota / workers(settings) if quota < usable else math.inf


def worker_folder() -> str | None:
    """Return where gunicorn keeps its heartbeat files: in memory, so that no disk stalls them."""
    return str(_SHARED_MEMORY) if _SHARED_MEMORY.is_dir() else None


def import_ahead() -> None:
    """Import in the master what each worker would otherwise import for itself."""
    for name in _LATE:
        with suppress(ImportError):  # of another version of these libraries, or not installed
            import_module(name)


def free_slot(taken: Iterable[int]) -> int:
    """Return the smallest number that no worker has.

    >>> free_slot([0, 2])
    1
    """
    used = set(taken)
    return next(number for number in range(len(used) + 1) if number not in used)
