"""A saved model behind HTTP: codes, reconstructions and scores of rows.

    pip install fastapi uvicorn
    python examples/service.py model.safetensors --port 8000
    curl -H "content-type: application/json" -d '{"rows": [[0.5, 1.0]]}' localhost:8000/encode

The file is one of `save`: nothing in it is run, so that it may come from others. `null` in a row is
a missing cell, where the model imputes those. A transformer answers `/encode`, `/reconstruct` and
`/score`, a detector `/score` and `/outliers`. `/docs` shows all of it in a browser.
"""

from __future__ import annotations

import argparse
from typing import Annotated, Any

import numpy as np
import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

import sk_autoencoder

MOST_ROWS, FEW_ROWS = 10_000, 16

Cell = Annotated[float, Field(allow_inf_nan=False)] | None


class Rows(BaseModel):
    """Rows of numbers, in the order of the columns of the fit."""

    rows: Annotated[list[list[Cell]], Field(min_length=1, max_length=MOST_ROWS)]


class Codes(BaseModel):
    """A code for each row."""

    codes: list[list[float]]


class Reconstructions(BaseModel):
    """What comes back of each row, in the units of the columns."""

    rows: list[list[float]]


class Scores(BaseModel):
    """How normal each row is: higher is more normal."""

    scores: list[float]


class Labels(Scores):
    """-1 for an outlier and 1 for an inlier, and how far each row is from the threshold."""

    labels: list[int]


def make_app(path: str) -> FastAPI:
    """Return the service of a saved model, which is loaded once."""
    estimator = sk_autoencoder.load(path)
    names = getattr(estimator, "feature_names_in_", None)
    n_features = estimator.n_features_in_
    app = FastAPI(title=f"{type(estimator).__name__} of {n_features} columns")

    def array(rows: Rows) -> np.ndarray:
        """Return rows as an array; the client is told what is wrong with them."""
        if any(len(row) != n_features for row in rows.rows):
            raise HTTPException(422, f"each row has to have {n_features} numbers")
        return np.array(rows.rows, dtype=np.float64)

    async def ask(method: Any, rows: Rows) -> np.ndarray:
        """Ask for a few rows at once, which takes less than a thread would, else in a thread."""
        X = array(rows)
        try:
            found = method(X) if len(X) <= FEW_ROWS else await run_in_threadpool(method, X)
        except ValueError as error:  # such as missing cells, where the model does not take them
            raise HTTPException(422, str(error)) from error
        if not np.isfinite(found).all():
            raise HTTPException(422, "the rows are too far from those of the fit")
        return found

    @app.exception_handler(RequestValidationError)
    async def refuse(_: Request, error: RequestValidationError) -> JSONResponse:
        """Tell what is wrong without the rows, which may hold what JSON has no word for."""
        told = [{"loc": list(each["loc"]), "msg": each["msg"]} for each in error.errors()[:10]]
        return JSONResponse({"detail": told}, 422)

    @app.get("/model")
    def model() -> dict[str, Any]:
        """Tell what is served."""
        columns = None if names is None else list(names)
        return {"class": type(estimator).__name__, "n_features": n_features, "columns": columns}

    # Threads may ask a fitted model at the same time. That by itself, `model_`, checks no names of
    # columns, which JSON has none of.
    if isinstance(estimator, sk_autoencoder.AutoencoderOutlierDetector):
        add_detector(app, estimator, ask)
    else:
        add_transformer(app, estimator.model_, ask)
    return app


def add_transformer(app: FastAPI, model: Any, ask: Any) -> None:
    """Add what a transformer answers."""

    @app.post("/encode")
    async def encode(rows: Rows) -> Codes:
        """Return codes."""
        return Codes.model_construct(codes=(await ask(model.encode, rows)).tolist())

    @app.post("/reconstruct")
    async def reconstruct(rows: Rows) -> Reconstructions:
        """Return reconstructions."""
        return Reconstructions.model_construct(rows=(await ask(model.reconstruct, rows)).tolist())

    @app.post("/score")
    async def score(rows: Rows) -> Scores:
        """Return minus the reconstruction errors, or with a variational code its bound."""
        return Scores.model_construct(scores=(await ask(model.score_samples, rows)).tolist())


def add_detector(app: FastAPI, detector: Any, ask: Any) -> None:
    """Add what a detector answers."""
    if hasattr(detector, "feature_names_in_"):
        del detector.feature_names_in_  # scikit-learn would warn that arrays have none

    @app.post("/score")
    async def score(rows: Rows) -> Scores:
        """Return scores."""
        return Scores.model_construct(scores=(await ask(detector.score_samples, rows)).tolist())

    @app.post("/outliers")
    async def outliers(rows: Rows) -> Labels:
        """Tell the outliers."""
        far = await ask(detector.decision_function, rows)
        labels = np.where(far < 0, -1, 1)
        return Labels.model_construct(scores=far.tolist(), labels=labels.tolist())


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve a saved model.")
    parser.add_argument("model", help="a file of save")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    args = parser.parse_args()
    uvicorn.run(make_app(args.model), host=args.host, port=args.port, log_level="warning")


if __name__ == "__main__":
    main()
