"""Ten minutes in a small box: flood, batches, slow and broken clients and a training run at once.

The service runs as it is deployed, with 2 workers, in a control group of 512 MB and half a CPU; the
clients run outside of it. Every answer is compared with that of ``placar score``. Afterwards the
usual service gets the same in the same box.

    python benchmarks/soak/soak.py [--seconds S] [--usual-seconds S] [--short] [--out FILE]

Exit code 1 when a promise is broken.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import material  # noqa: E402
import msgspec  # noqa: E402 - the path comes first
import outcome as found_by  # noqa: E402
from crew import at_work  # noqa: E402
from harness import (  # noqa: E402
    RESULTS,
    ROOT,
    Ask,
    Home,
    free_port,
    gunicorn,
    serving,
    trained_home,
)
from report import render  # noqa: E402
from seen import Plan, Seen  # noqa: E402

from box import Box, NoBox, Throttling, Watch, end_well_on_sigterm, forget_cached, open_box  # noqa: E402

ROWS = 1_000
"""Different rows that are sent."""
PATIENCE = 60.0
"""Seconds that clients may go on after their time, for what is under way."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A service that is put into the box."""

    name: str
    command: list[str]
    port: int
    first: Ask
    env: dict[str, str]
    home: Home | None = None
    """None for the usual service: its answers are not compared."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What every soak needs."""

    folder: Path
    rows: Path
    table: Path
    seconds: float
    box: Box | None
    left_out: list[str]
    why_no_box: str = ""


def main() -> int:
    """Run the soak; exit 1 when a promise is broken."""
    end_well_on_sigterm()
    options = parse()
    with tempfile.TemporaryDirectory(prefix="placar-soak-") as name:
        scene = prepare(Path(name), options)
        ours = in_a_box(scene, options, placar(scene))
        text = write_down(options, ours, None)
        if options.usual_seconds:
            usual_scene = replace(scene, seconds=options.usual_seconds)
            text = write_down(options, ours, in_a_box(usual_scene, options, usual(scene)))
    print(text)
    return 0 if all(promise.kept for promise in found_by.promises(ours)) else 1


def write_down(
    options: argparse.Namespace, ours: found_by.Outcome, theirs: found_by.Outcome | None
) -> str:
    """Keep what is known so far where it was asked for, and return the page."""
    made = found_by.promises(ours)
    if options.out:
        result = {"placar": ours, "usual": theirs, "promises": made}
        Path(options.out).write_bytes(msgspec.json.format(msgspec.json.encode(result)))
    text = render(ours, theirs, made)
    if options.keep:
        (RESULTS / "soak.md").write_text(text + "\n", encoding="utf-8")
    return text


def parse() -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="75 s, and nothing is kept")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--usual-seconds", type=float, default=180.0, help="0 to leave it out")
    parser.add_argument("--memory", type=int, default=512, help="megabytes of the box")
    parser.add_argument("--cpus", type=float, default=0.5, help="of the box; 0 for no limit")
    parser.add_argument(
        "--leave-out", nargs="*", default=[], help="roles: batches, runs, nasty; to find a cause"
    )
    parser.add_argument("--out", help="JSON file for the figures")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/soak.md")
    options = parser.parse_args()
    if options.short:
        options.seconds, options.usual_seconds = 75.0, 0.0
    return options


def prepare(folder: Path, options: argparse.Namespace) -> Scene:
    """Write what the clients send."""
    rows = material.write_rows(folder / "rows.jsonl", ROWS)
    table = material.write_large_table(folder / "large.csv")
    return Scene(folder, rows, table, options.seconds, None, options.leave_out)


def placar(scene: Scene) -> Contender:
    """Train the model outside of the box, and return how it is served."""
    home = trained_home(scene.folder / "home")
    port = free_port()
    env = {**home.env, "PLACAR_LOG_LEVEL": "info", "WEB_CONCURRENCY": "2"}
    start = (  # as render.yaml has it
        '"$0" scripts/check_memory.py && exec sh scripts/startup.sh "$0" -m gunicorn '
        '-c gunicorn.conf.py -b "127.0.0.1:$PORT" src.api.scoring_api:app'
    )
    env["PORT"] = str(port)
    command = ["sh", "-c", start, sys.executable]
    return Contender("placar-soak", command, port, home.ask(), env, home)


