"""What training makes small: the loss of a reconstruction, by name or as a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from sk_autoencoder._nn.frames import Coordinates

# Bounds of a mean to which a link is applied: it has no value at the ends of its range.
LEAST_MEAN = 1e-3


@dataclass(frozen=True)
class Link:
    """An output activation: the mean of a cell as a function of what the decoder gives.

    `inverse` leads back, and `variance` is that of a cell with such a mean: the slope of the
    canonical link, by which a start on it follows PCA's reconstruction to first order.
    `has_limit` says that the mean is bounded, whatever the decoder gives.
    """

    activation: Callable[[Tensor], Tensor]
    inverse: Callable[[np.ndarray], np.ndarray]
    variance: Callable[[np.ndarray], np.ndarray]
    has_limit: bool


def _logit(mean: np.ndarray) -> np.ndarray:
    mean = np.clip(mean, LEAST_MEAN, 1 - LEAST_MEAN)
    return np.log(mean) - np.log1p(-mean)


LOGISTIC = Link(torch.sigmoid, _logit, lambda mean: mean * (1 - mean), has_limit=True)
EXPONENTIAL = Link(
    torch.exp,
    lambda mean: np.log(np.maximum(mean, LEAST_MEAN)),
    lambda mean: mean,
    has_limit=False,
)


@dataclass(frozen=True)
class Objective:
    """The loss of each cell, as a function of the decoder's output and of X.

    `link` is the activation behind the output, None where there is none. `domain` says which
    values X may have, and `shift_free` that only the difference of the two counts.
    """

    cells: Callable[[Tensor, Tensor], Tensor]
    link: Link | None = None
    domain: tuple[float, float] = (-np.inf, np.inf)
    shift_free: bool = False


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


OBJECTIVES = {
    "squared_error": Objective(_squared_error, shift_free=True),
    "absolute_error": Objective(_absolute_error, shift_free=True),
    "huber": Objective(_huber, shift_free=True),
    "binary_crossentropy": Objective(_binary_crossentropy, LOGISTIC, (0.0, 1.0)),
    "poisson": Objective(_half_poisson_deviance, EXPONENTIAL, (0.0, np.inf)),
}


def find_objective(loss) -> Objective:
    """Give the objective of a name, or that of a function of reconstruction and X."""
    return OBJECTIVES[loss] if isinstance(loss, str) else Objective(loss)


def cell_losses(objective: Objective, output: Tensor, x: Tensor) -> Tensor:
    """Loss of each cell, of the shape of X; a function of the user's may give something else."""
    cells = objective.cells(output, x)
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


class Target(NamedTuple):
    """What a batch is compared with, and how much each of its rows counts.

    `rows` are coordinates where the loss is taken there, or else rows of X, from whose mean
    they are told where only differences count. `weight` has a mean of 1, or is None. `y` is
    what is known of the rows besides, None unless codes are supervised. `emphasis` is how much
    each known cell counts, with a mean of about 1; None where all count the same.
    """

    rows: Tensor
    weight: Tensor | None
    y: Tensor | None = None
    emphasis: Tensor | None = None


class Criterion(nn.Module):
    """Mean loss of a batch of reconstructions, as skorch calls it.

    Parameters
    ----------
    loss : str or callable
        A key of `OBJECTIVES`, or a function of reconstruction and X.
    output : Coordinates or None
        Leads from the module's output to what the loss takes. None takes the squared
        error in the coordinates themselves, which is that in X up to a factor.
    gaps : bool
        Whether cells of the target may be NaN, which then do not count.
    """

    def __init__(self, loss="squared_error", output: Coordinates | None = None, gaps=False):
        super().__init__()
        self.loss = loss
        self.output = output
        self.gaps = gaps

    @property
    def objective(self) -> Objective:
        return find_objective(self.loss)

    def forward(self, reconstruction: Tensor, target: Target) -> Tensor:
        if self.output is None and target.weight is None:
            return functional.mse_loss(reconstruction, target.rows)
        rows = self.rows(reconstruction, target)
        return rows.mean() if target.weight is None else (rows * target.weight).mean()

    def rows(self, reconstruction: Tensor, target: Target) -> Tensor:
        """Mean loss of the cells of each row, of shape (batch,); gaps count as none."""
        x = target.rows
        if self.output is None:
            return (reconstruction - x).square().mean(dim=1)
        shift_free = self.objective.shift_free
        output = (self.output.deviation if shift_free else self.output.inverse)(reconstruction)
        if not self.gaps:
            return cell_losses(self.objective, output, x).mean(dim=1)
        known = ~x.isnan()
        # What a gap is filled with does not count, but a loss may have no slope where it is 0.
        filled = torch.where(known, x, output.detach() + 1)
        cells = cell_losses(self.objective, output, filled)
        cells = cells if target.emphasis is None else cells * target.emphasis
        return torch.where(known, cells, 0.0).mean(dim=1)
