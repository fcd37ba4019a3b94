"""Single-row scoring beside the usual service, on the same core, in the same run.

Three services, one worker each, on one core; the load comes from another one. A no-op endpoint
shows what the server itself can do. Rounds are interleaved, so that whatever else the machine
does meets all of them; only ratios within one run count.

    python benchmarks/serving/bench.py [--short] [--rounds N] [--seconds S]
"""

from __future__ import annotations

import argparse
import csv
import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from harness import (  # noqa: E402 - the path comes first
    KEY,
    MB,
    ROOT,
    Ask,
    Home,
    Service,
    free_port,
    gunicorn,
    machine,
    placar_command,
    request,
    serving,
    table,
    trained_home,
    write_results,
)

TABLE = ROOT / "src/placar/cli/demo/credit_data.csv"
TARGET = "Status"
ROWS = 400
WANTED = 15
"""Times the usual service's throughput that Placar has to have."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A service that takes part."""

    name: str
    app: str
    first: Ask
    env: dict[str, str]

    def command(self, port: int) -> list[str]:
        """Return what to exec."""
        if self.name == "Placar":
            return placar_command(port, 1)
        return gunicorn(port, 1, self.app, "benchmarks/serving/plain_conf.py")


@dataclass(frozen=True, slots=True)
class Measured:
    """One round of one service."""

    rate: float
    p50: float
    p99: float
    failed: int


def main() -> int:
    """Run the benchmark; exit 1 when an answer was wrong."""
    options = parse()
    with tempfile.TemporaryDirectory(prefix="placar-bench-") as folder:
        home = trained_home(Path(folder) / "home")
        rows = write_rows(Path(folder) / "rows.jsonl")
        contenders = line_up(home, Path(folder))
        own = {each.name: measure_alone(each, home) for each in contenders}
        rounds = measure_together(contenders, rows, options)
    text, good = render(contenders, own, rounds, options)
    write_results("serving", text, keep=not options.short)
    return 0 if good else 1


def parse() -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="one short round, nothing kept")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16])
    options = parser.parse_args()
    if options.short:
        options.rounds, options.seconds = 1, 3.0
    return options


def write_rows(path: Path) -> Path:
    """Write rows of the demo table as JSON, one a line; missing cells are null."""
    with TABLE.open(encoding="utf-8", newline="") as file, path.open("w", encoding="utf-8") as out:
        for number, row in enumerate(csv.DictReader(file)):
            if number == ROWS:
                break
            cells = {name: typed(cell) for name, cell in row.items() if name != TARGET}
            out.write(json.dumps(cells) + "\n")
    return path


def typed(cell: str) -> str | float | None:
    """Return a cell as JSON has it."""
    try:
        return float(cell) if cell not in ("", "NA") else None
    except ValueError:
        return cell


def line_up(home: Home, folder: Path) -> list[Contender]:
    """Prepare all three services; they know the same loans."""
    model = folder / "usual.joblib"
    fit = [sys.executable, str(HERE / "usual_service.py"), "train", str(TABLE), str(model)]
    subprocess.run(fit, check=True)
    here = {"PYTHONPATH": str(HERE)}
    ask = home.ask()
    plain = Ask("/predict", ask.body, ask.headers, lambda status, _: status == http.client.OK)
    return [
        Contender("no-op", "noop:app", plain, here),
        Contender("Placar", "", ask, home.env),
        Contender("usual", "usual_service:app", plain, {**here, "USUAL_MODEL": str(model)}),
    ]


def measure_alone(contender: Contender, home: Home) -> tuple[float, float]:
    """Return megabytes (PSS after some requests) and seconds to the first right answer."""
    port = free_port()
    with serving(
        contender.name, contender.command(port), port, contender.first, env=contender.env
    ) as service:
        for number in range(100):
            ask = home.ask(number % len(home.golden))
            status, body = request(port, ask)
            good = ask.check(status, body) if contender.name == "Placar" else status == 200
            if not good:
                sys.exit(f"{contender.name} gave a wrong answer (status {status}).")
        return service.memory() / MB, service.seconds_to_answer


