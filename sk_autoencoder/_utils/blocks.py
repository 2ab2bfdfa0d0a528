"""Rows a block at a time: never all of X at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse

BLOCK_ROWS = 1024
BLOCK_BYTES = 2**26


def batches(n_rows: int, size: int) -> Iterator[slice]:
    """Yield slices of at most `size` rows, which follow each other."""
    return (slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size))


def rows_a_block(n_features: int) -> int:
    """Return how many rows to compute at once, so that they stay small in float64."""
    return max(1, min(BLOCK_ROWS, BLOCK_BYTES // (8 * n_features)))


def at_most(n_rows: int, index: np.ndarray, rng) -> np.ndarray:
    """Return the indices of all rows, or so many of them, drawn at random, in their order."""
    if len(index) <= n_rows:
        return index
    return np.sort(rng.choice(index, n_rows, replace=False))


def as_dense(block) -> np.ndarray:
    """Return a few rows as an array."""
    return block.toarray() if sparse.issparse(block) else block


def can_be_shared(X: np.ndarray) -> bool:
    """Return whether torch can share the memory of an array.

    A single row of reversed ones has a negative stride, and is contiguous all the same.
    """
    return X.flags.c_contiguous and X.flags.writeable and min(X.strides, default=0) >= 0
