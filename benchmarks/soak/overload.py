"""Ten times what the box can do: what is accepted stays fast, the rest is refused at once.

First the capacity C of single-row scoring (16 connections, closed loop), then half of it and ten
times of it as an open loop (``stream.py`` says how latency is counted), with ``/health`` probed
meanwhile. In the box of 512 MB and half a CPU; with ``--core`` on one core without a quota.

    python benchmarks/soak/overload.py [--core] [--seconds S] [--times N] [--out FILE] [--keep]

Exit code 1 when a promise is broken.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import material  # noqa: E402
import msgspec  # noqa: E402 - the path comes first
from crew import at_work  # noqa: E402
from harness import (  # noqa: E402
    RESULTS,
    Home,
    Service,
    free_port,
    machine,
    placar_command,
    serving,
    table,
    trained_home,
)
from outcome import Latency, Promise, latency  # noqa: E402
from seen import Plan, Seen  # noqa: E402
from stream import StreamPlan, StreamSeen  # noqa: E402

from box import NoBox, end_well_on_sigterm, open_box  # noqa: E402

ROWS = 400
CONNECTIONS = 768
"""Of the overload; each is free again when its answer came."""
_FEW = 64
"""Of half load: an idle connection would be closed before its turn came again."""
SLOWER = 2.0
"""Times the p99 of half load that accepted requests may take under overload."""
REFUSED_WITHIN = 10.0
"""Milliseconds that a refusal may cost the service."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What every stage needs."""

    folder: Path
    rows: Path
    port: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Stage:
    """A load and what came of it."""

    name: str
    rate: float
    """Requests a second that were meant to be sent; 0 for a closed loop."""
    seen: StreamSeen
    health: Latency

    @property
    def goodput(self) -> float:
        """Accepted requests a second."""
        return len(self.seen.accepted) / self.seen.seconds

    @property
    def sent(self) -> float:
        """Requests a second that were sent."""
        if not self.rate:
            return self.goodput
        return (self.seen.due - self.seen.no_connection) / self.seen.seconds


def main() -> int:
    """Run the stages; exit 1 when a promise is broken."""
    end_well_on_sigterm()
    options = parse()
    with tempfile.TemporaryDirectory(prefix="placar-overload-") as name:
        scene, home = prepare(Path(name), options)
        with a_service(home, scene.port, options) as (_, where):
            closed = stage(scene, "capacity", 0.0, 16)
            capacity = closed.goodput
            half = stage(scene, "half load", capacity / 2, _FEW)
            over = stage(scene, f"{options.times:g} times", capacity * options.times, CONNECTIONS)
            after = stage(scene, "half load again", capacity / 2, _FEW)
    stages = [closed, half, over, after]
    made = promises(half, over)
    text = render(where, stages, made)
    print(text)
    if options.out:
        figures = {stage.name: summary(stage) for stage in stages}
        Path(options.out).write_bytes(msgspec.json.encode({"stages": figures, "promises": made}))
    if options.keep:
        name = "overload-core" if options.core else "overload"
        (RESULTS / f"{name}.md").write_text(text + "\n", encoding="utf-8")
    return 0 if all(promise.kept for promise in made) else 1


def parse() -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--core", action="store_true", help="one core, no quota, no memory limit")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each stage")
    parser.add_argument("--times", type=float, default=10.0, help="the capacity")
    parser.add_argument("--out", help="JSON file for the figures")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/overload.md")
    return parser.parse_args()


def prepare(folder: Path, options: argparse.Namespace) -> tuple[Scene, Home]:
    """Train the model, and write what is sent."""
    home = trained_home(folder / "home")
    rows = material.write_rows(folder / "rows.jsonl", ROWS)
    return Scene(folder, rows, free_port(), options.seconds), home


@contextlib.contextmanager
def a_service(home: Home, port: int, options: argparse.Namespace) -> Iterator[tuple[Service, str]]:
    """Start the service with 2 workers, in the box or on one core; say where it runs."""
    command = placar_command(port, 2)
    with contextlib.ExitStack() as stack:
        core = None
        if options.core:
            core, where = min(os.sched_getaffinity(0)), "one core, no quota"
        else:
            try:
                box = stack.enter_context(open_box())
            except NoBox as error:
                sys.exit(f"No box can be made here, so there is nothing to measure: {error}")
            command, where = box.enter(command), f"cgroup v{box.version}, 512 MB and 0.5 CPU"
        service = stack.enter_context(
            serving("overload", command, port, home.ask(), env=home.env, core=core)
        )
        yield service, where


