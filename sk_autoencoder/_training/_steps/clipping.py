"""Gradients that are longer than those of the steps before are cut."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from sk_autoencoder._training._steps.flat import WIDTH

# The share of a step in the mean length, and how many times that mean it counts at most.
SHARE, MOST = 0.05, 2.0

TINY = torch.finfo(torch.float32).tiny


class GradientClip:
    """Cuts the gradient of a step to the mean length of those of some twenty steps before.

    At a high learning rate a single batch with strange rows can throw the weights far away. What
    is long differs from table to table and along a training, so that it is measured (AutoClip,
    Seetharaman et al., 2020, takes a quantile of all steps before) [1]_.

    References
    ----------
    .. [1] Seetharaman, Wichern, Pardo and Le Roux (2020). AutoClip: adaptive gradient clipping for
       source separation networks. IEEE Workshop on Machine Learning for Signal Processing.
    """

    def __init__(self, parameters: Iterable[nn.Parameter]):
        self.parameters = list(parameters)
        self.mean: Any = None

    @torch.no_grad()
    def __call__(self) -> None:
        """Cut the gradients that the parameters have."""
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        self.cut_by(get_total_norm(gradients), gradients)

    def cut(self, gradient: Tensor) -> None:
        """Cut a gradient of all parameters in one tensor, of a multiple of `WIDTH` numbers."""
        self.cut_by(length_of(gradient), [gradient])

    def cut_by(self, length: Tensor, gradients: list[Tensor]) -> None:
        """Cut gradients, or parts of them, by the length of all together."""
        share = self.share_of(length)
        # To ask that of a tensor would be to wait for it.
        if isinstance(share, Tensor) or share != 1:
            for gradient in gradients:
                gradient.mul_(share)

    def share_of(self, length: Tensor) -> float | Tensor:
        """Return the share of a gradient that is left, and take its length into the mean.

        On the CPU it is a number of Python, which is computed many times as quickly.
        """
        if length.device.type == "cpu":
            value: Any = length.item()
            mean: Any = self.mean or value
            counted, longer = min(value, MOST * mean), max(value, mean)
        else:
            mean = length if self.mean is None else torch.as_tensor(self.mean, device=length.device)
            mean = torch.where(mean > 0, mean, length)
            counted, longer = torch.minimum(length, MOST * mean), torch.maximum(length, mean)
        self.mean = mean + SHARE * (counted - mean)
        return mean / (longer + TINY)


def length_of(gradient: Tensor) -> Tensor:
    """Return the length of a gradient in one tensor, of a multiple of `WIDTH` numbers."""
    # Row by row, since threads share a sum of all in an order of their own.
    return torch.linalg.vector_norm(torch.linalg.vector_norm(gradient.view(-1, WIDTH), dim=1))
