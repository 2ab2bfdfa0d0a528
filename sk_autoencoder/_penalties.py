"""Penalties: what a training makes small beside the loss of the reconstruction.

A penalty is given the module and a batch on its way through it, and gives a number that is of
the order of 1 and means the same in all units of X.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from sk_autoencoder._net import Pass, Penalty

LEAST_VARIANCE = 1e-12
LEAST_WEIGHT = 1e-12


def _mean_of_rows(values: Tensor, weight: Tensor | None) -> Tensor:
    """Mean over the rows, the first dimension, each with its weight, as that of the losses."""
    return values.mean(dim=0) if weight is None else weight @ values / len(values)


def _within(weight: Tensor | None) -> Tensor | None:
    """Weights with a mean of 1 over the rows of the batch, for what is no sum over rows."""
    return None if weight is None else weight / weight.mean().clamp(min=LEAST_WEIGHT)


@dataclass(frozen=True)
class L1:
    """Mean size of the components."""

    def __call__(self, module: Any, batch: Pass) -> Tensor:
        return _mean_of_rows(batch.z.abs(), batch.target.weight).mean()


@dataclass(frozen=True)
class KullbackLeibler:
    """Divergence of the components' mean activities from a target (Ng, 2011), on average.

    An activity is between 0 and 1. The code is linear, so that it is made here:
    z² / (1 + z²), which is zero where the component is.
    """

    target: float

    def __call__(self, module: Any, batch: Pass) -> Tensor:
        squares = batch.z.square()
        active = _mean_of_rows(squares / (1 + squares), _within(batch.target.weight))
        active = active.clamp(1e-6, 1 - 1e-6)
        rho = torch.as_tensor(self.target, dtype=active.dtype, device=active.device)
        rest = (1 - rho) * ((1 - rho) / (1 - active)).log()
        return (rho * (rho / active).log() + rest).mean()


SPARSITIES: dict[str, Callable[[float], Penalty]] = {
    "l1": lambda target: L1(),
    "kl": KullbackLeibler,
}


@dataclass(frozen=True)
class Contraction:
    """Mean squared derivative of the components, summed over the inputs (Rifai et al., 2011).

    For PCA it is 1. The Jacobian J of a row is never built: for signs v that are drawn at
    random, the mean of the squares of vᵀJ, which is one step back, is the sum of the squares
    of J (Hutchinson, 1990).
    """

    generator: Generator

    def __call__(self, module: Any, batch: Pass) -> Tensor:
        trained = torch.is_grad_enabled()
        # Rows that are only judged are so with the same signs each time.
        generator = self.generator if trained else torch.Generator().manual_seed(0)
        signs = torch.randint(0, 2, batch.z.shape, generator=generator).to(batch.z) * 2 - 1
        with torch.enable_grad():
            t = batch.t.detach().requires_grad_()
            (products,) = torch.autograd.grad(
                (module.encode(t) * signs).sum(), t, create_graph=trained
            )
        of_rows = products.square().sum(dim=1) / batch.z.shape[1]
        return _mean_of_rows(of_rows, batch.target.weight)


@dataclass(frozen=True)
class Correlation:
    """Mean squared correlation of pairs of components over a batch; none for a single one.

    As in Cogswell et al. (2016), but not of covariances, which small codes would evade.
    """

    def __call__(self, module: Any, batch: Pass) -> Tensor:
        n_pairs = batch.z.shape[1] * (batch.z.shape[1] - 1)
        weight = _within(batch.target.weight)
        centred = batch.z - _mean_of_rows(batch.z, weight)
        weighted = centred if weight is None else centred * weight[:, None]
        covariance = weighted.T @ centred / len(centred)
        variance = covariance.diagonal().clamp(min=LEAST_VARIANCE)
        squares = covariance.square() / (variance[:, None] * variance)
        return (squares.sum() - squares.diagonal().sum()) / max(n_pairs, 1)


def _sparsity(estimator, seed: int) -> Penalty:
    return SPARSITIES[estimator.sparsity](estimator.sparsity_target)


# The parameter that is the weight of each, and what makes it of the estimator and a seed.
PENALTIES: dict[str, Callable[..., Penalty]] = {
    "sparsity_penalty": _sparsity,
    "contractive_penalty": lambda estimator, seed: Contraction(Generator().manual_seed(seed)),
    "orthogonality_penalty": lambda estimator, seed: Correlation(),
}


def penalties_of(estimator, seed: int) -> tuple[tuple[float, Penalty], ...]:
    """Give the penalties that the estimator's parameters describe, each with its weight."""
    return tuple(
        (float(getattr(estimator, name)), make(estimator, seed))
        for name, make in PENALTIES.items()
        if getattr(estimator, name) > 0
    )
