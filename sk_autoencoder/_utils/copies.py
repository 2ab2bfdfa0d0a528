"""Rows that are exact copies of one another, found by a hash: a copy tells nothing new."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse

from sk_autoencoder._utils.blocks import batches

# Cells that are hashed at a time: they stay near the processor.
BLOCK_CELLS = 2**16
# Columns in which most rows already differ from all others.
FEW_COLUMNS = 8


def find_copies(X) -> np.ndarray | None:
    """Return a number for each row of X, the same for exact copies; None where there are none.

    Cells that are missing are equal to each other, and so are 0.0 and -0.0. Rows are told
    apart by hashes of 64 bits. Where those of different rows agree, which is less likely than
    a fault of the memory, these rows are taken for copies.
    """
    hashes = _tell_apart(X)
    return pd.factorize(hashes)[0] if _are_some_equal(hashes) else None


def are_copies(X, others) -> np.ndarray:
    """Return for each row of X whether it is an exact copy of one of the other rows."""
    return np.isin(hash_rows(X), hash_rows(others))


def count_distinct(copies: np.ndarray | None, index: np.ndarray) -> int:
    """Return how many of the rows are no copies of others of them."""
    return len(index) if copies is None else len(np.unique(copies[index]))


def merge_copies(X, index: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first of each of the distinct rows among `index`, and their summed weights."""
    hashes = _tell_apart(X, index)
    if not _are_some_equal(hashes):
        return index, weight
    numbers, _ = pd.factorize(hashes)
    _, first = np.unique(numbers, return_index=True)
    return index[first], np.bincount(numbers, weights=weight)


def hash_rows(X, index: np.ndarray | None = None, columns: np.ndarray | None = None) -> np.ndarray:
    """Return a hash of each of the rows `index` of X, of all by default, uint64.

    It is the sum of the hashes of the cells, times a number for each column. Equal rows have
    the same one, be they sparse or dense. Of dense rows some `columns` alone may be hashed.
    """
    n_rows = X.shape[0] if index is None else len(index)
    factors = np.random.RandomState(0).randint(2**63, size=X.shape[1], dtype=np.uint64) * 2 + 1
    # Of some columns the same as of all: a hash of all cells is none of a few others.
    factors = factors if columns is None else factors[columns]
    hashes = np.empty(n_rows, dtype=np.uint64)
    n_cells = max(1, X.nnz // X.shape[0]) if sparse.issparse(X) else len(factors)
    for rows in batches(n_rows, max(1, BLOCK_CELLS // n_cells)):
        block = X[rows if index is None else index[rows]]
        block = block if columns is None else block[:, columns]
        if sparse.issparse(block):
            parts = _hash_cells(block.data), block.indices, block.indptr
            hashes[rows] = sparse.csr_array(parts, shape=block.shape) @ factors
        else:
            hashes[rows] = _hash_cells(block.ravel()).reshape(block.shape) @ factors
    return hashes


def _tell_apart(X, index: np.ndarray | None = None) -> np.ndarray:
    """Return a number for each of the rows `index` of X that copies of it alone share, uint64.

    All cells are hashed only of rows that have the same cells as another in a few columns.
    """
    if sparse.issparse(X) or X.shape[1] <= FEW_COLUMNS:
        return hash_rows(X, index)
    hashes = hash_rows(X, index, np.linspace(0, X.shape[1] - 1, FEW_COLUMNS, dtype=int))
    if _are_some_equal(hashes):
        numbers, _ = pd.factorize(hashes)
        alike = np.flatnonzero(np.bincount(numbers)[numbers] > 1)
        hashes[alike] = hash_rows(X, alike if index is None else index[alike])
    return hashes


def _are_some_equal(hashes: np.ndarray) -> bool:
    """Whether two of the hashes are equal, found without a table of them."""
    ordered = np.sort(hashes)
    return bool((ordered[1:] == ordered[:-1]).any())


def _hash_cells(cells: np.ndarray) -> np.ndarray:
    """Return a hash of each number: one for all that are missing, and 0 for zeros."""
    cells = np.where(np.isnan(cells), np.nan, cells)  # of which there are many, of other bits
    hashes = pd.util.hash_array(cells, categorize=False)
    hashes[cells == 0] = 0
    return hashes
