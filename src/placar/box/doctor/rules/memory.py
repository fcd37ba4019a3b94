"""Memory that ran out, and what only looks like it."""

from __future__ import annotations

from placar.box.doctor.clues import Alone, Seen
from placar.box.doctor.finding import Confidence
from placar.box.doctor.rule import On, Rule

_KILLED = ("lone_sigkill", "container_killed", "uvicorn_child_died", "silent_reboots")
_CRASH = ("app_crashed", "connection_closed", "crash_loop", "exit_status")
_LESS = (
    "Start fewer workers: WEB_CONCURRENCY=1 on 512 MB unless you measured that two fit.",
    (
        "Keep training and heavy imports (pandas, scikit-learn, torch) out of the web workers: run "
        "them in a process of their own with a memory limit, one at a time."
    ),
    "Set MALLOC_ARENA_MAX=2 and OMP_NUM_THREADS=1 before the process starts.",
    "Bound uploads and batch sizes.",
)
_NO_TRACE = (
    "The kernel ends the process at once: there is no traceback and no last word in the log of "
    "the application."
)
_AVOID = (
    "Do not count RSS per worker and add it up: shared pages count once.",
    "Do not use --max-requests as a memory policy: it counts requests, not bytes.",
)

MEMORY: tuple[Rule, ...] = (
    Rule(
        id="render_out_of_memory",
        title="Render ended the instance: it used more memory than its plan has",
        when=(Seen(("instance_memory",)),),
        confidence=Confidence.CERTAIN,
        what=(
            "Render reports that the instance ran out of memory ({often}).",
            On("has_limit", "The limit is {limit}."),
        ),
        why=("All processes and the file cache of the instance count together.", _NO_TRACE),
        fix=(*_LESS, "Choose a larger plan only when one worker does not fit."),
        avoid=_AVOID,
        adds=(Seen(("worker_sigkill", "exited_137")),),
        explains=(*_KILLED, *_CRASH, "health_check_starved"),
    ),
    Rule(
        id="heroku_memory_exceeded",
        title="Heroku killed the dyno: it used far more memory than it has (R15)",
        when=(Seen(("heroku_r15",)),),
        confidence=Confidence.CERTAIN,
        what=("The dyno went beyond twice its memory and was stopped with SIGKILL.",),
        why=(
            (
                "Heroku lets a dyno swap from its quota on (R14) and kills it at twice the quota. "
                "Its Python buildpack starts 2 workers on 512 MB unless WEB_CONCURRENCY says "
                "otherwise."
            ),
        ),
        fix=_LESS,
        avoid=_AVOID,
        adds=(Seen(("heroku_r14",)), Seen(("exited_137",))),
        explains=(*_KILLED, *_CRASH, "heroku_memory_swapping"),
    ),
    Rule(
        id="container_out_of_memory",
        title="The container used more memory than its limit and was killed",
        when=(Seen(("oom_killed",)),),
        confidence=Confidence.CERTAIN,
        what=("The container's state says OOMKilled.",),
        why=(
            (
                "The kernel counts all processes of the container together; at the limit it kills. "
                "On cgroup v2 Kubernetes lets it kill the whole container at once."
            ),
            _NO_TRACE,
        ),
        fix=(
            *_LESS,
            On("k8s", "Set resources.limits.memory from a measured peak plus a tenth."),
            On("docker", "Set --memory from a measured peak plus a tenth."),
        ),
        avoid=_AVOID,
        adds=(Seen(("exited_137",)), Seen(("kernel_oom",)), Seen(("worker_sigkill",))),
        explains=(*_KILLED, *_CRASH, "kernel_out_of_memory", "health_check_starved"),
    ),
    Rule(
        id="kernel_out_of_memory",
        title="The kernel ran out of memory and killed a process",
        when=(Seen(("kernel_oom",)),),
        confidence=Confidence.CERTAIN,
        what=("The kernel's log names the kill", On("has_name", "of {name}"), "(pid {pid})."),
        why=("The machine, or the process's control group, had no memory left.", _NO_TRACE),
        fix=_LESS,
        avoid=_AVOID,
        adds=(Seen(("worker_sigkill", "exited_137")),),
        explains=(*_KILLED, *_CRASH),
    ),
    Rule(
        id="heroku_memory_swapping",
        title="The Heroku dyno is over its memory quota and swaps (R14)",
        when=(Seen(("heroku_r14",)),),
        confidence=Confidence.CERTAIN,
        what=("R14 was reported {often}. The dyno still runs, but slowly.",),
        why=(
            (
                "Above its quota a dyno uses swap, which makes every request slow. Time-outs (H12) "
                "and blocked loops in the same log are often only a consequence."
            ),
        ),
        fix=_LESS,
        avoid=_AVOID,
        explains=("router_timeout",),
    ),
    Rule(
        id="memory_refused",
        title="Python asked for memory and was refused (MemoryError)",
        when=(Seen(("memory_error",)),),
        confidence=Confidence.CERTAIN,
        what=(
            "An allocation failed inside the process ({often}).",
            On("has_place", "It happened at {place}."),
        ),
        why=(
            (
                "A MemoryError means that one allocation was refused: it was huge, or a limit of "
                "address space or data (ulimit, RLIMIT_AS) was reached. A container's memory limit "
                "does not do this: there the process is killed without a word."
            ),
        ),
        fix=(
            (
                "Look at the size that was asked for, if the line says it: often a matrix "
                "made dense "
                ""
                ""
                "or a table read whole. Work in slices, and use float32."
            ),
            (
                "Check `ulimit -v` and RLIMIT_AS. To cap a process use RLIMIT_DATA instead: thread "
                "stacks use up RLIMIT_AS without being memory."
            ),
        ),
        avoid=("Do not catch MemoryError and go on: the next allocation fails as well.",),
        adds=(Seen(("traceback", "boot_traceback")),),
        explains=("import_crash", "boot_failed", "exit_status"),
    ),
    Rule(
        id="cpp_memory_refused",
        title="C++ code asked for memory, was refused, and aborted (std::bad_alloc)",
        when=(Seen(("bad_alloc",)),),
        confidence=Confidence.CERTAIN,
        what=("A library in C++ could not allocate.",),
        why=(
            (
                "A library such as LightGBM, XGBoost or ONNX Runtime got no memory. If nobody "
                "catches that, the process aborts: that is SIGABRT, seen as 134."
            ),
        ),
        fix=(
            "Give that step less: fewer rows, columns, bins or threads, or a smaller batch.",
            "Check `ulimit -v` and RLIMIT_AS of the process.",
        ),
        avoid=("Do not look for a blocked event loop: this abort is the library's own.",),
        adds=(Seen(("abort", "exited_134", "aborted")),),
        explains=("worker_aborted", "process_aborted", "exit_status", "boot_failed"),
    ),
    Rule(
        id="killed_by_somebody",
        title="A worker was killed by SIGKILL although memory was not short",
        when=(Seen(("recorded_kill",)),),
        confidence=Confidence.LIKELY,
        what=("Worker {pid} was killed. Placar had measured the memory, and there was enough.",),
        why=(
            (
                "Something sent SIGKILL: a person, a script, or the platform. gunicorn's "
                '"Perhaps out of memory?" is a guess.'
            ),
        ),
        fix=(
            "Look who ends processes at that moment: deploy scripts, cron, the platform's events.",
        ),
        avoid=("Do not buy memory for this.",),
        adds=(Seen(("worker_sigkill",)),),
        explains=("lone_sigkill", "connection_closed"),
    ),
    Rule(
        id="lone_sigkill",
        title="A worker was killed by SIGKILL: most likely the box ran out of memory",
        when=(
            Alone(
                ("worker_sigkill", "recorded_memory"),
                ("worker_timeout", "timeout_draining", "timeout_stopping"),
            ),
        ),
        confidence=Confidence.LIKELY,
        what=(
            (
                "Worker {pid} was ended by SIGKILL, and gunicorn had not called it timed out. "
                "So somebody else did it: the kernel for lack of memory, or the platform."
            ),
        ),
        why=(_NO_TRACE, 'gunicorn can only guess, hence "Perhaps out of memory?".'),
        fix=(
            (
                "Confirm it: Render's event feed, Heroku's R14/R15, `kubectl describe pod` "
                "(OOMKilled), `docker inspect`, or the kernel's log (dmesg)."
            ),
            *_LESS,
        ),
        avoid=_AVOID,
        adds=(Seen(("exited_137",)),),
        certain_with=("memory_proven",),
        explains=("connection_closed", "container_killed"),
    ),
    Rule(
        id="silent_reboots",
        title="Workers are replaced again and again and no line says why",
        when=(Seen(("silent_boot",), times=3),),
        confidence=Confidence.LIKELY,
        what=("{times} workers booted to replace others whose end was not logged.",),
        why=(
            (
                "gunicorn up to 20.0 does not log how a worker ended. Without WORKER "
                "TIMEOUT before "
                ""
                ""
                "it, the usual reason is a SIGKILL for lack of memory, for instance each worker "
                "loading a large model."
            ),
        ),
        fix=("Upgrade gunicorn: it then names the signal.", *_LESS),
        avoid=("Do not add workers: each needs the same memory.",),
    ),
    Rule(
        id="uvicorn_child_died",
        title="A worker of `uvicorn --workers` died",
        when=(Seen(("child_died",)),),
        confidence=Confidence.LIKELY,
        what=("Uvicorn's supervisor found process {pid} dead and started another.",),
        why=(
            (
                "Either it was killed for lack of memory, it crashed in C code, or C code held the "
                "GIL for longer than 5 s (--timeout-worker-healthcheck), so that uvicorn itself "
                "killed it. A blocked event loop alone does not do this."
            ),
        ),
        fix=(
            "Look for a kill in the platform's events or the kernel's log.",
            *_LESS[:2],
            "Set PYTHONFAULTHANDLER=1 to see a crash in C code.",
        ),
        avoid=("Do not only raise --timeout-worker-healthcheck before you know which it was.",),
    ),
    Rule(
        id="container_killed",
        title="The process was ended by SIGKILL (137), most likely for lack of memory",
        when=(Seen(("exited_137", "shell_killed")),),
        confidence=Confidence.LIKELY,
        what=("137 is 128 + 9: the process was killed from outside.",),
        why=(
            (
                "That is the kernel when memory runs out, or a platform that waited in "
                "vain for the "
                ""
                ""
                "process to stop after SIGTERM."
            ),
        ),
        fix=(
            (
                "Confirm it: OOMKilled in `docker inspect` or `kubectl describe pod`, the "
                "platform's "
                ""
                ""
                "events, or the kernel's log. (OOMKilled may be false if only a child was killed.)"
            ),
            *_LESS,
        ),
        avoid=_AVOID,
        explains=("app_crashed", "crash_loop", "exit_status"),
    ),
)
