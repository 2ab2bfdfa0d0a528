"""The rows of a fit, checked: what every stage of a training takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from sk_autoencoder._utils.blocks import batches

KNOWN_BLOCK_CELLS = 2**20


@dataclass(frozen=True, eq=False)
class Data:
    """Some rows of a table, which is never copied.

    Parameters
    ----------
    X : ndarray, memmap or CSR array of shape (n_table, n_features)
        The table, float32 or float64; NaN is a missing cell.
    y : object
        The target as the caller has passed it, of which callbacks are told.
    rows : ndarray of shape (n_rows,), int
        Indices of the rows of the table that belong to the data.
    weight : ndarray of shape (n_table,) or None
        How much each row of the table counts, float64.
    has_missing : bool
        Whether cells of X are missing.
    target : TargetEncoder or None
        How y is read, where codes are supervised.
    labels : ndarray of shape (n_table,) or (n_table, n_outputs), or None
        What y tells of each row, encoded.
    groups : ndarray of shape (n_table,) or None
        Number of each row's group.
    copies : ndarray of shape (n_table,) or None
        A number that exact copies of a row share.
    """

    X: Any
    y: Any
    rows: np.ndarray
    weight: np.ndarray | None = None
    has_missing: bool = False
    target: Any = None
    labels: np.ndarray | None = None
    groups: np.ndarray | None = None
    copies: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def n_features(self) -> int:
        """Number of columns of X."""
        return self.X.shape[1]

    @property
    def units(self) -> np.ndarray | None:
        """Numbers of what stays together: groups, else copies; None where each row is alone."""
        return self.copies if self.groups is None else self.groups

    @property
    def is_sparse(self) -> bool:
        """Whether X is a sparse array."""
        return sparse.issparse(self.X)

    def take(self, rows: np.ndarray) -> Data:
        """Return the data of other rows of the same table."""
        return replace(self, rows=rows)

    def everything(self) -> Data:
        """Return the data of all rows of the table."""
        return self.take(np.arange(self.X.shape[0]))

    def weights(self) -> np.ndarray | None:
        """Return how much each of the rows counts; None where all count the same."""
        return None if self.weight is None else self.weight[self.rows]

    def with_known_cells(self) -> Data:
        """Return the rows that have a known cell: the others cannot be judged."""
        if not self.has_missing or self.is_sparse:
            return self
        size = max(1, KNOWN_BLOCK_CELLS // self.n_features)
        blocks = (self.X[self.rows[some]] for some in batches(len(self), size))
        return self.take(self.rows[np.concatenate([~np.isnan(x).all(axis=1) for x in blocks])])
