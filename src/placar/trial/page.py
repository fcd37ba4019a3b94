"""A trial as one HTML page that needs nothing else and can be shown to others."""

from __future__ import annotations

from datetime import datetime

from jinja2 import Environment, PackageLoader, StrictUndefined

from placar.trial.chart import latency_chart
from placar.trial.facts import FEWEST, Latency, Trial
from placar.trial.text import figures

_SYMBOLS = {"ok": "ok", "note": "note", "warn": "warning", "fail": "failed"}


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
        words=_SYMBOLS,
        chart=latency_chart(trial.steps, trial.health),
        figures=figures,
        fewest=FEWEST,
        shown=_shown(trial),
    )
    return f"{page}\n"


def _shown(trial: Trial) -> list[tuple[str, Latency, int, int]]:
    """Return the rows of the table of latencies: name, latency, refused, wrong."""
    rows = [
        (f"{trial.asked}, {step.connections} at once", step.latency, step.refused, step.failed)
        for step in trial.steps
    ]
    beside = trial.retrain.step if trial.retrain else None
    if beside is not None:
        name = f"{trial.asked} beside a run, {beside.connections} at once"
        rows.append((name, beside.latency, beside.refused, beside.failed))
    rows += [
        (f"health {each.phase}", each.latency, 0, sum(each.errors.values()))
        for each in trial.health
    ]
    return rows
