"""Processes of the service are killed at random while it is loaded and runs are asked for.

Master, workers, and the processes of runs get SIGKILL, one every second or two; a killed master is
started again, as a platform would. Afterwards nothing may be lost: every run that the service took
on has a named end, every version it promoted answers, no answer was wrong, and what came to nothing
came to nothing because of a kill. Then a deploy: SIGTERM in the middle of the load.

    python benchmarks/soak/chaos.py [--seconds S] [--seed N] [--no-box] [--out FILE]

Exit code 1 when a promise is broken.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import material  # noqa: E402
import msgspec  # noqa: E402 - the path comes first
import outcome as found_by  # noqa: E402
from crew import at_work  # noqa: E402
from deployment import Deployment, Kind  # noqa: E402
from harness import Ask, Home, free_port, machine, request, table, trained_home  # noqa: E402
from outcome import Promise  # noqa: E402
from seen import ENDED, Failure, Plan, RunSeen, Seen  # noqa: E402

from box import Box, NoBox, end_well_on_sigterm, open_box  # noqa: E402

ROWS = 300
SETTLE = 8.0
"""Seconds of load after the last kill."""
RECOVERY = 10.0
"""Seconds within which it has to answer again: a start takes some, on half a CPU."""
GRACEFUL = 30.0
"""Seconds that platforms give a service to end."""
_SLACK = 1.0
"""Seconds after an answer came again during which a connection may still be found dead."""


@dataclass(frozen=True, slots=True)
class Kill:
    """A process that was killed."""

    kind: Kind
    at: float
    recovered: float
    """Seconds of the monotonic clock when the service answered again."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What both parts need."""

    folder: Path
    home: Home
    rows: Path
    table: Path
    port: int
    box: Box | None


@dataclass
class Found:
    """What the two parts found."""

    kills: list[Kill] = field(default_factory=list)
    promises: list[Promise] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def main() -> int:
    """Run both parts; exit 1 when a promise is broken."""
    end_well_on_sigterm()
    options = parse()
    found = Found()
    with tempfile.TemporaryDirectory(prefix="placar-chaos-") as name, box_or_none(options) as box:
        scene = prepare(Path(name), box)
        chaos(scene, options, found)
        deploy(scene, found)
        if box is not None:
            found.promises.append(none("kernel kills", [""] * box.kernel_kills()))
    print(render(found, options))
    if options.out:
        result = {"promises": found.promises, "kills": found.kills, "notes": found.notes}
        Path(options.out).write_bytes(msgspec.json.encode(result))
    return 0 if all(promise.kept for promise in found.promises) else 1


def parse() -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="to repeat the kills")
    parser.add_argument("--no-box", action="store_true", help="no limit of memory and CPU")
    parser.add_argument("--out", help="JSON file for what was found")
    return parser.parse_args()


@contextlib.contextmanager
def box_or_none(options: argparse.Namespace) -> Iterator[Box | None]:
    """Open a box, unless none is wanted or none can be had."""
    if options.no_box:
        yield None
        return
    with contextlib.ExitStack() as stack:
        try:
            box = stack.enter_context(open_box())
        except NoBox as error:
            print(f"There is no box, so memory and CPU are not limited: {error}", file=sys.stderr)
            box = None
        yield box


def prepare(folder: Path, box: Box | None) -> Scene:
    """Train the first model, and write what the clients send."""
    home = trained_home(folder / "home")
    rows = material.write_rows(folder / "rows.jsonl", ROWS)
    return Scene(folder, home, rows, material.TABLE, free_port(), box)


def chaos(scene: Scene, options: argparse.Namespace, found: Found) -> None:
    """Kill at random under load; then look at what is left."""
    chance = random.Random(options.seed)
    with Deployment(scene.home, scene.port, "chaos", scene.box) as service:
        service.wait_until_ready(60)
        seconds = options.seconds + SETTLE
        plans = [
            plan(scene, ["scores"], seconds, connections=4),
            plan(scene, ["fresh health", "runs"], seconds),
        ]
        with at_work(plans) as crew:
            end = time.monotonic() + options.seconds
            time.sleep(1)
            while time.monotonic() < end:
                found.kills += kill_one(service, chance)
                time.sleep(chance.uniform(0.3, 2.5))
            seen = crew.wait(60)
        look(scene, service, seen, found)
        stray = service.stop(GRACEFUL)
    found.promises.append(none("processes left behind", stray))


