"""X to checked X, and a fitted state that survives an error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from sklearn.utils import (
    assert_all_finite,
    check_consistent_length,
    column_or_1d,
    gen_batches,
    validation,
)
from sklearn.utils.validation import check_array, check_is_fitted

from sk_autoencoder._nn.losses import find_objective
from sk_autoencoder._sklearn_compat import (
    ADAPTERS_MANAGER,
    check_sample_weight,
    get_output_config,
    num_samples,
    safe_indexing,
)
from sk_autoencoder._training.own_callbacks import check_callback
from sk_autoencoder._utils.arrays import as_numpy, can_be_shared, like
from sk_autoencoder._utils.named_cells import named_cells
from sk_autoencoder._utils.sizes import check_cells
from sk_autoencoder._utils.threads import enough_threads_to_read

DTYPES = [np.float64, np.float32]
# Torch gives a thread at least so many (at::internal::GRAIN_SIZE).
CELLS_A_THREAD = 2**15
KNOWN_BLOCK_CELLS = 2**20
PRIVATE_STATE = (
    "_answers",
    "_axes",
    "_coordinates",
    "_moments",
    "_network_params",
    "_noise",
    "_output",
    "_sampler",
    "_saw_all_rows",
    "_whitening",
    "_width",
)


@dataclass(frozen=True)
class Data:
    """Checked rows to train on, the target that callbacks are told of, and weights or None."""

    X: Any  # (n_samples, n_features), an array or a CSR matrix
    y: Any
    weight: np.ndarray | None  # (n_samples,), float64
    gaps: bool = False  # whether cells of X are missing
    known: np.ndarray | None = None  # what y says of each row, where codes are supervised
    groups: np.ndarray | None = None  # (n_samples,), the number of each row's group
    copies: np.ndarray | None = None  # (n_samples,), a number that exact copies share

    @property
    def units(self) -> np.ndarray | None:
        """Numbers of what stays together: of groups, else of copies; None where each is alone."""
        return self.copies if self.groups is None else self.groups

    def __len__(self) -> int:
        return self.X.shape[0]


def validate_data(estimator, X, **params):
    """Return X as scikit-learn's function of that name does; errors name the cells to blame."""
    with named_cells(X):
        return validation.validate_data(estimator, X, **params)


def check_fitted(estimator) -> None:
    """Refuse a transformer that is not fitted; at once, since codes of a single row are asked for.

    What scikit-learn asks of an estimator takes a tenth of the time of these.
    """
    if "net_" not in vars(estimator):
        check_is_fitted(estimator)


def check_X(estimator, X, *, reset: bool) -> tuple[Any, bool]:
    """Rows of X as float32 or float64, an array or a CSR matrix, and whether they have gaps.

    Other dtypes become float64. Gaps are NaN; what is sparse says of each cell what it is.
    """
    X = as_numpy(X)
    if not reset and _is_checked(estimator, X):
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
    _check_domain(estimator, X)
    return X, _has_gaps(X)


def _is_checked(estimator, X) -> bool:
    """Whether X is what `validate_data` and the loss would leave as it is.

    A service that encodes row by row would else wait for the checks longer than for the codes.
    """
    return (
        not hasattr(estimator, "feature_names_in_")
        and find_objective(estimator.loss).domain == (-np.inf, np.inf)
        and _is_finite_matrix(X, estimator.n_features_in_)
    )


def _is_finite_matrix(X, width: int) -> bool:
    """Whether X is an array of floats of some rows, that wide and with a finite sum."""
    return (
        type(X) is np.ndarray
        and X.dtype in (np.float64, np.float32)
        and X.ndim == 2
        and len(X) > 0
        and X.shape[1] == width
        and _has_finite_sum(X)
    )


