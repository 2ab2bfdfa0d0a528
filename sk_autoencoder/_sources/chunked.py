"""Tables whose rows come in chunks: zarr and dask arrays, and iterables of blocks."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from sk_autoencoder._sources.source import Piecewise


class Chunked(Piecewise):
    """A matrix whose chunks are read, or computed, whole and one after the other.

    Parameters
    ----------
    X : object
        Has a shape, and gives slices of its rows.
    boundaries : sequence of int
        Rows at which chunks begin and end.
    feature_names : list of str, default=None
    """

    def __init__(self, X: Any, boundaries: Sequence[int], feature_names: list[str] | None = None):
        super().__init__()
        self.X, self.boundaries, self.feature_names = X, boundaries, feature_names
        self.n_rows, self.n_features = X.shape

    def pieces(self, start: int) -> Iterator[np.ndarray]:
        """Yield the chunks from a boundary on."""
        inside = self.boundaries[self.boundaries.index(start) :]
        return (np.asarray(self.X[slice(*cuts)]) for cuts in pairwise(inside))


def of_zarr(X: Any) -> Chunked:
    """Return the reader of a matrix of zarr."""
    return Chunked(X, [*range(0, X.shape[0], X.chunks[0]), X.shape[0]])


def of_dask(X: Any, feature_names: list[str] | None = None) -> Chunked:
    """Return the reader of a matrix of dask, whose chunks are computed in this process."""
    if any(math.isnan(size) for size in X.chunks[0]):
        raise ValueError(
            "The dask array does not know how many rows its chunks have. Call "
            "X.compute_chunk_sizes() first, or to_dask_array(lengths=True) on a DataFrame."
        )
    return Chunked(X, sorted({0, *accumulate(X.chunks[0])}), feature_names)


class Parts:
    """Matrices in memory, one below the other.

    Parameters
    ----------
    blocks : sequence of ndarray or DataFrame
    is_share : bool
        Whether these are the rows of this process, beside those that others have.
    """

    def __init__(self, blocks: Sequence, *, is_share: bool = False):
        names = {tuple(map(str, block.columns)) for block in blocks if hasattr(block, "columns")}
        if len(names) > 1:
            raise ValueError(f"The blocks have the columns {' and '.join(map(str, names))}.")
        self.feature_names = list(names.pop()) if names else None
        self.blocks = [np.asarray(block) for block in blocks]
        self.is_share = is_share
        for i, block in enumerate(self.blocks):
            _check_block(i, block, self.blocks[0])
        self.boundaries = [0, *accumulate(len(block) for block in self.blocks)]
        self.n_rows, self.n_features = self.boundaries[-1], self.blocks[0].shape[1]

    def read(self, rows: slice) -> np.ndarray:
        """Return some of the rows."""
        found, start = [], rows.start
        while start < rows.stop:
            i = bisect_right(self.boundaries, start) - 1
            begin = self.boundaries[i]
            found.append(self.blocks[i][start - begin : rows.stop - begin])
            start += len(found[-1])
        return found[0] if len(found) == 1 else np.concatenate(found)


class Blocks(Piecewise):
    """Blocks of rows that an iterable yields, the same ones each time it is gone through.

    They are gone through once to count the rows.
    """

    is_sequential = True

    def __init__(self, blocks: Iterable):
        super().__init__()
        self.blocks, first, self.n_rows = blocks, None, 0
        for i, block in enumerate(map(np.asarray, blocks)):
            first = block if first is None else first
            _check_block(i, block, first)
            self.n_rows += len(block)
        if first is None or self.n_rows == 0:
            raise ValueError("The iterable has yielded no rows. Pass blocks of rows.")
        if next(iter(blocks), None) is None:
            raise ValueError(
                "The iterable can be gone through once only, but a fit reads it again for each "
                "epoch. Pass a list of blocks, or an object whose __iter__ begins anew."
            )
        self.n_features = first.shape[1]
        self.boundaries = [0, self.n_rows]

    def pieces(self, start: int) -> Iterator[np.ndarray]:
        """Yield all blocks from the first row on."""
        return (np.asarray(block) for block in self.blocks if len(block))


def _check_block(i: int, block: np.ndarray, first: np.ndarray) -> None:
    """Refuse a block that is no matrix, or another one than the first."""
    if block.ndim != 2:
        raise ValueError(f"Block {i} has the shape {block.shape}, but each is a matrix of rows.")
    if block.shape[1] != first.shape[1]:
        raise ValueError(
            f"Block {i} has {block.shape[1]} columns, but those before have {first.shape[1]}."
        )
    if block.dtype != first.dtype:
        raise ValueError(
            f"Block {i} is of dtype {block.dtype}, but those before are of {first.dtype}. Pass all "
            "in one dtype."
        )
