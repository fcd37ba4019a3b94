"""Workers that were ended because they, or what they waited for, took too long."""

from __future__ import annotations

from placar.box.doctor.clues import Alone, Follows, Seen
from placar.box.doctor.finding import Confidence
from placar.box.doctor.rule import On, Rule

_TIMED_OUT = ("worker_timeout", "timeout_draining", "timeout_stopping")
_STACKS = Seen(("abort_stack", "abort_trace", "loop_blocked", "recorded_block"))
_BLOCKING = On("has_place", "The line that blocked: {place}.")
_MEASURE = On(
    "no_stack",
    "To see the line that blocks, put `import faulthandler; faulthandler.enable()` into "
    "gunicorn's post_worker_init hook: the next time-out prints it.",
)
_OFF_THE_LOOP = (
    On(
        "has_place",
        "Move what {place} does off the event loop: a plain `def` endpoint, "
        "`asyncio.to_thread`, or a small ThreadPoolExecutor with a bounded queue.",
    ),
    On(
        "no_stack",
        "Find the slow call inside `async def` (predict, pandas, requests, time.sleep, file "
        "reading) and move it off the event loop: a plain `def` endpoint, `asyncio.to_thread`, "
        "or a small ThreadPoolExecutor with a bounded queue.",
    ),
    (
        "Bound the work: answer 503 with Retry-After when the queue is full, so that waiting does "
        "not add up."
    ),
    "Run training and other long work in a process of its own, not in a BackgroundTask.",
)
_NOT_LONGER = "Do not only raise --timeout: every client then waits longer for the same block."
_ONE_SECOND = (
    "An async worker tells its master that it is alive from inside the event loop. The master "
    "heard nothing for --timeout seconds, so something held the loop (or Python's one lock, the "
    "GIL) all that time. It is not a limit on one request."
)

