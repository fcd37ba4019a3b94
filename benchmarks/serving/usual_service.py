"""The usual service: FastAPI, pandas and a scikit-learn pipeline, as tutorials show it.

``python usual_service.py train TABLE FILE`` fits the pipeline and saves it; ``app`` serves the
file that ``USUAL_MODEL`` names.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
from fastapi import FastAPI, Request
from lightgbm import LGBMClassifier
from pydantic import BaseModel
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler

TARGET, POSITIVE = "Status", "bad"


class Loan(BaseModel):
    """The demo table's features."""

    Seniority: float | None = None
    Home: str | None = None
    Time: float | None = None
    Age: float | None = None
    Marital: str | None = None
    Records: str | None = None
    Job: str | None = None
    Expenses: float | None = None
    Income: float | None = None
    Assets: float | None = None
    Debt: float | None = None
    Amount: float | None = None
    Price: float | None = None


class Score(BaseModel):
    """The answer."""

    prediction: str
    probability: float


def fit(table: Path) -> Pipeline:
    """Fit the pipeline; the trees have LightGBM's default settings, on one thread."""
    frame = pd.read_csv(table)
    features = frame.drop(columns=TARGET)
    texts = [name for name in features if not pd.api.types.is_numeric_dtype(features[name])]
    numbers = [name for name in features if name not in texts]
    encode = ColumnTransformer(
        [
            ("numbers", StandardScaler(), numbers),
            (
                "texts",
                OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
                texts,
            ),
        ]
    ).set_output(transform="pandas")
    pipeline = Pipeline([("encode", encode), ("trees", LGBMClassifier(n_jobs=1, verbose=-1))])
    return pipeline.fit(features, (frame[TARGET] == POSITIVE).astype(int))


@asynccontextmanager
async def load(application: FastAPI) -> AsyncIterator[None]:
    """Load the pipeline when the worker starts."""
    application.state.model = joblib.load(os.environ["USUAL_MODEL"])
    yield


app = FastAPI(lifespan=load)


@app.get("/health")
async def health() -> dict[str, str]:
    """Say that it is up."""
    return {"status": "ok"}


@app.post("/predict")
async def predict(row: Loan, request: Request) -> Score:
    """Score one row."""
    model: Any = request.app.state.model
    chance = float(model.predict_proba(pd.DataFrame([row.model_dump()]))[0, 1])
    return Score(prediction=POSITIVE if chance >= 0.5 else "good", probability=chance)


if __name__ == "__main__":
    joblib.dump(fit(Path(sys.argv[2])), sys.argv[3])
