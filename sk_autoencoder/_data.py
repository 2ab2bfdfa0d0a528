"""The rows of a fit, checked: what every stage of a training takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from sk_autoencoder._sources.table import Table
from sk_autoencoder._utils.blocks import at_most, batches
from sk_autoencoder._utils.processes import ALONE, Alone

KNOWN_BLOCK_CELLS = 2**20


@dataclass(frozen=True, eq=False)
class Data:
    """Some rows of a table, which is never copied.

    Parameters
    ----------
    X : ndarray, memmap, CSR array or Table of shape (n_table, n_features)
        The table, float32 or float64; NaN is a missing cell.
    y : object
        The target as the caller has passed it, of which callbacks are told.
    rows : ndarray of shape (n_rows,), int, or range
        Indices of the rows of the table that belong to the data; a range of a `Table`.
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
    processes : Alone or Processes
        Those that have a share of the rows each.
    n_total : int or None
        Number of the rows of all processes, None where this one has them all.
    whole : Data or None
        The rows of all processes, where each of them could read them all.
    """

    X: Any
    y: Any
    rows: Any
    weight: np.ndarray | None = None
    has_missing: bool = False
    target: Any = None
    labels: np.ndarray | None = None
    groups: np.ndarray | None = None
    copies: np.ndarray | None = None
    processes: Alone = ALONE
    n_total: int | None = None
    whole: Data | None = None

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

    @property
    def is_streamed(self) -> bool:
        """Whether X is larger than memory, so that its rows come in their order."""
        return isinstance(self.X, Table)

    @property
    def n_of_all(self) -> int:
        """Number of the rows of all processes."""
        return len(self) if self.n_total is None else self.n_total

    @property
    def identity(self) -> Any:
        """What tells the table from others: itself or, where it is large, its shape and a part."""
        if isinstance(self.X, Table):
            return self.X.shape, self.X.left_out, self.X.few
        return self.X

    def close(self) -> None:
        """End what reads a large table ahead."""
        if isinstance(self.X, Table):
            self.X.close()

    def share(self, processes: Alone) -> Data:
        """Return the part of this process of rows that all processes have."""
        rows = self.rows[processes.rank :: processes.size]
        return replace(self, rows=rows, processes=processes, n_total=len(self), whole=self)

    def part_of(self, processes: Alone) -> Data:
        """Return the part of this process, or all rows where it is alone or they are too few."""
        return self if len(self) < processes.size or processes.size == 1 else self.share(processes)

    def of_all_parts(self, values: np.ndarray) -> np.ndarray:
        """Return a number of each row of all processes, from those of the rows of each of them."""
        parts = self.processes.of_all(values)
        whole = np.empty(sum(map(len, parts)), dtype=values.dtype)
        for rank, part in enumerate(parts):
            whole[rank :: len(parts)] = part
        return whole

    def few(self, n_rows: int, rng) -> Data:
        """Return at most so many of the rows, drawn at random, in memory."""
        if isinstance(self.X, Table):
            some = self.X.few[:n_rows]
            return replace(self, X=some, rows=np.arange(len(some)))
        return self.take(at_most(n_rows, self.rows, rng))

    def take(self, rows: np.ndarray) -> Data:
        """Return the data of other rows of the same table."""
        return replace(self, rows=rows)

    def everything(self) -> Data:
        """Return the data of all rows of the table."""
        return self.take(np.arange(self.X.shape[0]))

    def weights(self) -> np.ndarray | None:
        """Return how much each of the rows counts; None where all count the same."""
        return None if self.weight is None else self.weight[np.asarray(self.rows)]

    def with_known_cells(self) -> Data:
        """Return the rows that have a known cell: the others cannot be judged."""
        if not self.has_missing or self.is_sparse or self.is_streamed:
            return self
        size = max(1, KNOWN_BLOCK_CELLS // self.n_features)
        blocks = (self.X[self.rows[some]] for some in batches(len(self), size))
        return self.take(self.rows[np.concatenate([~np.isnan(x).all(axis=1) for x in blocks])])
