"""Gradients of a batch that several processes share: the mean over its rows, in one message."""

from __future__ import annotations

import torch
from torch import Tensor

from sk_autoencoder._nn.batch import Target
from sk_autoencoder._training._steps.flat import joined, like
from sk_autoencoder._training._steps.pieces import InPieces
from sk_autoencoder._utils.processes import Alone


def shared(
    gradients: InPieces, processes: Alone, n_rows: float, flat: Tensor | None = None
) -> InPieces | Shared:
    """Return what computes gradients of a batch, of which other processes may have a part."""
    return gradients if processes.size == 1 else Shared(gradients, processes, n_rows, flat)


class Shared:
    """Computes the gradients of the part of a batch that is here, and adds those of all parts.

    Parameters
    ----------
    gradients : InPieces
        Computes those of the part.
    processes : Processes
        Those that have the parts.
    n_rows : float
        Mean number of rows of a batch of all of them: each row counts the same.
    flat : Tensor, default=None
        What all gradients are views of; None where they are not.
    """

    def __init__(
        self, gradients: InPieces, processes: Alone, n_rows: float, flat: Tensor | None = None
    ):
        self.gradients, self.processes = gradients, processes
        self.n_rows, self.flat = n_rows, flat

    def __call__(self, t: Tensor, target: Target) -> Tensor:
        """Set the gradients of a batch, and return the mean loss of the part that is here."""
        loss = self.gradients(t, target) if len(t) else self._nothing(t)
        self._add(len(t))
        return loss

    def told(self, t: Tensor, target: Target) -> tuple[Tensor, Tensor]:
        """Set the gradients of a batch, and return loss and output of the part that is here."""
        result = self.gradients.told(t, target) if len(t) else (self._nothing(t), t)
        self._add(len(t))
        return result

    def _nothing(self, t: Tensor) -> Tensor:
        """Set gradients of zero, where others have more rows, and return a loss of zero."""
        for parameter in self.gradients.parameters:
            if parameter.grad is not None:
                parameter.grad.zero_()
            elif parameter.requires_grad:
                parameter.grad = torch.zeros_like(parameter)
        return t.new_zeros(())

    @torch.no_grad()
    def _add(self, n_rows: int) -> None:
        share = n_rows / self.n_rows
        if self.flat is not None:
            self.processes.sum_(self.flat, share)
            return
        parts = [p.grad for p in self.gradients.parameters if p.grad is not None]
        flat = joined(parts)
        self.processes.sum_(flat, share)
        for part, whole in zip(parts, like(parts, flat), strict=True):
            part.copy_(whole)
