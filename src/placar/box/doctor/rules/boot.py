"""Services that never came up, each with the reason and not only "Worker failed to boot"."""

from __future__ import annotations

from placar.box.doctor.clues import Follows, Seen
from placar.box.doctor.finding import Confidence
from placar.box.doctor.rule import On, Rule

_DOWN = (
    "boot_failed",
    "crash_loop",
    "app_crashed",
    "exit_status",
    "no_open_port",
    "health_check_refused",
    "heroku_boot_timeout",
    "deploy_timed_out",
)
_TRY = 'Try it without a server: `python -c "import module_of_your_app"` in the same environment.'
_NOT_TIMEOUT = "Do not change time-outs or workers: nothing of that is reached."
_ENDS = Seen(("boot_failed", "load_failed", "exit_3", "exited_early"))

BOOT: tuple[Rule, ...] = (
    Rule(
        id="web_concurrency_not_a_number",
        title="WEB_CONCURRENCY is not a whole number",
        when=(Seen(("web_concurrency",)),),
        confidence=Confidence.CERTAIN,
        what=("The server reads WEB_CONCURRENCY at import and could not.",),
        why=('It must be a whole number; "auto", "0.5" or "$(nproc)" are not evaluated.',),
        fix=("Set WEB_CONCURRENCY to a number such as 1 or 2, or remove it.",),
        avoid=("Do not give -w instead: the variable is read all the same.",),
        adds=(Seen(("boot_traceback", "traceback")),),
        explains=("import_crash", *_DOWN),
    ),
    Rule(
        id="port_not_expanded",
        title="The text $PORT reached the server: no shell replaced it",
        when=(Seen(("literal_port",)),),
        confidence=Confidence.CERTAIN,
        what=("The server was told to listen on a port called $PORT.",),
        why=("Variables are replaced by a shell. The JSON form of CMD, and quotes, have none.",),
        fix=(
            'Dockerfile: CMD ["sh", "-c", "exec gunicorn -b 0.0.0.0:$PORT main:app"].',
            "Or leave -b away: gunicorn binds to 0.0.0.0:$PORT by itself when PORT is set.",
        ),
        avoid=("Do not write a fixed port if the platform chooses one.",),
        explains=_DOWN,
    ),
    Rule(
        id="wrong_worker_class",
        title="gunicorn cannot load the worker class it was given",
        when=(Seen(("bad_class",)),),
        confidence=Confidence.CERTAIN,
        what=("The class that -k names is not there; the traceback below the line says why.",),
        why=(
            (
                "The package is not installed in this environment, the name is misspelt, or this "
                "version no longer has it (eventlet was removed in gunicorn 26)."
            ),
        ),
        fix=(
            (
                "For FastAPI and other ASGI applications: `pip install uvicorn-worker` and "
                "`-k uvicorn_worker.UvicornWorker`, or `-k asgi` with gunicorn 25.1 or later."
            ),
            "For gevent: `pip install gunicorn[gevent]`. Instead of eventlet use gthread.",
        ),
        avoid=("Do not fall back to the sync worker for an ASGI application: it cannot run it.",),
        explains=("missing_module", "import_crash", *_DOWN),
    ),
    Rule(
        id="app_not_found",
        title="The server cannot find the application that the command names",
        when=(Seen(("no_app",)),),
        confidence=Confidence.CERTAIN,
        what=(
            "The `module:name` at the end of the command leads nowhere.",
            On("has_reason", "Uvicorn says: {reason}"),
        ),
        why=(
            (
                "The module is not on the path from the folder the server starts in, or has no "
                "object of that name."
            ),
        ),
        fix=(
            "Start from the repository's root, or use --chdir (gunicorn) or --app-dir (uvicorn).",
            (
                "Write `package.module:object`; for a factory `module:create_app()` (gunicorn) or "
                "--factory (uvicorn)."
            ),
            _TRY,
        ),
        avoid=(_NOT_TIMEOUT,),
        adds=(Seen(("load_failed",)),),
        explains=("missing_module", "import_crash", *_DOWN),
    ),
    Rule(
        id="not_installed",
        title="The program to start is not installed where it is started",
        when=(Seen(("not_installed",)),),
        confidence=Confidence.CERTAIN,
        what=("{program} was not found.",),
        why=(
            (
                "It is missing from requirements.txt or the lock file, or the build installed into "
                "another environment than the one that is started."
            ),
        ),
        fix=(
            "Add {program} to the requirements and deploy again.",
            (
                "If there is a virtual environment, start its own: `.venv/bin/{program}`, or "
                "`python -m {program}`."
            ),
        ),
        avoid=("Do not install it in the start command.",),
        explains=_DOWN,
    ),
    Rule(
        id="wrong_option",
        title="The server does not know an option of the start command",
        when=(Seen(("wrong_option", "config_failed")),),
        confidence=Confidence.CERTAIN,
        what=("The command or the configuration file was refused.",),
        why=("The option is misspelt, belongs to another server, or is newer than this version.",),
        fix=(
            (
                "Compare with `gunicorn --help` or `uvicorn --help` of the installed version; "
                "`gunicorn --check-config` tries a configuration."
            ),
            "Look into GUNICORN_CMD_ARGS too.",
        ),
        avoid=(_NOT_TIMEOUT,),
        explains=("import_crash", *_DOWN),
    ),
    Rule(
        id="worker_tmp_dir_missing",
        title="The folder of --worker-tmp-dir does not exist",
        when=(Seen(("no_tmp",)),),
        confidence=Confidence.CERTAIN,
        what=("gunicorn could not make its heartbeat file.",),
        why=("Not every container has /dev/shm or the folder that is named.",),
        fix=("Remove --worker-tmp-dir, or name a folder that exists and may be written to.",),
        avoid=(_NOT_TIMEOUT,),
        explains=("import_crash", *_DOWN),
    ),
    Rule(
        id="missing_library",
        title="A system library is missing",
        when=(Seen(("no_library",)),),
        confidence=Confidence.CERTAIN,
        what=("{library} could not be loaded.",),
        why=("Slim images lack libraries that Python wheels expect, most often libgomp.so.1.",),
        fix=(
            "libgomp.so.1: `apt-get install -y libgomp1` (Alpine: `apk add libgomp`).",
            "For another library find its package (`apt-file search NAME`) and install that.",
        ),
        avoid=("Do not copy single .so files into the image.",),
        adds=(_ENDS,),
        explains=("missing_module", "import_crash", "lifespan_failed", *_DOWN),
    ),
    Rule(
        id="wrong_build",
        title="A program or package was built for another system",
        when=(Seen(("wrong_build",)),),
        confidence=Confidence.CERTAIN,
        what=("What is installed does not fit this machine's processor or C library.",),
        why=("The image was built on another architecture (arm64 and amd64), or a newer Linux.",),
        fix=(
            "Build the image for the target: `docker build --platform linux/amd64`.",
            "Install packages in the image that runs them, not in another stage's system.",
        ),
        avoid=(_NOT_TIMEOUT,),
        explains=("missing_module", "import_crash", *_DOWN),
    ),
    Rule(
        id="missing_module",
        title="The application cannot be imported: a module is missing",
        when=(Seen(("boot_missing",)),),
        confidence=Confidence.CERTAIN,
        what=("{error}", On("has_place", "(asked for at {place})")),
        why=(
            (
                "The package is not in the requirements that were installed, its version lacks the "
                "name, or the server starts in another folder than the code expects."
            ),
        ),
        fix=(
            (
                "Add it to the requirements and deploy again; if the module is your own, "
                "start from "
                ""
                ""
                "the right folder (--chdir) or correct the import."
            ),
            _TRY,
        ),
        avoid=(_NOT_TIMEOUT,),
        adds=(_ENDS,),
        explains=("import_crash", *_DOWN),
    ),
    Rule(
        id="lifespan_failed",
        title="The application's own start-up code failed",
        when=(Seen(("lifespan_failed",)),),
        confidence=Confidence.CERTAIN,
        what=(
            "The lifespan (startup event) raised, so the server gave up.",
            On("has_error", "The error: {error}"),
            On("has_place", "(at {place})"),
        ),
        why=(
            (
                "Something that is done before the first request failed: a model file, a database, "
                "a setting."
            ),
        ),
        fix=(
            On("has_error", "Mend that error; it is the cause, the rest follows from it."),
            (
                "Let start-up fail only for what the service cannot do without; load the "
                "rest later "
                ""
                ""
                "and answer 503 until it is there."
            ),
        ),
        avoid=(_NOT_TIMEOUT,),
        adds=(
            Follows(("traceback",), ("lifespan_failed",), same_pid=False, lines=40),
            _ENDS,
        ),
        explains=("import_crash", *_DOWN),
    ),
    Rule(
        id="import_crash",
        title="The application crashes while it is imported",
        when=(Seen(("boot_traceback",)),),
        confidence=Confidence.CERTAIN,
        what=("The real error: {error}", On("has_place", "(at {place})")),
        why=(
            (
                "The server imports your code before it serves. The code raised there; everything "
                "after it in the log (failed to boot, restarts, closed ports) is a consequence."
            ),
        ),
        fix=(
            "Mend that error. If it is a missing setting, set the variable on the platform.",
            "Connect to databases and load models in the lifespan, not at import.",
            _TRY,
        ),
        avoid=(_NOT_TIMEOUT,),
        adds=(_ENDS,),
        explains=_DOWN,
    ),
    Rule(
        id="port_in_use",
        title="The port is already taken",
        when=(Seen(("in_use",)),),
        confidence=Confidence.CERTAIN,
        what=("Another process listens at the address.",),
        why=(
            (
                "An old master or an orphaned worker still runs (a uvicorn worker whose master was "
                "killed keeps the port), two servers are started, or a debug server is on."
            ),
        ),
        fix=(
            "Find it: `ss -ltnp` or `lsof -i :PORT`, and end it.",
            "Start with `exec`, so that stopping the container reaches gunicorn itself.",
        ),
        avoid=("Do not end the old master with kill -9: its workers stay and hold the port.",),
        explains=("cannot_bind", *_DOWN),
    ),
    Rule(
        id="cannot_bind",
        title="The server may not, or cannot, listen at the address it was given",
        when=(Seen(("no_address", "no_permission")),),
        confidence=Confidence.CERTAIN,
        what=("Binding failed ({often}).",),
        why=(
            (
                "The address is not one of this machine, or the port is below 1024 and the user is "
                "not root."
            ),
        ),
        fix=("Bind to 0.0.0.0:$PORT, with a port above 1023.",),
        avoid=("Do not run as root for a low port: the platform maps ports.",),
        explains=_DOWN,
    ),
    Rule(
        id="bound_to_localhost",
        title="The server listens on 127.0.0.1, where the platform cannot reach it",
        when=(
            Seen(("listens_local",)),
            Seen(("no_port", "heroku_r10", "probe_refused", "health_refused", "deploy_timeout")),
        ),
        confidence=Confidence.CERTAIN,
        what=("It started well, but only on the loopback address.",),
        why=("127.0.0.1 is reachable from inside the container only. It is uvicorn's default.",),
        fix=("gunicorn: `-b 0.0.0.0:$PORT`. uvicorn: `--host 0.0.0.0 --port $PORT`.",),
        avoid=("Do not change the health check.",),
        explains=_DOWN,
    ),
    Rule(
        id="asgi_app_in_sync_worker",
        title="An ASGI application runs in a worker for WSGI",
        when=(Seen(("wrong_app_kind",)),),
        confidence=Confidence.CERTAIN,
        what=("The worker calls the application the WSGI way, so every request fails.",),
        why=("FastAPI and Starlette speak ASGI; gunicorn's default worker (sync) does not.",),
        fix=(
            (
                "Add `-k uvicorn_worker.UvicornWorker` (package uvicorn-worker), or `-k asgi` with "
                "gunicorn 25.1 or later."
            ),
        ),
        avoid=("Do not wrap the application in an adapter.",),
    ),
    Rule(
        id="control_socket_failed",
        title="gunicorn could not make its control socket (the service runs all the same)",
        when=(Seen(("control_socket",)),),
        confidence=Confidence.CERTAIN,
        what=("gunicorn 25.1 and later open a socket under HOME, which is not writable here.",),
        why=("Containers often have a read-only or missing home folder.",),
        fix=("Add --no-control-socket (control_socket_disable = True).",),
        avoid=("Do not look for the cause of a crash here: this line is harmless.",),
    ),
)
