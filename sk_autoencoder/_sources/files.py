"""Tables in files of NumPy: a path of one, or an array that is mapped from it."""

from __future__ import annotations

import math
import mmap
from pathlib import Path
from typing import Any

import numpy as np


class NpyFile:
    """A matrix in a `.npy` file, whose rows are read as they are needed.

    Parameters
    ----------
    path : pathlib.Path
    """

    def __init__(self, path: Path):
        self.path = path
        with path.open("rb") as file:
            try:
                version = np.lib.format.read_magic(file)
                reader = np.lib.format.read_array_header_1_0
                if version != (1, 0):
                    reader = np.lib.format.read_array_header_2_0
                shape, by_columns, self.dtype = reader(file)
            except ValueError as error:
                raise ValueError(f"{str(path)!r} is no array of NumPy: {error}") from error
            self.begin = file.tell()
        if len(shape) != 2:
            raise ValueError(f"{str(path)!r} holds an array of shape {shape}, but X is a matrix.")
        if by_columns:
            raise ValueError(
                f"{str(path)!r} holds its cells column by column, so that no row can be read by "
                "itself. Write it anew with numpy.save(path, numpy.ascontiguousarray(X))."
            )
        if self.dtype.hasobject:
            raise ValueError(f"{str(path)!r} holds objects, which are not read. Save numbers.")
        self.n_rows, self.n_features = shape
        found = path.stat().st_size - self.begin
        if found < math.prod(shape) * self.dtype.itemsize:
            n_whole = found // max(self._row_bytes, 1)
            raise ValueError(
                f"{str(path)!r} is cut short: it has {n_whole} whole rows of {self.n_rows}."
            )

    @property
    def _row_bytes(self) -> int:
        return self.n_features * self.dtype.itemsize

    def read(self, rows: slice) -> np.ndarray:
        """Return some of the rows."""
        n_rows = rows.stop - rows.start
        cells = np.empty((n_rows, self.n_features), dtype=self.dtype)
        with self.path.open("rb", buffering=0) as file:
            file.seek(self.begin + rows.start * self._row_bytes)
            view, done = cells.reshape(-1).data.cast("B"), 0
            while done < len(view):
                n_bytes = file.readinto(view[done:])
                if not n_bytes:
                    raise EOFError(f"{str(self.path)!r} has been cut short since it was opened.")
                done += n_bytes
        return cells


class MappedArray:
    """A matrix that is mapped from a file. What was read is given back to the system at once.

    Parameters
    ----------
    X : numpy.memmap of shape (n_rows, n_features)
    """

    def __init__(self, X: np.memmap):
        self.X = X
        self.n_rows, self.n_features = X.shape
        base: Any = X
        while isinstance(base, np.ndarray):
            base = base.base
        # Pages of a private map may hold changes that no file has.
        is_plain = isinstance(base, mmap.mmap) and getattr(X, "mode", None) in ("r", "r+")
        self._map: Any = base if is_plain and hasattr(mmap, "MADV_DONTNEED") else None

    def read(self, rows: slice) -> np.ndarray:
        """Return a copy of some of the rows."""
        cells = np.array(self.X[rows], order="C")
        if self._map is not None:
            self._map.madvise(mmap.MADV_DONTNEED)
        return cells


class ArrayInMemory:
    """A matrix in memory, beside others that are not."""

    def __init__(self, X: Any):
        self.X = np.asarray(X)
        if self.X.ndim != 2:
            raise ValueError(f"X has the shape {self.X.shape}, but a table has two dimensions.")
        self.feature_names = [str(name) for name in X.columns] if hasattr(X, "columns") else None
        self.n_rows, self.n_features = self.X.shape

    def read(self, rows: slice) -> np.ndarray:
        """Return some of the rows."""
        return self.X[rows]
