"""What gunicorn, uvicorn, Placar and Python itself write."""

from __future__ import annotations

from placar.box.doctor.signs import sign

_HEAP = (
    r"(?:\*\*\* Error in .*: )?(?:free\(\): invalid |double free or corruption|malloc\(\): |"
    r"corrupted size vs\. prev_size|munmap_chunk\(\): invalid|realloc\(\): invalid|"
    r"malloc_consolidate\(\): |corrupted double-linked list)"
)

GUNICORN = (
    sign("start", "Starting gunicorn", r"Starting gunicorn (?P<version>[\d.]{1,20})"),
    sign("booting", "Booting worker", r"Booting worker with pid: (?P<pid>\d+)"),
    sign("uvicorn_worker", "Using worker", r"Using worker: \S*uvicorn", stack="uvicorn_worker"),
    sign("asgi_worker", "Using worker", r"Using worker: (?:asgi|\S*gasgi)", stack="asgi"),
    sign("sync_worker", "Using worker", r"Using worker: (?:sync|gthread)\b", stack="sync"),
    sign("worker_timeout", "WORKER TIMEOUT", r"WORKER TIMEOUT \(pid: ?(?P<pid>\d+)\)", loud=True),
    sign("dirty_timeout", "DIRTY WORKER", r"DIRTY WORKER TIMEOUT \(pid:(?P<pid>\d+)", loud=True),
    sign(
        "abort",
        "Worker ",
        r"Worker (?:\(pid:(?P<pid>\d+)\) was sent (?:SIGABRT|code 134|code 6)!"
        r"|with pid (?P<old_pid>\d+) was terminated due to signal 6\b)",
        loud=True,
    ),
    sign(
        "raw_status",
        "was sent code",
        r"Worker \(pid:(?P<pid>\d+)\) was sent code (?P<code>\d+)!",
        loud=True,
    ),
    sign(
        "worker_sigkill",
        "Worker ",
        r"Worker (?:\(pid:(?P<pid>\d+)\) was sent (?:SIGKILL|code 9)!"
        r"|with pid (?P<old_pid>\d+) was terminated due to signal 9\b)",
        loud=True,
    ),
    sign(
        "worker_segv",
        "Worker ",
        r"Worker (?:\(pid:(?P<pid>\d+)\) was sent (?:SIGSEGV|SIGBUS|SIGILL|code 13[925]"
        r"|code 11|code 7)!"
        r"|with pid (?P<old_pid>\d+) was terminated due to signal (?:11|7|4)\b)",
        loud=True,
    ),
    sign("exit_3", "exited with code", r"Worker \(pid:(?P<pid>\d+)\) exited with code 3\b"),
    sign("exit_4", "exited with code", r"Worker \(pid:(?P<pid>\d+)\) exited with code 4\b"),
    sign("boot_failed", "failed to boot", r"(?:Reason: )?Worker failed to boot\b"),
    sign("load_failed", "failed to load", r"(?:Reason: )?App failed to load\b"),
    sign("term", "signal: ", r"Handling signal: (?:term|int|quit)\b"),
    sign("reload", "signal: ", r"Handling signal: (?:hup|usr2|ttin|ttou)\b"),
    sign("leaving", "Worker exiting", r"Worker exiting \(pid: (?P<pid>\d+)\)"),
    sign("recycled", "Autorestarting", r"Autorestarting worker after current request"),
    sign("recycled", "Maximum request limit", r"Maximum request limit of \d+ exceeded"),
    sign("background", "background tasks", r"Waiting for background tasks to complete"),
    sign(
        "listens_local",
        "Listening at: ",
        r"Listening at: https?://(?:127\.\d+\.\d+\.\d+|localhost|\[::1\]):\d+",
    ),
    sign(
        "listens_local",
        "Uvicorn running on",
        r"Uvicorn running on https?://(?:127\.\d+\.\d+\.\d+|localhost|\[::1\]):\d+",
    ),
    sign("in_use", "in use", r"Connection in use: \(", loud=True),
    sign(
        "in_use",
        " already in use",
        r"(?:\[?Errno 98\]?[: ]|OSError: \[Errno 98\]).*already in use",
    ),
    sign("no_address", "Invalid address", r"Invalid address: \(", loud=True),
    sign("no_address", "Can't connect to", r"Can't connect to \(", loud=True),
    sign("no_permission", "failed: [Errno 13]", r"connection to \(.*\) failed: \[Errno 13\]"),
    sign(
        "no_address",
        "ssign requested address",
        r"(?:OSError: )?\[Errno 99\].*annot assign requested address",
    ),
    sign(
        "no_permission",
        "Errno 13",
        r"(?:\w*Error: )?\[Errno 13\] (?:error while attempting to bind|.*\bbind\b)",
    ),
    sign(
        "bad_class",
        "class uri",
        r"(?:Error: |RuntimeError: )?class uri .{1,120} invalid or not found",
    ),
    sign(
        "missing_class_module",
        "class uri",
        r"(?:Error: |RuntimeError: )?class uri .{0,20}(?P<module>eventlet|tornado|gevent)",
    ),
    sign("control_socket", "control socket", r"Failed to start control socket", loud=True),
    sign("control_socket", "Control server error", r"Control server error: ", loud=True),
    sign(
        "no_tmp",
        "Can't create workertmp",
        r"RuntimeError: .*doesn't exist\. Can't create workertmp",
    ),
    sign(
        "graceful_over",
        "Cancel ",
        r"Cancel \d+ running task\(s\), timeout graceful shutdown exceeded",
    ),
    sign(
        "wrong_option",
        "error: ",
        r"gunicorn: error: (?:unrecognized arguments|argument |ambiguous)",
    ),
    sign("wrong_option", "No such option", r"(?:Error: )?No such option:? '?--?\w"),
    sign("literal_port", "PORT", r"Error: '\$\{?PORT[^']*' is not a valid port number"),
    sign("literal_port", "PORT", r"(?:Error: )?Invalid value for '--port': '\$\{?PORT"),
    sign(
        "web_concurrency",
        "WEB_CONCURRENCY",
        r"(?:self\.workers = .*|.*int\()os\.environ(?:\.get\(|\[)\"WEB_CONCURRENCY\"",
    ),
    sign("config_failed", "Failed to read config file", r"Failed to read config file: "),
    sign(
        "config_failed",
        "Invalid value for",
        r"Invalid value for (?:bind|workers|worker_class|threads|timeout|graceful_timeout|keepalive"
        r"|max_requests(?:_jitter)?|loglevel|accesslog|errorlog|preload_app|chdir|user|group|umask"
        r"|worker_tmp_dir|pidfile): ",
        bare=True,
    ),
    sign(
        "no_app",
        "Failed to find attribute",
        r"Failed to find attribute '(?P<name>[^']+)' in '(?P<module>[^']+)'",
    ),
    sign("no_app", "Error loading ASGI app", r"Error loading ASGI app\. (?P<reason>.{1,200})"),
    sign(
        "no_app", "Failed to parse '", r"Failed to parse '.*' as an attribute name or function call"
    ),
    sign(
        "no_app",
        "Application object must be callable",
        r"(?:TypeError: |AppImportError: )?Application object must be callable",
    ),
    sign("orphan", "Parent changed", r"Parent changed, shutting down", loud=False),
    sign("preload", " --preload", r"(?:Running ')?.*\bgunicorn\b.*\s--preload\b", stack="preload"),
    sign("preload", "preload_app", r"preload_app: True", stack="preload"),
    sign("timeout_set", "timeout: ", r"timeout: (?P<seconds>\d+)$"),
    sign(
        "timeout_set", "--timeout", r"(?:Running ')?.*\bgunicorn\b.*\s--timeout[ =](?P<seconds>\d+)"
    ),
    sign("timeout_set", " -t ", r"(?:Running ')?.*\bgunicorn\b.*\s-t (?P<seconds>\d+)"),
    sign(
        "wrong_app_kind",
        "__call__() missing",
        r"TypeError: \w+\.__call__\(\) missing 1 required positional argument: 'send'",
    ),
)

