"""Gradients that are longer than those of the steps before are cut."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

# The share of a step in the mean length, and how many times that mean it counts at most.
SHARE, MOST = 0.05, 2.0


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
        self.mean: Tensor | None = None

    @torch.no_grad()
    def __call__(self) -> None:
        """Cut the gradients that the parameters have."""
        trained = [parameter for parameter in self.parameters if parameter.grad is not None]
        length = get_total_norm([p.grad for p in trained if p.grad is not None])
        mean = length.clone() if self.mean is None else self.mean
        limit: Any = mean.clone()
        clip_grads_with_norm_(trained, limit, length)
        self.mean = mean.lerp_(torch.minimum(length, MOST * mean), SHARE)
