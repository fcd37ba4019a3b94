"""The serving side stays light: what a fresh interpreter brings in with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "alembic",
    "duckdb",
    "joblib",
    "lightgbm",
    "onnx",
    "pandas",
    "polars",
    "pyarrow",
    "scipy",
    "sklearn",
}


def imported_with(module: str) -> set[str]:
    code = f"import {module}, sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module",
    [
        "placar.web.app",
        "placar.scoring.scorer",
        "placar.runs.service",
        "placar.registry.registry",
        "placar.store.database",
        "placar.cli.app",
        "placar.trial.trial",
    ],
)
def test_importing_the_serving_side_brings_no_training_library(module: str) -> None:
    assert imported_with(module) & HEAVY == set()


def test_importing_placar_alone_brings_nothing() -> None:
    assert (
        imported_with("placar") & (HEAVY | {"numpy", "fastapi", "pydantic", "sqlalchemy"}) == set()
    )


def test_the_run_child_confines_itself_before_anything_heavy() -> None:
    """Importing the entry point must not bring numpy: the limits come first."""
    assert imported_with("placar.training.__main__") & (HEAVY | {"numpy"}) == set()


def test_nothing_is_sent_to_the_maker_of_the_runtime(tmp_path: Path) -> None:
    """Its telemetry would start a thread, open a database under HOME, and look up a host."""
    code = (
        "import placar.scoring.graph, os, time; time.sleep(0.5); "
        "print(len(os.listdir('/proc/self/fd')), len(os.listdir('/proc/self/task')))"
    )
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    files, threads = map(int, done.stdout.split())
    assert (files, threads) == (4, 1)  # the three of every process, and the folder being listed
    assert list(tmp_path.iterdir()) == []
