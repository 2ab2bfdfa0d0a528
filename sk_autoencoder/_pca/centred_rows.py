"""Rows of a matrix about an origin, in float64, a block at a time: no copy of them all is made.

Each row is multiplied by the root of its weight, so that sums of products are weighted. Of sparse
rows the origin stays a factor of its own: what is stored is what is worked on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from sk_autoencoder._utils.blocks import batches
from sk_autoencoder._utils.processes import ALONE, Alone

BLOCK_BYTES = 2**23  # stays near the processor
WIDE_BLOCK_BYTES = 2**26  # for products as wide as X, which each block reads and writes anew
ORIGIN_ROWS = 1000
DENSEST_SPARSE = 0.1  # share of cells stored above which dense products are the quicker ones


@dataclass(frozen=True)
class DenseBlock:
    """Centred and weighted rows as they are."""

    values: np.ndarray  # (n_rows, n_features)
    roots: np.ndarray  # (n_rows,), of the weights

    def sum(self) -> np.ndarray:
        """Return the weighted sum of the rows."""
        return self.roots @ self.values

    def sum_of_squares(self) -> float:
        return float(np.vdot(self.values, self.values))

    def squared_error(self, components: np.ndarray) -> float:
        """Sum of squares of what the components leave."""
        # Not a difference of two sums, so that an error near zero has its digits too.
        left = self.values - self.times(components.T) @ components
        return float(np.vdot(left, left))

    def feature_products(self) -> np.ndarray:
        return self.values.T @ self.values  # (n_features, n_features)

    def row_products(self) -> np.ndarray:
        return self.values @ self.values.T  # (n_rows, n_rows)

    def times(self, V: np.ndarray) -> np.ndarray:
        return self.values @ V

    def transposed_times(self, Y: np.ndarray) -> np.ndarray:
        return self.values.T @ Y


@dataclass(frozen=True)
class SparseBlock:
    """The rows `matrix` − `roots` `origin`ᵀ, as a product that is never formed.

    A column of which a share p is stored has a variance of at least 1 − p of its mean square.
    So subtracting a product of means costs digits only where nearly all is stored, and where
    all is, the origin is subtracted from what is stored.
    """

    matrix: sparse.csr_array  # (n_rows, n_features)
    roots: np.ndarray  # (n_rows,), of the weights
    origin: np.ndarray  # (n_features,), 0 where `matrix` is centred

    @classmethod
    def centred(cls, rows: sparse.csr_array, roots: np.ndarray, origin: np.ndarray) -> SparseBlock:
        """Move and weight what the rows store."""
        n_rows, n_features = rows.shape
        full = np.bincount(rows.indices, minlength=n_features) == n_rows
        data = rows.data - np.where(full, origin, 0.0)[rows.indices]
        data *= np.repeat(roots, np.diff(rows.indptr))
        matrix = sparse.csr_array((data, rows.indices, rows.indptr), shape=rows.shape)
        return cls(matrix, roots, np.where(full, 0.0, origin))

    def sum(self) -> np.ndarray:
        """Return the weighted sum of the rows."""
        return self.matrix.T @ self.roots - self.origin * (self.roots @ self.roots)

    def sum_of_squares(self) -> float:
        stored = self.matrix.data @ self.matrix.data
        mixed = self.roots @ (self.matrix @ self.origin)
        of_origin = (self.roots @ self.roots) * (self.origin @ self.origin)
        return max(float(stored - 2 * mixed + of_origin), 0.0)

    def squared_error(self, components: np.ndarray) -> float:
        """Sum of squares of what the components leave."""
        codes = self.times(components.T)
        return max(self.sum_of_squares() - float(np.vdot(codes, codes)), 0.0)

    def feature_products(self) -> np.ndarray:
        mixed = np.outer(self.matrix.T @ self.roots, self.origin)
        products = (self.matrix.T @ self.matrix).toarray() - mixed - mixed.T
        return products + (self.roots @ self.roots) * np.outer(self.origin, self.origin)

    def row_products(self) -> np.ndarray:
        mixed = np.outer(self.matrix @ self.origin, self.roots)
        products = (self.matrix @ self.matrix.T).toarray() - mixed - mixed.T
        return products + (self.origin @ self.origin) * np.outer(self.roots, self.roots)

    def times(self, V: np.ndarray) -> np.ndarray:
        products = self.matrix @ V
        products -= np.outer(self.roots, self.origin @ V)
        return products

    def transposed_times(self, Y: np.ndarray) -> np.ndarray:
        products = self.matrix.T @ Y
        products -= np.outer(self.origin, self.roots @ Y)
        return products


class CentredRows:
    """Weighted rows of X about an origin.

    Parameters
    ----------
    X : ndarray, memmap, or CSR array or matrix of shape (n_samples, n_features)
    index : ndarray of int of shape (n_rows,), or range
        The rows of X to read; those of a range in their order.
    weight : ndarray of shape (n_samples,) or None
        Weights of all rows of X, not negative; None for equal ones.
    origin : ndarray of shape (n_features,) or None
        What is subtracted; None for the mean of a few of the rows, close to that of all.
    processes : Alone or Processes
        Those that have a share of the rows each, over which `total` sums.

    Attributes
    ----------
    total_weight : float
        Sum of the weights of the rows, those of all processes.
    """

    def __init__(self, X, index, weight=None, origin=None, processes: Alone = ALONE):
        self.X = X
        self.index = index
        self.weight = None if weight is None else weight[index]
        self.processes = processes
        self._arguments = X, index, weight
        total = len(index) if self.weight is None else self.weight.sum()
        self.total_weight = float(processes.sum(total))
        if self.total_weight <= 0.0:
            raise ValueError("The weights of the rows sum to 0. Give some rows a weight above 0.")
        self.stays_sparse = sparse.issparse(X) and X.nnz <= DENSEST_SPARSE * np.prod(X.shape)
        if origin is None:
            origin = processes.sum(self._mean_of_few()) / processes.size
        self.origin = origin

    def __len__(self) -> int:
        return len(self.index)

    def about_mean(self) -> CentredRows:
        """Return the same rows about their mean."""
        # About an origin close to it, so that a large offset costs no digits.
        step = self.processes.sum(sum(block.sum() for block in self.blocks())) / self.total_weight
        return CentredRows(*self._arguments, self.origin + step, self.processes)

    def blocks(self, n_bytes: int = 0, width: int = 0) -> Iterator[DenseBlock | SparseBlock]:
        """Yield blocks of rows of at most `n_bytes`, as are their products with `width` columns."""
        row_bytes = 8 * max(self._cells_per_row(), width)
        for rows in batches(len(self), max(1, (n_bytes or BLOCK_BYTES) // row_bytes)):
            yield self._block(self.X, rows)

    def slabs(self) -> Iterator[tuple[slice, DenseBlock | SparseBlock]]:
        """Yield all rows, a few columns at a time; all columns of sparse rows."""
        everything = slice(None)
        if self.stays_sparse:
            yield everything, self._block(self.X, everything)
            return
        width = max(1, BLOCK_BYTES // (8 * len(self)))
        for columns in batches(self.X.shape[1], width):
            yield columns, self._block(self.X[:, columns], everything, columns)

    def _cells_per_row(self) -> int:
        if not self.stays_sparse:
            return self.X.shape[1]
        return 1 + 2 * self.X.nnz // self.X.shape[0]  # values and indices

    def _block(self, X, rows: slice, columns: slice = slice(None)) -> DenseBlock | SparseBlock:
        """Return some of the rows, less the origin and times the roots of their weights."""
        values, origin = X[self.index[rows]], self.origin[columns]
        roots = np.ones(values.shape[0]) if self.weight is None else np.sqrt(self.weight[rows])
        if self.stays_sparse:
            return SparseBlock.centred(values, roots, origin)
        values = (values.toarray() if sparse.issparse(values) else values) - origin
        if self.weight is not None:
            values *= roots[:, None]
        return DenseBlock(values, roots)

    def _mean_of_few(self) -> np.ndarray:
        """Return the mean of a block of rows: from all over X or, where in order, the first."""
        n_few = min(ORIGIN_ROWS, 1 + BLOCK_BYTES // (8 * self._cells_per_row()))
        if isinstance(self.index, range):
            return self.X[self.index[:n_few]].mean(axis=0, dtype=np.float64)
        # Without the rows that do not count: they may lie far from all others.
        index = self.index if self.weight is None else self.index[self.weight > 0]
        few = self.X[index[:: -(-len(index) // n_few)]]
        return few.T @ np.full(few.shape[0], 1 / few.shape[0])
