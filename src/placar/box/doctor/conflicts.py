"""Which settings of a start command fight each other: each returns its evidence, or nothing."""

from __future__ import annotations

import re

from placar.box.doctor.case import MB, Case, at
from placar.box.doctor.finding import Evidence
from placar.box.doctor.sources import host_cpus, is_asgi
from placar.box.doctor.start import read_small
from placar.box.sizing import TYPICAL, usable

_ROUTER_SECONDS = 30
_ROUTER_KEEPALIVE = 90
_PLAIN_WORKER = 90 * MB
_MODEL_WORKER = 180 * MB
_OLD_CLASSES = ("uvicorn.workers.", "eventlet", "tornado")


def graceful(case: Case) -> list[Evidence]:
    """The graceful time-out outlasts the platform's patience."""
    graceful = case.settings.graceful_timeout if case.settings else 0
    told = case.start.platform in {"render", "heroku", "compose"}
    if not told or graceful <= case.start.patience:
        return []
    waits = Evidence(
        case.start.line,
        f"{case.start.platform} waits {case.start.patience:.0f} s before SIGKILL",
        case.start.file,
    )
    return [case.said("graceful_timeout", graceful), waits]


def overridden(case: Case) -> list[Evidence]:
    """GUNICORN_CMD_ARGS contradicts the configuration file."""
    if case.settings is None:
        return []
    found = case.settings
    lost = [
        name
        for name, text in found.by_file.items()
        if name in found.by_variable
        and name not in found.by_command
        and found.by_variable[name].strip("[]") != text.strip("[]")
    ]
    return [
        Evidence(
            case.start.line,
            f"{name}: {found.by_file[name]} in {found.config}, but "
            f"{found.by_variable[name]} in GUNICORN_CMD_ARGS",
            case.start.file,
        )
        for name in lost
    ]


def preload(case: Case) -> list[Evidence]:
    """A library with one OpenMP thread starts no pool, so it has nothing to lose in a fork."""
    openmp = case.sources.openmp
    if case.settings is None or not case.settings.preload_app or openmp is None:
        return []
    scripts = re.findall(r"[\w./-]+\.sh\b", case.start.command)
    calm = case.variables.get("OMP_NUM_THREADS") == "1" or any(
        "OMP_NUM_THREADS" in read_small(case.folder / name) for name in scripts
    )
    sets = "OMP_NUM_THREADS=1" in case.start.command
    return [] if calm or sets else [case.said("preload_app", value=True), at(openmp)]


def too_many(case: Case) -> list[Evidence]:
    """The workers typically need more than nine tenths of the memory."""
    if case.settings is None or case.settings.workers < 2:  # noqa: PLR2004 - one is the least
        return []
    workers = case.settings.workers
    own = "placar" in case.start.command or "scoring_api" in case.start.command
    each = _MODEL_WORKER if case.sources.openmp else _PLAIN_WORKER
    need = TYPICAL.master + workers * TYPICAL.worker if own else workers * each
    if need <= usable(case.memory):
        return []
    size = Evidence(
        case.start.line,
        f"typically about {need // MB} MB for {workers} workers; the limit is "
        f"{case.memory // MB} MB",
        case.start.file,
    )
    return [case.said("workers", workers), size]


def no_timeout(case: Case) -> list[Evidence]:
    """The watchdog is off."""
    off = case.settings is not None and case.settings.timeout == 0
    return [case.said("timeout", 0)] if off else []


def recycling(case: Case) -> list[Evidence]:
    """Workers are recycled by count and have background tasks."""
    limit = case.settings.max_requests if case.settings else 0
    tasks = case.sources.background
    return [case.said("max_requests", limit), at(tasks)] if limit and tasks else []


def keepalive(case: Case) -> list[Evidence]:
    """Connections are closed before the router lets go of them."""
    seconds = case.settings.keepalive if case.settings else _ROUTER_KEEPALIVE
    short = case.start.platform == "heroku" and seconds < _ROUTER_KEEPALIVE
    return [case.said("keepalive", seconds)] if short and case.is_async else []


def sync_for_asgi(case: Case) -> list[Evidence]:
    """The application speaks ASGI, the worker WSGI."""
    sync = case.settings is not None and case.settings.worker_class in {"sync", "gthread"}
    if sync and case.settings and is_asgi(case.folder, case.app):
        return [case.said("worker_class", case.settings.worker_class)]
    return []