def plan(scene: Scene, roles: list[str], seconds: float, connections: int = 4) -> Plan:
    """Return a plan of clients."""
    return Plan(
        roles=roles,
        port=scene.port,
        seconds=seconds,
        rows=str(scene.rows),
        out=str(scene.folder / f"{'-'.join(roles)}.seen"),
        connections=connections,
        batch_every=2.0,
        batch_rows=20_000,
        table=str(scene.table),
    )


def kill_one(service: Deployment, chance: random.Random) -> list[Kill]:
    """Kill a process of a kind chosen at random; wait until the service answers again."""
    processes = service.processes()
    if not processes:
        return []
    kind = chance.choice(sorted({process.kind for process in processes}))
    victim = chance.choice([process.pid for process in processes if process.kind == kind])
    at = time.monotonic()
    with contextlib.suppress(ProcessLookupError):
        os.kill(victim, signal.SIGKILL)
    if kind == "master":
        service.start_again()
    service.wait_until_ready(60)
    return [Kill(kind, at, time.monotonic())]


def look(scene: Scene, service: Deployment, seen: Sequence[Seen], found: Found) -> None:
    """Judge what the clients saw, and what the service remembers."""
    tallies = {name: tally for each in seen for name, tally in each.tallies.items()}
    versions = {version for tally in tallies.values() for version, *_ in tally.answers}
    runs = [run for each in seen for run in each.runs]
    ends = last_known(service, runs)
    versions |= {run.version for run in ends.values() if run.promoted and run.version}
    folder = scene.home.folder
    right = {
        version: material.expected(folder, version, ROWS, scene.folder) for version in versions
    }
    wrong, compared = found_by.count_wrong(list(tallies.values()), right)
    failures = [failure for tally in tallies.values() for failure in tally.failures]
    strange = [failure.what for failure in failures if not explained(failure, found.kills)]
    slowest = max((kill.recovered - kill.at for kill in found.kills), default=0.0)
    found.promises += [
        none("wrong answers", ["wrong"] * wrong),
        none("failures that no kill explains", strange),
        none("runs that were taken on and are not there", [r.id for r in runs if r.id not in ends]),
        none(
            "runs without a named end", [r.status for r in ends.values() if r.status not in ENDED]
        ),
        none("promoted versions that do not answer right", dead_versions(service, ends, right)),
        none("damage to the store", damage(folder)),
        Promise(
            "answers again after a kill",
            f"≤ {RECOVERY:.0f} s",
            f"{slowest:.1f} s at worst",
            slowest <= RECOVERY,
            hard=False,
        ),
    ]
    found.notes += [
        f"Answers compared: {compared:,}, of {len(versions)} versions.",
        f"Failures that a kill explains: {len(failures) - len(strange)}.",
        f"Runs: {len(runs)} taken on; {dict(Counter(run.status for run in ends.values()))}.",
    ]


def last_known(service: Deployment, runs: Sequence[RunSeen]) -> dict[str, RunSeen]:
    """Return what the service says of each run, once they have ended or a while has passed."""
    deadline = time.monotonic() + 90
    ends: dict[str, RunSeen] = {}
    for run in runs:
        while True:
            status, body = service.get(f"/runs/{run.id}")
            if status != 200:
                break
            answer = json.loads(body)
            ends[run.id] = RunSeen(
                run.id,
                answer["status"],
                version=answer["version"],
                promoted=answer["promoted"],
            )
            if answer["status"] in ENDED or time.monotonic() > deadline:
                break
            time.sleep(0.3)
    return ends


