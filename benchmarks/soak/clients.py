"""The clients of a soak, as processes of their own: ``clients.py PLAN``, a plan being JSON.

Each process has one event loop and some roles; what it saw is written to the plan's ``out``.
Latencies are counted from when a request was to be sent, so that a late client tells no lies.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import sys
import time
from collections import Counter
from collections.abc import Awaitable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import msgspec  # noqa: E402 - the path comes first
import nasty  # noqa: E402
import uvloop  # noqa: E402
from harness import MODEL  # noqa: E402
from material import JSON_HEADERS, POSITIVE, TARGET, batch_body  # noqa: E402
from seen import ENDED, Failure, Plan, RunSeen, Seen, Tally  # noqa: E402
from wire import Client, NoAnswer, Reply, connect, get, post  # noqa: E402

_MOST_BATCHES = 6
"""That are under way at once; what would be more is counted as not sent."""
_LONGEST_PAUSE = 5.0
"""Seconds that a client waits at most when it is told to come back later."""
_HEALTH_EVERY = 0.1
_HEALTH_TIMEOUT = 5.0
"""Platforms take no longer for an answer."""


class _Answer(msgspec.Struct):
    probability: float
    version: str = ""


class _Entry(msgspec.Struct):
    probability: float = -1.0


class _BatchAnswer(msgspec.Struct):
    predictions: list[_Entry]
    version: str


class _Error(msgspec.Struct):
    code: str = ""


class _Problem(msgspec.Struct):
    errors: list[_Error] = []


class _Run(msgspec.Struct):
    id: str
    status: str
    stage: str | None = None
    seconds: float | None = None
    peak_memory: int | None = None
    version: str | None = None
    promoted: bool = False
    error: dict[str, object] | None = None


class Role:
    """One kind of client, and what it saw."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.tally = Tally(seconds=[], refusals=[], ends={}, failures=[], answers=[])
        self.rows = Path(plan.rows).read_bytes().split(b"\n")
        self.end = time.monotonic() + plan.seconds
        self.counted: Counter[tuple[str, int, float]] = Counter()

    @property
    def going(self) -> bool:
        """Whether new requests are to be sent."""
        return time.monotonic() < self.end

    def failed(self, begin: float, what: str) -> None:
        """Note that a request came to nothing."""
        self.note(what)
        self.tally.failures.append(Failure(begin, time.monotonic(), what))

    def note(self, what: str) -> None:
        """Count an end."""
        self.tally.ends[what] = self.tally.ends.get(what, 0) + 1

    def judge(self, reply: Reply, begin: float) -> bool:
        """Note an answer; return whether it is one with content."""
        if reply.status < 300:
            self.note("answered")
            self.tally.seconds.append(reply.seconds)
            return True
        if reply.refused:
            self.note(f"refused {reply.status} {_code(reply)}".rstrip())
            self.tally.refusals.append(reply.seconds)
        else:
            self.failed(begin, f"status {reply.status} {_code(reply)}".rstrip())
        return False

    async def ask(self, client: Client, message: bytes, due: float | None = None) -> Reply | None:
        """Return an answer with content; note everything else, and wait as told."""
        begin = time.monotonic()
        try:
            reply = await client.ask(message, due)
        except NoAnswer as error:
            self.failed(begin, str(error))
            await asyncio.sleep(0.05)
            return None
        if self.judge(reply, begin):
            return reply
        pause = min(reply.retry_after, _LONGEST_PAUSE) if reply.refused else 0.05
        await asyncio.sleep(pause)
        return None

    def finish(self) -> Tally:
        """Return what was seen."""
        self.tally.answers = [(*key, count) for key, count in self.counted.items()]
        return self.tally


def _code(reply: Reply) -> str:
    with contextlib.suppress(msgspec.MsgspecError):
        errors = msgspec.json.decode(reply.body, type=_Problem).errors
        return errors[0].code if errors else ""
    return ""