UVICORN = (
    sign(
        "uvicorn_start",
        "Started server process",
        r"Started server process \[(?P<pid>\d+)\]",
        stack="uvicorn",
    ),
    sign("uvicorn_end", "Finished server process", r"Finished server process \[(?P<pid>\d+)\]"),
    sign("child_died", "Child process", r"Child process \[(?P<pid>\d+)\] died"),
    sign("lifespan_failed", "Application startup failed", r"Application startup failed\. Exiting"),
    sign("lifespan_failed", "lifespan startup failed", r"ASGI lifespan startup failed"),
    sign("loop_blocked", "loop_blocked", r"loop_blocked\b"),
    *(
        sign(name, "crash", rf"\w*crash\w* cause={cause}\b(?:.* worker=(?P<pid>\d+))?")
        for name, cause in (
            ("recorded_block", "(?:blocked_loop|timed_out)"),
            ("recorded_memory", "out_of_memory"),
            ("memory_proven", "out_of_memory certain=True"),
            ("recorded_kill", "killed"),
        )
    ),
)

PYTHON = (
    sign("memory_error", "MemoryError", r"(?:[\w.]+\.)?_?(?:Array)?MemoryError(?::|$)"),
    sign(
        "memory_error",
        "Cannot allocate memory",
        r"(?:OSError|BlockingIOError): \[Errno 12\] Cannot allocate memory",
    ),
    sign(
        "bad_alloc",
        "bad_alloc",
        r"(?:terminate called after throwing an instance of 'std::bad_alloc'"
        r"|(?:what\(\):\s+)?std::bad_alloc$|\w*Error: .*std::bad_alloc)",
    ),
    sign("no_threads", "start new thread", r"RuntimeError: can't start new thread"),
    sign("no_threads", "Thread creation failed", r"libgomp: Thread creation failed"),
    sign("no_threads", "blas_thread_init", r"OpenBLAS blas_thread_init: pthread_create failed"),
    sign(
        "no_threads",
        "pthread_create",
        r"OMP: Error #\d+: .*pthread_create|.{0,80}pthread_create failed",
    ),
    sign("affinity", "pthread_setaffinity_np", r".{0,200}pthread_setaffinity_np failed"),
    sign("heap", "(): ", _HEAP),
    sign("heap", "corrupt", _HEAP),
    sign(
        "segv",
        "egmentation fault",
        r"(?:Fatal Python error: Segmentation fault"
        r"|(?:\S+: line \d+: +)?\d* *Segmentation fault(?: +\(core dumped\).*)?$)",
        bare=True,
    ),
    sign(
        "aborted",
        "Aborted",
        r"(?:Fatal Python error: Aborted"
        r"|(?:\S+: line \d+: +)?\d* *Aborted(?: +\(core dumped\).*)?$)",
        bare=True,
    ),
    sign(
        "shell_killed",
        "Killed",
        r"(?:(?:\S+: line \d+: +)?\d* *Killed(?: {2,}.*)?$)",
        bare=True,
    ),
    sign(
        "disk_full",
        "No space left on device",
        r"(?:[\w./()'-]+: ){0,3}(?:\[Errno 28\] )?No space left on device",
        loud=True,
    ),
    sign(
        "disk_full",
        "database or disk is full",
        r"(?:[\w.]+: )?(?:\([\w.]+\) )?database or disk is full",
    ),
    sign(
        "read_only",
        "Read-only file system",
        r"(?:[\w.]*Error: )(?:\[Errno 30\] )Read-only file system",
    ),
    sign(
        "open_files",
        "oo many open files",
        r"(?:[\w.]*Error: )?(?:\[Errno 24\] )Too many open files",
    ),
    sign(
        "not_installed",
        "not found",
        r"(?:/?[\w/.]*sh: )?(?:line )?(?:\d+: )?(?:exec: )?(?P<program>gunicorn|uvicorn"
        r"|python3?): (?:command )?not found",
    ),
    sign(
        "not_installed",
        "executable file not found",
        r".{0,200}exec: \"(?P<program>gunicorn|uvicorn|python3?)\": executable file not found",
    ),
    sign(
        "not_installed",
        "No module named",
        r"\S*python[\d.]*: No module named '?(?P<program>gunicorn|uvicorn)",
    ),
    sign(
        "no_library",
        "cannot open shared object",
        r"(?:ImportError|OSError): (?P<library>lib[\w.+-]+): cannot open shared object file",
    ),
    sign("wrong_build", "GLIBC", r"ImportError: .*version `GLIBC(?:XX)?_[\d.]+' not found"),
    sign("wrong_build", "xec format error", r".{0,80}(?:exec format error|Exec format error)$"),
)
