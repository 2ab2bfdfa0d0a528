"""PCA and the autoencoder side by side, on rows that neither of them has seen."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import gen_batches
from sklearn.utils.validation import check_array

from sk_autoencoder._pca.principal_axes import explained_variance
from sk_autoencoder._sklearn_compat import (
    Interval,
    RealNotInt,
    StrOptions,
    safe_indexing,
    validate_params,
)
from sk_autoencoder._training.split import small_units
from sk_autoencoder._transformer import AutoencoderTransformer
from sk_autoencoder._utils.blocks import BLOCK_ROWS
from sk_autoencoder._utils.copies import find_copies
from sk_autoencoder._utils.random import check_random_source
from sk_autoencoder._utils.sizes import check_cells
from sk_autoencoder._validation import DTYPES

AUTO_SIZES = (2, 4, 8)
PCA_NAMES = ("PCA", "imputed PCA")  # of complete rows, and where cells are missing


@dataclass(frozen=True)
class Result:
    """One row of the table: a method at a size of the code."""

    n_components: int
    method: str
    error: float
    explained_variance: float
    fit_time: float
    transform_time: float


@dataclass(frozen=True)
class Comparison:
    """Fitted models, what they make of held-out rows, and these rows."""

    results: tuple[Result, ...]
    models: tuple[Any, ...]  # fitted, in the order of the results
    X_train: Any  # as the models were given it, scaled where there is a scaler
    X_test: Any
    test_names: Any  # of the rows of X_test: their index in a DataFrame, or their places
    scaler: StandardScaler | None

    def table(self) -> pd.DataFrame:
        """Return the results as a table, a row each."""
        columns = [field.name for field in fields(Result)]
        return pd.DataFrame([vars(result) for result in self.results], columns=columns)

    @property
    def methods(self) -> tuple[str, ...]:
        """Return the names of the methods, PCA's first."""
        return tuple(dict.fromkeys(result.method for result in self.results))

    def largest(self, method: str) -> Any:
        """Return a method's model with the most components."""
        models = {
            result.n_components: model
            for result, model in zip(self.results, self.models, strict=True)
            if result.method == method
        }
        return models[max(models)]

    def largest_autoencoder(self) -> Any:
        """Return the autoencoder with the most components, behind the scaler where there is one."""
        autoencoder = self.largest("autoencoder").set_callbacks()
        return autoencoder if self.scaler is None else make_pipeline(self.scaler, autoencoder)


