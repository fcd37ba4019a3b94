"""Every check of a start command, as data, each with its test above the table."""

from __future__ import annotations

import re

from placar.box.doctor.case import MB, Case, Check, at
from placar.box.doctor.finding import Confidence, Evidence
from placar.box.doctor.sources import host_cpus, is_asgi
from placar.box.doctor.start import read_small
from placar.box.sizing import TYPICAL, usable

_ROUTER_SECONDS = 30
_ROUTER_KEEPALIVE = 90
_PLAIN_WORKER = 90 * MB
_MODEL_WORKER = 180 * MB
_OLD_CLASSES = ("uvicorn.workers.", "eventlet", "tornado")


def _graceful(case: Case) -> list[Evidence]:
    graceful = case.settings.graceful_timeout if case.settings else 0
    told = case.start.platform in {"render", "heroku", "compose"}
    if not told or graceful < case.start.patience:
        return []
    waits = Evidence(
        case.start.line,
        f"{case.start.platform} waits {case.start.patience:.0f} s before SIGKILL",
        case.start.file,
    )
    return [case.said("graceful_timeout", graceful), waits]


def _overridden(case: Case) -> list[Evidence]:
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


def _preload(case: Case) -> list[Evidence]:
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


def _too_many(case: Case) -> list[Evidence]:
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


def _no_timeout(case: Case) -> list[Evidence]:
    off = case.settings is not None and case.settings.timeout == 0
    return [case.said("timeout", 0)] if off else []


def _recycling(case: Case) -> list[Evidence]:
    limit = case.settings.max_requests if case.settings else 0
    tasks = case.sources.background
    return [case.said("max_requests", limit), at(tasks)] if limit and tasks else []


def _keepalive(case: Case) -> list[Evidence]:
    seconds = case.settings.keepalive if case.settings else _ROUTER_KEEPALIVE
    short = case.start.platform == "heroku" and seconds < _ROUTER_KEEPALIVE
    return [case.said("keepalive", seconds)] if short and case.is_async else []


def _sync_for_asgi(case: Case) -> list[Evidence]:
    sync = case.settings is not None and case.settings.worker_class in {"sync", "gthread"}
    if sync and case.settings and is_asgi(case.folder, case.app):
        return [case.said("worker_class", case.settings.worker_class)]
    return []


def _old_class(case: Case) -> list[Evidence]:
    name = case.settings.worker_class if case.settings else ""
    return [case.said("worker_class", name)] if name.startswith(_OLD_CLASSES) else []


def _bind(case: Case) -> list[Evidence]:
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


def _bare_local(case: Case) -> list[Evidence]:
    bare = "uvicorn" in case.start.command and "gunicorn" not in case.start.command
    return [case.here] if bare and "--host" not in case.start.command else []


def _no_exec(case: Case) -> list[Evidence]:
    if case.start.platform not in {"docker", "compose"} or not case.start.shell:
        return []
    last = re.split(r"&&|;", case.start.command)[-1]
    bare = re.search(r"\bexec\s", last) is None
    simple = case.start.command.strip().startswith(("gunicorn", "uvicorn", "python"))
    in_shell = re.match(r"(?:/\S+/)?(?:ba)?sh -\w*c", case.start.command) is not None
    shell_form = case.start.platform == "docker" and simple
    return [case.here] if bare and (in_shell or shell_form) else []


def _literal_port(case: Case) -> list[Evidence]:
    return [case.here] if not case.start.shell and "$" in case.start.command else []


def _tmp_dir(case: Case) -> list[Evidence]:
    on_disk = case.settings is not None and case.settings.worker_tmp_dir is None
    inside = case.start.platform in {"docker", "compose"}
    return [case.said("worker_tmp_dir", "none")] if on_disk and inside else []


def _misspelt(case: Case) -> list[Evidence]:
    variables = case.variables
    wrong = "PYTHON_UNBUFFERED" in variables and "PYTHONUNBUFFERED" not in variables
    return [Evidence(case.start.line, "PYTHON_UNBUFFERED", case.start.file)] if wrong else []


def _above_router(case: Case) -> list[Evidence]:
    """An async worker's time-out is no limit on a request, so only sync workers are meant."""
    seconds = case.settings.timeout if case.settings else 0
    above = case.start.platform == "heroku" and seconds > _ROUTER_SECONDS and not case.is_async
    return [case.said("timeout", seconds)] if above else []


def _cpu_count(case: Case) -> list[Evidence]:
    return [at(case.sources.cpu_count)] if case.sources.cpu_count else []


def _host_cpus(case: Case) -> list[Evidence]:
    place = host_cpus(case.folder, case.settings.config if case.settings else "")
    if "nproc" in case.start.command:
        return [case.here]
    return [at(place)] if place else []


def _refused(case: Case) -> list[Evidence]:
    return [Evidence(case.start.line, case.refused, case.start.file)] if case.refused else []


