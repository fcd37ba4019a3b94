"""The second process of a run: from matrices to a package, stage by stage on one page."""

from __future__ import annotations

import logging

from placar.package.manifest import ScoreScale
from placar.package.run_folder import Made, RunFolder, RunSpec
from placar.scoring.calibration import log_odds
from placar.scoring.graph import Graph
from placar.scoring.scale import points
from placar.training.bands import make_bands
from placar.training.calibrate import calibrate
from placar.training.evaluate import Rules, choose_threshold, evaluate, member_results
from placar.training.handover import take_over
from placar.training.members import Learned, learn
from placar.training.parity import prove_parity
from placar.training.plan import MOST_BINS
from placar.training.prepare import Prepared
from placar.training.progress import ProgressLog
from placar.training.publish import make_manifest, publish
from placar.training.reduction import Reduction, reduced
from placar.training.report import in_short
from placar.training.slices import in_slices

log = logging.getLogger(__name__)

_HURRIED = (
    "The time budget ended the fitting before its plan did, so the same run may give another "
    "model next time; a larger --budget avoids that."
)


def make_package(
    spec: RunSpec, folder: RunFolder, progress: ProgressLog, reduction: Reduction | None = None
) -> Made:
    """Learn from what ``read_table`` left, write the package, and say what came of it.

    Args:
        spec: what was asked for.
        folder: with the scratch folder that ``read_table`` left.
        progress: told each stage.
        reduction: learn from less.

    Raises:
        ParityFailed: the compiled model differs from the trained one.
        DiskFull: the run folder cannot hold the package.
    """
    prepared = take_over(folder.scratch)
    if reduction is not None:
        prepared = reduced(prepared, reduction, folder.scratch)
    training = prepared.training

    advance = progress.enter("fit", "from fewer rows: memory is short" if reduction else "")
    learned = learn(
        training,
        budget=spec.budget,
        seed=spec.seed,
        threads=spec.threads,
        advance=advance,
        bins=reduction.bins if reduction else MOST_BINS,
    )
    progress.enter("calibrate")
    rules = make_rules(prepared, learned)

    progress.enter("compile")
    columns = training.matrix.shape[1]
    model = learned.compiled(columns)
    graph = Graph(model, columns)
    parts = training.matrix, prepared.encoded.test
    worst = prove_parity(graph, learned.margins, rules.calibration, parts)
    log.info("parity_proved", extra={"worst": f"{worst:.1e}", "model_bytes": len(model)})

    progress.enter("evaluate")
    members = member_results(
        learned, training.positive, prepared.encoded.test, prepared.test_positive
    )
    margins = in_slices(graph.margins, prepared.encoded.test)
    notes = (*prepared.notes, *((_HURRIED,) if learned.boosted.hurried else ()))
    evaluation = evaluate(rules, margins, prepared.test_positive, members, notes)

    progress.enter("package")
    manifest = make_manifest(spec, prepared, learned, rules, evaluation)
    version = publish(folder.package, manifest, model, prepared, evaluation)
    progress.finish(f"AUC {evaluation.metrics.auc:.3f} on {evaluation.metrics.rows:,} test rows")
    verdict, notes = in_short(manifest, evaluation)
    return Made(version=version, verdict=verdict, notes=notes)


def make_rules(prepared: Prepared, learned: Learned) -> Rules:
    """Decide, out of fold, how margins become answers."""
    positive, margins = prepared.training.positive, learned.out_of_fold
    calibration = calibrate(margins, positive, prepared.split.folds)
    scale = ScoreScale()
    scores = points(scale, log_odds(calibration, margins))
    return Rules(
        calibration=calibration,
        scale=scale,
        bands=make_bands(scores, rising=scale.rising),
        threshold=choose_threshold(positive, margins, calibration),
    )