def _has_finite_sum(X: np.ndarray) -> bool:
    """Whether the sum of all cells is finite: then so is each, while the converse is not true.

    Of few cells each is looked at, in less time than a call of torch takes.
    """
    if X.size <= CELLS_A_THREAD:
        return bool(np.isfinite(X).all())
    if can_be_shared(X):
        with enough_threads_to_read(X):
            return bool(torch.from_numpy(X).sum().isfinite())
    with np.errstate(invalid="ignore", over="ignore"):
        return bool(np.isfinite(X.sum()))


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


def check_data(estimator, X, y, sample_weight, groups=None, *, reset: bool) -> Data:
    """Rows to train on, their weights and groups; rows that weigh nothing are left out."""
    X, gaps = check_X(estimator, X, reset=reset)
    check_cells(X, reset=reset)
    y = X if y is None else y
    groups = None if groups is None else _check_groups(groups, X)
    if sample_weight is None:
        return Data(X, y, None, gaps, groups=groups)
    weight = check_sample_weight(
        as_numpy(sample_weight, "sample_weight"),
        X,
        dtype=np.float64,
        ensure_non_negative=True,
        ensure_same_device=False,
        copy=True,  # torch shares the memory of some arrays alone
    )
    counted = weight > 0
    if counted.sum() < 2 and reset:
        raise ValueError(
            f"sample_weight leaves {counted.sum()} rows of {len(weight)}, but a fit needs two with "
            "a weight above zero."
        )
    if not counted.all():
        X, weight = X[counted], weight[counted]
        y = safe_indexing(y, np.flatnonzero(counted)) if _has_rows(y, len(counted)) else X
        groups = None if groups is None else pd.factorize(groups[counted])[0]
    weight = None if np.ptp(weight) == 0 else weight
    return Data(X, y, weight, _has_gaps(X), groups=groups)


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


def check_validation_data(estimator, data: Data, X, y, sample_weight, groups) -> Data | None:
    """Rows of the user's own that judge a fit on some data, in their dtype; None without X."""
    if X is None:
        beside = {"y_val": y, "sample_weight_val": sample_weight, "groups_val": groups}
        for name, value in beside.items():
            if value is not None:
                raise ValueError(
                    f"{name} is passed without X_val. Pass X_val too, or leave it out."
                )
        return None
    if not estimator.early_stopping:
        raise ValueError(
            "X_val is passed, but with early_stopping=False no rows judge the epochs. Set "
            "early_stopping=True, or leave X_val out."
        )
    try:
        y = None if y is None else as_numpy(y, "y_val")
        given = check_data(estimator, X, y, sample_weight, groups, reset=False)
        check_cells(given.X, reset=False, dtype=data.X.dtype)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"X_val cannot judge the epochs: {error}") from error
    rows = given.X.astype(data.X.dtype, copy=False)
    return replace(given, X=rows, gaps=given.gaps or data.gaps)


def _has_rows(y, n_samples: int) -> bool:
    """Whether y, which may be anything, has as many rows."""
    try:
        return not isinstance(y, str) and num_samples(y) == n_samples
    except TypeError:
        return False


def _check_domain(estimator, X) -> None:
    """Refuse values of X for which the loss is not made."""
    low, high = find_objective(estimator.loss).domain
    values = X.data if sparse.issparse(X) else X
    if (low, high) == (-np.inf, np.inf) or values.size == 0:
        return
    # Unlike `nanmin`, these say nothing of rows without any known cell.
    least, most = np.fmin.reduce(values, axis=None), np.fmax.reduce(values, axis=None)
    if least < low or most > high:
        raise ValueError(
            f"loss={estimator.loss!r} needs X between {low:g} and {high:g}, but X has values from "
            f"{least:g} to {most:g}. Scale X, for example with MinMaxScaler(clip=True), or choose "
            "another loss."
        )