def old_class(case: Case) -> list[Evidence]:
    """The worker class is deprecated or removed."""
    name = case.settings.worker_class if case.settings else ""
    return [case.said("worker_class", name)] if name.startswith(_OLD_CLASSES) else []


def bind(case: Case) -> list[Evidence]:
    """On a platform the port is the platform's: a fixed or local one is not reachable."""
    if case.start.platform not in {"render", "heroku"} or case.settings is None:
        return []
    port = case.variables.get("PORT") or "10000"
    wrong = [
        bind
        for bind in case.settings.bind
        if bind.startswith(("127.", "localhost", "[::1]")) or bind.rpartition(":")[2] != port
    ]
    return [case.said("bind", bind) for bind in wrong]


def bare_local(case: Case) -> list[Evidence]:
    """A bare uvicorn without an address."""
    bare = "uvicorn" in case.start.command and "gunicorn" not in case.start.command
    return [case.here] if bare and "--host" not in case.start.command else []


def no_exec(case: Case) -> list[Evidence]:
    """A shell stays in front of the server."""
    if case.start.platform not in {"docker", "compose"} or not case.start.shell:
        return []
    last = re.split(r"&&|;", case.start.command)[-1]
    bare = re.search(r"\bexec\s", last) is None
    simple = case.start.command.strip().startswith(("gunicorn", "uvicorn", "python"))
    in_shell = re.match(r"(?:/\S+/)?(?:ba)?sh -\w*c", case.start.command) is not None
    shell_form = case.start.platform == "docker" and simple
    return [case.here] if bare and (in_shell or shell_form) else []


def literal_port(case: Case) -> list[Evidence]:
    """A variable where no shell replaces it."""
    return [case.here] if not case.start.shell and "$" in case.start.command else []


def tmp_dir(case: Case) -> list[Evidence]:
    """The heartbeat file is on a container's disk."""
    on_disk = case.settings is not None and case.settings.worker_tmp_dir is None
    inside = case.start.platform in {"docker", "compose"}
    return [case.said("worker_tmp_dir", "none")] if on_disk and inside else []


def misspelt(case: Case) -> list[Evidence]:
    """The variable that Python does not read."""
    variables = case.variables
    wrong = "PYTHON_UNBUFFERED" in variables and "PYTHONUNBUFFERED" not in variables
    return [Evidence(case.start.line, "PYTHON_UNBUFFERED", case.start.file)] if wrong else []


def above_router(case: Case) -> list[Evidence]:
    """An async worker's time-out is no limit on a request, so only sync workers are meant."""
    seconds = case.settings.timeout if case.settings else 0
    above = case.start.platform == "heroku" and seconds > _ROUTER_SECONDS and not case.is_async
    return [case.said("timeout", seconds)] if above else []


def cpu_count(case: Case) -> list[Evidence]:
    """A fraction is read as a whole number."""
    return [at(case.sources.cpu_count)] if case.sources.cpu_count else []


def counted_cpus(case: Case) -> list[Evidence]:
    """Workers are counted from the host's CPUs."""
    place = host_cpus(case.folder, case.settings.config if case.settings else "")
    if "nproc" in case.start.command:
        return [case.here]
    return [at(place)] if place else []


def refused(case: Case) -> list[Evidence]:
    """Gunicorn's own loader refuses the settings."""
    return [Evidence(case.start.line, case.refused, case.start.file)] if case.refused else []


def concurrency(case: Case) -> list[Evidence]:
    """WEB_CONCURRENCY is no whole number; its value is not shown."""
    value = case.variables.get("WEB_CONCURRENCY", "1").strip()
    shown = f"WEB_CONCURRENCY is no number ({len(value)} characters)"
    odd = not (value.isascii() and value.isdigit()) and value != ""
    return [Evidence(case.start.line, shown, case.start.file)] if odd else []


def reload(case: Case) -> list[Evidence]:
    """Development's reload is on."""
    on = case.settings is not None and case.settings.reload
    bare = re.search(r"\buvicorn\b.*--reload\b", case.start.command)
    return [case.here] if on or bare else []
