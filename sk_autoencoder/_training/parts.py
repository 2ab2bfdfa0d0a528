"""The parts of a training: what a capability is, in four slots that are never empty.

A corruptor changes rows before they are read, a bottleneck changes codes before they are decoded,
an objective is made small, and penalties are made small beside it. A new penalty is a class in
`_nn`, a row in `PENALTIES`, and a parameter of the estimators that is its weight.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Generator, nn

from sk_autoencoder._config import Config
from sk_autoencoder._data import Data
from sk_autoencoder._nn.bottlenecks import GaussianPosterior, Identity, NestedDropout
from sk_autoencoder._nn.frames import Frame
from sk_autoencoder._nn.heads import Head
from sk_autoencoder._nn.penalties import SPARSITIES, Contraction, Correlation, Penalties, Prediction
from sk_autoencoder._pca.principal_axes import PrincipalAxes
from sk_autoencoder._training.errors import CellError, FrameError
from sk_autoencoder._training.objectives import EvidenceBound, Reconstruction
from sk_autoencoder._utils.sizes import SIZES_OF_LOSSES, check_deviation

# In squared units of the frame, where X varies by 1 a cell on average.
MIN_NOISE = 1e-4
# Of the noise: what a component that varies no more than it still has.
MIN_VARIANCE = 1e-2
# Share of the prior's variance that is left around a code, where no PCA tells it.
START_SHARE = math.exp(-2)


@dataclass(frozen=True)
class Blueprint:
    """What the parts of a training are made from.

    `axes` are as many as the code has components, and `frame` and `output` lead to and from the
    module. `few` tells that there are few rows in all. A part draws from a generator of its own,
    with `seed`.
    """

    config: Config
    data: Data
    axes: PrincipalAxes
    frame: Frame
    output: Frame
    width: int
    few: bool
    seed: int

    def generator(self) -> Generator:
        """Return a new generator with the seed."""
        return Generator().manual_seed(self.seed)


@dataclass(frozen=True)
class Parts:
    """The four parts of a training."""

    corruptor: Any
    bottleneck: nn.Module
    objective: Any
    penalties: Penalties


def make_parts(blueprint: Blueprint, corruptor: Any) -> Parts:
    """Return the parts that the parameters ask for, beside a corruptor."""
    return Parts(
        corruptor,
        make_bottleneck(blueprint),
        make_objective(blueprint),
        make_penalties(blueprint),
    )


def make_objective(blueprint: Blueprint) -> Reconstruction:
    """Return what training makes small, with the error of the loss that is asked for."""
    config, error = blueprint.config, _make_error(blueprint)
    kl_weight = config.code.kl_weight
    if kl_weight is None:
        return Reconstruction(error)
    is_gaussian = config.objective.loss == "squared_error"
    return EvidenceBound(error, float(kl_weight), blueprint.data.n_features, is_gaussian)


def _make_error(blueprint: Blueprint) -> FrameError | CellError:
    """Return the error: one in the frame where that is the same, else one of cells."""
    loss, has_missing = blueprint.config.objective.loss, blueprint.data.has_missing
    if loss == "squared_error" and not has_missing:
        return FrameError(blueprint.frame)
    if isinstance(loss, str) and loss in SIZES_OF_LOSSES:
        check_deviation(blueprint.frame.scale, torch.float32, SIZES_OF_LOSSES[loss])
    return CellError(loss, blueprint.output, takes_missing=has_missing)


def _identity(blueprint: Blueprint) -> Identity:
    return Identity(blueprint.width)


def _nested_dropout(blueprint: Blueprint) -> NestedDropout:
    return NestedDropout(blueprint.width, blueprint.generator())


def _gaussian_posterior(blueprint: Blueprint) -> GaussianPosterior:
    """Return the posterior that starts at probabilistic PCA, where the module starts at PCA.

    That is the optimum of a linear variational autoencoder (Lucas et al., 2019, NeurIPS): a
    component that varies by more than the noise starts with information about X.
    """
    network, width = blueprint.config.network, blueprint.width
    prior_scale, share = torch.ones(width), torch.full((width,), START_SHARE)
    if network.starts_at_projection:
        variance, noise = _probabilistic_pca(blueprint.axes, blueprint.frame.scale, width)
        prior_scale, share = variance.sqrt(), noise / (variance + noise)
    # With tied weights the decoder would shrink too.
    shrinks = network.starts_at_projection and not network.tied_weights
    n_inputs = blueprint.frame.n_axes
    return GaussianPosterior(n_inputs, prior_scale, share, blueprint.generator(), shrinks)


def _probabilistic_pca(axes: PrincipalAxes, scale: float, k: int) -> tuple[Any, Any]:
    """Return prior variances of k components and the variance of the noise, in the frame.

    Tipping and Bishop (1999). Probabilistic principal component analysis. Journal of the Royal
    Statistical Society B 61(3), 611-622.
    """
    total = axes.explained_variance.sum()
    n_left = axes.n_features - len(axes.components)
    noise = (axes.total_variance - total) / n_left / scale**2 if n_left > 0 else 0.0
    noise = max(noise, MIN_NOISE)
    variance = np.zeros(k)  # there may be more components than axes
    variance[: len(axes.components)] = axes.explained_variance / scale**2 - noise
    return torch.from_numpy(np.maximum(variance, MIN_VARIANCE * noise)), torch.tensor(noise)


# When each is asked for, and what makes it: the first that is asked for is the one.
BOTTLENECKS: list[tuple[Callable[[Config], bool], Callable[[Blueprint], nn.Module]]] = [
    (lambda config: config.code.has_prior, _gaussian_posterior),
    (lambda config: config.code.nested, _nested_dropout),
    (lambda config: True, _identity),
]


def make_bottleneck(blueprint: Blueprint) -> nn.Module:
    """Return what codes go through between encoder and decoder."""
    return next(make(blueprint) for is_asked, make in BOTTLENECKS if is_asked(blueprint.config))


def _sparsity(blueprint: Blueprint) -> nn.Module:
    penalties = blueprint.config.penalties
    return SPARSITIES[penalties.sparsity](penalties.sparsity_target)


def _contraction(blueprint: Blueprint) -> nn.Module:
    # The mean variance of the features, in the frame of the network.
    variance = (blueprint.axes.scale / blueprint.frame.scale) ** 2
    return Contraction(blueprint.generator(), variance)


def _orthogonality(blueprint: Blueprint) -> nn.Module | None:
    return Correlation() if blueprint.width > 1 else None  # of pairs


def _prediction(blueprint: Blueprint) -> nn.Module:
    target = blueprint.data.target
    head = Head(
        blueprint.width,
        target.n_outputs,
        are_classes=target.are_classes,
        share=target.share,
        ignorance=target.ignorance,
    )
    return Prediction(head, blueprint.generator())


# The parameter that is the weight of each, and what makes it; None where there is none to make.
PENALTIES: dict[str, Callable[[Blueprint], nn.Module | None]] = {
    "sparsity_penalty": _sparsity,
    "contractive_penalty": _contraction,
    "orthogonality_penalty": _orthogonality,
    "supervised_weight": _prediction,
}


def make_penalties(blueprint: Blueprint) -> Penalties:
    """Return the penalties whose weights are above zero."""
    weights = blueprint.config.params()
    made = (
        (float(weights[name]), make(blueprint))
        for name, make in PENALTIES.items()
        if weights.get(name, 0) > 0
    )
    return Penalties((weight, penalty) for weight, penalty in made if penalty is not None)
