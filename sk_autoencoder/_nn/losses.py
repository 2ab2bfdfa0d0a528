"""The loss of a cell: by name or as a function, with the activation that it implies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

# Bounds of a mean to which a link is applied: it has no value at the ends of its range.
MIN_MEAN = 1e-3


@dataclass(frozen=True)
class Link:
    """An output activation: the mean of a cell as a function of what the decoder returns.

    `inverse` leads back. `variance` is that of a cell with such a mean: the slope of the
    canonical link, by which a start on it follows PCA's reconstruction to first order.
    `has_limit` tells whether the mean is bounded, whatever the decoder returns.
    """

    activation: Callable[[Tensor], Tensor]
    inverse: Callable[[np.ndarray], np.ndarray]
    variance: Callable[[np.ndarray], np.ndarray]
    has_limit: bool


def _logit(mean: np.ndarray) -> np.ndarray:
    mean = np.clip(mean, MIN_MEAN, 1 - MIN_MEAN)
    return np.log(mean) - np.log1p(-mean)


def _as_it_is(values):
    return values


def _one(mean: np.ndarray) -> np.ndarray:
    return np.ones_like(mean)


IDENTITY = Link(_as_it_is, _as_it_is, _one, has_limit=False)
LOGISTIC = Link(torch.sigmoid, _logit, lambda mean: mean * (1 - mean), has_limit=True)
EXPONENTIAL = Link(
    torch.exp,
    lambda mean: np.log(np.maximum(mean, MIN_MEAN)),
    lambda mean: mean,
    has_limit=False,
)


@dataclass(frozen=True)
class Loss:
    """The loss of each cell, as a function of the decoder's output and of X.

    `link` is the activation behind the output. `domain` holds the least and the greatest value
    that X may have. `shift_free` tells whether only the difference of the two counts.
    """

    cells: Callable[[Tensor, Tensor], Tensor]
    link: Link = IDENTITY
    domain: tuple[float, float] = (-np.inf, np.inf)
    shift_free: bool = False
    name: str = "a function"

    @property
    def has_link(self) -> bool:
        """Whether an activation stands behind the output."""
        return self.link is not IDENTITY


def _squared_error(output: Tensor, x: Tensor) -> Tensor:
    return (output - x).square()


def _absolute_error(output: Tensor, x: Tensor) -> Tensor:
    return (output - x).abs()


def _huber(output: Tensor, x: Tensor) -> Tensor:
    return functional.huber_loss(output, x, reduction="none")


def _binary_crossentropy(output: Tensor, x: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(output, x, reduction="none")


def _half_poisson_deviance(output: Tensor, x: Tensor) -> Tensor:
    return output.exp() - x * output + torch.special.xlogy(x, x) - x


LOSSES = {
    "squared_error": Loss(_squared_error, shift_free=True, name="squared_error"),
    "absolute_error": Loss(_absolute_error, shift_free=True, name="absolute_error"),
    "huber": Loss(_huber, shift_free=True, name="huber"),
    "binary_crossentropy": Loss(
        _binary_crossentropy, LOGISTIC, (0.0, 1.0), name="binary_crossentropy"
    ),
    "poisson": Loss(_half_poisson_deviance, EXPONENTIAL, (0.0, np.inf), name="poisson"),
}


def find_loss(loss) -> Loss:
    """Return the loss of a name, or that of a function of reconstruction and X."""
    return LOSSES[loss] if isinstance(loss, str) else Loss(loss)


def cell_losses(loss: Loss, output: Tensor, x: Tensor) -> Tensor:
    """Return the loss of each cell, of the shape of X; refuse what a user's function returns else.

    Parameters
    ----------
    loss : Loss
    output, x : tensors of shape (batch, n_features)
    """
    cells = loss.cells(output, x)
    if not isinstance(cells, Tensor):
        given = type(cells).__name__
    elif cells.shape != x.shape:
        given = f"a tensor of shape {tuple(cells.shape)}"
    elif not cells.is_floating_point():
        given = f"a tensor of {cells.dtype}"
    else:
        return cells
    raise ValueError(
        f"loss gave {given} for a batch of shape {tuple(x.shape)}. It has to give the loss of each "
        "cell, as a tensor of floats in the shape of X, as the losses of torch do with "
        "reduction='none'."
    )
