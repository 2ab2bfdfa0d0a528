"""Rows against their reconstructions by fitted estimators."""

from __future__ import annotations

import numpy as np
from sklearn.utils.validation import check_array, check_is_fitted

from sk_autoencoder._validation import DTYPES


def check_rows(X) -> np.ndarray:
    """Rows of X as a finite floating array, to hold reconstructions against."""
    return check_array(X, dtype=DTYPES, input_name="X")


def check_labels(labels, estimators) -> None:
    """Refuse labels that are not one for each estimator."""
    if len(labels) != len(estimators):
        raise ValueError(
            f"labels has {len(labels)} entries for {len(estimators)} estimators. "
            "Pass one for each, or None."
        )


def encode(estimator, X) -> np.ndarray:
    """Give the codes of X by a fitted estimator that also knows the way back."""
    missing = [name for name in ("transform", "inverse_transform") if not hasattr(estimator, name)]
    if missing:
        raise TypeError(
            f"{type(estimator).__name__} has no {' and no '.join(missing)}. Pass fitted "
            "transformers with both, such as AutoencoderTransformer and PCA."
        )
    check_is_fitted(estimator)
    return np.asarray(estimator.transform(X))


def mean_squared_error(reconstruction: np.ndarray, rows: np.ndarray) -> float:
    """Mean squared error over rows and features, summed in float64."""
    return float(np.square(reconstruction - rows, dtype=np.float64).mean())
