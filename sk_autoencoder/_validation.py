"""What the user passes, checked: X, y, weights, groups, codes."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from sklearn.utils import (
    assert_all_finite,
    check_consistent_length,
    check_scalar,
    column_or_1d,
    validation,
)
from sklearn.utils.validation import check_array, check_is_fitted

from sk_autoencoder._config import Config
from sk_autoencoder._data import Data
from sk_autoencoder._nn.losses import Loss
from sk_autoencoder._sklearn_compat import (
    ADAPTERS_MANAGER,
    check_sample_weight,
    get_output_config,
    num_samples,
    safe_indexing,
)
from sk_autoencoder._utils.arrays import as_numpy, like
from sk_autoencoder._utils.named_cells import named_cells
from sk_autoencoder._utils.sizes import check_cells, has_finite_sum

DTYPES = [np.float64, np.float32]


class Passed(NamedTuple):
    """Rows as a caller passes them, with what belongs to each."""

    X: Any
    y: Any = None
    sample_weight: Any = None
    groups: Any = None


@dataclass(frozen=True)
class Features:
    """What a fit learns of the columns of X: their number and, if they have some, their names."""

    n_features_in_: int
    feature_names_in_: np.ndarray | None = None

    @classmethod
    def of(cls, estimator) -> Features:
        """Return what an estimator has learnt."""
        return cls(estimator.n_features_in_, getattr(estimator, "feature_names_in_", None))


def validate_data(estimator, X, **params):
    """Return X as scikit-learn's function of that name does; errors name the cells to blame."""
    with named_cells(X):
        return validation.validate_data(estimator, X, **params)


def check_fitted(estimator) -> None:
    """Refuse a transformer that is not fitted; at once, since codes of a single row are asked for.

    What scikit-learn asks of an estimator takes a tenth of the time of these.
    """
    if "model_" not in vars(estimator):
        check_is_fitted(estimator)


def check_X(estimator, X, loss: Loss, *, reset: bool) -> tuple[Any, bool]:
    """Return rows of X as float32 or float64, an array or a CSR matrix, and whether cells miss.

    Other dtypes become float64. A missing cell is NaN; what is sparse says of each cell what it is.
    """
    X = as_numpy(X)
    if not reset and _is_checked(estimator, X, loss):
        return X, False
    X = validate_data(
        estimator,
        X,
        reset=reset,
        dtype=DTYPES,
        accept_sparse="csr",
        ensure_all_finite=True if sparse.issparse(X) else "allow-nan",
        ensure_min_samples=2 if reset else 1,
    )
    if sparse.issparse(X):
        X = _canonical(X)
    check_domain(X, loss)
    return X, _has_missing(X)


def _is_checked(estimator, X, loss: Loss) -> bool:
    """Return whether X is what `validate_data` and the loss would leave as it is.

    A service that encodes row by row would else wait for the checks longer than for the codes.
    """
    return (
        not hasattr(estimator, "feature_names_in_")
        and loss.domain == (-np.inf, np.inf)
        and _is_finite_matrix(X, estimator.n_features_in_)
    )


def _is_finite_matrix(X, width: int) -> bool:
    """Return whether X is an array of floats of some rows, that wide and with a finite sum."""
    return (
        type(X) is np.ndarray
        and X.dtype in (np.float64, np.float32)
        and X.ndim == 2
        and len(X) > 0
        and X.shape[1] == width
        and has_finite_sum(X)
    )


def _canonical(X) -> sparse.csr_array:
    """Return sparse rows as an array with each cell stored at most once, and known.

    The parts of a matrix are shared, not copied. In all that follows a sum over columns is
    one-dimensional and `*` is cell by cell, as for a NumPy array.
    """
    X = sparse.csr_array(X)
    # A DataFrame of sparse columns only shows here what it stores.
    assert_all_finite(X.data, input_name="X")
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X


