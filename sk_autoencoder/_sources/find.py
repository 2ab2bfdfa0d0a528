"""Which objects are read a block at a time, and by what."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import DataLoader

from sk_autoencoder._sources.chunked import Blocks, Parts, of_dask, of_zarr
from sk_autoencoder._sources.columns import ParquetFiles, open_parquet
from sk_autoencoder._sources.files import MappedArray, NpyFile
from sk_autoencoder._sources.source import Source
from sk_autoencoder._utils.packages import installed_by

# What is smaller is read whole, and fitted like any array.
IN_MEMORY_BYTES = 2**28

PARQUET = (".parquet", ".pq")

# What tells that an object is a matrix or a table in memory, and no iterable of blocks.
OF_MATRICES = ("__array__", "__dataframe__", "__getitem__", "shape", "dtype")


def find_source(X: Any) -> Source | None:
    """Return what reads X a block at a time; None for what is in memory."""
    if isinstance(X, (str, os.PathLike)):
        return _open(Path(X))
    if isinstance(X, np.memmap):
        is_large = X.ndim == 2 and X.nbytes > IN_MEMORY_BYTES
        return MappedArray(X) if is_large else None
    if not isinstance(X, np.ndarray) and isinstance(X, Source):
        return X
    return _of_library(X) or _of_blocks(X)


def _open(path: Path) -> Source | None:
    """Return the table that lies at a path, None where its name tells of none."""
    is_known = path.suffix in (".npy", ".zarr", *PARQUET)
    if not (is_known or path.is_dir()):
        return None
    if not path.exists():
        raise FileNotFoundError(f"X={str(path)!r} is not there.")
    if path.suffix == ".npy":
        return NpyFile(path)
    return _open_zarr(path) if path.suffix == ".zarr" else open_parquet(path)


def _open_zarr(path: Path) -> Source:
    """Return the matrix of zarr at a path."""
    with installed_by(f"{str(path)!r} is read by zarr. Install it: pip install zarr"):
        import zarr
    try:
        return _matrix(of_zarr, zarr.open_array(path, mode="r"))
    except (FileNotFoundError, KeyError) as error:
        raise ValueError(f"{str(path)!r} holds no array of zarr: {error}") from error


def _of_library(X: Any) -> Source | None:
    """Return the reader of an array or data set of zarr, dask or pyarrow."""
    module = type(X).__module__
    if module.startswith("zarr.") and hasattr(X, "chunks"):
        return _matrix(of_zarr, X)
    if module.startswith("dask.array"):
        return _matrix(of_dask, X)
    if module.startswith("dask.dataframe") or module.startswith("dask_expr"):
        return of_dask(X.to_dask_array(lengths=True), list(map(str, X.columns)))
    if module.startswith("pyarrow") and "pyarrow.dataset" in sys.modules and hasattr(X, "files"):
        return ParquetFiles(X)
    return None


def _of_blocks(X: Any) -> Source | None:
    """Return the reader of an iterable of matrices."""
    if isinstance(X, (list, tuple)):
        are_blocks = len(X) > 0 and all(isinstance(b, np.ndarray) and b.ndim == 2 for b in X)
        return Parts(X) if are_blocks else None
    others = isinstance(X, (Iterator, Set, Mapping, DataLoader, str, bytes))
    if others or not hasattr(X, "__iter__") or any(hasattr(X, name) for name in OF_MATRICES):
        return None
    return Blocks(X)


def _matrix(reader: Any, X: Any) -> Source:
    """Return the reader of an array, which has to be a matrix."""
    if X.ndim != 2:
        raise ValueError(f"X has {X.ndim} dimensions, but a table has two.")
    return reader(X)
