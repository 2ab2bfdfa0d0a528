"""Rows of X in the coordinates of a network: whole slices, never row by row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from sk_autoencoder._data import Data
from sk_autoencoder._nn.batch import Target
from sk_autoencoder._nn.frames import Frame
from sk_autoencoder._sources.shuffling import shuffled
from sk_autoencoder._utils import cuda
from sk_autoencoder._utils.blocks import batches, rows_a_block
from sk_autoencoder._utils.sizes import check_inputs

KEPT_BYTES = 2**27
KEPT_SHARE = 0.25  # of the free memory of a GPU


class Rows(Dataset):
    """Rows of X in the network's frame, float32, each with its target.

    They are kept where they are small, and computed batch by batch where they are not, so
    that an array of any size, in memory or mapped from a file, is never copied whole.

    Parameters
    ----------
    data : Data
    frame : Frame
    error : FrameError or CellError
        Tells whether the target is the input, or the rows of X themselves.
    device : torch.device
        Where batches are computed with.

    Attributes
    ----------
    tail : float
        Mean squared error, in the units of X, of what lies outside of the frame.
    """

    def __init__(self, data: Data, frame: Frame, error: Any, device: torch.device):
        self.data = data
        self.frame = frame
        self.error = error
        self.device = device
        weight = data.weights()
        self.weight = None if weight is None else weight / self._mean(weight)
        if error.takes_missing and not data.is_sparse:
            self.weight = self._share_of_known()
        labels = None if data.labels is None else data.labels[data.rows]
        self.y = None if labels is None else torch.as_tensor(labels, device=device)
        self.kept: tuple[Any, Any, Any] | None = None
        self.tail = 0.0
        if error.target_is_input and frame.n_axes < frame.n_features:
            self.tail = self._tail()
        if len(data) * self._row_bytes() <= kept_bytes(device):
            self.kept = self._keep()

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, rows) -> tuple[Tensor, Target]:
        """Return input and target of the chosen rows: a slice, an array of int, or rows of X."""
        if self.kept is None:
            t, target, weight = self._compute(rows)
        else:
            t, target, weight = (None if kept is None else kept[rows] for kept in self.kept)
        y = None if self.y is None else self.y[rows]
        return t, Target(t if target is None else target, weight, y)

    def block(self, rows) -> Any:
        """Return the chosen rows as they stand in the table."""
        if isinstance(rows, np.ndarray) and rows.ndim == 2:
            return rows
        return self.data.X[self.data.rows[rows]]

    def n_batches(self, size: int) -> int:
        """Return the number of batches of a size, which is that of all processes together."""
        return -(-self.data.n_of_all // size)

    def batches(self, rng, n_batches: int) -> Iterator[tuple[Any, tuple[Tensor, Target]]]:
        """Yield which rows a batch has, and the batch, of sizes that differ by at most one.

        They are shuffled by `rng`, or in their order without it. Rows that are kept are put in
        order at once, which costs less than a choice a batch. Of a table that is larger than
        memory the parts are shuffled, and the rows of some of them that are in memory together.
        """
        n_rows = len(self)
        if self.data.is_streamed and self.kept is None:
            sizes = n_rows // n_batches + (np.arange(n_batches) < n_rows % n_batches)
            for block in shuffled(self.data.X, rng, sizes):
                yield block, self[block]
            return
        order = np.arange(n_rows) if rng is None else rng.permutation(n_rows)
        chosen = np.array_split(order, n_batches)
        if self.kept is None:
            yield from ((rows, self[rows]) for rows in chosen)
            return
        t, target = self[torch.from_numpy(order)]
        absent = [None] * n_batches
        weights = absent if target.weight is None else target.weight.tensor_split(n_batches)
        labels = absent if target.y is None else target.y.tensor_split(n_batches)
        inputs = t.tensor_split(n_batches)
        targets = inputs if target.rows is t else target.rows.tensor_split(n_batches)
        for i in range(n_batches):
            yield chosen[i], (inputs[i], Target(targets[i], weights[i], labels[i]))

    def in_units_of_X(self, loss: float) -> float:
        """Return the mean loss in X for one that the error gives."""
        return self.error.in_units_of_X(loss, self.tail)

    def _row_bytes(self) -> int:
        cells = 0 if self.error.target_is_input else self.frame.n_features
        return 4 * (self.frame.n_axes + cells)

    def _keep(self) -> tuple[Any, Any, Any]:
        """Return input, target and weight of all rows, written where they stay."""
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
        return batches(len(self), rows_a_block(self.frame.n_features))

    def _compute(self, rows) -> tuple[Any, Any, Any]:
        """Return input, target (None where it is the input) and weight of the chosen rows."""
        block = self.block(rows)
        target = weight = None
        with torch.no_grad():
            if self.weight is not None:
                weight = torch.as_tensor(self.weight[rows], dtype=torch.float32, device=self.device)
            if not self.error.target_is_input:
                target = self.error.target(block, self.frame).to(self.device)
            return self.frame.read(block).float().to(self.device), target, weight

    def _mean(self, values: np.ndarray, weight: np.ndarray | None = None) -> float:
        """Return the mean of a number of each row, over the rows of all processes."""
        weight = np.ones(len(values)) if weight is None else weight
        total, n_rows = self.data.processes.sum(values @ weight, weight.sum())
        return float(total / n_rows)

    def _share_of_known(self) -> np.ndarray:
        """Return weights with which the mean over all cells is that over the known ones."""
        shares = [~np.isnan(self.block(rows)) for rows in self._blocks()]
        share = np.concatenate([known.mean(axis=1) for known in shares])
        weight = np.ones(len(share)) if self.weight is None else self.weight
        mean = self._mean(share, weight)
        return weight / mean if mean > 0 else np.zeros(len(share))

    def _tail(self) -> float:
        """Return the mean square, over all cells, of the distance between rows and the axes."""
        total = 0.0
        for rows in self._blocks():
            outside = self.frame.outside(self.block(rows))
            if self.weight is not None:
                outside = outside * torch.as_tensor(self.weight[rows], device=outside.device)
            total += outside.sum().item()
        total, n_rows = self.data.processes.sum(total, len(self))
        return float(total / (n_rows * self.frame.n_features))


def kept_bytes(device: torch.device) -> int:
    """Return the bytes that rows may take on a device: there more of them, where it has its own."""
    return max(KEPT_BYTES, int(KEPT_SHARE * cuda.free_bytes(device)))
