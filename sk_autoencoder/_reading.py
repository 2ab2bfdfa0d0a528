"""From what the command line names as data to a table of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

EMBEDDED = ("digits", "fashion-mnist")
SUFFIXES = (".csv", ".parquet", ".npy")


@dataclass(frozen=True)
class Data:
    """A table, its name, and the shape of the images that its rows are, where they are."""

    name: str
    X: Any  # ndarray, or DataFrame with the names of a file's columns
    image_shape: tuple[int, int] | None = None


def find_data(name: str) -> str | Path:
    """Give the name of an embedded data set, or the path of a file that can be read."""
    if name in EMBEDDED:
        return name
    path = Path(name)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(
            f"{name} is no data that can be read; expected {', '.join(EMBEDDED)} or a file "
            f"that ends in {', '.join(SUFFIXES)}"
        )
    if not path.is_file():
        raise FileNotFoundError(f"{name} is {'not a file' if path.exists() else 'not there'}")
    return path


def read_data(source: str | Path) -> Data:
    """Read what `find_data` found, and check that it holds numbers only."""
    if source == "digits":
        from sklearn.datasets import load_digits

        return Data("digits", load_digits(return_X_y=True)[0], (8, 8))
    if source == "fashion-mnist":
        import numpy as np

        from sk_autoencoder.datasets import load_fashion_mnist

        parts = [load_fashion_mnist(subset)[0] for subset in ("train", "test")]
        return Data("Fashion-MNIST", np.concatenate(parts), (28, 28))
    path = Path(source)
    read = {".csv": _read_csv, ".parquet": _read_parquet, ".npy": _read_npy}[path.suffix.lower()]
    try:
        X = read(path)
    except (ValueError, OSError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    _check(X, path)
    return Data(path.name, X)


def _read_csv(path: Path):
    """Read a table whose first line has the names, unless that line is a row of numbers.

    pandas names columns without names 0, 1, 2, ..., and writes its index as a first column
    without a name.
    """
    import pandas as pd

    first = pd.read_csv(path, header=None, nrows=1, dtype=str).iloc[0]
    numbers = pd.to_numeric(first, errors="coerce")
    names = numbers[1:] if pd.isna(first[0]) else numbers
    counted = list(names) == list(range(len(names)))
    if not counted and numbers.notna().any() and (numbers.notna() | first.isna()).all():
        return pd.read_csv(path, header=None)
    return pd.read_csv(path, index_col=0 if pd.isna(first[0]) else None, low_memory=False)


def _read_parquet(path: Path):
    import pandas as pd

    try:
        import pyarrow  # noqa: F401 (only to see whether it is there)
    except ImportError as error:
        raise ValueError(
            "it needs pyarrow, which is not installed. Run: pip install pyarrow"
        ) from error
    return pd.read_parquet(path, engine="pyarrow")


def _read_npy(path: Path):
    """Read an array, but never a pickled one, which could run code."""
    import numpy as np

    with path.open("rb") as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _check(X, path: Path) -> None:
    """Refuse a table that is none, is empty, or has cells that are no finite numbers."""
    if X.ndim != 2:
        raise ValueError(
            f"{path} has an array of shape {X.shape}; expected two dimensions, a row a sample"
        )
    if 0 in X.shape:
        raise ValueError(f"{path} is empty: it has {X.shape[0]} rows and {X.shape[1]} columns")
    for name, column in _columns(X):
        if column.dtype.kind not in "fiub":
            raise ValueError(
                f"{path} has a column that is not numeric, {name}; its first cell is "
                f"{column[0]!r}. Remove it or encode it as numbers"
            )
        _check_finite(name, column, path)


def _columns(X):
    """Give the columns of a table as arrays, each with a name to tell the user."""
    if not hasattr(X, "columns"):
        yield from ((f"number {i}", X[:, i]) for i in range(X.shape[1]))
        return
    for i, name in enumerate(X.columns):
        column = X.iloc[:, i]
        if column.dtype.kind in "fiu" and column.isna().any():
            column = column.astype(float)
        yield repr(name) if isinstance(name, str) else f"number {name}", column.to_numpy()


def _check_finite(name: str, column, path: Path) -> None:
    """Refuse a column with missing or infinite cells, and say where the first of them is."""
    import numpy as np

    wrong = ~np.isfinite(column)
    if wrong.any():
        first = int(np.argmax(wrong))
        kind = "missing" if np.isnan(column[first]) else "infinite"
        raise ValueError(
            f"{path} has {int(wrong.sum())} cells that are missing or infinite in column {name}, "
            f"the first, {kind}, in row {first}. Fill them in or leave them out"
        )
