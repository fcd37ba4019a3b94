"""The serving side stays light: what a fresh interpreter brings in with it."""

from __future__ import annotations

import subprocess
import sys

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
