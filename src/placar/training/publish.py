"""The last stage: everything that was found becomes a package."""

from __future__ import annotations

from importlib.metadata import version as installed_version
from pathlib import Path

import msgspec
import numpy as np

import placar
from placar.package.manifest import (
    FORMAT,
    GOLDEN_FILE,
    MODEL_FILE,
    REPORT_FILE,
    Manifest,
    Provenance,
)
from placar.package.run_folder import RunSpec
from placar.package.writer import write_package
from placar.scoring.calibration import log_odds
from placar.scoring.scale import points
from placar.scoring.scorer import Scorer
from placar.training.evaluate import Rules
from placar.training.evaluation import Evaluation
from placar.training.folded import thinned
from placar.training.golden import make_golden
from placar.training.members import Learned
from placar.training.prepare import Prepared
from placar.training.reference import importances, of_numbers, reference_row, references
from placar.training.report import render_report

_LIBRARIES = ("duckdb", "lightgbm", "numpy", "onnx", "onnxruntime")
_SPREAD_ROWS = 2_000


def publish(
    folder: Path, manifest: Manifest, model: bytes, prepared: Prepared, evaluation: Evaluation
) -> str:
    """Write the package and return its version, 64 hexadecimal digits.

    The golden answers are given by the scorer that will serve the model.

    Raises:
        DiskFull: the package cannot be written.
    """
    # The version is the hash of the manifest, which does not exist yet; no answer depends on it.
    scorer = Scorer(manifest, model, version="")
    golden = make_golden(scorer, prepared.encoded.samples)
    files = {
        MODEL_FILE: model,
        GOLDEN_FILE: msgspec.json.format(msgspec.json.encode(golden), indent=1) + b"\n",
        REPORT_FILE: render_report(manifest, evaluation).encode(),
    }
    return write_package(folder, manifest, files)


def make_manifest(
    spec: RunSpec, prepared: Prepared, learned: Learned, rules: Rules, evaluation: Evaluation
) -> Manifest:
    """Return the manifest of what was learnt; its file hashes are still empty."""
    training, signature = prepared.training, prepared.signature
    some = thinned(np.arange(len(training.matrix)), _SPREAD_ROWS)
    scores = points(rules.scale, log_odds(rules.calibration, learned.out_of_fold))
    return Manifest(
        format=FORMAT,
        model=spec.model,
        signature=signature,
        calibration=rules.calibration,
        scale=rules.scale,
        bands=rules.bands,
        threshold=rules.threshold,
        reference_row=reference_row(signature, training.matrix),
        importance=importances(
            signature,
            learned.boosted.gain,
            learned.linear.spread(training.matrix[some]),
            learned.blend.trees,
        ),
        metrics=evaluation.metrics,
        reference=references(signature, training.matrix),
        score_reference=of_numbers("score", scores),
        training=_provenance(spec, prepared, learned),
        files={},
    )


def _provenance(spec: RunSpec, prepared: Prepared, learned: Learned) -> Provenance:
    test_rows = int(prepared.split.test.sum())
    return Provenance(
        table_sha256=prepared.table_sha256,
        rows=len(prepared.positive) + prepared.left_out,
        training_rows=len(prepared.positive) - test_rows,
        test_rows=test_rows,
        unparsed_cells=sum(prepared.encoded.unparsed.values()),
        split=prepared.split.method,
        seed=spec.seed,
        budget=spec.budget,
        settings=_settings(prepared, learned),
        libraries=_versions(),
        members=learned.weights,
    )


def _versions() -> dict[str, str]:
    return {name: installed_version(name) for name in _LIBRARIES} | {"placar": placar.__version__}


def _settings(prepared: Prepared, learned: Learned) -> dict[str, str]:
    plan, shape = learned.plan, learned.boosted.shape
    less = {
        "rows left out for want of memory": str(prepared.left_out),
        "bins": str(plan.bins),
    }
    return {
        **(less if prepared.left_out else {}),
        "folds": str(prepared.split.fold_count),
        "tree shapes tried": ", ".join(one.name for one in plan.shapes),
        "tree shape taken": f"{shape.name} ({shape.leaves} leaves)",
        "learning rate": f"{plan.learning_rate:g}",
        "rounds at most": str(plan.rounds),
        "rounds kept": ", ".join(map(str, learned.boosted.rounds)),
        "regression penalty": f"{learned.linear.penalty:g}",
    }
