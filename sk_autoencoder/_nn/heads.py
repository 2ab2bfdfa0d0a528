"""The head that predicts labels from codes, in training alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

UNLABELLED = -1


class Head(nn.Module):
    """Predict labels from codes with one linear layer, which starts at zero.

    Parameters
    ----------
    n_components : int
        Width of the code.
    n_outputs : int
        Number of classes, or of columns of values.
    are_classes : bool
        Whether labels are numbers of classes. Else they are standardised values.
    share : float
        Share of the rows that have a label.
    ignorance : float
        Loss of a head that knows nothing but how often each class comes up.
    """

    def __init__(self, n_components, n_outputs, *, are_classes, share, ignorance):
        super().__init__()
        self.are_classes = are_classes
        self.share = share
        self.ignorance = ignorance
        self.weight = nn.Parameter(torch.zeros(n_outputs, n_components))
        self.bias = nn.Parameter(torch.zeros(n_outputs))

    def forward(self, z: Tensor) -> Tensor:
        return functional.linear(z, self.weight, self.bias)  # (batch, n_outputs)

    def loss(self, z: Tensor, y: Tensor, weight: Tensor | None, generator=None) -> Tensor:
        """Return the mean loss of the rows with a label, 1 for a head that knows nothing.

        It is summed over these rows and divided by how many of them a batch has on average.
        With a generator, codes are mixed in pairs, in shares that it draws, and have to predict
        both labels in these shares: manifold mixup (Verma et al., 2019) [1]_. Classes then lie
        apart and in clusters, and far fewer rows are learned by heart.

        References
        ----------
        .. [1] Verma et al. (2019). Manifold mixup: better representations by interpolating
           hidden states. ICML.
        """
        known = y != UNLABELLED if self.are_classes else ~y.isnan().all(dim=1)
        n_rows = len(known) if weight is None else weight.sum()
        z, y, weight = z[known], y[known], None if weight is None else weight[known]
        if generator is None:
            losses = self._losses(self(z), y, weight)
        else:
            share = torch.rand(len(z), generator=generator).to(z)
            other = torch.randperm(len(z), generator=generator).to(z.device)
            mixed = self(share[:, None] * z + (1 - share[:, None]) * z[other])
            losses = share * self._losses(mixed, y, weight)
            weight = None if weight is None else weight[other]
            losses = losses + (1 - share) * self._losses(mixed, y[other], weight)
        return losses.sum() / (n_rows * self.share * self.ignorance)

    def _losses(self, predicted: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
        """Return the loss of each row times its weight, of shape (batch,)."""
        if self.are_classes:
            losses = functional.cross_entropy(predicted, y, reduction="none")
        else:
            errors = (predicted - torch.where(y.isnan(), predicted, y)).square()
            losses = errors.mean(dim=1)
        return losses if weight is None else losses * weight