class Scores(Role):
    """Clients that score single rows as fast as they get answers."""

    async def run(self) -> None:
        """Run all connections."""
        many, rows = self.plan.connections, len(self.rows)
        await asyncio.gather(*(self._one(number * rows // many) for number in range(many)))

    async def _one(self, at: int) -> None:
        messages = [post("/predict", row, JSON_HEADERS) for row in self.rows]
        decode = msgspec.json.Decoder(_Answer).decode
        client = Client(self.plan.port, 30.0)
        while self.going:
            at = (at + 1) % len(messages)
            reply = await self.ask(client, messages[at])
            if reply is not None:
                answer = decode(reply.body)
                self.counted[answer.version, at, answer.probability] += 1
        client.close()


class Batches(Role):
    """A client that sends a large batch at fixed times, whatever became of the one before."""

    async def run(self) -> None:
        """Send them, and wait for the last."""
        message = post("/predict/batch", batch_body(self.rows, self.plan.batch_rows), JSON_HEADERS)
        going: set[asyncio.Task[None]] = set()
        due = time.monotonic()
        while self.going:
            if len(going) < _MOST_BATCHES:
                task = asyncio.create_task(self._one(message))
                going.add(task)
                task.add_done_callback(going.discard)
            else:
                self.tally.not_sent += 1
            due += self.plan.batch_every
            await asyncio.sleep(min(due, self.end) - time.monotonic())
        await asyncio.gather(*going)

    async def _one(self, message: bytes) -> None:
        client = Client(self.plan.port, 100.0)
        begin = time.monotonic()
        reply = await self.ask(client, message)
        client.close()
        if reply is None or self.plan.usual:
            return
        answer = msgspec.json.decode(reply.body, type=_BatchAnswer)
        if len(answer.predictions) != self.plan.batch_rows:
            self.failed(begin, f"{len(answer.predictions)} answers to a batch")
        many = len(self.rows)
        found = ((at % many, entry.probability) for at, entry in enumerate(answer.predictions))
        for (at, probability), count in Counter(found).items():
            self.counted[answer.version, at, probability] += count


class Health(Role):
    """A probe of ``/health``, on a connection of its own each time or on one that is kept."""

    fresh = False

    async def run(self) -> None:
        """Ask at fixed times, also while an answer is due."""
        waiting: set[asyncio.Task[None]] = set()
        client = Client(self.plan.port, _HEALTH_TIMEOUT)
        due = time.perf_counter()
        while self.going:
            if self.fresh:
                task = asyncio.create_task(self._alone(due))
                waiting.add(task)
                task.add_done_callback(waiting.discard)
            else:
                await self.ask(client, get("/health"), due)
            due += _HEALTH_EVERY
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await asyncio.gather(*waiting)
        client.close()

    async def _alone(self, due: float) -> None:
        begin = time.monotonic()
        try:
            link = await connect(self.plan.port, _HEALTH_TIMEOUT)
            try:
                self.judge(await link.ask(get("/health"), _HEALTH_TIMEOUT, due), begin)
            finally:
                link.close()
        except NoAnswer as error:
            self.failed(begin, str(error))


class FreshHealth(Health):
    """As platforms do it."""

    fresh = True


class Runs(Role):
    """A client that keeps a training run going all the time."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.runs: list[RunSeen] = []
        self.active = 0.0
        self.name = Path(plan.table).name
        self.table = Path(plan.table).read_bytes()

    async def run(self) -> None:
        """Send the table, then ask for one run after another."""
        client = Client(self.plan.port, 60.0)
        await self._send_table(client)
        wanted = {"table": self.name, "target": TARGET, "positive": POSITIVE, "model": MODEL}
        asked = post("/run-pipeline", msgspec.json.encode(wanted), JSON_HEADERS)
        while self.going:
            reply = await self.ask(client, asked)
            if reply is not None:
                await self._follow(client, msgspec.json.decode(reply.body, type=_Run).id)
            await asyncio.sleep(0.2)
        client.close()

    async def _send_table(self, client: Client) -> None:
        headers = {**JSON_HEADERS, "Content-Type": "text/csv"}
        message = post(f"/tables?name={self.name}", self.table, headers)
        while self.going:
            if await self.ask(client, message):
                return
            await asyncio.sleep(0.5)

    async def _follow(self, client: Client, run_id: str) -> None:
        seen = RunSeen(run_id, "queued")
        self.runs.append(seen)
        begin = time.monotonic()
        while self.going and seen.status not in ENDED:
            await asyncio.sleep(0.5)
            reply = await self.ask(client, get(f"/runs/{run_id}", JSON_HEADERS))
            if reply is not None:
                run = msgspec.json.decode(reply.body, type=_Run)
                for name in RunSeen.__struct_fields__[1:-1]:
                    setattr(seen, name, getattr(run, name))
                seen.error = str(run.error.get("message")) if run.error else None
        self.active += min(time.monotonic(), self.end) - begin


class UsualRuns(Runs):
    """The same with the usual service: ``POST /train``, and no way to see what became of it."""

    async def run(self) -> None:
        """Ask again and again."""
        client = Client(self.plan.port, 60.0)
        while self.going:
            await self.ask(client, post("/train", b"", JSON_HEADERS))
            await asyncio.sleep(30)
        client.close()


class Nasty(Role):
    """Clients that are slow, broken or mean: all kinds, over and over."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.ends: dict[str, dict[str, int]] = {}
        self.wrong: Counter[str] = Counter()

    async def run(self) -> None:
        """Run every kind beside the others, in lanes, so that the slow hold up only the slow."""
        kinds = nasty.attacks(self.rows[0])
        slow = [kind for kind in kinds if kind.patience > 10 or kind.pause]
        quick = [kind for kind in kinds if kind not in slow]
        lanes = [[kind] for kind in slow] * 2 + [quick[n::3] for n in range(3)]
        with contextlib.suppress(TimeoutError):  # what still waits then is not counted
            async with asyncio.timeout(self.plan.seconds + 1):
                await asyncio.gather(*map(self._lane, lanes))

    async def _lane(self, kinds: list[nasty.Attack]) -> None:
        for kind in itertools.cycle(kinds):
            if not self.going:
                return
            how, fine = await nasty.attack(self.plan.port, kind)
            counts = self.ends.setdefault(kind.name, {})
            counts[how] = counts.get(how, 0) + 1
            if not fine:
                self.wrong[f"{kind.name}: {how}"] += 1
            await asyncio.sleep(0.2)


_ROLES: dict[str, type[Role]] = {
    "scores": Scores,
    "batches": Batches,
    "health": Health,
    "fresh health": FreshHealth,
    "runs": Runs,
    "usual runs": UsualRuns,
    "nasty": Nasty,
}


async def _own_lag(seen: Seen, end: float) -> None:
    """Note how late this loop is, so that nobody blames the service for it."""
    while time.monotonic() < end:
        begin = time.perf_counter()
        await asyncio.sleep(0.05)
        seen.lag = max(seen.lag, time.perf_counter() - begin - 0.05)


async def act(plan: Plan) -> Seen:
    """Do what the plan says."""
    seen = Seen(tallies={}, runs=[], attacks={}, wrong_ends={})
    roles = {name: _ROLES[name](plan) for name in plan.roles}
    work: list[Awaitable[None]] = [role.run() for role in roles.values()]  # type: ignore[attr-defined]
    await asyncio.gather(*work, _own_lag(seen, time.monotonic() + plan.seconds))
    for name, role in roles.items():
        seen.tallies[name] = role.finish()
        if isinstance(role, Runs):
            seen.runs, seen.run_seconds = role.runs, role.active
        if isinstance(role, Nasty):
            seen.attacks, seen.wrong_ends = role.ends, dict(role.wrong)
    return seen


def main() -> int:
    """Read the plan, act, write what was seen."""
    plan = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Plan)
    if "health" in plan.roles:
        with contextlib.suppress(OSError):
            os.nice(-10)  # a probe that waits for a CPU measures the wrong machine
    seen = uvloop.run(act(plan))
    Path(plan.out).write_bytes(msgspec.json.encode(seen))
    return 0


if __name__ == "__main__":
    sys.exit(main())
