"""Small tables of many kinds, sizes, dtypes and containers, each made of a few plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from scipy import sparse

SHAPES = (
    "curved",
    "normal",
    "low rank",
    "heavy tails",
    "repeated rows",
    "constant column",
    "constant",
    "zeros and ones",
    "counts",
)
# Values in the unit interval, and from zero on, for the losses that need these.
UNIT_SHAPES = ("zeros and ones", "constant")
COUNT_SHAPES = ("counts", "zeros and ones", "constant")

DTYPES = ("float64", "float32", "float16", ">f4", "int64", "uint8", "bool")
DENSE = ("array", "fortran", "read-only", "strided", "list")
FRAMES = ("pandas", "pandas with numbers as names", "pandas nullable", "polars")
SPARSE = tuple(
    f"{name}_{kind}" for kind in ("array", "matrix") for name in ("csr", "csc", "coo", "lil", "bsr")
)
CONTAINERS = DENSE + FRAMES + SPARSE

LEAST_ROWS, MOST_ROWS = 2, 40


@dataclass(frozen=True)
class Table:
    """What X is: its `repr` is all that is needed to make it again."""

    shape: str = "curved"
    n_samples: int = 24
    n_features: int = 5
    exponent: int = 0  # of ten, the size of the cells
    offset: float = 0.0  # in that size
    dtype: str = "float64"
    container: str = "array"
    missing: float = 0.0  # share of the cells
    seed: int = 0

    def values(self) -> np.ndarray:
        """Cells as a contiguous array of the dtype, with NaN where they are missing."""
        rng = np.random.RandomState(self.seed)
        X = _shaped(self.shape, self.n_samples, self.n_features, rng)
        X = 10.0**self.exponent * (X + self.offset)
        if np.dtype(self.dtype).kind in "iub":
            X = np.abs(X).round() if self.dtype == "uint8" else X.round()
            return X.astype(self.dtype)
        X = X.astype(self.dtype)
        if self.missing:
            X[rng.uniform(size=X.shape) < self.missing] = np.nan
            # A feature without any value is refused.
            X[0] = np.nan_to_num(X[0], nan=X.dtype.type(10.0**self.exponent * self.offset))
        return X

    def rows(self, index=None) -> Any:
        """Rows of the table, all of them by default, in its container."""
        values = self.values()
        return contain(values if index is None else values[index], self.container)


def _shaped(shape: str, n: int, d: int, rng: np.random.RandomState) -> np.ndarray:
    if shape == "constant":
        return np.ones((n, d))
    if shape == "zeros and ones":
        return (rng.uniform(size=(n, d)) < 0.4).astype(float)
    if shape == "counts":
        return rng.poisson(rng.gamma(1.0, 2.0, size=(n, d))).astype(float)
    if shape == "normal":
        return rng.standard_normal((n, d))
    if shape == "heavy tails":
        return rng.standard_t(1.5, size=(n, d)).clip(-1e3, 1e3)
    if shape == "low rank":
        return rng.standard_normal((n, 2)) @ rng.standard_normal((2, d))
    X = np.tanh(rng.standard_normal((n, 2)) @ rng.standard_normal((2, d)))
    X += 0.05 * rng.standard_normal((n, d))
    if shape == "constant column":
        X[:, 0] = 1.0
    if shape == "repeated rows":
        X = X[rng.randint(max(n // 4, 1), size=n)]
    return X


def contain(values: np.ndarray, container: str) -> Any:
    """Give rows in a container."""
    if container == "array":
        return values
    if container == "fortran":
        return np.asfortranarray(values)
    if container == "read-only":
        values = values.copy()
        values.flags.writeable = False
        return values
    if container == "strided":
        wide = np.zeros((2 * len(values), 2 * values.shape[1]), values.dtype)
        wide[::2, ::2] = values[:, ::-1]
        return wide[::2, ::2][:, ::-1]
    if container == "list":
        return values.tolist()
    if container in FRAMES:
        return _frame(values, container)
    return getattr(sparse, container)(_native(values))


def _frame(values: np.ndarray, container: str) -> Any:
    """Give rows as a DataFrame, whose index, where it has one, does not count from zero."""
    values = _native(values)
    names = [f"feature {i}" for i in range(values.shape[1])]
    if container == "polars":
        return pl.DataFrame(dict(zip(names, values.T, strict=True)))
    index = [f"row {i}" for i in range(len(values))]
    if container == "pandas with numbers as names":
        return pd.DataFrame(values, index=index)
    frame = pd.DataFrame(values, index=index, columns=names)
    return frame.convert_dtypes() if container == "pandas nullable" else frame


def _native(values: np.ndarray) -> np.ndarray:
    """Values in a dtype that frames and sparse containers have."""
    return values.astype(np.float32) if values.dtype in (np.float16, np.dtype(">f4")) else values


def snapshot(X: Any) -> Any:
    """Give what tells whether X has changed: its type, its cells, its names."""
    if isinstance(X, pd.DataFrame):
        cells = X.to_numpy(np.float64, na_value=np.nan)
        return str(X.dtypes.tolist()), cells.tobytes(), list(X.columns), list(X.index)
    if isinstance(X, pl.DataFrame):
        return str(X.dtypes), X.to_numpy().tobytes(), X.columns
    if sparse.issparse(X):
        names = ("data", "indices", "indptr", "rows", "coords")
        parts = [np.asarray(getattr(X, name, None)).tolist() for name in names]
        return type(X), X.dtype, repr(parts)
    if isinstance(X, np.ndarray):
        return X.tobytes(), X.dtype, X.strides, X.flags.writeable
    return repr(X)
