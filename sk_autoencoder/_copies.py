"""Rows that are exact copies of one another."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils import gen_batches

# Cells that are hashed at a time: they stay near the processor.
BLOCK_CELLS = 2**16


def find_copies(X) -> np.ndarray | None:
    """Return a number for each row of X, the same for exact copies; None where there are none.

    Cells that are missing are equal to each other, and so are 0.0 and -0.0. Rows are told
    apart by hashes of 64 bits. Where those of different rows agree, which is less likely than
    a fault of the memory, these rows are taken for copies.
    """
    numbers, distinct = pd.factorize(_hashes(X))
    return None if len(distinct) == len(numbers) else numbers


def count_distinct(copies: np.ndarray | None, index: np.ndarray) -> int:
    """Return how many of the rows are no copies of others of them."""
    return len(index) if copies is None else len(np.unique(copies[index]))


def _hashes(X) -> np.ndarray:
    """Return the hash of each row: the sum of those of its cells, times a number a column."""
    rng = np.random.RandomState(0)
    factors = rng.randint(2**63, size=X.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    n_rows = max(1, BLOCK_CELLS // X.shape[1])
    if sparse.issparse(X):
        n_rows = max(1, BLOCK_CELLS * X.shape[0] // max(X.nnz, 1))
    hashes = np.empty(X.shape[0], dtype=np.uint64)
    for rows in gen_batches(X.shape[0], n_rows):
        block = X[rows]
        if sparse.issparse(block):
            products = _hashes_of_cells(block.data) * factors[block.indices]
            products[block.data == 0] = 0  # which stands for a cell that is not stored
            # Not by reduceat, which takes a row without stored cells for the first of the next.
            sums = np.append(np.zeros(1, np.uint64), np.cumsum(products))
            hashes[rows] = np.diff(sums[block.indptr])
        else:
            hashes[rows] = _hashes_of_cells(block.ravel()).reshape(block.shape) @ factors
    return hashes


def _hashes_of_cells(cells: np.ndarray) -> np.ndarray:
    """Return a hash of each number, one for all that are missing and one for both zeros."""
    cells = cells + 0.0
    cells[np.isnan(cells)] = np.nan  # of which there are many, with different bits
    return pd.util.hash_array(cells, categorize=False)