def stage(scene: Scene, name: str, rate: float, connections: int) -> Stage:
    """Stream at a rate while ``/health`` is probed."""
    out = scene.folder / f"{name.replace(' ', '-')}.stream"
    plan = StreamPlan(
        port=scene.port,
        seconds=scene.seconds,
        rows=str(scene.rows),
        out=str(out),
        connections=connections,
        rate=rate,
        warm=min(3.0, scene.seconds / 4),
    )
    probe = Plan(
        roles=["health"],
        port=scene.port,
        seconds=scene.seconds,
        rows=str(scene.rows),
        out=str(out.with_suffix(".health")),
    )
    file = out.with_suffix(".json")
    file.write_bytes(msgspec.json.encode(plan))
    with at_work([probe]) as crew:
        subprocess.run([sys.executable, str(HERE / "stream.py"), str(file)], check=True)
        seen: list[Seen] = crew.wait(10)
    healthy = latency(seen[0].tallies["health"].seconds)
    return Stage(name, rate, msgspec.json.decode(out.read_bytes(), type=StreamSeen), healthy)


def promises(half: Stage, over: Stage) -> list[Promise]:
    """Return what overload has to keep."""
    before, now = latency(half.seen.accepted), latency(over.seen.accepted)
    times = now.p99 / before.p99 if before.p99 and now.count else float("inf")
    refusal, source = refusal_time(over.seen)
    bad = over.seen.bad_status + over.seen.broken + over.seen.unanswered
    refused = f"p99 {refusal:.1f} ms {source}" if over.seen.refused else "none was refused"
    kept = bool(over.seen.refused) and refusal < REFUSED_WITHIN
    return [
        Promise(
            "accepted p99, by that of half load",
            f"≤ {SLOWER:g}",
            f"{times:.1f}",
            times <= SLOWER,
            hard=False,
        ),
        Promise(
            "a refusal's time in the service", f"< {REFUSED_WITHIN:g} ms", refused, kept, hard=False
        ),
        Promise("answers that are neither 200 nor a refusal", "0", str(bad), not bad, hard=True),
    ]


def refusal_time(seen: StreamSeen) -> tuple[float, str]:
    """Return the milliseconds that a refusal took the service, and who says so."""
    if seen.server:
        return latency(seen.server).p99, "as the service says"
    quickest = min(seen.refused, default=0.0) * 1e3
    return quickest, "(the quickest seen from outside: the service does not say)"


def summary(stage: Stage) -> dict[str, object]:
    """Return a stage's figures."""
    seen = stage.seen
    return {
        "meant": stage.rate,
        "sent": stage.sent,
        "goodput": stage.goodput,
        "accepted": latency(seen.accepted),
        "refused": latency(seen.refused),
        "server": latency(seen.server),
        "no_connection": seen.no_connection,
        "bad": seen.bad_status + seen.broken + seen.unanswered,
        "health": stage.health,
        "late": latency(seen.late),
    }


def render(where: str, stages: Sequence[Stage], made: Sequence[Promise]) -> str:
    """Return the results as Markdown."""
    verdict = "PASS" if all(promise.kept for promise in made) else "FAIL"
    titles = ["load", "meant /s", "sent /s", "accepted /s", "of C", "p50 ms", "p99 ms"]
    titles += ["ours p99", "refused", "refused p50 ms", "`/health` p99 ms"]
    lines = [_line(stage, stages[0].goodput) for stage in stages]
    kept = [[p.name, p.wanted, p.found, "PASS" if p.kept else "FAIL"] for p in made]
    over = stages[2].seen
    return f"""# Overload: {verdict}

{machine()}. Service with 2 workers on {where}; load from outside, in the overload over
{CONNECTIONS} connections.
Open loop: a request goes out at its time on a free connection, and its latency counts from that
time; with no connection free it is not sent (of the overload {over.no_connection:,}, because every
connection waited for an answer). "Ours" is what the load itself was late, and part of p99.

{table(titles, lines)}

{table(["promise", "wanted", "found", ""], kept)}"""


def _line(stage: Stage, capacity: float) -> list[object]:
    took, refused = latency(stage.seen.accepted), latency(stage.seen.refused)
    answers = took.count + refused.count
    return [
        stage.name,
        f"{stage.rate:,.0f}" if stage.rate else "closed loop",
        f"{stage.sent:,.0f}",
        f"{stage.goodput:,.0f}",
        f"{stage.goodput / capacity:.0%}",
        f"{took.p50:,.1f}",
        f"{took.p99:,.1f}",
        f"{latency(stage.seen.late).p99:,.1f}",
        f"{refused.count / answers:.0%}" if answers else "-",
        f"{refused.p50:,.1f}" if refused.count else "-",
        f"{stage.health.p99:,.0f}",
    ]


if __name__ == "__main__":
    sys.exit(main())
