"""Penalties: what a training makes small beside the loss of the reconstruction.

A penalty is given the module and a batch on its way through it, and gives a number that is of
the order of 1 and means the same in all units of X.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from sk_autoencoder._training.net import Pass, Penalty

LEAST_VARIANCE = 1e-12
LEAST_WEIGHT = 1e-12
# Of the variance of a component: directions in which codes vary by less are left out.
LEAST_SHARE = 1e-4


def _mean_of_rows(values: Tensor, weight: Tensor | None) -> Tensor:
    """Mean over the rows, the first dimension, each with its weight, as that of the losses."""
    return values.mean(dim=0) if weight is None else weight @ values / len(values)


def _within(weight: Tensor | None) -> Tensor | None:
    """Weights with a mean of 1 over the rows of the batch, for what is no sum over rows."""
    return None if weight is None else weight / weight.mean().clamp(min=LEAST_WEIGHT)


def _mean_square(z: Tensor, weight: Tensor | None) -> Tensor:
    """Mean square of each component over the batch: the unit that makes it free of scale."""
    return _mean_of_rows(z.square(), weight).clamp(min=LEAST_VARIANCE)


@dataclass(frozen=True)
class L1:
    """Mean size of the components, each as a share of its root mean square (Hoyer, 2004).

    The decoder would make up for a code that is only smaller.
    """

    def __call__(self, module: Any, batch: Pass) -> Tensor:
        weight = _within(batch.target.weight)
        sizes = _mean_of_rows(batch.z.abs(), weight)
        return (sizes / _mean_square(batch.z, weight).sqrt()).mean()


@dataclass(frozen=True)
class KullbackLeibler:
    """Divergence of the components' mean activities from a target (Ng, 2011), on average.

    An activity is between 0 and 1. The code is linear, so that it is made here:
    z² / (s² + z²), with the mean square s² of the component, which is zero where that is.
    """

    target: float

    def __call__(self, module: Any, batch: Pass) -> Tensor:
        weight = _within(batch.target.weight)
        squares = batch.z.square()
        active = _mean_of_rows(squares / (_mean_square(batch.z, weight) + squares), weight)
        active = active.clamp(1e-6, 1 - 1e-6)
        rho = torch.as_tensor(self.target, dtype=active.dtype, device=active.device)
        rest = (1 - rho) * ((1 - rho) / (1 - active)).log()
        return (rho * (rho / active).log() + rest).mean()


SPARSITIES: dict[str, Callable[[float], Penalty]] = {
    "l1": lambda target: L1(),
    "kl": KullbackLeibler,
}


def _products(z: Tensor, weight: Tensor | None) -> Tensor:
    """Mean products of pairs of columns over the rows."""
    weighted = z if weight is None else z * weight[:, None]
    return weighted.T @ z / len(z)


def _covariance(z: Tensor, weight: Tensor | None) -> Tensor:
    return _products(z - _mean_of_rows(z, weight), weight)


def _scales(covariance: Tensor) -> Tensor:
    """Products of pairs of standard deviations, which make covariances correlations."""
    scale = covariance.diagonal().clamp(min=LEAST_VARIANCE).sqrt()
    return scale[:, None] * scale


@dataclass(frozen=True)
class Contraction:
    """Share that noise has in the codes of noisy rows, on average over the code's directions.

    To first order noise moves a code by its Jacobian, whose squares Rifai et al. (2011) make
    small. A decoder with weights of its own makes up for a code that is only smaller, for a
    component that outgrows the others, and for many that are nearly alike: therefore the
    covariance N of the moves counts as a share of that of the noisy codes, N + C over the
    batch, which no linear map of the codes changes. The Jacobian is never built: signs that
    are drawn at random for each row stand for the noise (Hutchinson, 1990), which has
    `variance` in each input.
    """

    generator: Generator
    variance: float = 1.0

    def __call__(self, module: Any, batch: Pass) -> Tensor:
        trained, weight = torch.is_grad_enabled(), _within(batch.target.weight)
        # Rows that are only judged are so with the same signs each time.
        generator = self.generator if trained else torch.Generator().manual_seed(0)
        signs = torch.randint(0, 2, batch.t.shape, generator=generator).to(batch.t) * 2 - 1
        moves = _moves(module, batch.t, signs * math.sqrt(self.variance), trained)
        noise = _products(moves, weight)
        both = noise + _covariance(batch.z, weight)
        scales, ridge = _scales(both), LEAST_SHARE * torch.eye(len(both)).to(both)
        # Without a check: what is not finite is to be seen in the loss.
        shares = torch.linalg.solve_ex(both / scales + ridge, noise / scales).result
        return shares.diagonal().mean()


def _moves(module: Any, t: Tensor, noise: Tensor, trained: bool) -> Tensor:
    """Give how noise moves the code of each row, to first order: the Jacobian times the noise."""
    slopes = None
    with torch.enable_grad():
        t = t.detach().requires_grad_()
        z = module.encode(t)
        directions = torch.zeros_like(z, requires_grad=True)
        if z.requires_grad:
            (slopes,) = torch.autograd.grad(z, t, directions, create_graph=True, allow_unused=True)
        if slopes is None:
            raise ValueError(
                "contractive_penalty needs the derivative of codes by rows, but encode of module "
                "gives codes that have none. Leave out there what cuts them off from the rows, "
                "such as detach() or torch.no_grad(), or set contractive_penalty=0."
            )
        # The slopes are linear in the directions: their derivative is the Jacobian.
        (moves,) = torch.autograd.grad(slopes, directions, noise, create_graph=trained)
    return moves


@dataclass(frozen=True)
class Correlation:
    """Mean squared correlation of pairs of components over a batch.

    As in Cogswell et al. (2016), but not of covariances, which small codes would evade.
    """

    def __call__(self, module: Any, batch: Pass) -> Tensor:
        n_pairs = batch.z.shape[1] * (batch.z.shape[1] - 1)
        covariance = _covariance(batch.z, _within(batch.target.weight))
        squares = (covariance / _scales(covariance)).square()
        return (squares.sum() - squares.diagonal().sum()) / max(n_pairs, 1)


def _sparsity(estimator, seed: int) -> Penalty:
    return SPARSITIES[estimator.sparsity](estimator.sparsity_target)


def _contraction(estimator, seed: int) -> Penalty:
    # The mean variance of the features, in the frame of the network.
    variance = (estimator._axes.scale / estimator._coordinates.scale) ** 2
    return Contraction(Generator().manual_seed(seed), variance)


def _orthogonality(estimator, seed: int) -> Penalty | None:
    return Correlation() if estimator._width > 1 else None  # of pairs


# The parameter that is the weight of each, and what makes it of the estimator and a seed.
PENALTIES: dict[str, Callable[..., Penalty | None]] = {
    "sparsity_penalty": _sparsity,
    "contractive_penalty": _contraction,
    "orthogonality_penalty": _orthogonality,
}


def penalties_of(estimator, seed: int) -> tuple[tuple[float, Penalty], ...]:
    """Give the penalties that the estimator's parameters describe, each with its weight."""
    made = (
        (float(getattr(estimator, name)), make(estimator, seed))
        for name, make in PENALTIES.items()
        if getattr(estimator, name) > 0
    )
    return tuple((weight, penalty) for weight, penalty in made if penalty is not None)
