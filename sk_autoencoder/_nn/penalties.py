"""Penalties: what a training makes small beside the loss of the reconstruction.

A penalty takes the module and a batch on its way through it, and returns a number that is of the
order of 1 and means the same in all units of X. It is a `torch.nn.Module`, and may own weights,
which are trained with the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Generator, Tensor, nn

from sk_autoencoder._nn.batch import Pass
from sk_autoencoder._nn.heads import Head

MIN_VARIANCE = 1e-12
MIN_WEIGHT = 1e-12
# Of the variance of a component: directions in which codes vary by less are left out.
MIN_SHARE = 1e-4


def _mean_of_rows(values: Tensor, weight: Tensor | None) -> Tensor:
    """Return the mean over the rows, the first dimension, each with its weight."""
    return values.mean(dim=0) if weight is None else weight @ values / len(values)


def _within(weight: Tensor | None) -> Tensor | None:
    """Return weights with a mean of 1 over the rows of the batch, for what is no sum over rows."""
    return None if weight is None else weight / weight.mean().clamp(min=MIN_WEIGHT)


def _mean_square(z: Tensor, weight: Tensor | None) -> Tensor:
    """Return the mean square of each component over the batch, which makes it free of scale."""
    return _mean_of_rows(z.square(), weight).clamp(min=MIN_VARIANCE)


class L1(nn.Module):
    """Mean size of the components, each as a share of its root mean square (Hoyer, 2004).

    The decoder would make up for a code that is only smaller.
    """

    def forward(self, module: Any, batch: Pass) -> Tensor:
        weight = _within(batch.target.weight)
        sizes = _mean_of_rows(batch.z.abs(), weight)
        return (sizes / _mean_square(batch.z, weight).sqrt()).mean()


class KullbackLeibler(nn.Module):
    """Divergence of the components' mean activities from a target (Ng, 2011), on average.

    An activity is between 0 and 1. The code is linear, so that it is made here:
    z² / (s² + z²), with the mean square s² of the component, which is zero where that is.
    """

    def __init__(self, target: float):
        super().__init__()
        self.target = target

    def forward(self, module: Any, batch: Pass) -> Tensor:
        weight = _within(batch.target.weight)
        squares = batch.z.square()
        active = _mean_of_rows(squares / (_mean_square(batch.z, weight) + squares), weight)
        active = active.clamp(1e-6, 1 - 1e-6)
        rho = torch.as_tensor(self.target, dtype=active.dtype, device=active.device)
        rest = (1 - rho) * ((1 - rho) / (1 - active)).log()
        return (rho * (rho / active).log() + rest).mean()


SPARSITIES: dict[str, Callable[[float], nn.Module]] = {
    "l1": lambda target: L1(),
    "kl": KullbackLeibler,
}


def _products(z: Tensor, weight: Tensor | None) -> Tensor:
    """Return the mean products of pairs of columns over the rows."""
    weighted = z if weight is None else z * weight[:, None]
    return weighted.T @ z / len(z)


def _covariance(z: Tensor, weight: Tensor | None) -> Tensor:
    return _products(z - _mean_of_rows(z, weight), weight)


def _scales(covariance: Tensor) -> Tensor:
    """Return the products of pairs of standard deviations, which make covariances correlations."""
    scale = covariance.diagonal().clamp(min=MIN_VARIANCE).sqrt()
    return scale[:, None] * scale


class Contraction(nn.Module):
    """Share that noise has in the codes of noisy rows, on average over the code's directions.

    To first order noise moves a code by its Jacobian, whose squares Rifai et al. (2011) make
    small. A decoder with weights of its own makes up for a code that is only smaller, for a
    component that outgrows the others, and for many that are nearly alike: therefore the
    covariance N of the moves counts as a share of that of the noisy codes, N + C over the
    batch, which no linear map of the codes changes. The Jacobian is never built: signs that
    are drawn at random for each row stand for the noise (Hutchinson, 1990), which has
    `variance` in each input.
    """

    def __init__(self, generator: Generator, variance: float = 1.0):
        super().__init__()
        self.generator = generator
        self.variance = variance

    def forward(self, module: Any, batch: Pass) -> Tensor:
        trained, weight = torch.is_grad_enabled(), _within(batch.target.weight)
        # Rows that are only judged are so with the same signs each time.
        generator = self.generator if trained else torch.Generator().manual_seed(0)
        signs = torch.randint(0, 2, batch.t.shape, generator=generator).to(batch.t) * 2 - 1
        moves = _moves(module, batch.t, signs * math.sqrt(self.variance), trained)
        noise = _products(moves, weight)
        both = noise + _covariance(batch.z, weight)
        scales, ridge = _scales(both), MIN_SHARE * torch.eye(len(both)).to(both)
        # Without a check: what is not finite is to be seen in the loss.
        shares = torch.linalg.solve_ex(both / scales + ridge, noise / scales).result
        return shares.diagonal().mean()


def _moves(module: Any, t: Tensor, noise: Tensor, trained: bool) -> Tensor:
    """Return how noise moves the code of each row, to first order: the Jacobian times the noise."""
    slopes = None
    with torch.enable_grad():
        t = t.detach().requires_grad_()
        z = module.encode(t)
        directions = torch.zeros_like(z, requires_grad=True)
        if z.requires_grad:
            along = (z * directions).sum()
            (slopes,) = torch.autograd.grad(along, t, create_graph=True, allow_unused=True)
        if slopes is None:
            raise ValueError(
                "contractive_penalty needs the derivative of codes by rows, but encode of module "
                "gives codes that have none. Leave out there what cuts them off from the rows, "
                "such as detach() or torch.no_grad(), or set contractive_penalty=0."
            )
        # The slopes are linear in the directions: their derivative is the Jacobian.
        along = (slopes * noise).sum()
        (moves,) = torch.autograd.grad(along, directions, create_graph=trained)
    return moves


class Correlation(nn.Module):
    """Mean squared correlation of pairs of components over a batch.

    As in Cogswell et al. (2016), but not of covariances, which small codes would evade.
    """

    def forward(self, module: Any, batch: Pass) -> Tensor:
        n_pairs = batch.z.shape[1] * (batch.z.shape[1] - 1)
        covariance = _covariance(batch.z, _within(batch.target.weight))
        squares = (covariance / _scales(covariance)).square()
        return (squares.sum() - squares.diagonal().sum()) / max(n_pairs, 1)


class Prediction(nn.Module):
    """Loss of a head that predicts labels from the codes. In training `generator` mixes these."""

    def __init__(self, head: Head, generator: Generator):
        super().__init__()
        self.head = head
        self.generator = generator

    def forward(self, module: Any, batch: Pass) -> Tensor:
        generator = self.generator if module.training else None
        target: Any = batch.target
        return self.head.loss(batch.z, target.y, target.weight, generator)


class Penalties(nn.Module):
    """The penalties of a training, each with its weight; there may be none.

    Parameters
    ----------
    weighted : iterable of (float, torch.nn.Module)
    """

    def __init__(self, weighted: Iterable[tuple[float, nn.Module]] = ()):
        super().__init__()
        weighted = tuple(weighted)
        self.weights = tuple(weight for weight, _ in weighted)
        self.terms = nn.ModuleList(penalty for _, penalty in weighted)

    def __len__(self) -> int:
        return len(self.weights)

    def forward(self, module: Any, batch: Pass) -> Tensor:
        """Return the sum of the penalties of a batch, by their weights."""
        pairs = zip(self.weights, self.terms, strict=True)
        return torch.stack([weight * penalty(module, batch) for weight, penalty in pairs]).sum()
