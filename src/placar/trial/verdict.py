"""From what was measured to checks, and from checks to one sentence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from placar.trial.facts import (
    FEWEST,
    Batch,
    Check,
    Health,
    Retrain,
    Status,
    Step,
    Trial,
    connections_of,
    milliseconds,
)
from placar.trial.load import MOST_REQUESTS, WORST_P99, is_worse
from placar.trial.retrain import NOT_STARTED, UNFOLLOWED

PLATFORM_LIMIT = 5_000.0
"""Milliseconds after which platforms count a health check as failed."""

_SLOW_HEALTH = 1_000.0
_FEW_ERRORS = 0.01
_LAG = 2.0
"""Milliseconds that any loop may be late: its clock ticks in such steps."""

_BUSY = 0.85
"""Share of one CPU above which our own asking was the limit."""


@dataclass(slots=True)
class Found:
    """What a trial has found so far."""

    own: bool
    loaded: bool
    asked: str = ""
    stopped: str = ""
    """Why the load went no further."""
    interrupted: bool = False
    checks: list[Check] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    health: list[Health] = field(default_factory=list)
    retrain: Retrain | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The end of it."""

    status: Status
    sentence: str
    checks: tuple[Check, ...]


def judge(found: Found) -> Verdict:
    """Return the verdict on what was found."""
    checks = (*found.checks, *_measured(found))
    present = {each.status for each in checks}
    status: Status = "fail" if "fail" in present else "warn" if "warn" in present else "ok"
    return Verdict(status, _sentence(found, status, checks), checks)


def is_good(trial: Trial, *, strict: bool) -> bool:
    """Tell whether the verdict is good; ``strict`` lets no warning pass."""
    return trial.status == "ok" or (trial.status == "warn" and not strict)


def _measured(found: Found) -> Iterator[Check]:
    yield from _load(found)
    yield from _health(found.health)
    yield from _batches(found.batches)
    if found.retrain is not None:
        yield _retrain(found.retrain, found.steps)
    yield from _our_side(found)


def _load(found: Found) -> Iterator[Check]:
    if not found.loaded:
        told = "Not loaded: this host is not this computer."
        yield Check("load", "note", told, "If it is yours to load, add --yes.")
        return
    if not found.steps:
        return
    asked = sum(step.asked for step in found.steps)
    failed = sum(step.failed for step in found.steps)
    if failed:
        kinds = sorted({kind for step in found.steps for kind in step.errors})
        status: Status = "fail" if failed > _FEW_ERRORS * asked else "warn"
        told = f"{failed:,} of {asked:,} requests went wrong: {', '.join(kinds)}."
        yield Check("load", status, told, "See the service's log; `placar doctor` reads it.")
    last = found.steps[-1]
    if found.stopped and not last.failed:
        told = f"Ended at {connections_of(last)}: {found.stopped}."
        to_do = "Beyond this many callers at once it needs more workers, CPU or instances."
        yield Check("load", "warn", told, to_do)
    elif not failed:
        yield Check("load", "ok", f"{asked:,} requests, none went wrong; {_pace(found.steps)}.")
    yield from _oddities(found.steps, asked)


def _oddities(steps: list[Step], asked: int) -> Iterator[Check]:
    slowest = max(steps, key=lambda step: step.latency.worst or 0.0)
    worst = slowest.latency.worst or 0.0
    if worst > WORST_P99 and not is_worse(slowest):
        told = f"One answer took {milliseconds(worst)}, at {connections_of(slowest)}."
        to_do = "Few are that slow, but something stood still: see the service's log."
        yield Check("slowest answer", "warn", told, to_do)
    refused = sum(step.refused for step in steps)
    if refused:
        told = f"{refused:,} of {asked:,} requests were told to come later (503 or 429), and did."
        yield Check("refusals", "note", told)
    shed = sum(step.shed for step in steps)
    if shed:
        yield Check("shed", "note", f"{shed:,} answers came without their extras, to save time.")


def _health(phases: Iterable[Health]) -> Iterator[Check]:
    for each in phases:
        name = f"health {each.phase}"
        count, failed = each.latency.count, sum(each.errors.values())
        worst = each.latency.worst or 0.0
        told = f"{count:,} probes: {_spread(each)}."
        if failed or worst >= PLATFORM_LIMIT:
            kinds = f" {failed:,} more failed: {', '.join(each.errors)}." if failed else ""
            to_do = "Platforms restart what fails this or takes 5 s: see the service's log."
            yield Check(name, "fail", told + kinds, to_do)
        elif worst >= _SLOW_HEALTH:
            to_do = "Something holds the service's loop or its CPU; 5 s would be fatal."
            yield Check(name, "warn", told, to_do)
        else:
            yield Check(name, "ok", told)


def _spread(health: Health) -> str:
    p99, worst = health.latency.p99, health.latency.worst
    if worst is None:
        return "none was answered"
    if p99 is None:
        return f"worst {milliseconds(worst)} (too few for a p99, which takes {FEWEST[0.99]})"
    return f"p99 {milliseconds(p99)}, worst {milliseconds(worst)}"