def usual(scene: Scene) -> Contender:
    """Fit the usual pipeline outside of the box, and return how it is served."""
    model, port = scene.folder / "usual.joblib", free_port()
    script = str(HERE.parent / "serving" / "usual_service.py")
    fit = [sys.executable, script, "train", str(material.TABLE), str(model)]
    subprocess.run(fit, check=True)
    command = gunicorn(port, 2, "usual:app", "benchmarks/serving/plain_conf.py")
    command[-1:-1] = ["--timeout", "120", "--graceful-timeout", "60", "--keep-alive", "5"]
    row = scene.rows.read_bytes().split(b"\n")[0]
    env = {"PYTHONPATH": str(HERE), "USUAL_MODEL": str(model), "USUAL_TABLE": str(scene.table)}
    return Contender("usual-soak", command, port, Ask("/predict", row, material.JSON_HEADERS), env)


def in_a_box(scene: Scene, options: argparse.Namespace, contender: Contender) -> found_by.Outcome:
    """Soak one service in a box of its own, or without one where none can be made."""
    try:
        with open_box(options.memory * found_by.MB, options.cpus) as box:
            forget_cached([Path(sys.prefix), ROOT / "src"])
            return soak(replace(scene, box=box), contender)
    except NoBox as error:
        print(f"There is no box, so memory and CPU are not limited: {error}", file=sys.stderr)
        return soak(replace(scene, why_no_box=str(error)), contender)


def soak(scene: Scene, contender: Contender) -> found_by.Outcome:
    """Start the service, let the clients at it, and return what was found."""
    box = scene.box
    command = box.enter(contender.command) if box else contender.command
    watching = Watch(box) if box else contextlib.nullcontext()
    log = RESULTS / "logs" / f"{contender.name}.log"
    with serving(
        contender.name, command, contender.port, contender.first, env=contender.env
    ) as service:
        before = box.throttling() if box else None
        begin = time.monotonic()
        with watching as watch:
            seen = let_clients_at(scene, contender)
        seconds = time.monotonic() - begin
        cpu = cpu_of(box, before, seconds) if box and before else None
        ended = service.process.poll()
        lines = found_by.count_lines(log)  # before it is told to end, which has lines too
        memory = memory_of(watch) if watch else None
        kills = box.kernel_kills() if box else None
    wrong, compared, versions = compare(scene, contender, seen)
    others = seen[-1]
    return found_by.Outcome(
        service=contender.name,
        seconds=scene.seconds,
        boxed=f"cgroup v{box.version}" if box else f"none: {scene.why_no_box}",
        ended_early=ended,
        kernel_kills=kills,
        log=lines,
        wrong=wrong,
        compared=compared,
        versions=versions,
        clients=found_by.clients_of(seen),
        attacks=others.attacks,
        wrong_ends=others.wrong_ends,
        runs=others.runs,
        run_share=others.run_seconds / scene.seconds,
        memory=memory,
        cpu=cpu,
        client_lag=max(each.lag for each in seen if each is not others) * 1e3,
    )


def let_clients_at(scene: Scene, contender: Contender) -> list[Seen]:
    """Run three processes of clients for the time of the soak, and return what they saw."""
    usual = contender.home is None
    crews = [
        ["scores"],
        ["fresh health", "health"],
        ["batches", "usual runs" if usual else "runs", "nasty"],
    ]
    plans = [
        Plan(
            roles=[role for role in roles if role not in scene.left_out],
            port=contender.port,
            seconds=scene.seconds,
            rows=str(scene.rows),
            out=str(scene.folder / f"{contender.name}-{number}.seen"),
            table=str(scene.table),
            usual=usual,
        )
        for number, roles in enumerate(crews)
    ]
    with at_work(plans) as crew:
        return crew.wait(PATIENCE)


def compare(scene: Scene, contender: Contender, seen: list[Seen]) -> tuple[int | None, int, int]:
    """Return wrong answers, compared answers and versions that answered."""
    tallies = [tally for each in seen for tally in each.tallies.values()]
    versions = {version for tally in tallies for version, *_ in tally.answers}
    if contender.home is None:
        return None, 0, 1
    folder = contender.home.folder
    right = {
        version: material.expected(folder, version, ROWS, scene.folder) for version in versions
    }
    wrong, compared = found_by.count_wrong(tallies, right)
    return wrong, compared, len(versions)


def memory_of(watch: Watch) -> found_by.Memory:
    """Return the peaks of a watch."""
    peak = watch.peak()
    return found_by.Memory(
        limit=watch.box.limit,
        peak=watch.raw_peak(),
        working_set=peak.working_set,
        cache_then=peak.inactive_file,
        anonymous_then=peak.anonymous,
    )


def cpu_of(box: Box, before: Throttling, seconds: float) -> found_by.Cpu:
    """Return how the quota was used since ``before``."""
    now = box.throttling()
    periods = max(1, now.periods - before.periods)
    return found_by.Cpu(
        cpus=box.cpus,
        throttled_share=(now.throttled - before.throttled) / periods,
        used=(now.cpu_seconds - before.cpu_seconds) / seconds,
    )


if __name__ == "__main__":
    sys.exit(main())
