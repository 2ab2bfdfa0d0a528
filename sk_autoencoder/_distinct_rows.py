"""Rows that are copies of each other, found by a hash: a copy tells nothing new."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from sklearn.utils import gen_batches

BLOCK_CELLS = 2**20
NAN_BITS = np.float64(np.nan).view(np.uint64)
# Of the finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
MULTIPLIERS = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def merge_copies(X, index: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first of each of the distinct rows among `index`, and their summed weights."""
    _, first, copy_of = np.unique(hash_rows(X, index), return_index=True, return_inverse=True)
    if len(first) == len(index):
        return index, weight
    order = np.argsort(first)
    summed = np.bincount(copy_of, weights=weight, minlength=len(first))
    return index[first[order]], summed[order]


def effective_number(weight: np.ndarray) -> float:
    """Return how many rows of equal weight would tell as much (Kish, 1965)."""
    return float(weight.sum() ** 2 / np.square(weight).sum())


def hash_rows(X, index: np.ndarray) -> np.ndarray:
    """Return a hash of each of the rows `index` of X, uint64.

    Equal rows have the same one, be they sparse or dense; missing values are equal to each
    other.
    """
    n_features = X.shape[1]
    factors = np.random.RandomState(0).randint(0, 2**63, n_features, dtype=np.uint64) * 2 + 1
    hashes = np.empty(len(index), dtype=np.uint64)
    for rows in gen_batches(len(index), max(1, BLOCK_CELLS // n_features)):
        hashes[rows] = _hash(X[index[rows]], factors)
    return hashes


def _hash(block, factors: np.ndarray) -> np.ndarray:
    """Return the hashes of a few rows: sums over cells, in which a zero counts nothing."""
    if sparse.issparse(block):
        parts = _scramble(block.data), block.indices, block.indptr
        return sparse.csr_array(parts, shape=block.shape) @ factors
    return _scramble(block) @ factors


def _scramble(values: np.ndarray) -> np.ndarray:
    """Return 64 bits of each number that seem random, 0 for zero."""
    values = values.astype(np.float64)
    values += 0.0  # makes one zero of both
    bits = values.view(np.uint64)
    bits[np.isnan(values)] = NAN_BITS
    for multiplier in MULTIPLIERS:
        bits ^= bits >> np.uint64(31)
        bits *= multiplier
    bits ^= bits >> np.uint64(31)
    return bits
