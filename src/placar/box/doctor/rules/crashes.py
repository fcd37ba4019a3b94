"""Crashes in C code, and limits that are not memory."""

from __future__ import annotations

from placar.box.doctor.clues import Seen
from placar.box.doctor.finding import Confidence
from placar.box.doctor.rule import On, Rule

_ABORTS = ("worker_aborted", "process_aborted", "exit_status", "app_crashed", "crash_loop")
_FAULTS = "Set PYTHONFAULTHANDLER=1: the next crash prints the Python line it came from."

CRASHES: tuple[Rule, ...] = (
    Rule(
        id="threads_refused",
        title="No more threads could be started: thread pools are sized for the host",
        when=(Seen(("no_threads",)),),
        confidence=Confidence.CERTAIN,
        what=("Starting a thread was refused ({often}).",),
        why=(
            (
                "OpenBLAS, OpenMP and others start one thread per core of the host, not of the "
                "container, in each worker. A limit on processes (pids) or on address space then "
                "stops the next thread."
            ),
        ),
        fix=(
            (
                "Set OPENBLAS_NUM_THREADS=1, OMP_NUM_THREADS=1 and MKL_NUM_THREADS=1 before Python "
                "starts."
            ),
            "Start fewer workers, and bound your own thread pools.",
            On("docker", "Check --pids-limit."),
        ),
        avoid=("Do not raise the limit first: more threads than CPUs only wait for each other.",),
        explains=("import_crash", "boot_failed", "missing_module", "exit_status", *_ABORTS),
    ),
    Rule(
        id="onnx_thread_affinity",
        title="ONNX Runtime made its thread pool for the host's CPUs",
        when=(Seen(("affinity",)),),
        confidence=Confidence.CERTAIN,
        what=("ONNX Runtime tried to pin threads to CPUs that the container may not use.",),
        why=(
            (
                "It counts the host's cores. The error itself is harmless, but the pool "
                "costs memory "
                ""
                ""
                "and its threads use up the CPU quota, which slows every request."
            ),
        ),
        fix=("Set SessionOptions.intra_op_num_threads = 1 and inter_op_num_threads = 1.",),
        avoid=("Do not only silence the log line.",),
    ),
    Rule(
        id="heap_corrupted",
        title="C code corrupted the heap, and the C library aborted the process",
        when=(Seen(("heap",)),),
        confidence=Confidence.CERTAIN,
        what=("glibc found its own records overwritten and aborted (SIGABRT, 134).",),
        why=(
            (
                "A native extension wrote where it must not, or two libraries of different builds "
                "share memory (two OpenMP runtimes, or packages built for another NumPy)."
            ),
        ),
        fix=(
            _FAULTS,
            "Upgrade the native packages together, from wheels, and rebuild those built by hand.",
            "If it began with a deploy, compare the two lists of installed versions.",
        ),
        avoid=("Do not treat this 134 as a time-out, and do not raise --timeout.",),
        adds=(Seen(("abort_stack", "abort", "exited_134")),),
        explains=(*_ABORTS, "lone_sigkill"),
    ),
    Rule(
        id="segfault",
        title="Native code crashed (SIGSEGV or SIGBUS)",
        when=(Seen(("worker_segv", "segv", "exited_139", "unit_segv")),),
        confidence=Confidence.CERTAIN,
        what=(
            "A process ended by a memory fault.",
            On("has_place", "The Python line: {place}."),
            On(
                "raw_status",
                '"code 139" or "135" is a raw wait status: the signal plus 128 for a core dump.',
            ),
        ),
        why=(
            (
                "A C extension crashed. Usual reasons: packages whose builds do not fit "
                "each other, "
                ""
                "a "
                "library used after a fork (--preload) or from two threads, musl instead of glibc."
            ),
        ),
        fix=(
            _FAULTS,
            "Upgrade or pin the package that the stack names.",
            On("preload", "Try without --preload: native state made before a fork is fragile."),
        ),
        avoid=("Do not restart and forget: it comes back under load.",),
        adds=(Seen(("segv_stack",)), Seen(("raw_status",))),
        explains=("exit_status", "app_crashed", "crash_loop", "connection_closed"),
    ),
    Rule(
        id="process_aborted",
        title="The main process aborted (SIGABRT, exit code 134)",
        when=(Seen(("exited_134", "unit_abort", "aborted")),),
        confidence=Confidence.LIKELY,
        what=("134 is 128 + 6: the process itself called abort().",),
        why=(
            (
                "As the exit code of a container or dyno this is the main process, not gunicorn's "
                "time-out of a worker: C or C++ code gave up (bad_alloc, a failed check, a damaged "
                "heap). The reason usually stands in the lines just before."
            ),
        ),
        fix=("Read the lines before the abort.", _FAULTS),
        avoid=("Do not raise --timeout.",),
        adds=(Seen(("abort_stack",)),),
        explains=("exit_status", "app_crashed", "crash_loop"),
    ),
    Rule(
        id="disk_full",
        title="The disk is full",
        when=(Seen(("disk_full",)),),
        confidence=Confidence.CERTAIN,
        what=("Writing failed for lack of space ({often}).",),
        why=("Logs, uploads, core dumps, caches or old models fill a disk that is small here.",),
        fix=(
            "See what is large: `du -xh / | sort -h | tail`.",
            "Write logs to stdout, delete temporary files, set `ulimit -c 0`.",
            On("k8s", "An emptyDir with medium Memory is memory, often only 64 MB."),
            On("render", "An attached disk can be grown, never shrunk."),
        ),
        avoid=("Do not put data on a memory disk (shm) instead: it counts as memory.",),
        explains=("import_crash", "boot_failed", "lifespan_failed", "exit_status"),
    ),
    Rule(
        id="too_many_open_files",
        title="The process may not open more files or connections",
        when=(Seen(("open_files",)),),
        confidence=Confidence.CERTAIN,
        what=("EMFILE was met {often}.",),
        why=("Connections or files are opened and not closed, or the limit (ulimit -n) is low.",),
        fix=(
            "Use one HTTP client and one database pool per process, and close what you open.",
            "See what is open: `ls -l /proc/PID/fd`.",
            "Then raise `ulimit -n` to what the load needs.",
        ),
        avoid=("Do not only raise the limit: a leak reaches any limit.",),
    ),
    Rule(
        id="read_only_file_system",
        title="The application writes where it may not: the file system is read-only",
        when=(Seen(("read_only",)),),
        confidence=Confidence.CERTAIN,
        what=("A write met a read-only file system ({often}).",),
        why=("Hardened containers mount everything read-only but the volumes.",),
        fix=(
            "Point caches and data (HOME, MPLCONFIGDIR, PLACAR_HOME …) to a writable volume.",
            "Give the container a tmpfs at /tmp.",
        ),
        avoid=("Do not run as root for this: it does not help.",),
        explains=("import_crash", "boot_failed", "lifespan_failed", "control_socket_failed"),
    ),
)
