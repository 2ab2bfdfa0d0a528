"""X that is no matrix of numbers: an error that says what came, where, and what to do."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from numbers import Complex, Real
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from torch.utils.data import DataLoader, Dataset

MIXED_TABLES = (
    "In a ColumnTransformer in front, OneHotEncoder or OrdinalEncoder makes numbers of such "
    "columns; examples/plot_mixed_table.py does so with categories and dates."
)
DATES = (
    "Make numbers of dates, such as the days since the first one: "
    "(column - column.min()) / pandas.Timedelta(days=1). examples/plot_mixed_table.py does so."
)
DURATIONS = "Make numbers of durations, such as column / pandas.Timedelta(seconds=1)."
COMPLEX = "Pass real and imaginary parts as columns of their own: np.hstack([X.real, X.imag])."
NOT_AVAILABLE = "Write missing values as NaN, such as X.astype('Float64')."
SEQUENCE = "Give each of its items a column of its own."

# What begins the errors of NumPy and scikit-learn about cells that are no numbers.
ABOUT_CELLS = ("could not convert", "Complex data", "setting an array element")


def _is_list_of_dicts(X) -> bool:
    return isinstance(X, (list, tuple)) and len(X) > 0 and isinstance(X[0], Mapping)


def _is_lazy(X) -> bool:
    return callable(getattr(X, "collect", None)) and not hasattr(X, "__array__")


def _is_structured(X) -> bool:
    return getattr(getattr(X, "dtype", None), "names", None) is not None


# What holds rows in another form, what it is called, and how to pass these.
CONTAINERS: list[tuple[Callable[[Any], bool], str, str]] = [
    (
        lambda X: isinstance(X, DataLoader),
        "a DataLoader of torch",
        "Pass the rows of all of its batches as one array, or each batch to partial_fit.",
    ),
    (
        lambda X: isinstance(X, Dataset),
        "a Dataset of torch",
        "Pass its rows as one array, such as dataset.tensors[0].numpy() of a TensorDataset.",
    ),
    (
        lambda X: isinstance(X, Mapping) and not sparse.issparse(X),  # as some of these are
        "a mapping",
        "Pass pandas.DataFrame(X), where it maps names to columns.",
    ),
    (
        _is_list_of_dicts,
        "a sequence of mappings",
        "Pass pandas.DataFrame(X), or DictVectorizer().fit_transform(X).",
    ),
    (
        lambda X: isinstance(X, (str, bytes, os.PathLike)),
        "a string or a path",
        "Read the file first, such as with pandas.read_csv(X). A transformer reads .npy, "
        ".parquet and .zarr in fit and transform_to.",
    ),
    (
        lambda X: isinstance(X, Iterator),
        "an iterator",
        "Pass np.array(list(X)), parts of its rows to partial_fit, or to fit a list of blocks.",
    ),
    (
        lambda X: isinstance(X, Set),
        "a set, which has no order",
        "Pass np.array(list(X)), in the order that is meant.",
    ),
    (_is_lazy, "a lazy table", "Pass X.collect()."),
    (
        _is_structured,
        "an array with named fields",
        "Pass pandas.DataFrame(X), or numpy.lib.recfunctions.structured_to_unstructured(X).",
    ),
    (
        lambda X: isinstance(X, np.ma.MaskedArray) and np.ma.is_masked(X),
        "a masked array, whose mask would be ignored",
        "Pass X.astype(float).filled(np.nan): missing cells are NaN.",
    ),
]


@contextmanager
def named_cells(X) -> Iterator[None]:
    """Refuse X that is no matrix of numbers, and name in errors of the block the cells to blame."""
    # A table of pandas is none of them, and slow to tell so.
    for is_one, name, remedy in () if isinstance(X, pd.DataFrame) else CONTAINERS:
        if is_one(X):
            raise TypeError(
                f"X is {name} ({type(X).__name__}), but a matrix of numbers of shape (n_samples, "
                f"n_features) is expected. {remedy}"
            )
    if _holds_times(X) and (found := _first_no_number(X)):
        raise TypeError(found)
    try:
        yield
    except (TypeError, ValueError) as error:
        about_cells = isinstance(error, TypeError) or str(error).startswith(ABOUT_CELLS)
        found = _first_no_number(X) if about_cells else None
        if found is None:
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{_in_short(error)}{found}") from error


def _in_short(error: Exception) -> str:
    """Return the first line of an error, as a sentence; nothing, where dtypes are listed."""
    if isinstance(error, np.exceptions.DTypePromotionError):
        return ""
    return f"{str(error).splitlines()[0].rstrip('.')}. "


def _holds_times(X) -> bool:
    """Whether X has columns of dates or durations, which NumPy would take for numbers."""
    dtypes = getattr(X, "dtypes", None)
    if dtypes is None:
        dtypes = [getattr(X, "dtype", None)]
    if not isinstance(dtypes, Iterable):
        return False
    # Columns share most of these objects, each of which is asked once.
    return any(map(_is_of_times, {id(dtype): dtype for dtype in dtypes}.values()))


def _is_of_times(dtype) -> bool:
    is_temporal = getattr(dtype, "is_temporal", None)  # of polars
    return getattr(dtype, "kind", None) in ("m", "M") or bool(is_temporal and is_temporal())


def _first_no_number(X) -> str | None:
    """Name the first column of X with a cell that is no number, and that; None without any."""
    if sparse.issparse(X):
        return COMPLEX if X.dtype.kind == "c" else None
    if ragged := _ragged(X):
        return ragged
    for name, cells in _columns(X):
        if cells.dtype.kind in "biuf":
            continue
        for row, cell in enumerate(cells):
            remedy = _remedy(cell)
            if remedy is not None:
                return (
                    f"Column {name!r} of X has {cell!r} in row {row}, a {type(cell).__name__}, "
                    f"where a number is expected. {remedy}"
                )
    return None


def _ragged(X) -> str | None:
    """Name the first row of a list of rows that is longer or shorter than those before it."""
    if not isinstance(X, (list, tuple)) or not all(isinstance(row, (list, tuple)) for row in X):
        return None
    for row, cells in enumerate(X):
        if len(cells) != len(X[0]):
            return (
                f"Row {row} of X has {len(cells)} cells, but row 0 has {len(X[0])}. Pass rows of "
                "the same length, with NaN where a cell is missing."
            )
    return None


def _columns(X) -> Iterator[tuple[Any, np.ndarray]]:
    """Yield names, or numbers, of the columns of X and their cells."""
    if hasattr(X, "iloc") and getattr(X, "ndim", 0) == 2:
        for i, name in enumerate(X.columns):
            column = X.iloc[:, i]
            yield name, column.to_numpy(dtype=object if _is_of_times(column.dtype) else None)
    elif hasattr(X, "get_columns"):
        for column in X.get_columns():
            yield column.name, np.array(column.to_list(), dtype=object)
    else:
        cells = np.asarray(X) if hasattr(X, "__array__") else np.asarray(X, dtype=object)
        yield from enumerate(cells.T if cells.ndim == 2 else [])


def _remedy(cell) -> str | None:
    """Say what to do about a cell that is no number; None where it is one, or missing."""
    if cell is pd.NA:
        return NOT_AVAILABLE
    if isinstance(cell, (datetime.timedelta, np.timedelta64)):
        return DURATIONS
    if isinstance(cell, (datetime.date, datetime.time, np.datetime64, pd.Period)):
        return DATES
    if cell is None or isinstance(cell, Real):
        return None
    if isinstance(cell, Complex):
        return COMPLEX
    if isinstance(cell, (list, tuple, np.ndarray)):
        return SEQUENCE
    try:
        float(cell)
    except (TypeError, ValueError):
        return MIXED_TABLES
    return None
