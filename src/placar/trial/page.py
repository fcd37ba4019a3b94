"""A trial as one HTML page that needs nothing else and can be shown to others."""

from __future__ import annotations

from datetime import datetime

from jinja2 import Environment, PackageLoader, StrictUndefined

from placar.trial.chart import latency_chart
from placar.trial.facts import FEWEST, Latency, Trial, connections_of
from placar.trial.text import figures

_WORDS = {"ok": "ok", "note": "note", "warn": "warning", "fail": "failed"}


def render_page(trial: Trial) -> str:
    """Return the page. Whatever the service said is escaped; the key is not in a trial."""
    environment = Environment(
        loader=PackageLoader("placar.trial"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("trial.html").render(
        trial=trial,
        at=datetime.fromisoformat(trial.at),
        words=_WORDS,
        chart=latency_chart(trial.steps, trial.health),
        figures=figures,
        fewest=FEWEST,
        shown=_shown(trial),
    )
    return f"{page}\n"


def _shown(trial: Trial) -> list[tuple[str, Latency, int, int]]:
    """Return the rows of the table of latencies: name, latency, refused, wrong."""
    rows = [(connections_of(step), step.latency, step.refused, step.failed) for step in trial.steps]
    beside = trial.retrain.step if trial.retrain else None
    if beside is not None:
        rows.append(
            (
                f"{connections_of(beside)}, beside a run",
                beside.latency,
                beside.refused,
                beside.failed,
            )
        )
    rows += [
        (f"health {each.phase}", each.latency, 0, sum(each.errors.values()))
        for each in trial.health
    ]
    return rows
