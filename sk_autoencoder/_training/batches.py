"""Batches of rows, of sizes that differ by at most one, in a new order in each pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from sk_autoencoder._nn.batch import Target


class Batches:
    """Batches of a `Rows`, of sizes that differ by at most one row.

    All processes that share the rows have as many batches, though not quite as many rows.

    Parameters
    ----------
    dataset : Rows or CorruptedRows
    batch_size : int
        The largest size of a batch, of all processes together.
    rng : numpy.random.RandomState, default=None
        Shuffles the rows anew in each pass; None keeps their order.

    Attributes
    ----------
    chosen : slice, ndarray of int, or ndarray of rows
        Which rows the present batch has, for `block` of the dataset.
    """

    chosen: Any = None

    def __init__(self, dataset, batch_size, rng=None):
        self.dataset = dataset
        self.batch_size = batch_size
        self.rng = rng

    def __len__(self) -> int:
        return self.dataset.n_batches(self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Target]]:
        for chosen, batch in self.dataset.batches(self.rng, len(self)):
            self.chosen = chosen
            yield batch
