"""The usual service, with batches and with training in a BackgroundTask, as tutorials show it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "serving"))

import joblib
import pandas as pd
from fastapi import BackgroundTasks, Request
from pydantic import BaseModel
from usual_service import Loan, app, fit

__all__ = ["app"]


class Batch(BaseModel):
    """Many rows."""

    rows: list[Loan]


@app.post("/predict/batch")
async def predict_batch(batch: Batch, request: Request) -> dict[str, list[float]]:
    """Score many rows."""
    model: Any = request.app.state.model
    frame = pd.DataFrame([row.model_dump() for row in batch.rows])
    return {"probabilities": model.predict_proba(frame)[:, 1].tolist()}


def retrain() -> None:
    """Fit on the large table, save, and serve the new model from this worker."""
    model = fit(Path(os.environ["USUAL_TABLE"]))
    joblib.dump(model, os.environ["USUAL_MODEL"])
    app.state.model = model


@app.post("/train", status_code=202)
async def train(tasks: BackgroundTasks) -> dict[str, str]:
    """Train after the answer was sent."""
    tasks.add_task(retrain)
    return {"status": "started"}