def check_codes(estimator, Z) -> np.ndarray:
    """Codes as a finite float32 or float64 array of the width that `transform` gives."""
    Z = as_numpy(Z)
    if _is_finite_matrix(Z, estimator.n_components_):
        return Z
    with named_cells(Z):
        Z = check_array(Z, dtype=DTYPES, input_name="X", estimator=estimator)
    name, k = type(estimator).__name__, estimator.n_components_
    if Z.shape[1] > k or (Z.shape[1] < k and not estimator.nested):
        raise ValueError(
            f"X has {Z.shape[1]} columns, but {name} was fitted with n_components={k}. Pass what "
            "transform gave"
            + (", or its first columns." if estimator.nested else "; nested=True takes fewer.")
        )
    return Z


def _has_gaps(X) -> bool:
    """Whether cells of X are missing."""
    return not sparse.issparse(X) and not _has_finite_sum(X) and bool(np.isnan(X).any())


def rows_with_known_cells(data: Data) -> np.ndarray:
    """Return the indices of the rows that have a known cell: the others cannot be judged."""
    if not data.gaps or sparse.issparse(data.X):
        return np.arange(len(data))
    blocks = gen_batches(len(data), max(1, KNOWN_BLOCK_CELLS // data.X.shape[1]))
    known = [~np.isnan(data.X[rows]).all(axis=1) for rows in blocks]
    return np.flatnonzero(np.concatenate(known))


def check_n_components(n_components, n_samples: int, n_features: int, *, wide: bool) -> None:
    """Refuse more components than there are features or rows, as PCA does, unless told not to."""
    if isinstance(n_components, bool):
        raise TypeError(f"n_components={n_components} is a bool. Pass a whole number from 1 on.")
    if n_components is not None and n_components > min(n_samples, n_features) and not wide:
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


def check_hidden_layer_sizes(hidden_layer_sizes):
    """Give "auto", or the widths as a tuple of int, each of them at least 1."""
    if isinstance(hidden_layer_sizes, str):
        return hidden_layer_sizes
    widths = tuple(hidden_layer_sizes)
    if not all(isinstance(width, Integral) and width >= 1 for width in widths):
        raise ValueError(
            f"hidden_layer_sizes={hidden_layer_sizes!r} must be 'auto' or a sequence of whole "
            "numbers from 1 on, the widths of the encoder's hidden layers, such as (128, 64)."
        )
    return tuple(int(width) for width in widths)


def check_callbacks(callbacks) -> list:
    """Give skorch's callbacks as a list; refuse what cannot work, and say what does."""
    for item in callbacks or []:
        check_callback(item)
    return list(callbacks or [])


def check_random_source(random_state) -> np.random.RandomState:
    """Give a generator of our own, so that NumPy's global one is neither read nor moved."""
    if isinstance(random_state, np.random.RandomState):
        return random_state
    if random_state is None:
        return np.random.RandomState()
    if not isinstance(random_state, Integral) or not 0 <= int(random_state) < 2**32:
        raise ValueError(
            f"random_state={random_state!r} seeds no numpy.random.RandomState. Pass such a "
            "generator, a whole number from 0 to 2**32 - 1, or None."
        )
    return np.random.RandomState(int(random_state))


def like_input(estimator, codes: np.ndarray, X):
    """Codes in the library of X, or as they are where `set_output` asks for a container."""
    if type(X) is np.ndarray or get_output_config("transform", estimator)["dense"] != "default":
        return codes
    return like(codes, X)


def like_output(estimator, X: np.ndarray, original):
    """Rows of X in the container that `set_output` asks for, under the input's names.

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


@contextmanager
def unchanged_on_error(estimator) -> Iterator[None]:
    """Leave the fitted attributes as they were where the block raises, Ctrl-C included."""
    before = fitted_attributes(estimator)
    try:
        yield
    except BaseException:
        for name in fitted_attributes(estimator):
            delattr(estimator, name)
        vars(estimator).update(before)
        raise


def fitted_attributes(estimator) -> dict:
    """Give what a fit sets, by name."""
    return {
        name: value
        for name, value in vars(estimator).items()
        if name in PRIVATE_STATE or (name.endswith("_") and not name.startswith("_"))
    }
