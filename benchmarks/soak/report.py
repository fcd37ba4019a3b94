"""The page that a soak writes."""

from __future__ import annotations

from collections.abc import Sequence

from harness import machine, table
from outcome import MB, Client, Outcome, Promise

_SHOWN = 5
"""Kinds of wrong endings that are told."""

_NAMES = {
    "scores": "one row, 16 connections",
    "batches": "50,000 rows, one every 10 s",
    "fresh health": "`/health`, a new connection each",
    "health": "`/health`, one connection",
    "runs": "tables and runs",
    "usual runs": "asking for training",
}


def render(ours: Outcome, theirs: Outcome | None, made: Sequence[Promise]) -> str:
    """Return the results as Markdown."""
    verdict = "PASS" if all(promise.kept for promise in made) else "FAIL"
    parts = [
        "# Soak: everything at once in a small box",
        machine() + ".",
        (
            f"Box: {ours.boxed}{_size(ours)}. {ours.seconds:.0f} s of 16 clients that score single "
            "rows as fast as they get answers, a batch of 50,000 rows every 10 s, slow and broken "
            "clients, two `/health` probes of 10 a second, and a training run on 200,000 rows. The "
            "service has 2 workers and runs as deployed; the clients run outside of the box. "
            "Latencies count from when a request was to be sent. `make soak` repeats it."
        ),
        f"## Promises: {verdict}",
        table(
            ["promise", "wanted", "found", ""],
            [[p.name, p.wanted, p.found, "PASS" if p.kept else "FAIL"] for p in made],
        ),
        *_figures("Placar", ours),
    ]
    if theirs is not None:
        parts += [*_figures("The usual service (FastAPI, pandas, scikit-learn)", theirs)]
        parts += [
            (
                "It trains on the same 200,000 rows in a BackgroundTask, asked for every 30 s; its "
                "answers were not compared: after a retrain each worker has a model of its own."
            )
        ]
    return "\n\n".join(parts)


def _size(found: Outcome) -> str:
    if found.memory is None or found.cpu is None:
        return ""
    return f", {found.memory.limit // MB} MB and {found.cpu.cpus:g} CPU"


def _figures(title: str, found: Outcome) -> list[str]:
    return [
        f"## {title}",
        table(
            [
                "clients",
                "answered",
                "a second",
                "p50 ms",
                "p99 ms",
                "highest ms",
                "refused",
                "failed",
            ],
            [_client(name, client, found.seconds) for name, client in found.clients.items()],
        ),
        "\n".join(_facts(found)),
    ]


def _client(name: str, client: Client, seconds: float) -> list[object]:
    took = client.latency
    return [
        _NAMES[name],
        f"{took.count:,}",
        f"{took.count / seconds:,.1f}",
        f"{took.p50:,.0f}",
        f"{took.p99:,.0f}",
        f"{took.highest:,.0f}",
        f"{client.refusal.count:,}",
        f"{client.failed:,}",
    ]


def _facts(found: Outcome) -> list[str]:
    lines = [
        (
            f"- Service: {_end(found)}; log: {found.log['worker_timeouts']} `WORKER TIMEOUT`, "
            f"{found.log['workers_killed']} workers ended by a signal or with an error, "
            f"{found.log['workers_booted']} started, {found.log['tracebacks']} tracebacks."
        ),
        f"- Kernel kills: {'unknown' if found.kernel_kills is None else found.kernel_kills}.",
    ]
    if found.wrong is not None:
        lines.append(
            f"- Answers compared: {found.compared:,}, of {found.versions} version(s); "
            f"wrong: {found.wrong:,}."
        )
    for name, client in found.clients.items():
        others = {end: n for end, n in client.ends.items() if end != "answered"}
        if others or client.not_sent:
            said = [f"{n} times {end}" for end, n in sorted(others.items())]
            said += [f"{client.not_sent} not sent, six being under way"] * bool(client.not_sent)
            lines.append(f"- {_NAMES[name]}: {', '.join(said)}.")
    lines += [_memory(found), _cpu(found), *_runs(found), _attacks(found)]
    lines.append(f"- Greatest lag of the single-row clients and probes: {found.client_lag:.0f} ms.")
    return [line for line in lines if line]


def _end(found: Outcome) -> str:
    if found.ended_early is None:
        return "it lived to the end"
    return f"it ended by itself with exit code {found.ended_early}"


def _memory(found: Outcome) -> str:
    if found.memory is None:
        return ""
    memory = found.memory
    return (
        f"- Memory: highest working set {memory.working_set / MB:.0f} MB "
        f"({memory.working_set / memory.limit:.0%}), of it {memory.anonymous_then / MB:.0f} MB "
        f"anonymous, beside {memory.cache_then / MB:.0f} MB of page cache that can be dropped; "
        f"highest use with cache {memory.peak / MB:.0f} MB."
    )


def _cpu(found: Outcome) -> str:
    if found.cpu is None:
        return ""
    return f"- CPU: the quota was used up in {found.cpu.throttled_share:.0%} of the periods."


def _runs(found: Outcome) -> list[str]:
    lines = [f"- A run was active {found.run_share:.0%} of the time."] if found.runs else []
    for run in found.runs:
        took = f", {run.seconds:.0f} s" if run.seconds is not None else ""
        peak = f", {run.peak_memory / MB:.0f} MB" if run.peak_memory else ""
        promoted = ", promoted" if run.promoted else ""
        why = f": {run.error}" if run.error else ""
        lines.append(f"  - {run.status} at {run.stage}{took}{peak}{promoted}{why}")
    return lines


def _attacks(found: Outcome) -> str:
    count = sum(sum(ends.values()) for ends in found.attacks.values())
    kinds = f"- Slow and broken clients: {count:,} of {len(found.attacks)} kinds"
    if not found.wrong_ends:
        return f"{kinds}; all ended as they may."
    most = sorted(found.wrong_ends.items(), key=lambda each: -each[1])
    said = "; ".join(f"{n} times {end}" for end, n in most[:_SHOWN])
    more = f"; and {len(most) - _SHOWN} more kinds" if len(most) > _SHOWN else ""
    return f"{kinds}; ended as they may not: {said}{more}."
