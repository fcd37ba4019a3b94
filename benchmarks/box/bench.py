"""What the service takes of a small box: memory of master and two workers, and its cold start.

    python benchmarks/box/bench.py [--short] [--workers N] [--starts N]

Memory is the sum of PSS: pages that processes share are counted once. The cold start is the time
from the exec of gunicorn to the first right score, the home being trained before.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import (
    MB,
    Home,
    Service,
    free_port,
    machine,
    placar_command,
    pss,
    request,
    serving,
    table,
    trained_home,
    write_results,
)

MOST_MEGABYTES = 130
MOST_SECONDS = 3.0
CONNECTIONS = 16
SETTLED = 1.5
"""Seconds after the first answer: workers have started their tickers by then."""


def main() -> int:
    """Run the benchmark; exit 1 when a goal was missed."""
    options = parse()
    with tempfile.TemporaryDirectory(prefix="placar-bench-") as folder:
        home = trained_home(Path(folder) / "home")
        starts = [cold_start(home, options.workers) for _ in range(options.starts)]
        after_start, after_load, failed = memory(home, options.workers, options.requests)
    total, loaded = sum(after_start), sum(after_load)
    good = total <= MOST_MEGABYTES and statistics.median(starts) <= MOST_SECONDS and not failed
    names = ["master", *(f"worker {number}" for number in range(options.workers))]
    lines = [
        [name, f"{start:.1f}", f"{load:.1f}"]
        for name, start, load in zip(names, after_start, after_load, strict=True)
    ]
    lines.append(["sum", f"{total:.1f}", f"{loaded:.1f}"])
    titles = ["PSS in MB", "after start", f"after {options.requests} requests"]
    text = f"""# Box: memory and cold start

{machine()}. Demo model loaded in {options.workers} workers.

{table(titles, lines)}

Goal after start: {MOST_MEGABYTES} MB. Failed requests: {failed}.

Cold start, from exec of gunicorn to the first right score: min {min(starts):.2f} s,
median {statistics.median(starts):.2f} s of {len(starts)} (goal: {MOST_SECONDS:g} s)."""
    write_results("box", text, keep=not options.short)
    return 0 if good else 1


def parse() -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--short", action="store_true", help="fewer starts and requests, nothing kept"
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--starts", type=int, default=7)
    parser.add_argument("--requests", type=int, default=4000)
    options = parser.parse_args()
    if options.short:
        options.starts, options.requests = 3, 800
    return options


def cold_start(home: Home, workers: int) -> float:
    """Return the seconds of one start."""
    with start(home, workers) as service:
        return service.seconds_to_answer


def memory(home: Home, workers: int, requests: int) -> tuple[list[float], list[float], int]:
    """Return megabytes of each process after start and after some load, and failed requests."""
    with start(home, workers) as service:
        time.sleep(SETTLED)
        after_start = megabytes(service)
        failed = light_load(home, service, requests)
        time.sleep(SETTLED)
        return after_start, megabytes(service), failed


def start(home: Home, workers: int) -> AbstractContextManager[Service]:
    """Start Placar and wait for a right score."""
    port = free_port()
    return serving("Placar", placar_command(port, workers), port, home.ask(), env=home.env)


def megabytes(service: Service) -> list[float]:
    """Return the PSS of each process."""
    return [pss(pid) / MB for pid in service.pids()]


def light_load(home: Home, service: Service, requests: int) -> int:
    """Ask for scores whose right answers are known; return how many answers were wrong."""

    def one(number: int) -> bool:
        ask = home.ask(number % len(home.golden))
        return not ask.check(*request(service.port, ask))

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        return sum(pool.map(one, range(requests)))


if __name__ == "__main__":
    sys.exit(main())