TIMEOUTS: tuple[Rule, ...] = (
    Rule(
        id="max_requests_lost_work",
        title="Recycling by --max-requests killed a worker that still had work to finish",
        when=(Seen(("timeout_draining",)),),
        confidence=Confidence.CERTAIN,
        what=(
            (
                "Worker {pid} had served its number of requests and was waiting for work "
                "to end when "
                ""
                ""
                "gunicorn's time-out killed it. That work is lost."
            ),
        ),
        why=(
            (
                "A worker that is being recycled waits for its background tasks, but no "
                "longer tells "
                ""
                ""
                "the master that it is alive. After --timeout seconds it counts as hung. Health "
                "checks count as requests too, so this happens without users."
            ),
        ),
        fix=(
            "Remove --max-requests and --max-requests-jitter.",
            "Run background work in a process of its own that outlives the worker.",
            "If memory grows, find out what holds it, or recycle on measured memory when idle.",
        ),
        avoid=("Do not raise --max-requests: it only makes the loss rarer.",),
        adds=(Seen(("recycled",)), Seen(("background",))),
    ),
    Rule(
        id="preload_openmp_hang",
        title="A model hung after --preload: its OpenMP threads did not survive the fork",
        when=(Seen(("worker_timeout",)), Seen(("preload",)), Seen(("library_stack",))),
        confidence=Confidence.LIKELY,
        what=(
            (
                "Worker {pid} was killed by its time-out while it was inside {library}, and the "
                "application had been loaded before the fork."
            ),
        ),
        why=(
            (
                "With --preload the application, and the thread pool of the model's "
                "library, is made "
                ""
                ""
                "in the master. A fork copies the pool's state but not its threads, so the first "
                "call in a worker waits for threads that do not exist."
            ),
            On("render", "Render's native Python runtime adds --preload by GUNICORN_CMD_ARGS."),
        ),
        fix=(
            (
                "Do not load or call the model before the fork: load it in the application's "
                "lifespan, or start without --preload."
            ),
            On("render", "On Render set GUNICORN_CMD_ARGS yourself, without --preload."),
            "Set OMP_NUM_THREADS=1 (and num_threads=1 / nthread=1 in the model).",
        ),
        avoid=("Do not raise --timeout: the call never returns.",),
        adds=(Seen(("abort",)),),
        explains=("blocked_loop", "timeout_called_memory", "worker_aborted"),
    ),
    Rule(
        id="timeout_before_its_time",
        title="The worker was killed earlier than --timeout says",
        when=(Seen(("early_timeout",)),),
        confidence=Confidence.CERTAIN,
        what=(
            "Worker {pid} was killed {age} s after it started, though --timeout is {seconds}.",
            _BLOCKING,
        ),
        why=(
            (
                "Uvicorn's gunicorn worker reports only every timeout/2 seconds. A block "
                "that begins "
                ""
                ""
                "just before a report is due has half of the time-out left, so a block of half the "
                "time-out can be fatal."
            ),
        ),
        fix=(
            "Treat half of --timeout as the longest block that is safe.",
            "Remove the block itself: move slow work off the event loop (see blocked_loop).",
            "Gunicorn's own asgi worker (-k asgi, gunicorn 25.1 or later) reports every second.",
        ),
        avoid=("Do not look for a second time-out setting: there is none.",),
        adds=(Seen(("abort",)), _STACKS),
    ),
    Rule(
        id="timeout_called_memory",
        title='A time-out that the log calls "out of memory"',
        when=(Follows(("worker_timeout",), ("worker_sigkill",)),),
        confidence=Confidence.CERTAIN,
        what=(
            (
                "Worker {pid} was silent for the whole time-out and was then killed by gunicorn "
                'itself. The line "Perhaps out of memory?" is a guess that gunicorn adds to every '
                "SIGKILL."
            ),
            _BLOCKING,
        ),
        why=(
            (
                "gunicorn first sends SIGABRT. A worker that handles it in its event loop, or is "
                "deep in C code, cannot react, so SIGKILL follows about a second later. WORKER "
                "TIMEOUT for the same process just before it shows that memory was not the reason."
            ),
        ),
        fix=(*_OFF_THE_LOOP, _MEASURE),
        avoid=("Do not buy memory for this.", _NOT_LONGER),
        adds=(_STACKS,),
        explains=("blocked_loop", "slow_sync_request"),
    ),
    Rule(
        id="slow_sync_request",
        title="A request took longer than --timeout in a sync worker",
        when=(Seen(("worker_timeout", "abort_trace")), Seen(("sync_worker",))),
        confidence=Confidence.LIKELY,
        what=(
            "gunicorn killed worker {pid} in the middle of a request.",
            _BLOCKING,
        ),
        why=(
            (
                "A sync or gthread worker cannot report while one request keeps it busy, so here "
                "--timeout is a limit on a request. A slow database, another service or a model "
                "call are the usual reasons."
            ),
        ),
        fix=(
            On("has_place", "Give what {place} calls a time-out of its own, or make it faster."),
            On("no_stack", "Give every outgoing call (HTTP, database) a time-out below --timeout."),
            "Move work that takes longer than some seconds into a process of its own.",
            On("heroku", "Heroku's router gives up after 30 s anyway: answer before that."),
            "Use threads (-k gthread --threads 4) when requests mostly wait.",
        ),
        avoid=(_NOT_LONGER,),
        adds=(Seen(("abort",)), _STACKS),
        certain_with=("abort", "abort_trace"),
        explains=("blocked_loop", "worker_aborted"),
    ),
    Rule(
        id="blocked_loop",
        title="The event loop was blocked, so gunicorn ended the worker by its time-out",
        when=(Seen(("worker_timeout", "recorded_block")),),
        confidence=Confidence.LIKELY,
        what=(
            (
                "gunicorn heard nothing from worker {pid} for too long and ended it "
                "({often} in this log)."
            ),
            _BLOCKING,
            On(
                "raw_status",
                '"code 134" is the raw wait status that gunicorn 21 to 23 print: SIGABRT (6) '
                "plus 128 for a core dump. gunicorn sent that signal itself.",
            ),
        ),
        why=(_ONE_SECOND,),
        fix=(
            *_OFF_THE_LOOP,
            _MEASURE,
            On("heroku", "On Heroku the router answers 503 after 30 s whatever --timeout says."),
            On(
                "render",
                "On Render the health check fails after 5 s of a blocked loop and restarts the "
                "service after 60 s, whatever --timeout says.",
            ),
            On("k8s", "A liveness probe is failed by the same block: mend the block first."),
        ),
        avoid=(_NOT_LONGER, "Do not add workers to hide it: each costs memory and blocks too."),
        adds=(Seen(("abort", "raw_status")), _STACKS),
        certain_with=("abort", "abort_stack", "recorded_block"),
        explains=("worker_aborted", "process_aborted", "connection_closed", "loop_stuck"),
    ),
    Rule(
        id="worker_aborted",
        title="A worker was ended by SIGABRT, most often gunicorn's own time-out",
        when=(Alone(("abort",), _TIMED_OUT),),
        confidence=Confidence.LIKELY,
        what=(
            (
                "Worker {pid} ended by SIGABRT. The WORKER TIMEOUT line that usually stands before "
                "it "
                "is not in this log."
            ),
            On(
                "raw_status",
                '"code 134" is the raw wait status that gunicorn 21 to 23 print: SIGABRT (6) '
                "plus 128 for a core dump, not an exit code.",
            ),
            _BLOCKING,
        ),
        why=(
            (
                "gunicorn sends SIGABRT to a worker whose event loop was blocked longer than "
                "--timeout. Only rarely does C code abort by itself; it then prints why just "
                "before."
            ),
        ),
        fix=(
            "Look for WORKER TIMEOUT at level critical in the full log.",
            *_OFF_THE_LOOP,
            _MEASURE,
        ),
        avoid=(_NOT_LONGER, "Do not read 134 as out of memory: that is 137 (SIGKILL)."),
        adds=(Seen(("raw_status",)), _STACKS),
    ),
    Rule(
        id="dirty_worker_timeout",
        title="A task ran longer than --dirty-timeout in gunicorn's dirty worker",
        when=(Seen(("dirty_timeout",)),),
        confidence=Confidence.CERTAIN,
        what=("The dirty arbiter ended worker {pid} because its task took too long.",),
        why=("A dirty worker must report within --dirty-timeout (300 s unless set).",),
        fix=(
            "Raise --dirty-timeout above the longest task, or split the task.",
            "Run work that must be stopped in time in a process of its own.",
        ),
        avoid=("Do not change --timeout: it does not apply to dirty workers.",),
    ),
    Rule(
        id="health_check_starved",
        title="The health check got no answer in time, so the platform restarted the service",
        when=(Seen(("health_failed", "probe_timeout")),),
        confidence=Confidence.LIKELY,
        what=(
            "The platform's health check was not answered in time ({often}).",
            On("exited_143", "Status 143 is SIGTERM: the platform's restart, not a crash."),
            On("exited_137", "Status 137 is the SIGKILL that ends a restart that took too long."),
            _BLOCKING,
        ),
        why=(
            (
                "The server was up but did not get to the health check: something kept the event "
                "loop or all threads busy, often a prediction, a training run or a slow call in "
                "`async def`."
            ),
            On(
                "render",
                "Render asks every few seconds and waits 5 s; after 15 s of failures there is no "
                "more traffic, after 60 s a restart. That is sooner than gunicorn's time-out.",
            ),
        ),
        fix=(
            "Make the health endpoint an `async def` that touches nothing.",
            *_OFF_THE_LOOP,
            "Set OMP_NUM_THREADS=1: on half a CPU a thread pool freezes everything else.",
            On(
                "k8s",
                "In Kubernetes give livenessProbe a timeoutSeconds of 5; the default is 1.",
            ),
        ),
        avoid=("Do not switch the health check off: users would meet the same silence.",),
        adds=(Seen(("exited_143",)), _STACKS),
        certain_with=("exited_143",),
        explains=("deploy_timed_out", "container_killed", "crash_loop", "exit_status"),
    ),
    Rule(
        id="graceful_timeout_exceeded",
        title="Shutting down took longer than it may, and what was left was killed",
        when=(
            Seen(
                (
                    "sigkill_stopping",
                    "timeout_stopping",
                    "graceful_over",
                    "heroku_r12",
                    "unit_stop_timeout",
                )
            ),
        ),
        confidence=Confidence.CERTAIN,
        what=("The service was told to stop, and requests or tasks were still running too late.",),
        why=(
            (
                "After SIGTERM gunicorn waits --graceful-timeout seconds, the platform its "
                "own time "
                ""
                ""
                "(Render and Heroku 30 s, Docker 10 s, Kubernetes 30 s). What is not done then is "
                "killed. Long requests, open streams and background tasks are the usual reasons."
            ),
        ),
        fix=(
            "Keep --graceful-timeout some seconds below what the platform waits.",
            On("render", "On Render set maxShutdownDelaySeconds (up to 300) above it."),
            On("heroku", "On Heroku 30 s is fixed: use --graceful-timeout 25."),
            On("k8s", "In Kubernetes set terminationGracePeriodSeconds above it."),
            On("docker", "With Docker use `docker stop -t` or stop_grace_period."),
            "Move long work out of the web worker, so that stopping has nothing to wait for.",
        ),
        avoid=("Do not set --graceful-timeout higher than the platform's patience.",),
        explains=("container_killed", "app_crashed", "exit_status"),
    ),
    Rule(
        id="loop_stuck",
        title="The event loop was stuck, though nobody has killed the worker yet",
        when=(Seen(("loop_blocked",)),),
        confidence=Confidence.LIKELY,
        what=("A watchdog saw the loop stand still ({often}).", _BLOCKING),
        why=(
            (
                "While the loop stands still no request is answered, not even /health. "
                "Longer blocks "
                ""
                ""
                "end in WORKER TIMEOUT or in a restart by the platform."
            ),
        ),
        fix=_OFF_THE_LOOP,
        avoid=("Do not wait for the time-out to show it.",),
    ),
)
