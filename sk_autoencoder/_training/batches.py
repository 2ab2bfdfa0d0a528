"""Rows of X as batches: whole slices, never row by row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.utils import gen_batches
from torch.utils.data import Dataset

from sk_autoencoder._nn.frames import Coordinates, as_tensor
from sk_autoencoder._nn.losses import Criterion, Target
from sk_autoencoder._utils.sizes import check_inputs

KEPT_BYTES = 2**27
KEPT_SHARE = 0.25  # of the free memory of a GPU
BLOCK_ROWS = 1024
BLOCK_BYTES = 2**26


class Rows(Dataset):
    """Rows of X in the network's coordinates, float32, each with its target.

    They are kept where they are small, and computed batch by batch where they are not, so
    that an array of any size, in memory or mapped from a file, is never copied whole.

    Parameters
    ----------
    X : ndarray, memmap or CSR matrix of shape (n_samples, n_features)
    index : ndarray of int of shape (n_rows,)
        The rows of X that belong to this part of it.
    coordinates : Coordinates
    criterion : Criterion
        Says whether the target is the input, or the rows of X themselves.
    weight : ndarray of shape (n_samples,), default=None
        How much each row of X counts; None counts each as one.
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs), default=None
        What supervised codes are to tell of each row of X.

    Attributes
    ----------
    tail : float
        Mean squared error, in the units of X, of what lies outside of the coordinates.
    """

    def __init__(
        self, X, index, coordinates: Coordinates, criterion: Criterion, weight=None, y=None
    ):
        self.X = X
        self.index = index
        self.coordinates = coordinates
        self.criterion = criterion
        self.weight = None if weight is None else weight[index] / weight[index].mean()
        if criterion.gaps and not sparse.issparse(X):
            self.weight = self._share_of_known()
        self.y = None if y is None else torch.as_tensor(y[index], device=coordinates.mean.device)
        self.kept: tuple[Any, Any, Any] | None = None
        self.tail = 0.0
        if criterion.output is None and coordinates.n_axes < coordinates.n_features:
            self.tail = self._tail()
        if len(index) * self._row_bytes() <= kept_bytes(coordinates.mean.device):
            self.kept = self._keep()

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, rows) -> tuple[torch.Tensor, Target]:
        """Input and target of the chosen rows: a slice, or an array of int."""
        if self.kept is None:
            t, target, weight = self._compute(rows)
        else:
            t, target, weight = (None if kept is None else kept[rows] for kept in self.kept)
        y = None if self.y is None else self.y[rows]
        return t, Target(t if target is None else target, weight, y)

    def batches(self, order: np.ndarray, n_batches: int) -> Iterator[tuple[torch.Tensor, Target]]:
        """All rows in an order, in batches whose sizes differ by at most one.

        Rows that are kept are put in order at once, which costs less than a choice a batch.
        """
        if self.kept is None:
            for rows in np.array_split(order, n_batches):
                yield self[rows]
            return
        t, target = self[torch.from_numpy(order)]
        absent = [None] * n_batches
        weights = absent if target.weight is None else target.weight.tensor_split(n_batches)
        answers = absent if target.y is None else target.y.tensor_split(n_batches)
        inputs = t.tensor_split(n_batches)
        targets = inputs if target.rows is t else target.rows.tensor_split(n_batches)
        for i in range(n_batches):
            yield inputs[i], Target(targets[i], weights[i], answers[i])

    def in_units_of_X(self, loss: float) -> float:
        """Mean loss in X, for one that the criterion gives."""
        if self.criterion.output is not None:
            return loss
        return loss * self.coordinates.unit + self.tail

    def _row_bytes(self) -> int:
        cells = self.coordinates.n_features if self.criterion.output is not None else 0
        return 4 * (self.coordinates.n_axes + cells)

    def _keep(self) -> tuple[Any, Any, Any]:
        """Input, target and weight of all rows, written where they stay."""
        kept: list[Any] = [None, None, None]
        for rows in self._blocks():
            for i, part in enumerate(self._compute(rows)):
                if part is None:
                    continue
                if kept[i] is None:
                    kept[i] = part.new_empty((len(self), *part.shape[1:]))
                kept[i][rows] = part
        t, target, weight = kept
        check_inputs(t)
        return t, target, weight

    def _blocks(self) -> Iterator[slice]:
        return gen_batches(len(self.index), rows_a_block(self.coordinates.n_features))

    def _compute(self, rows) -> tuple[Any, Any, Any]:
        """Input, target (None where it is the input) and weight of the chosen rows."""
        block = self.X[self.index[rows]]
        device = self.coordinates.mean.device
        target = weight = None
        with torch.no_grad():
            if self.weight is not None:
                weight = torch.as_tensor(self.weight[rows], dtype=torch.float32, device=device)
            if self.criterion.output is not None:
                x = as_tensor(as_dense(block), device)
                shift_free = self.criterion.objective.shift_free
                target = (self.coordinates.centre(x) if shift_free else x).float()
            return self.coordinates.read(block).float(), target, weight

    def _share_of_known(self) -> np.ndarray:
        """Weights with which the mean over all cells is that over the known ones."""
        shares = [~np.isnan(self.X[self.index[rows]]) for rows in self._blocks()]
        share = np.concatenate([known.mean(axis=1) for known in shares])
        weight = np.ones(len(share)) if self.weight is None else self.weight
        mean = np.average(share, weights=weight)
        return weight / mean if mean > 0 else np.zeros(len(share))

    def _tail(self) -> float:
        """Mean square, over all cells, of the distance between the rows and the axes."""
        total = 0.0
        for rows in self._blocks():
            outside = self.coordinates.outside(self.X[self.index[rows]])
            if self.weight is not None:
                outside = outside * torch.as_tensor(self.weight[rows], device=outside.device)
            total += outside.sum().item()
        return total / (len(self.index) * self.coordinates.n_features)


class Batches:
    """Batches of a `Rows`, of sizes that differ by at most one row.

    Parameters
    ----------
    dataset : Rows
    batch_size : int
        The largest size of a batch.
    rng : numpy.random.RandomState, default=None
        Shuffles the rows anew in each pass; None keeps their order.
    """

    def __init__(self, dataset, batch_size, rng=None):
        self.dataset = dataset
        self.batch_size = batch_size
        self.rng = rng

    def __len__(self) -> int:
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, Target]]:
        n_rows = len(self.dataset)
        order = np.arange(n_rows) if self.rng is None else self.rng.permutation(n_rows)
        return self.dataset.batches(order, len(self))


def kept_bytes(device: torch.device) -> int:
    """Give the bytes that rows may take on a device: there more of them, where it has its own."""
    if device.type != "cuda":
        return KEPT_BYTES
    free, _ = torch.cuda.mem_get_info(device)
    return max(KEPT_BYTES, int(KEPT_SHARE * free))


def rows_a_block(n_features: int) -> int:
    """How many rows to compute at once, so that they stay small in float64."""
    return max(1, min(BLOCK_ROWS, BLOCK_BYTES // (8 * n_features)))


def at_most(n_rows: int, index: np.ndarray, rng) -> np.ndarray:
    """Give the indices of all rows, or so many of them, drawn at random, in their order."""
    if len(index) <= n_rows:
        return index
    return np.sort(rng.choice(index, n_rows, replace=False))


def as_dense(block) -> np.ndarray:
    """Give a few rows as an array."""
    return block.toarray() if sparse.issparse(block) else block