def explained(failure: Failure, kills: Sequence[Kill]) -> bool:
    """Tell whether a kill explains why a request came to nothing."""
    if failure.what == "status 409 run_already_active":
        return True  # the answer to the request that started it was lost with a worker
    return not failure.what.startswith("status") and any(
        kill.kind in ("master", "worker")
        and failure.begin <= kill.recovered + _SLACK
        and failure.end >= kill.at
        for kill in kills
    )


def dead_versions(
    service: Deployment, ends: dict[str, RunSeen], right: dict[str, list[float]]
) -> list[str]:
    """Return the promoted versions that do not score a row as they should."""
    row = material.as_json(material.demo_rows(1)[0])
    dead = []
    for version in {run.version for run in ends.values() if run.promoted and run.version}:
        ask = Ask(f"/models/credit/versions/{version}/predict", row, material.JSON_HEADERS)
        status, body = request(service.port, ask)
        if status != 200 or abs(json.loads(body)["probability"] - right[version][0]) > 1e-6:
            dead.append(version)
    return dead


def damage(home: Path) -> list[str]:
    """Return what SQLite finds wrong with the store."""
    said = []
    for path in home.glob("*.db"):
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
            (answer,) = store.execute("PRAGMA integrity_check").fetchone()
        if answer != "ok":
            said.append(f"{path.name}: {answer}")
    return said


def deploy(scene: Scene, found: Found) -> None:
    """Tell the master to end in the middle of the load, as a deploy does."""
    with Deployment(scene.home, scene.port, "deploy", scene.box) as service:
        service.wait_until_ready(60)
        plans = [
            plan(scene, ["scores"], 5.0, connections=8),
            plan(scene, ["batches", "runs"], 5.0),
        ]
        with at_work(plans) as crew:
            time.sleep(4)
            told = time.monotonic()
            code = service.terminate(GRACEFUL)
            took = time.monotonic() - told
            seen = crew.wait(GRACEFUL)
        left_alone = [
            f"{name}: {failure.what}"
            for each in seen
            for name, tally in each.tallies.items()
            for failure in tally.failures
            if failure.begin < told
        ]
        service.start_again()
        service.wait_until_ready(60)
        runs = [run for each in seen for run in each.runs]
        ends = last_known(service, runs)
        service.stop(GRACEFUL)
    answered = sum(len(tally.seconds) for each in seen for tally in each.tallies.values())
    bad = [run.id for run in runs if run.id not in ends or ends[run.id].status not in ENDED]
    found.promises += [
        Promise("deploy: exit code", "0", str(code), code == 0, hard=True),
        none("deploy: requests under way that were not answered", left_alone),
        none("deploy: runs lost or without a named end", bad),
    ]
    found.notes += [
        (
            f"Deploy: ended {took:.1f} s after SIGTERM; {answered:,} requests answered before and "
            f"meanwhile; runs {dict(Counter(run.status for run in ends.values()))}."
        ),
    ]


def none(name: str, found: Sequence[str]) -> Promise:
    """Return the promise that something never happens."""
    said = f"{len(found)}" + "".join(
        f"; {n} times {what}" for what, n in Counter(found).items() if what
    )
    return Promise(name, "0", said, not found, hard=True)


def render(found: Found, options: argparse.Namespace) -> str:
    """Return what was found as Markdown."""
    verdict = "PASS" if all(promise.kept for promise in found.promises) else "FAIL"
    kinds = Counter(kill.kind for kill in found.kills)
    killed = ", ".join(f"{n} times {kind}" for kind, n in sorted(kinds.items()))
    lines = [[p.name, p.wanted, p.found, "PASS" if p.kept else "FAIL"] for p in found.promises]
    notes = "\n".join(f"- {note}" for note in found.notes)
    return f"""# Chaos: kill -9 at random under load: {verdict}

{machine()}. {options.seconds:.0f} s, seed {options.seed}. Killed: {killed}.

{table(["promise", "wanted", "found", ""], lines)}

{notes}"""


if __name__ == "__main__":
    sys.exit(main())
