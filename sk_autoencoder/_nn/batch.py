"""A batch: what is read, what it is compared with, and what the network makes of it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Target(NamedTuple):
    """What a batch is compared with, and how much each of its rows counts.

    `rows` are coordinates in the frame where the loss is taken there. Else they are rows of X,
    less its mean where only differences count. `weight` has a mean of 1, or is None. `y` holds
    the encoded labels of supervised codes, or is None. `emphasis` says how much each known cell
    counts, with a mean of about 1; None counts all the same.
    """

    rows: Tensor
    weight: Tensor | None
    y: Tensor | None = None
    emphasis: Tensor | None = None


class Pass(NamedTuple):
    """A batch on its way through the network, as objectives and penalties see it.

    `z` is what the encoder returns, before the bottleneck changes it. `divergence` is that of
    each row's code from the prior, zero without one.
    """

    t: Tensor  # (batch, n_inputs)
    z: Tensor  # (batch, n_components)
    reconstruction: Tensor  # (batch, n_inputs)
    target: Target
    divergence: Tensor = torch.zeros(())  # (batch,)


def mean_of_rows(values: Tensor, weight: Tensor | None) -> Tensor:
    """Return the mean of a number a row, each with its weight."""
    return values.mean() if weight is None else (values * weight).mean()