@validate_params(
    {
        "X": ["array-like", "sparse matrix"],  # which is refused with a remedy
        "n_components": [StrOptions({"auto"}), Integral, "array-like"],
        "estimator": [AutoencoderTransformer, None],
        "test_size": [
            Interval(RealNotInt, 0, 1, closed="neither"),
            Interval(Integral, 1, None, closed="left"),
        ],
        "random_state": ["random_state"],
        "standardize": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def compare_with_pca(
    X: Any,
    n_components: str | int | Sequence[int] = "auto",
    *,
    estimator: AutoencoderTransformer | None = None,
    test_size: float = 0.25,
    random_state: int | np.random.RandomState | None = None,
    standardize: bool = False,
) -> pd.DataFrame:
    """Compare an autoencoder with PCA on held-out rows, at several sizes of the code.

    Both are fitted on the same training part of the rows of X and judged by how well they
    reconstruct the other part.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Data of at least three rows. float32 stays float32; all else becomes float64. Cells
        may be missing (NaN): PCA is then fitted on imputed rows, which hold the mean of the
        training rows in these cells, and the known cells alone count in the errors of both
        methods.

    n_components : "auto", int or sequence of int, default="auto"
        Sizes of the code to compare at, each at most the number of features and of training
        rows. "auto" takes those of 2, 4 and 8 that are smaller than the number of features
        and at most the number of training rows, or else the largest size that is.

    estimator : AutoencoderTransformer, default=None
        The autoencoder to compare, which is cloned for each size; its `n_components` is not
        used. None takes one with the default parameters.

    test_size : float or int, default=0.25
        Share of the rows to hold out, in (0, 1), or their number. Of exact copies of a row all
        are held out, or none, so that the number is not exact where there are copies.

    random_state : int, RandomState instance or None, default=None
        Determines the split, and the fits of PCA and of an `estimator` whose own
        `random_state` is None. Pass an int for the same results each time on one machine.
        None draws from the operating system.

    standardize : bool, default=False
        Whether to scale all columns to unit variance on the training rows first. Errors are
        those of scaled cells then.

    Returns
    -------
    table : pandas.DataFrame of shape (2 * n_sizes, 6)
        A row for each size and method, with the columns

        - "n_components": the size of the code, int;
        - "method": "PCA" ("imputed PCA" where cells of X are missing) or "autoencoder", str;
        - "error": mean squared error of the held-out rows, in the squared units of X, float;
        - "explained_variance": share of their variance around the mean of the training rows
          that the reconstruction explains, 1 is perfect, float;
        - "fit_time", "transform_time": seconds to fit the training rows and to encode the
          held-out rows, float.

    See Also
    --------
    AutoencoderTransformer : The autoencoder compared.
    sklearn.decomposition.PCA : What it is compared with.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sk_autoencoder import compare_with_pca
    >>> X, _ = load_digits(return_X_y=True)
    >>> table = compare_with_pca(X, n_components=(2, 8), random_state=0)
    >>> table.shape
    (4, 6)
    >>> error = table.pivot(index="n_components", columns="method", values="error")
    >>> bool((error["autoencoder"] < error["PCA"]).all())
    True
    """
    comparison = run_comparison(
        X,
        n_components,
        estimator=estimator,
        test_size=test_size,
        random_state=random_state,
        standardize=standardize,
    )
    return comparison.table()


def run_comparison(
    X,
    n_components: Sequence[int] | int | str,
    *,
    estimator: AutoencoderTransformer | None,
    test_size: float | int,
    random_state,
    standardize: bool = False,
    auto_sizes: Sequence[int] = AUTO_SIZES,
) -> Comparison:
    """Fit both methods at each size, and keep the fitted models and the held-out rows."""
    rows = check_array(
        X, dtype=DTYPES, ensure_all_finite="allow-nan", ensure_min_samples=3, input_name="X"
    )
    check_cells(rows, reset=not standardize)  # scaled, small cells are small no more
    incomplete = bool(np.isnan(rows).any())
    if not hasattr(X, "columns"):
        X = rows  # a DataFrame is kept, so that the models know its names
    source = check_random_source(None) if random_state is None else random_state
    train, test = _split(rows, test_size, source)
    X_train, X_test = safe_indexing(X, train), safe_indexing(X, test)
    names = np.asarray(X.index)[test] if hasattr(X, "iloc") else test
    if isinstance(n_components, str):  # "auto"
        n_components = _fitting_sizes(auto_sizes, *X_train.shape)
    sizes = _check_sizes(n_components, *X_train.shape)
    scaler = _scaler_of(X_train) if standardize else None
    if scaler is not None:
        X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
    judge = _Judge(X_train, X_test, incomplete)
    pairs = [
        judge(method, model)
        for k in sizes
        for method, model in (
            (PCA_NAMES[incomplete], pca_of(k, source, incomplete)),
            ("autoencoder", _autoencoder(estimator, k, source)),
        )
    ]
    results, models = zip(*pairs, strict=True)
    return Comparison(results, models, X_train, X_test, names, scaler)


def _split(rows: np.ndarray, test_size: float | int, source) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows train and which are held out; copies of one are all here or all there."""
    copies = find_copies(rows)
    if copies is None:
        copies = np.arange(len(rows))
    share = test_size / len(rows) if isinstance(test_size, Integral) else test_size
    distinct = small_units(copies)
    n_test = math.ceil(share * len(distinct))
    if len(distinct) == len(rows) or not 0 < n_test < len(distinct):
        train, test = train_test_split(
            np.arange(len(rows)), test_size=test_size, random_state=source
        )
        return train, test
    _, held_out = train_test_split(distinct, test_size=n_test, random_state=source)
    is_test = np.isin(copies, held_out)
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)


def _scaler_of(X_train) -> StandardScaler:
    """Return what scales rows as those of the training, in their container."""
    container = "pandas" if hasattr(X_train, "iloc") else "default"
    return StandardScaler().set_output(transform=container).fit(X_train)


class _Judge:
    """Fits a model on the training rows, and measures it on the known cells of the others."""

    def __init__(self, X_train, X_test, incomplete: bool):
        self.X_train = X_train
        self.X_test = X_test
        self.rows = as_array(X_test)
        self.known = ~np.isnan(self.rows) if incomplete else None
        if self.known is not None and not self.known.any():
            raise ValueError(
                "The held-out rows have no known cell: all are missing (NaN). Pass rows with "
                "known cells, or a larger test_size."
            )
        mean = known_mean(as_array(X_train), incomplete)
        self.variance = self._mean_square(lambda block: self.rows[block] - mean)

    def __call__(self, method: str, model) -> tuple[Result, Any]:
        """Return the result and the fitted model."""
        model.set_output(transform="default")
        with np.errstate(invalid="ignore"):  # PCA divides by the variance, which may be none
            fit_time, _ = _timed(lambda: model.fit(self.X_train))
        transform_time, codes = _timed(lambda: model.transform(self.X_test))
        decoder = last_step(model)
        error = self._mean_square(
            lambda block: decoder.inverse_transform(codes[block]) - self.rows[block]
        )
        share = explained_variance(error, self.variance)
        k = int(decoder.n_components_)
        return Result(k, method, error, share, fit_time, transform_time), model

    def _mean_square(self, difference: Callable[[slice], np.ndarray]) -> float:
        """Return the mean square of differences over the known held-out cells, in float64."""
        total, n_cells = 0.0, 0
        for block in gen_batches(len(self.rows), BLOCK_ROWS):
            cells = difference(block)
            if self.known is not None:
                cells = cells[self.known[block]]
            total += float(np.square(cells, dtype=np.float64).sum())
            n_cells += cells.size
        return total / n_cells


def reconstruct(model, X) -> np.ndarray:
    """Return the reconstruction of rows by a model of a comparison."""
    return last_step(model).inverse_transform(model.transform(X))


def last_step(model):
    """Return the model itself, or what an imputer stands in front of."""
    return model[-1] if isinstance(model, Pipeline) else model


def as_array(X) -> np.ndarray:
    """Return rows as a float array, in which NaN is a missing cell."""
    return check_array(X, dtype=DTYPES, ensure_all_finite="allow-nan")


def known_mean(rows: np.ndarray, incomplete: bool) -> np.ndarray:
    """Return the mean of each column's known cells, 0 where it has none."""
    if not incomplete:
        return rows.mean(axis=0, dtype=np.float64)
    known = ~np.isnan(rows)
    total = np.where(known, rows, 0).sum(axis=0, dtype=np.float64)
    return total / np.maximum(known.sum(axis=0), 1)


def pca_of(n_components: int, random_state, incomplete: bool):
    """Return an unfitted PCA, behind an imputer where cells are missing."""
    pca = PCA(n_components, random_state=random_state)
    # A column without a known cell is for the autoencoder to refuse, which tells what to do.
    return make_pipeline(SimpleImputer(keep_empty_features=True), pca) if incomplete else pca


def _fitting_sizes(sizes: Sequence[int], n_train: int, n_features: int) -> list[int]:
    """Return the sizes that leave something to lose and can be fitted, or the largest such."""
    most = max(1, min(n_train, n_features - 1))
    return [k for k in sizes if k <= most] or [most]


def _check_sizes(n_components, n_train: int, n_features: int) -> list[int]:
    """Return the sizes of the code as a list, where both methods can be fitted at each."""
    sizes: list = [n_components] if isinstance(n_components, Integral) else list(n_components)
    for k in sizes:
        if not isinstance(k, Integral) or isinstance(k, bool) or k < 1:
            raise ValueError(
                f"n_components has {k!r}, but expects whole numbers from 1 on. "
                "Pass an int, or a sequence such as (2, 4, 8)."
            )
    if not sizes:
        raise ValueError("n_components is empty. Pass at least one size of the code, as in (2,).")
    if max(sizes) > min(n_train, n_features):
        raise ValueError(
            f"n_components has {max(sizes)}, but can be at most {min(n_train, n_features)}: the "
            f"training part has {n_train} rows of {n_features} features. Lower n_components, "
            "or pass more data."
        )
    return [int(k) for k in sizes]


def _autoencoder(estimator, n_components: int, random_state) -> AutoencoderTransformer:
    """Return an unfitted copy of the estimator with a size of the code."""
    estimator = AutoencoderTransformer() if estimator is None else clone(estimator)
    if estimator.random_state is None:
        estimator.set_params(random_state=random_state)
    return estimator.set_params(n_components=n_components)


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds that a call takes, and what it gives."""
    began = time.perf_counter()
    output = work()
    return time.perf_counter() - began, output
