"""Gradients of a batch that several processes share: the mean of theirs, in one message a step."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from sk_autoencoder._nn.batch import Target
from sk_autoencoder._utils.processes import Alone

if TYPE_CHECKING:
    from sk_autoencoder._training.net import AutoencoderNet


def shared(
    gradients: Callable[..., Any], net: AutoencoderNet, flat: Tensor | None = None
) -> Callable[..., Any]:
    """Return what computes gradients of a batch, of which other processes may have a part."""
    if net.processes_.size == 1:
        return gradients
    return Shared(gradients, net.parameters(), net.processes_, net.rows_a_batch_, flat)


class Shared:
    """Computes the gradients of the part of a batch that is here, and takes the mean over all rows.

    Parameters
    ----------
    compute : callable
        Sets the gradients of rows and their `Target`.
    parameters : iterable of Parameter
    processes : Processes
    n_rows : float
        Mean number of rows of a batch, of all processes together: each row counts the same.
    flat : Tensor, default=None
        What all gradients are views of; None where they are not.
    """

    def __init__(
        self,
        compute: Callable[..., Any],
        parameters: Iterable[nn.Parameter],
        processes: Alone,
        n_rows: float,
        flat: Tensor | None = None,
    ):
        self.compute = compute
        self.parameters = list(parameters)
        self.processes = processes
        self.n_rows = n_rows
        self.flat = flat

    def __call__(self, t: Tensor, target: Target) -> Any:
        """Set the gradients of a batch, and return what was computed of the part that is here."""
        result = self.compute(t, target)
        share = len(t) / self.n_rows
        if self.flat is not None:
            self.processes.sum_(self.flat, share)
        else:
            self._sum(share)
        return result

    @torch.no_grad()
    def _sum(self, share: float) -> None:
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        self.processes.sum_(flat, share)
        parts = flat.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))