def check_data(estimator, passed: Passed, loss: Loss, *, reset: bool) -> Data:
    """Return rows to train on, with weights and groups; rows that weigh nothing are left out."""
    X, has_missing = check_X(estimator, passed.X, loss, reset=reset)
    check_cells(X, reset=reset)
    y = X if passed.y is None else passed.y
    groups = None if passed.groups is None else _check_groups(passed.groups, X)
    weight = None
    if passed.sample_weight is not None:
        weight = check_sample_weight(
            as_numpy(passed.sample_weight, "sample_weight"),
            X,
            dtype=np.float64,
            ensure_non_negative=True,
            ensure_same_device=False,
            copy=True,  # torch shares the memory of some arrays alone
        )
        counted = weight > 0
        if counted.sum() < 2 and reset:
            raise ValueError(
                f"sample_weight leaves {counted.sum()} rows of {len(weight)}, but a fit needs two "
                "with a weight above zero."
            )
        if not counted.all():
            X, weight = X[counted], weight[counted]
            y = safe_indexing(y, np.flatnonzero(counted)) if _has_rows(y, len(counted)) else X
            groups = None if groups is None else pd.factorize(groups[counted])[0]
            has_missing = _has_missing(X)
        weight = None if np.ptp(weight) == 0 else weight
    return Data(X, y, np.arange(X.shape[0]), weight, has_missing, groups=groups)


def _check_groups(groups, X) -> np.ndarray:
    """Return the number of each row's group."""
    try:
        check_consistent_length(X, groups)
        groups = column_or_1d(as_numpy(groups, "groups"), dtype=None)
    except (TypeError, ValueError) as error:
        shape, n_rows = np.asarray(groups, dtype=object).shape, X.shape[0]
        raise ValueError(
            f"groups has the shape {shape}, but each of the {n_rows} rows is in one group. Pass an "
            f"array of shape ({n_rows},)."
        ) from error
    numbers, _ = pd.factorize(groups, use_na_sentinel=True)
    if (numbers < 0).any():
        raise ValueError(
            f"groups has no value in row {int(np.argmin(numbers))}, but each row has to be in one. "
            "Give rows that are independent of all others a group of their own."
        )
    return numbers


def check_validation_data(estimator, passed: Passed, config: Config, data: Data) -> Data | None:
    """Return rows of the user's own that judge a fit, in the dtype of its data; None without X."""
    if passed.X is None:
        for name, value in zip(passed._fields[1:], passed[1:], strict=True):
            if value is not None:
                raise ValueError(
                    f"{name}_val is passed without X_val. Pass X_val too, or leave it out."
                )
        return None
    if not config.schedule.early_stopping:
        raise ValueError(
            "X_val is passed, but with early_stopping=False no rows judge the epochs. Set "
            "early_stopping=True, or leave X_val out."
        )
    try:
        y = None if passed.y is None else as_numpy(passed.y, "y_val")
        given = check_data(estimator, passed._replace(y=y), config.objective.found, reset=False)
        check_cells(given.X, reset=False, dtype=data.X.dtype)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"X_val cannot judge the epochs: {error}") from error
    rows = given.X.astype(data.X.dtype, copy=False)
    return replace(given, X=rows, has_missing=given.has_missing or data.has_missing)


def _has_rows(y, n_samples: int) -> bool:
    """Whether y, which may be anything, has as many rows."""
    try:
        return not isinstance(y, str) and num_samples(y) == n_samples
    except TypeError:
        return False


def check_domain(X, loss: Loss) -> None:
    """Refuse values of X for which the loss is not made."""
    low, high = loss.domain
    values = X.data if sparse.issparse(X) else X
    if (low, high) == (-np.inf, np.inf) or values.size == 0:
        return
    # Unlike `nanmin`, these say nothing of rows without any known cell.
    least, most = np.fmin.reduce(values, axis=None), np.fmax.reduce(values, axis=None)
    if least < low or most > high:
        raise ValueError(
            f"loss={loss.name!r} needs X between {low:g} and {high:g}, but X has values from "
            f"{least:g} to {most:g}. Scale X, for example with MinMaxScaler(clip=True), or choose "
            "another loss."
        )


