"""Rows of X as batches: whole slices, never row by row."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from sklearn.utils import gen_batches
from torch.utils.data import Dataset

from sk_autoencoder._coordinates import Coordinates

KEPT_BYTES = 2**27
BLOCK_ROWS = 4096


class Rows(Dataset):
    """Rows of X in the network's coordinates, float32, each the target of itself.

    They are kept where they are small, and computed batch by batch where they are not, so
    that an array of any size, in memory or mapped from a file, is never copied whole.

    Parameters
    ----------
    X : ndarray or memmap of shape (n_samples, n_features)
    index : ndarray of int of shape (n_rows,)
        The rows of X that belong to this part of it.
    coordinates : Coordinates
    device : torch.device

    Attributes
    ----------
    tail : float
        Mean squared error, in the units of X, of what lies outside of the coordinates.
    """

    def __init__(self, X, index, coordinates: Coordinates, device: torch.device):
        self.X = X
        self.index = index
        self.coordinates = coordinates
        self.device = device
        self.kept: torch.Tensor | None = None
        self.tail = self._tail() if coordinates.n_axes < coordinates.n_features else 0.0
        if len(index) * coordinates.n_axes * 4 <= KEPT_BYTES:
            self.kept = torch.cat([self._compute(rows) for rows in self._blocks()])

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, rows) -> tuple[torch.Tensor, torch.Tensor]:
        """Input and target of the chosen rows: an int, a slice, or an array of int."""
        t = self._compute(rows) if self.kept is None else self.kept[rows]
        return t, t

    def in_units_of_X(self, loss: float) -> float:
        """Mean squared error in X, for one in the coordinates."""
        return loss * self.coordinates.unit + self.tail

    def _blocks(self) -> Iterator[slice]:
        return gen_batches(len(self.index), BLOCK_ROWS)

    def _compute(self, rows) -> torch.Tensor:
        with torch.no_grad():
            return self.coordinates(self._read(rows)).float()

    def _read(self, rows) -> torch.Tensor:
        return as_tensor(self.X[self.index[rows]], self.device)

    def _tail(self) -> float:
        """Mean square, over all cells, of the distance between the rows and the axes."""
        total = 0.0
        for rows in self._blocks():
            x = self._read(rows)
            outside = x - self.coordinates.inverse(self.coordinates(x))
            total += outside.square().sum(dtype=torch.float64).item()
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

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        n_rows = len(self.dataset)
        order = np.arange(n_rows) if self.rng is None else self.rng.permutation(n_rows)
        for batch in np.array_split(order, len(self)):
            yield self.dataset[batch]


def as_tensor(block: np.ndarray, device: torch.device) -> torch.Tensor:
    """Rows as a tensor that shares their memory where torch can take it."""
    return torch.from_numpy(np.require(block, requirements=["C", "W"])).to(device)