def _batches(batches: Iterable[Batch]) -> Iterator[Check]:
    scored = [each for each in batches if each.outcome == "scored"]
    told = ""
    if scored:
        largest = scored[-1]
        told = f"{largest.rows:,} rows in {largest.seconds:.1f} s ({largest.rate:,.0f} a second)."
    for each in batches:
        if each.outcome == "too large" and scored:
            told += f" {each.rows:,} are more than one request may have."
        elif each.outcome == "refused":
            told = f"{told} {each.rows:,} were refused for now.".strip()
            yield Check("large batch", "note", told, each.said)
            return
        elif each.outcome != "scored":
            to_do = "Send fewer rows at once, or see the service's log."
            told = f"{told} {each.rows:,} rows: {each.said}".strip()
            yield Check("large batch", "fail" if each.outcome == "failed" else "warn", told, to_do)
            return
    if told:
        yield Check("large batch", "ok", told)


def _retrain(retrain: Retrain, steps: Iterable[Step]) -> Check:
    name = "retrain"
    if retrain.outcome == NOT_STARTED:
        return Check(name, "warn", f"No run was started. {retrain.said}")
    told = (
        f"Run {retrain.run}: {retrain.outcome} after {retrain.seconds:g} s. {retrain.said}".strip()
    )
    if retrain.outcome == UNFOLLOWED:
        return Check(name, "warn", told, "`GET /runs/{id}` tells how it went on.")
    if retrain.outcome != "succeeded":
        return Check(name, "fail", told, "GET /runs/{id}/log tells more.")
    beside = retrain.step
    if beside is None or beside.latency.p50 is None:
        return Check(name, "note", f"{told} Too few scores meanwhile to tell what it cost.")
    if beside.failed:
        told += f" {beside.failed:,} of {beside.asked:,} scores went wrong meanwhile."
        return Check(name, "fail", told, "See the service's log; the box may be too small.")
    told += f" Scores beside it: {_percentiles(beside)}"
    before = next((step for step in steps if step.connections == beside.connections), None)
    if before is not None and before.latency.p50 is not None:
        told += f"; without it, as fast as they come: {_percentiles(before)}"
    return Check(name, "ok", f"{told}. The version was not promoted.")


def _our_side(found: Found) -> Iterator[Check]:
    fault = next((told for step in found.steps if (told := _own_fault(step))), "")
    if fault:
        yield Check("this computer", "note", fault, "The service may be faster than the figures.")
    if found.steps and found.own:
        told = "Service and load shared this computer's CPUs."
        yield Check("same machine", "note", told, "Over a network it differs; ask from elsewhere.")
    if any(step.ended == "count" for step in found.steps):
        told = f"A step ends after {MOST_REQUESTS:,} requests, though time was left."
        yield Check("bounds", "note", told)


def _own_fault(step: Step) -> str:
    """Return how much of the latency our own side made up, in words; empty if it was little."""
    where = connections_of(step)
    if step.own_cpu > _BUSY:
        return f"The bottleneck at {where}: asking alone took {step.own_cpu:.0%} of a CPU here."
    lag, latency = step.own_lag.p90, step.latency.p50
    if lag is not None and latency is not None and lag > max(_LAG, latency / 2):
        return f"At {where} it was late itself: by {milliseconds(lag)} in every tenth case."
    return ""


def _sentence(found: Found, status: Status, checks: tuple[Check, ...]) -> str:
    ended = "Interrupted, so this is not the whole picture. " if found.interrupted else ""
    failed = [each.name for each in checks if each.status == "fail"]
    warned = [each.name for each in checks if each.status == "warn"]
    if found.interrupted and not found.steps and not failed:
        return "Interrupted before anything could be said of it."
    if failed:
        return f"{ended}Not fit: {_listed(failed)} failed."
    what = "It answers as it should"
    if any(each.name == "score" and each.status == "warn" for each in checks):
        what = "It answers, but scoring was not tried"
    if not found.loaded:
        what += "; it was not loaded"
    elif found.steps:
        slowest = max((each.latency.worst or 0.0 for each in found.health), default=0.0)
        what += f", and carried {_pace(found.steps)}; /health took {milliseconds(slowest)} at worst"
    if status == "warn":
        return f"{ended}{what}. Look at: {_listed(warned)}."
    return f"{ended}{what}."


def _pace(steps: Iterable[Step]) -> str:
    """Return the fastest step that was good, in words."""
    carried = [step for step in steps if not is_worse(step) and step.latency.count]
    if not carried:
        return "no load well"
    best = max(carried, key=lambda step: step.rate)
    return f"{best.rate:,.0f} answers a second over {connections_of(best)} ({_percentiles(best)})"


def _percentiles(step: Step) -> str:
    p50, p99 = step.latency.p50, step.latency.p99
    if p50 is None:
        return f"{step.latency.count} answers are too few to tell how fast"
    tail = f"worst {milliseconds(step.latency.worst or 0.0)}"
    if p99 is not None:
        tail = f"p99 {milliseconds(p99)}"
    return f"p50 {milliseconds(p50)}, {tail}"


def _listed(names: list[str]) -> str:
    unique = list(dict.fromkeys(names))
    return unique[0] if len(unique) == 1 else f"{', '.join(unique[:-1])} and {unique[-1]}"
