"""The scores of a detector as a module of torch, in the units of X."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from sk_autoencoder._outliers.references import References


class TorchScores(nn.Module):
    """Labels and scores of rows, by their distances from the references, in float64.

    Parameters
    ----------
    references : References
    offset : float
        Rows with a lower score are outliers.
    """

    rows: Tensor
    location: Tensor
    centred: Tensor

    def __init__(self, references: References, offset: float):
        super().__init__()
        self.n_neighbors, self.offset = references.n_neighbors, offset
        centred = references.rows - references.location
        arrays = {"rows": references.rows, "location": references.location, "centred": centred}
        for name, value in arrays.items():
            self.register_buffer(name, torch.from_numpy(np.array(value)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return labels, 1 or -1, and scores, both of shape (batch,)."""
        x = x.double()
        centred = x - self.location
        # Up to the square of the row itself, which orders nothing.
        order = self.centred.square().sum(dim=1) - 2 * centred @ self.centred.T
        found = order.topk(self.n_neighbors, dim=1, largest=False).indices
        # From differences, since in products the digits of small distances are lost.
        gaps = self.rows[found] - x[:, None]
        scores = -gaps.square().sum(dim=2).mean(dim=1)
        return torch.where(scores < self.offset, -1, 1), scores
