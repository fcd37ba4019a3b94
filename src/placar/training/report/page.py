"""From manifest and evaluation to the page. The only part of the report that knows templates."""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass
from functools import partial

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from placar.package.manifest import Manifest, ScoreScale
from placar.scoring.scale import HIGHEST, LOWEST, whole_points
from placar.training.evaluation import Evaluation
from placar.training.report import charts, features, tables, texts, verdict
from placar.training.report.charts import Panel
from placar.training.report.outcome import Outcome, fewest
from placar.training.report.tables import Table
from placar.training.report.words import visible


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the page; its name is its anchor and the name of its template."""

    name: str
    title: str


SECTIONS = (
    Section("verdict", "The verdict"),
    Section("importance", "What it uses"),
    Section("calibration", "Can its probabilities be trusted?"),
    Section("separation", "How well it separates"),
    Section("decisions", "Bands and thresholds"),
    Section("members", "What it is made of"),
    Section("features", "Features, and columns set aside"),
    Section("again", "Notes, and how to make it again"),
)


def render_report(manifest: Manifest, evaluation: Evaluation) -> str:
    """Return the report as one HTML file that needs nothing else.

    The same arguments give the same text: nothing comes from the clock, from chance or from the
    machine. Whatever comes from the table is escaped.
    """
    outcome = Outcome.of(manifest.signature.target)
    page = (
        environment()
        .get_template("report.html")
        .render(
            model=manifest.model,
            outcome=outcome,
            sections=SECTIONS,
            cards=verdict.cards(evaluation, outcome),
            cautions=verdict.cautions(evaluation, outcome),
            charts=_charts(manifest, evaluation, outcome),
            tables=_tables(manifest, evaluation, outcome),
            texts=_texts(manifest, evaluation, outcome),
            notes=evaluation.notes,
            command=command(manifest),
        )
    )
    return f"{page}\n"


def in_short(manifest: Manifest, evaluation: Evaluation) -> tuple[str, tuple[str, ...]]:
    """Return the verdict in one sentence, and notes: what limits it, what to know of the table."""
    outcome = Outcome.of(manifest.signature.target)
    cautions = (caution.text for caution in verdict.cautions(evaluation, outcome))
    return verdict.headline(evaluation.metrics, fewest(evaluation)), (*cautions, *evaluation.notes)


def environment() -> Environment:
    """Return the templates' environment: everything is escaped, nothing may be undefined."""
    return Environment(
        loader=PackageLoader("placar.training.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )


def _finalize(value: object) -> object:
    """Make every text from the table visible and encodable, wherever a template shows it."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return value


def _charts(manifest: Manifest, evaluation: Evaluation, outcome: Outcome) -> dict[str, Markup]:
    metrics, chosen = evaluation.metrics, evaluation.confusion
    positive, negative = outcome.brief_positive, outcome.brief_negative
    return {
        "auc": charts.auc_strip(metrics),
        "reliability": charts.reliability(evaluation.reliability, positive),
        "roc": charts.roc(evaluation.roc, chosen, metrics, (positive, negative)),
        "gain": charts.gain(evaluation.gain, positive),
        "histogram": charts.histogram(
            Panel(positive, evaluation.score_counts_positive, "positive"),
            Panel(negative, evaluation.score_counts_negative, "negative"),
            score_of_probability(manifest.scale, chosen.threshold),
        ),
    }


def _tables(manifest: Manifest, evaluation: Evaluation, outcome: Outcome) -> dict[str, Table]:
    score_at = partial(score_of_probability, manifest.scale)
    training = manifest.training
    return {
        "importance": tables.importance(manifest.importance),
        "reliability": tables.reliability(evaluation, outcome),
        "gain": tables.gain(evaluation.gain, outcome),
        "scale": tables.scale(manifest.scale, outcome),
        "bands": tables.bands(evaluation, outcome),
        "confusion": tables.confusion(evaluation.confusion, outcome),
        "thresholds": tables.thresholds(evaluation, outcome, score_at),
        "members": tables.members(evaluation),
        "features": features.features(manifest.signature),
        "set_aside": features.set_aside(manifest.signature.set_aside),
        "origin": tables.origin(training),
        "settings": tables.named("Settings", ("Setting", "Value"), training.settings),
        "libraries": tables.named("Libraries", ("Library", "Version"), training.libraries),
    }


def _texts(
    manifest: Manifest, evaluation: Evaluation, outcome: Outcome
) -> dict[str, str | tuple[str, ...]]:
    metrics, chosen = evaluation.metrics, evaluation.confusion
    score = score_of_probability(manifest.scale, chosen.threshold)
    return {
        "purpose": texts.purpose(manifest, outcome),
        "headline": verdict.headline(metrics, fewest(evaluation)),
        "verdict": (
            verdict.ranking(metrics, outcome),
            verdict.sample(evaluation, outcome),
            verdict.probabilities(metrics, evaluation.reliability),
        ),
        "yardstick": verdict.yardstick(metrics, evaluation.members),
        "importance": texts.importance(manifest.importance),
        "calibration": texts.calibration(evaluation, outcome),
        "separation": texts.separation(chosen, outcome, score),
        "decision": texts.decision(
            chosen, outcome, texts.side(score, rising=manifest.scale.rising)
        ),
        "scale": texts.scale(manifest.scale, outcome),
        "missing": texts.missing(),
    }


def score_of_probability(scale: ScoreScale, probability: float) -> int:
    """Return the score of a probability; 0 and 1 lie at the ends of the scale."""
    if 0.0 < probability < 1.0:
        return whole_points(scale, math.log(probability) - math.log1p(-probability))
    return HIGHEST if (probability >= 1.0) == scale.rising else LOWEST


def command(manifest: Manifest) -> str:
    """Return the command that makes this model again from the same table."""
    signature, training = manifest.signature, manifest.training
    options = [
        ("--target", signature.target.name),
        ("--positive", signature.target.positive),
        ("--name", manifest.model),
        ("--budget", f"{training.budget:g}s"),
        ("--seed", str(training.seed)),
    ]
    flags = {"time": "--time", "dropped": "--drop", "named_id": "--id"}
    options += [(flags[one.reason], one.name) for one in signature.set_aside if one.reason in flags]
    return " ".join(["placar train TABLE", *(shlex.join(option) for option in options)])