def measure_together(
    contenders: list[Contender], rows: Path, options: argparse.Namespace
) -> dict[tuple[str, int], list[Measured]]:
    """Run interleaved rounds over all services and numbers of connections."""
    cores = sorted(os.sched_getaffinity(0))
    core = cores[0] if len(cores) > 1 else None
    found: dict[tuple[str, int], list[Measured]] = {}
    with ExitStack() as stack:
        services = [
            stack.enter_context(
                serving(each.name, each.command(port), port, each.first, env=each.env, core=core)
            )
            for each in contenders
            for port in (free_port(),)
        ]
        for service in services:  # a warm-up that does not count
            load(service, 8, min(2.0, options.seconds), rows, cores[-1])
        for _ in range(options.rounds):
            for connections in options.connections:
                for service in services:
                    measured = load(service, connections, options.seconds, rows, cores[-1])
                    found.setdefault((service.name, connections), []).append(measured)
    return found


def load(service: Service, connections: int, seconds: float, rows: Path, core: int) -> Measured:
    """Load one service from ``core`` and return what happened."""
    if shutil.which("wrk"):
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--latency"]
        command += ["-s", str(HERE / "load.lua"), f"http://127.0.0.1:{service.port}"]
        command += ["--", str(rows), KEY]
    else:
        command = [sys.executable, str(HERE / "client.py"), str(service.port), str(connections)]
        command += [f"{seconds:g}", str(rows), KEY]
    done = subprocess.run(
        ["taskset", "-c", str(core), *command], check=True, capture_output=True, text=True
    )
    said = json.loads(done.stdout.strip().splitlines()[-1])
    return Measured(
        rate=said["requests"] / said["seconds"],
        p50=said["p50"],
        p99=said["p99"],
        failed=said["refused"] + said["broken"],
    )


def render(
    contenders: list[Contender],
    own: dict[str, tuple[float, float]],
    rounds: dict[tuple[str, int], list[Measured]],
    options: argparse.Namespace,
) -> tuple[str, bool]:
    """Return the results as Markdown, and whether nothing failed."""
    many = max(options.connections)
    titles = ["service, one worker on one core"]
    titles += [f"{each} conn. req/s" for each in options.connections]
    titles += [f"{many} conn. p50/p99 ms", "PSS MB", "cold start s"]
    lines = []
    for each in contenders:
        rates = [median(rounds[each.name, n], "rate") for n in options.connections]
        busy = rounds[each.name, many]
        megabytes, seconds = own[each.name]
        latency = f"{median(busy, 'p50'):.1f}/{median(busy, 'p99'):.1f}"
        lines.append(
            [
                each.name,
                *(f"{r:,.0f}" for r in rates),
                latency,
                f"{megabytes:.0f}",
                f"{seconds:.1f}",
            ]
        )
    failed = sum(measured.failed for rows in rounds.values() for measured in rows)
    ratios = {n: ratio(rounds, n) for n in options.connections}
    said = ", ".join(f"{times:.1f} times at {n} connection(s)" for n, times in ratios.items())
    load_by = "wrk" if shutil.which("wrk") else "benchmarks/serving/client.py"
    text = f"""# Serving: one row a request, beside the usual service

{machine()}. Load by {load_by}; medians of {options.rounds} interleaved round(s) of
{options.seconds:g} s. Varying rows of the demo table; the same server under all three.

{table(titles, lines)}

Placar against the usual FastAPI + pandas + scikit-learn service: {said}
(goal: {WANTED}). Failed requests: {failed}."""
    return text, failed == 0


def median(rows: list[Measured], name: str) -> float:
    """Return the median of one figure over the rounds."""
    return statistics.median(float(getattr(row, name)) for row in rows)


def ratio(rounds: dict[tuple[str, int], list[Measured]], connections: int) -> float:
    """Return the median over the rounds of Placar's rate by the usual service's."""
    pairs = zip(rounds["Placar", connections], rounds["usual", connections], strict=True)
    return statistics.median(ours.rate / theirs.rate for ours, theirs in pairs)


if __name__ == "__main__":
    sys.exit(main())