def check_codes(estimator, Z) -> np.ndarray:
    """Return codes as a finite float32 or float64 array of the width that `transform` gives."""
    Z, model = as_numpy(Z), estimator.model_
    if _is_finite_matrix(Z, model.n_components):
        return Z
    with named_cells(Z):
        Z = check_array(Z, dtype=DTYPES, input_name="X", estimator=estimator)
    name, k, takes_fewer = type(estimator).__name__, model.n_components, model.takes_beginnings
    if Z.shape[1] > k or (Z.shape[1] < k and not takes_fewer):
        raise ValueError(
            f"X has {Z.shape[1]} columns, but {name} was fitted with n_components={k}. Pass what "
            "transform gave"
            + (", or its first columns." if takes_fewer else "; nested=True takes fewer.")
        )
    return Z


def _has_missing(X) -> bool:
    """Return whether cells of X are missing."""
    return not sparse.issparse(X) and not has_finite_sum(X) and bool(np.isnan(X).any())


def check_n_components(config: Config, data: Data) -> None:
    """Refuse more components than there are features or rows, as PCA does, unless told not to."""
    n_components, (n_samples, n_features) = config.code.n_components, data.X.shape
    if isinstance(n_components, bool):
        raise TypeError(f"n_components={n_components} is a bool. Pass a whole number from 1 on.")
    is_free = n_components is None or config.code.is_chosen
    if is_free or n_components <= min(n_samples, n_features):
        return
    if not config.gives_wide_codes_meaning:
        raise ValueError(
            f"n_components={n_components} must be at most min(n_samples, n_features)="
            f"{min(n_samples, n_features)}, with n_samples={n_samples} and "
            f"n_features={n_features}. Lower n_components, pass more data, or give a wider code a "
            "meaning: with sparsity_penalty, or with corruption at a corruption_level above 0."
        )


def check_unchanged(before: dict[str, str], now: dict[str, str]) -> None:
    """Refuse to go on with a net that other parameters describe."""
    changed = sorted(name for name in now if now[name] != before[name])
    if changed:
        raise ValueError(
            f"{', '.join(changed)} changed since the last fit, but partial_fit and warm_start go "
            "on with the network of that fit. Set back what changed, or call fit with "
            "warm_start=False to start anew."
        )


def check_lengths(weight: float, passed: Passed, judging: Passed) -> None:
    """Refuse labels of other numbers than the rows, where `weight` says that labels count."""
    if not weight:
        return
    if passed.y is not None:
        check_consistent_length(passed.X, passed.y)
    if judging.X is not None and judging.y is not None:
        try:
            check_consistent_length(judging.X, judging.y)
        except ValueError as error:
            raise ValueError(f"y_val does not suit X_val and y: {error}") from error


def check_n_samples(n_samples) -> int:
    """Return the number of rows asked for, at least 1."""
    return int(check_scalar(n_samples, "n_samples", Integral, min_val=1))


def like_input(estimator, codes: np.ndarray, X):
    """Return codes in the library of X, or as they are where `set_output` asks for a container."""
    if type(X) is np.ndarray or get_output_config("transform", estimator)["dense"] != "default":
        return codes
    return like(codes, X)


def like_output(estimator, X: np.ndarray, original):
    """Return rows of X in the container that `set_output` asks for, under the input's names.

    Without one, in the library of the original.
    """
    container = get_output_config("transform", estimator)["dense"]
    if container == "default":
        return like(X, original)
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        names = np.array([f"x{i}" for i in range(X.shape[1])], dtype=object)
    return ADAPTERS_MANAGER.adapters[container].create_container(X, original, columns=names)


def gradients_enabled() -> AbstractContextManager:
    """Return a context in which gradients are recorded, whatever the caller has set.

    What is made in torch's inference mode could not be trained, then or later.
    """
    return torch.inference_mode(mode=False)