def _concurrency(case: Case) -> list[Evidence]:
    value = case.variables.get("WEB_CONCURRENCY", "1").strip()
    shown = f"WEB_CONCURRENCY is no number ({len(value)} characters)"
    odd = not (value.isascii() and value.isdigit()) and value != ""
    return [Evidence(case.start.line, shown, case.start.file)] if odd else []


def _reload(case: Case) -> list[Evidence]:
    on = case.settings is not None and case.settings.reload
    bare = re.search(r"\buvicorn\b.*--reload\b", case.start.command)
    return [case.here] if on or bare else []


CHECKS: tuple[Check, ...] = (
    Check(
        "web_concurrency_no_number",
        "WEB_CONCURRENCY is not a whole number",
        Confidence.CERTAIN,
        _concurrency,
        "Neither gunicorn nor uvicorn starts with it.",
        "They read it with int() while they are imported, even when -w is given.",
        ("Set it to 1 or 2, or remove it.",),
        "Do not write 0.5 or auto.",
    ),
    Check(
        "gunicorn_refuses",
        "gunicorn would not start with these settings",
        Confidence.LIKELY,
        _refused,
        "Its own loader refused the command or the configuration file here.",
        "An option is wrong, the file raises, or it needs something that is only on the platform.",
        ("Run `gunicorn --check-config` with the same words and see what it says.",),
        "Do not deploy before it passes.",
    ),
    Check(
        "port_never_replaced",
        "$PORT is never replaced: the command runs without a shell",
        Confidence.CERTAIN,
        _literal_port,
        "The JSON form of CMD gives the server the text $PORT itself.",
        "Only a shell replaces variables.",
        ('CMD ["sh", "-c", "exec gunicorn -b 0.0.0.0:$PORT …"]',),
        "Do not write a fixed port where the platform chooses one.",
    ),
    Check(
        "sync_worker_for_asgi",
        "An ASGI application is given to a worker for WSGI",
        Confidence.CERTAIN,
        _sync_for_asgi,
        "Every request would fail.",
        "FastAPI and Starlette speak ASGI; sync and gthread workers do not.",
        ("Add `-k uvicorn_worker.UvicornWorker` (package uvicorn-worker).",),
        "Do not wrap the application in an adapter.",
    ),
    Check(
        "bind_misses_port",
        "The server does not listen where the platform looks",
        Confidence.LIKELY,
        _bind,
        "The address is local, or its port is not the platform's PORT.",
        "The platform sends requests to 0.0.0.0:$PORT. On Render GUNICORN_CMD_ARGS beats the "
        "configuration file with port 10000.",
        ("Put `-b 0.0.0.0:$PORT` on the command line: it beats everything else.",),
        "Do not set bind in gunicorn.conf.py only.",
    ),
    Check(
        "uvicorn_is_local",
        "uvicorn listens on 127.0.0.1 unless --host says otherwise",
        Confidence.CERTAIN,
        _bare_local,
        "Nobody outside the container can reach it.",
        "That is uvicorn's default.",
        ("Add `--host 0.0.0.0 --port $PORT`.",),
        "Do not change the health check instead.",
    ),
    Check(
        "variable_beats_file",
        "GUNICORN_CMD_ARGS silently overrides the configuration file",
        Confidence.CERTAIN,
        _overridden,
        "What the file says about these settings does not count.",
        "gunicorn's order is: file, then GUNICORN_CMD_ARGS, then command line. Render's native "
        "Python sets the variable to --preload, an access log and port 10000.",
        (
            "Put what must win on the command line.",
            "Or set GUNICORN_CMD_ARGS yourself (there is no option that turns preload off).",
        ),
        "Do not edit the file again: it is not read last.",
    ),
    Check(
        "graceful_outlasts_platform",
        "The graceful time-out is longer than the platform waits",
        Confidence.CERTAIN,
        _graceful,
        "At a deploy requests that need that long are cut off by SIGKILL.",
        "After SIGTERM the platform waits its own time, then kills whatever is left.",
        (
            "Set --graceful-timeout some seconds below (25 where it waits 30).",
            "On Render maxShutdownDelaySeconds, in compose stop_grace_period can be longer.",
        ),
        "Do not rely on a longer graceful time-out alone.",
    ),
    Check(
        "workers_exceed_memory",
        "So many workers are likely to need more memory than there is",
        Confidence.LIKELY,
        _too_many,
        "The estimate is above nine tenths of the limit.",
        "Each worker has a memory of its own for what it loads; a model is loaded in each.",
        (
            "Set WEB_CONCURRENCY=1, measure, and only then add another.",
            "`placar check` measures what a worker of Placar costs on this machine.",
        ),
        "Do not follow 2 × cores + 1 in a small container.",
    ),
    Check(
        "preload_with_openmp",
        "preload together with a library that has OpenMP threads",
        Confidence.POSSIBLE,
        _preload,
        "If the model is used before the fork, its first call in a worker hangs for ever.",
        "A fork copies a thread pool's state without its threads.",
        (
            "Set OMP_NUM_THREADS=1, and load models in the lifespan, not at import.",
            "Or start without preload (on Render set GUNICORN_CMD_ARGS yourself).",
        ),
        "Do not answer such a hang with a longer --timeout.",
    ),
    Check(
        "max_requests_with_tasks",
        "--max-requests recycles workers that have background tasks",
        Confidence.LIKELY,
        _recycling,
        "A task that is running when its worker is recycled may be killed.",
        "A worker that waits for its tasks no longer reports to the master; after --timeout it "
        "is killed. Health checks count as requests as well.",
        ("Remove --max-requests, or run the work in a process of its own.",),
        "Do not only raise the number.",
    ),
    Check(
        "timeout_is_off",
        "--timeout 0 turns the watchdog off",
        Confidence.CERTAIN,
        _no_timeout,
        "A worker that hangs is never replaced.",
        "gunicorn then stops looking whether its workers still report.",
        ("Set --timeout 60 and mend what blocks.",),
        "Do not use 0 to silence WORKER TIMEOUT.",
    ),
    Check(
        "timeout_above_router",
        "--timeout is above the 30 seconds that Heroku's router waits",
        Confidence.LIKELY,
        _above_router,
        "Between 30 s and the time-out a worker computes for nobody.",
        "The router answers 503 (H12) after 30 s; that cannot be changed.",
        ("Set --timeout 30 or less, and move long work out of the request.",),
        "Do not raise it further.",
    ),
    Check(
        "keepalive_below_router",
        "keep-alive is shorter than the router keeps its connections",
        Confidence.POSSIBLE,
        _keepalive,
        "Now and then a request meets a connection that is just being closed: a random H13.",
        "Heroku's router reuses connections for up to 90 s.",
        ("Set --keep-alive 95 on Heroku.",),
        "Do not treat these as crashes.",
    ),
    Check(
        "shell_keeps_signals",
        "A shell is the container's first process and keeps SIGTERM to itself",
        Confidence.LIKELY,
        _no_exec,
        "`docker stop` waits its whole time and then kills; requests are cut off.",
        "The server is a child of the shell; signals go to the shell.",
        ("Write `exec` before the server's name.",),
        "Do not lengthen the stop time instead.",
    ),
    Check(
        "reload_in_production",
        "--reload is on",
        Confidence.CERTAIN,
        _reload,
        "Files are watched and workers restarted; that costs CPU and memory.",
        "It is meant for development.",
        ("Remove --reload.",),
        "Do not use it to deploy.",
    ),
    Check(
        "workers_from_host_cpus",
        "The number of workers is counted from the host's CPUs",
        Confidence.LIKELY,
        _host_cpus,
        "In a container this may start dozens of workers.",
        "nproc and cpu_count() see the host, not the container's quota.",
        ("Take WEB_CONCURRENCY, or a fixed small number.",),
        "Do not multiply what they say.",
    ),
    Check(
        "cpu_count_is_no_integer",
        "RENDER_CPU_COUNT is read as a whole number, but may be 0.5",
        Confidence.CERTAIN,
        _cpu_count,
        "int() of the text 0.5 raises ValueError, and the service does not start.",
        "Render sets it to the plan's CPUs; the small plans have half of one, or less.",
        ("Read it with float(), and round up where a number of workers is needed.",),
        "Do not catch the error and take the host's count.",
    ),
    Check(
        "old_worker_class",
        "The worker class is deprecated or gone",
        Confidence.CERTAIN,
        _old_class,
        "It still may work here, but a later version does not have it.",
        "uvicorn.workers moved to the package uvicorn-worker; gunicorn 26 removed eventlet.",
        ("Install uvicorn-worker and use `-k uvicorn_worker.UvicornWorker`, or gthread.",),
        "Do not pin an old gunicorn for it.",
    ),
    Check(
        "heartbeat_on_disk",
        "gunicorn's heartbeat file lies on the container's disk",
        Confidence.POSSIBLE,
        _tmp_dir,
        "When the disk is slow, workers may count as hung.",
        "Each worker touches a temporary file; in containers /tmp is a layered disk.",
        ("Add --worker-tmp-dir /dev/shm: the file is empty and costs no memory.",),
        "Do not raise --timeout for it.",
    ),
    Check(
        "unbuffered_misspelt",
        "PYTHON_UNBUFFERED does nothing: the variable is PYTHONUNBUFFERED",
        Confidence.CERTAIN,
        _misspelt,
        "What is printed appears late in the log, or is lost in a crash.",
        "Python reads the name without the underscore.",
        ("Set PYTHONUNBUFFERED=1.",),
        "Do not add flush=True everywhere.",
    ),
)
