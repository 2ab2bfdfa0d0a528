"""Rows against their reconstructions by fitted estimators."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_array, check_is_fitted

from sk_autoencoder._validation import DTYPES


def check_rows(X) -> np.ndarray:
    """Return rows of X as a dense floating array, missing cells are NaN."""
    rows = check_array(
        X, dtype=DTYPES, accept_sparse="csr", ensure_all_finite="allow-nan", input_name="X"
    )
    # The reconstructions are dense, so that dense rows take no more memory than these.
    rows = rows.toarray() if sparse.issparse(rows) else rows
    if np.isnan(rows).all():
        raise ValueError("X has missing values (NaN) alone. Pass rows with known cells.")
    return rows


def last_step(estimator):
    """Return the last step of a pipeline, or what is no pipeline."""
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator


def is_nested(estimator) -> bool:
    """Whether the first components of a code are codes too."""
    return bool(getattr(last_step(estimator), "nested", False))


def name_of(estimator) -> str:
    """Name an estimator, or the last step of a pipeline, after its class."""
    name = type(last_step(estimator)).__name__
    return f"{name}, nested" if is_nested(estimator) else name


def check_labels(labels, estimators) -> None:
    """Refuse labels that are not one for each estimator."""
    if len(labels) != len(estimators):
        raise ValueError(
            f"labels has {len(labels)} entries for {len(estimators)} estimators. "
            "Pass one for each, or None."
        )


def encode(estimator, X, rows: np.ndarray) -> np.ndarray:
    """Return the codes of X by a fitted estimator that also knows the way back.

    `rows` are those of X as an array.
    """
    missing = [name for name in ("transform", "inverse_transform") if not hasattr(estimator, name)]
    if missing:
        raise TypeError(
            f"{type(estimator).__name__} has no {' and no '.join(missing)}. Pass fitted "
            "transformers with both, such as AutoencoderTransformer and PCA."
        )
    check_is_fitted(estimator)
    try:
        return np.asarray(estimator.transform(X))
    except ValueError as error:
        if not np.isnan(rows).any() or "NaN" not in str(error):
            raise
        # An imputer in a pipeline is no remedy: most of them have no way back.
        raise ValueError(
            f"X has missing values (NaN), which {name_of(estimator)} does not take. Pass imputed "
            "rows, as SimpleImputer gives them, or only estimators that take missing values, such "
            "as AutoencoderTransformer."
        ) from error


def mean_squared_error(reconstruction: np.ndarray, rows: np.ndarray) -> float:
    """Return the mean squared error over the known cells, summed in float64."""
    return float(np.nanmean(np.square(reconstruction - rows, dtype=np.float64)))


def variance(rows: np.ndarray) -> float:
    """Return the mean squared distance of the known cells from the means of their features."""
    n_known = np.maximum((~np.isnan(rows)).sum(axis=0), 1)
    return mean_squared_error(np.nansum(rows, axis=0, dtype=np.float64) / n_known, rows)
