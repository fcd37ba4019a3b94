"""What the benchmarks share: starting services, reading their memory, writing results down."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
KEY = "placar_benchmark-key-for-loopback-only-0000000"
MODEL = "credit"
MB = 1024**2

SMALL = {
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_TRIM_THRESHOLD_": "131072",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
"""As ``scripts/startup.sh`` sets them; every service that is measured gets them."""

Check = Callable[[int, bytes], bool]
"""Whether an answer (status, body) is the one that was waited for."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, and what makes its answer right."""

    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    check: Check = lambda status, body: status == http.client.OK  # noqa: ARG005 - the shape


@dataclass
class Service:
    """A running server with all its processes."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    seconds_to_answer: float = 0.0
    """From exec to the first right answer."""

    def pids(self) -> list[int]:
        """Return the server's processes, the first one first."""
        return [self.process.pid, *_descendants(self.process.pid)]

    def memory(self) -> int:
        """Return the sum of the processes' PSS, in bytes."""
        return sum(pss(pid) for pid in self.pids())


@contextlib.contextmanager
def serving(  # noqa: PLR0913 - all but three have defaults
    name: str,
    command: Sequence[str],
    port: int,
    first: Ask,
    *,
    env: Mapping[str, str] | None = None,
    core: int | None = None,
    patience: float = 60.0,
) -> Iterator[Service]:
    """Start a service, wait for its first right answer, and end it afterwards.

    Args:
        name: for messages.
        command: what to exec, from the repository's root.
        port: where it will listen.
        first: the request that is repeated until its answer is right.
        env: added to ours.
        core: the only CPU it may run on.
        patience: seconds that it may take.
    """
    pinned = ["taskset", "-c", str(core), *command] if core is not None else list(command)
    log = RESULTS / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        begin = time.perf_counter()
        process = subprocess.Popen(
            pinned,
            cwd=ROOT,
            env={**os.environ, **SMALL, **(env or {})},
            stdout=file,
            stderr=file,
        )
        service = Service(name, process, port)
        try:
            _wait_for(service, first, begin + patience, log)
            service.seconds_to_answer = time.perf_counter() - begin
            yield service
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(service: Service, ask: Ask, deadline: float, log: Path) -> None:
    while time.perf_counter() < deadline:
        if service.process.poll() is not None:
            break
        with contextlib.suppress(OSError, http.client.HTTPException):
            if ask.check(*request(service.port, ask)):
                return
        time.sleep(0.005)
    sys.exit(f"{service.name} gave no right answer; see {log.relative_to(ROOT)}")


def request(port: int, ask: Ask, timeout: float = 10.0) -> tuple[int, bytes]:
    """Send one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        method = "GET" if ask.body is None else "POST"
        connection.request(method, ask.path, body=ask.body, headers=dict(ask.headers))
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def pss(pid: int) -> int:
    """Return a process's share of the memory it uses, in bytes; 0 when it is gone."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line[:4] == "Pss:")


def _descendants(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return []
    children = [int(word) for word in text.split()]
    return [each for child in children for each in (child, *_descendants(child))]


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Home:
    """A PLACAR_HOME with a trained model."""

    folder: Path
    golden: list[dict[str, object]]
    """Rows with the answers that the model must give."""

    @property
    def env(self) -> dict[str, str]:
        """The environment that serves it."""
        return {
            "PLACAR_HOME": str(self.folder),
            "PLACAR_ADMIN_KEY": KEY,
            "PLACAR_LOG_LEVEL": "warning",
            "PYTHONPATH": str(ROOT / "src"),
        }

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a request for a score."""
        return {"X-API-Key": KEY, "Content-Type": "application/json"}

    def ask(self, number: int = 0) -> Ask:
        """Return a request for a score whose right answer is known."""
        golden = self.golden[number]

        def right(status: int, body: bytes) -> bool:
            return status == http.client.OK and same_answer(golden, json.loads(body))

        return Ask("/predict", json.dumps(golden["row"]).encode(), self.headers, right)


def same_answer(golden: Mapping[str, object], answer: Mapping[str, object]) -> bool:
    """Tell whether an answer is the one that the package's golden row holds."""
    expected, given = float(str(golden["probability"])), float(str(answer["probability"]))
    return abs(expected - given) < 1e-6 and answer["band"] == golden["band"]


def trained_home(folder: Path) -> Home:
    """Train the demo model into ``folder``."""
    command = [sys.executable, "-m", "placar", "demo", "--no-serve"]
    env = {**os.environ, "PLACAR_HOME": str(folder), "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"The demo model could not be trained:\n{done.stderr}")
    (package,) = (path.parent for path in folder.glob("packages/*/golden.json"))
    return Home(folder, json.loads((package / "golden.json").read_bytes())["rows"])


def gunicorn(port: int, workers: int, app: str, config: str) -> list[str]:
    """Return the start command of every deployment, for any app."""
    command = ["sh", "scripts/startup.sh", sys.executable, "-m", "gunicorn", "-c", config]
    return [*command, "-b", f"127.0.0.1:{port}", "-w", str(workers), app]


def placar_command(port: int, workers: int) -> list[str]:
    """Return the command that serves Placar."""
    return gunicorn(port, workers, "src.api.scoring_api:app", config="gunicorn.conf.py")


def machine() -> str:
    """Return a line that says where and with what the figures were measured."""
    cpus = os.cpu_count()
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    today = datetime.now(UTC).date()
    return (
        f"{today}, commit {commit or 'unknown'}, {_cpu_name()} ({cpus} CPUs), "
        f"Linux {platform.release()}, Python {platform.python_version()}"
    )


def _cpu_name() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table, the first column left and the others right."""
    head = f"| {' | '.join(titles)} |"
    rule = "|---|" + "--:|" * (len(titles) - 1)
    return "\n".join([head, rule, *(f"| {' | '.join(map(str, row))} |" for row in rows)])


def write_results(name: str, text: str, *, keep: bool = True) -> None:
    """Print the results, and keep those of a full run in ``benchmarks/results``."""
    print(text)
    if keep:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{name}.md").write_text(text + "\n", encoding="utf-8")
