"""Tables whose rows come in chunks: zarr and dask arrays, and iterables of blocks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any

import numpy as np

from sk_autoencoder._sources.source import Piecewise


class ZarrArray:
    """A matrix of zarr."""

    def __init__(self, X: Any):
        self.X = X
        self.n_rows, self.n_features = X.shape
        self.boundaries = [*range(0, self.n_rows, X.chunks[0]), self.n_rows]

    def read(self, rows: slice) -> np.ndarray:
        """Return some of the rows."""
        return np.asarray(self.X[rows])


class DaskArray:
    """A matrix of dask, whose chunks are computed one after the other in this process."""

    def __init__(self, X: Any, feature_names: list[str] | None = None):
        self.feature_names = feature_names
        if any(math.isnan(size) for size in X.chunks[0]):
            raise ValueError(
                "The dask array does not know how many rows its chunks have. Call "
                "X.compute_chunk_sizes() first, or to_dask_array(lengths=True) on a DataFrame."
            )
        self.X = X
        self.n_rows, self.n_features = X.shape
        self.boundaries = sorted({0, *accumulate(X.chunks[0])})

    def read(self, rows: slice) -> np.ndarray:
        """Return some of the rows."""
        return np.asarray(self.X[rows].compute())


class Blocks(Piecewise):
    """Blocks of rows that an iterable yields, the same ones each time it is gone through.

    They are gone through once to count the rows.
    """

    is_sequential = True

    def __init__(self, blocks: Iterable):
        super().__init__()
        self.blocks = blocks
        self.n_rows, self.n_features = 0, -1
        for i, block in enumerate(blocks):
            shape = np.shape(block)
            if len(shape) != 2:
                raise ValueError(f"Block {i} has the shape {shape}, but each is a matrix of rows.")
            if self.n_features not in (-1, shape[1]):
                raise ValueError(
                    f"Block {i} has {shape[1]} columns, but those before have {self.n_features}."
                )
            self.n_rows, self.n_features = self.n_rows + shape[0], shape[1]
        if self.n_rows == 0:
            raise ValueError("The iterable has yielded no rows. Pass blocks of rows.")
        if next(iter(blocks), None) is None:
            raise ValueError(
                "The iterable can be gone through once only, but a fit reads it again for each "
                "epoch. Pass a list of blocks, or an object whose __iter__ begins anew."
            )
        self.boundaries = [0, self.n_rows]

    def pieces(self, start: int) -> Iterator[np.ndarray]:
        """Yield all blocks from the first row on."""
        return (np.asarray(block) for block in self.blocks if len(block))
