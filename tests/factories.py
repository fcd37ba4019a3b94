"""Small real things for tests: a signature, a linear ONNX model, a package on disk."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
from onnx import TensorProto, helper, numpy_helper

from placar.package.manifest import (
    FORMAT,
    GOLDEN_FILE,
    MODEL_FILE,
    REPORT_FILE,
    Band,
    Calibration,
    FeatureReference,
    Golden,
    GoldenRow,
    Importance,
    Manifest,
    Metrics,
    Provenance,
    ScoreScale,
)
from placar.package.writer import write_package
from placar.scoring.scorer import Scorer
from placar.signature.model import (
    Boolean,
    Categorical,
    Moment,
    Numeric,
    SetAside,
    Signature,
    Target,
)

Row = dict[str, str | float | int | bool | None]


def a_signature() -> Signature:
    """One feature of each kind; ``income`` may be missing."""
    return Signature(
        features=(
            Numeric(name="income", null="accept", low=0.0, high=1000.0, whole=True, example=300.0),
            Categorical(name="home", null="warn", vocabulary=("rent", "owner"), example="rent"),
            Boolean(name="married", null="warn", example=True),
            Moment(
                name="since",
                null="accept",
                layout="iso",
                parts=("days", "month"),
                low="2010-01-01",
                high="2024-12-31",
                example="2020-02-03",
            ),
        ),
        target=Target(name="Status", positive="bad", negative="good"),
        set_aside=(SetAside(name="id", reason="id_like", detail="Every row has its own value."),),
    )


def a_row(**changes: str | float | bool | None) -> Row:
    """A row that fits ``a_signature``."""
    row: Row = {"income": 300, "home": "rent", "married": True, "since": "2020-02-03"}
    return row | changes


def a_model(
    weights: tuple[float, ...] = (-0.004, 0.5, -0.25, 0.0, 0.0), bias: float = 0.5
) -> bytes:
    """A linear graph in which missing counts as zero."""
    nodes = [
        helper.make_node("IsNaN", ["x"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "x"], ["filled"]),
        helper.make_node("MatMul", ["filled", "weights"], ["sum"]),
        helper.make_node("Add", ["sum", "bias"], ["margin"]),
    ]
    tensors = [
        numpy_helper.from_array(np.zeros(1, dtype=np.float32), "zero"),
        numpy_helper.from_array(np.asarray(weights, dtype=np.float32)[:, None], "weights"),
        numpy_helper.from_array(np.asarray([bias], dtype=np.float32), "bias"),
    ]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, len(weights)])],
        [helper.make_tensor_value_info("margin", TensorProto.FLOAT, [None, 1])],
        tensors,
    )
    opsets = [helper.make_opsetid("", 21)]
    model: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()
    return model


def a_manifest(*, model: str = "loans", auc: float = 0.8, seed: int = 0) -> Manifest:
    """A manifest for ``a_model`` by ``a_signature``; its file hashes are still empty."""
    reference = FeatureReference(column="income", edges=(300.0,), shares=(0.5, 0.5), missing=0.1)
    return Manifest(
        format=FORMAT,
        model=model,
        signature=a_signature(),
        calibration=Calibration(method="platt", margins=(-1.0, 1.0), log_odds=(-0.9, 1.1)),
        scale=ScoreScale(points_to_double=50.0),
        bands=(
            Band(name="A", low=0, high=449),
            Band(name="B", low=450, high=549),
            Band(name="C", low=550, high=1000),
        ),
        threshold=0.4,
        reference_row=(300.0, 2.0, 1.0, 18295.0, 2.0),
        importance=(
            Importance(feature="income", share=0.75),
            Importance(feature="home", share=0.25),
        ),
        metrics=Metrics(
            auc=auc,
            auc_low=auc - 0.03,
            auc_high=auc + 0.03,
            log_loss=0.5,
            brier=0.15,
            ks=0.5,
            ece=0.02,
            base_rate=0.28,
            rows=900,
        ),
        reference=(reference,),
        score_reference=msgspec.structs.replace(reference, column="score"),
        training=Provenance(
            table_sha256="0" * 64,
            rows=4500,
            training_rows=3600,
            test_rows=900,
            unparsed_cells=0,
            split="stratified",
            seed=seed,
            budget=60.0,
            settings={},
            libraries={},
            members={"boosted trees": 1.0},
        ),
        files={},
    )


def a_scorer(manifest: Manifest | None = None, model: bytes | None = None) -> Scorer:
    """A scorer that was never on disk."""
    return Scorer(manifest or a_manifest(), model or a_model(), "f" * 64)


def a_golden(scorer: Scorer, *rows: Row) -> Golden:
    """Golden rows with the scorer's own answers."""
    answers = [(row, scorer.score_row(row)) for row in rows or (a_row(), a_row(income=None))]
    return Golden(
        rows=tuple(
            GoldenRow(row=row, probability=a.probability, score=a.score, band=a.band)
            for row, a in answers
        )
    )


def a_package(
    folder: Path, *, model: str = "loans", auc: float = 0.8, seed: int = 0, bias: float = 0.5
) -> str:
    """Write a whole package into ``folder`` and return its version (64 digits).

    Another ``seed`` or ``bias`` gives another version.
    """
    manifest, graph = a_manifest(model=model, auc=auc, seed=seed), a_model(bias=bias)
    golden = a_golden(a_scorer(manifest, graph))
    files = {
        MODEL_FILE: graph,
        GOLDEN_FILE: msgspec.json.encode(golden),
        REPORT_FILE: b"<!doctype html><title>Report</title><p>A report.",
    }
    return write_package(folder, manifest, files)
