"""Variational codes: a normal distribution around each, a prior, and the bound they give.

Kingma and Welling (2014). Auto-encoding variational Bayes. ICLR. The start is probabilistic
PCA (Tipping and Bishop, 1999, J. R. Stat. Soc. B 61(3), 611-622), the optimum of a linear
variational autoencoder (Lucas et al., 2019, NeurIPS): a component that varies by more than
the noise starts with information about X. The variance of the noise is always the one that
is best for the present reconstructions (Rybkin et al., 2021, Simple and effective VAE
training with calibrated decoders, ICML), so that it cannot be wrong and let codes collapse.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.utils import gen_batches
from torch import Tensor, nn
from torch.nn import functional

from sk_autoencoder._model.fitted import Network
from sk_autoencoder._nn.frames import as_tensor
from sk_autoencoder._nn.layers import linear
from sk_autoencoder._pca.principal_axes import PrincipalAxes
from sk_autoencoder._training.batches import as_dense, at_most, rows_a_block
from sk_autoencoder._validation import Data

NAME = "posterior"
HIDDEN_WIDTH = 64

# In squared units of the coordinates, where X varies by 1 a cell on average.
LEAST_NOISE = 1e-4
# Of the noise: what a component that varies no more than it still is given.
LEAST_VARIANCE = 1e-2
# Share of the prior's variance that is left around a code, where no PCA tells it.
START_SHARE = math.exp(-2)
LOG_SHARES = (-30.0, 5.0)

LARGEST_EXPONENT = 10.0
VALIDATION_SEED = 0
N_DIRECTIONS = 16
LARGEST_SAMPLE = 1000


class Posterior(nn.Module):
    """Prior of the codes, and the variances of the normal distributions around them.

    Parameters
    ----------
    n_inputs : int
    prior_scale : tensor of shape (n_components,)
        Standard deviations of the prior, a normal distribution around zero.
    share : tensor of shape (n_components,)
        Share of the prior's variance that is left around a code at the start.
    generator : torch.Generator
        Draws the first weights.
    """

    prior_scale: Tensor
    log_share: Tensor

    def __init__(self, n_inputs, prior_scale, share, generator):
        super().__init__()
        self.stack = nn.Sequential(
            linear(n_inputs, HIDDEN_WIDTH, generator),
            nn.SiLU(),
            linear(HIDDEN_WIDTH, len(prior_scale), generator),
        )
        for parameter in self.stack[-1].parameters():
            nn.init.zeros_(parameter)
        self.register_buffer("prior_scale", prior_scale.float())
        self.register_buffer("log_share", share.log().float())

    def log_shares(self, t: Tensor) -> Tensor:
        """Logarithms of the shares of the prior's variances that are left around the codes."""
        return (self.log_share + self.stack(t)).clamp(*LOG_SHARES)  # (batch, n_components)

    def divergence(self, z: Tensor, log_shares: Tensor) -> Tensor:
        """Kullback-Leibler divergence of codes with such means from the prior, in nats."""
        square = (z / self.prior_scale).square()
        return (log_shares.exp() + square - 1 - log_shares).sum(dim=1) / 2  # (batch,)


@dataclass
class Variational:
    """What a training on the bound adds to one on the reconstruction's loss.

    `n_cells` is the width of X, and `tail` the squared error of what lies outside of the
    coordinates. `is_gaussian` says that the loss is a squared error.
    """

    kl_weight: float
    n_cells: int
    is_gaussian: bool
    generator: torch.Generator
    tail: float = 0.0

    def draw(self, module, t: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Draw codes around their means, and give how far these are from the prior.

        The noise of validation rows is the same each time, so that epochs can be compared.
        """
        posterior = getattr(module, NAME)
        generator = self.generator
        if not module.training:
            generator = torch.Generator().manual_seed(VALIDATION_SEED)
        noise = torch.randn(z.shape, generator=generator).to(z)
        log_shares = posterior.log_shares(t)
        code = z + noise * posterior.prior_scale * (log_shares / 2).exp()
        return code, posterior.divergence(z, log_shares)

    def bound(self, loss: Tensor, divergence: Tensor | None, weight: Tensor | None) -> Tensor:
        """Loss of a batch and its divergence as one number, in the units of the loss.

        With the squared error m, D cells, and the variance m of the noise, minus the bound
        is D/2 log m + KL up to a constant: as an error, m exp(2 KL / D). Its gradient is
        taken up to a factor near 1, without the exponential. A cross-entropy is a likelihood
        as it is.
        """
        assert divergence is not None
        mean = (divergence if weight is None else divergence * weight).mean()
        nats = self.kl_weight * mean / self.n_cells  # a cell
        if not self.is_gaussian:
            return loss + nats
        variance = loss.detach() + self.tail
        value = variance * (2 * nats.detach()).clamp(max=LARGEST_EXPONENT).exp() - self.tail
        slope = loss + variance * 2 * nats
        return value + slope - slope.detach()


def add(estimator, net, seed: int) -> None:
    """Make the codes of a new net variational, where the estimator asks for that."""
    if not estimator.variational:
        return
    _check(estimator)
    coordinates, axes, module = estimator._coordinates, estimator._axes, net.module_
    k = estimator._width
    prior_scale, share = torch.ones(k), torch.full((k,), START_SHARE)
    if estimator.module is None and estimator.linear_shortcut:
        variance, noise = _probabilistic_pca(axes, coordinates.scale, k)
        prior_scale, share = variance.sqrt(), noise / (variance + noise)
        if not estimator.tied_weights:  # else the decoder would shrink too
            with torch.no_grad():
                module.encoder_shortcut.weight.mul_((1 - share[:, None]).to(net.device))
    generator = torch.Generator().manual_seed(seed)
    posterior = Posterior(coordinates.n_axes, prior_scale, share, generator).to(net.device)
    module.add_module(NAME, posterior)
    net.optimizer_.add_param_group({"params": list(posterior.parameters())})
    net.variational = Variational(
        float(estimator.kl_weight),
        coordinates.n_features,
        estimator.loss == "squared_error",
        generator,
    )


def _check(estimator) -> None:
    """Refuse what has no bound."""
    if estimator.nested:
        raise ValueError(
            "variational=True does not go with nested=True: the beginning of a variational code "
            "has another distribution than the code has. Leave one of them out."
        )
    if estimator.loss not in ("squared_error", "binary_crossentropy"):
        raise ValueError(
            f"variational=True needs a loss that is a likelihood, but loss is {estimator.loss!r}. "
            "Use 'squared_error', for normal noise, or 'binary_crossentropy'."
        )
    if estimator.module is not None and hasattr(estimator.module, NAME):
        raise ValueError(
            f"module has an attribute {NAME!r}, which variational=True adds to it. Rename it."
        )


def _probabilistic_pca(axes: PrincipalAxes, scale: float, k: int) -> tuple[Tensor, Tensor]:
    """Prior variances of k components and variance of the noise, in squared coordinates."""
    total = axes.explained_variance.sum()
    n_left = axes.n_features - len(axes.components)
    noise = (axes.total_variance - total) / n_left / scale**2 if n_left > 0 else 0.0
    noise = max(noise, LEAST_NOISE)
    variance = np.zeros(k)  # there may be more components than axes
    variance[: len(axes.components)] = axes.explained_variance / scale**2 - noise
    return torch.from_numpy(np.maximum(variance, LEAST_VARIANCE * noise)), torch.tensor(noise)


@dataclass
class Prior:
    """The distribution that new codes are drawn from, in the units of X."""

    scale: np.ndarray  # (n_components,), float64

    def sample(self, n_samples: int, rng: np.random.RandomState) -> np.ndarray:
        """Codes, before whitening, of shape (n_samples, n_components)."""
        return rng.standard_normal((n_samples, len(self.scale))) * self.scale


def prior(network: Network) -> Prior:
    """Give the prior of a variational network's codes."""
    scale = getattr(network.module, NAME).prior_scale.double().cpu().numpy()
    return Prior(scale * network.coordinates.scale)


def noise_variance(network: Network, data: Data, rows: np.ndarray) -> float:
    """Variance of the noise with which the bound of some rows is greatest, in squared units."""
    rows = at_most(LARGEST_SAMPLE, rows, np.random.RandomState(VALIDATION_SEED))
    weight = 1.0 if data.weight is None else data.weight[rows]
    X = data.X[rows]
    losses, n_known, _ = _expectations(network, X, is_gaussian=True)
    least = LEAST_NOISE**2 * network.coordinates.scale**2
    return max(float((weight * losses).sum() / max((weight * n_known).sum(), 1)), least)


def bounds(network: Network, X, noise: float | None) -> np.ndarray:
    """Evidence lower bound of each row of X, in nats; `noise` is None for a cross-entropy."""
    losses, n_known, divergence = _expectations(network, X, is_gaussian=noise is not None)
    if noise is not None:
        losses = losses / (2 * noise) + n_known / 2 * math.log(2 * math.pi * noise)
    return -losses - divergence


@torch.inference_mode()
def _expectations(network: Network, X, *, is_gaussian: bool):
    """Give each row's expected loss, summed over its known cells, their number, its divergence."""
    posterior = getattr(network.module, NAME)
    losses, n_known, divergence = np.zeros((3, X.shape[0]))
    for rows, t, x in _blocks(network, X):
        z = network.module.encode(t)
        log_shares = posterior.log_shares(t)
        divergence[rows] = posterior.divergence(z, log_shares).double().cpu().numpy()
        spread = posterior.prior_scale * (log_shares / 2).exp()
        known = ~x.isnan()
        n_known[rows] = known.sum(dim=1).cpu().numpy()
        points = _directions(network.width).to(z)
        for point in points:
            output = network.module.decode(z + point * spread)
            if is_gaussian:
                cells = (network.output.inverse(output) - x).double().square()
            else:
                cells = functional.binary_cross_entropy_with_logits(
                    network.output.inverse(output), torch.where(known, x, 0.0), reduction="none"
                )
            of_rows = torch.where(known, cells, 0.0).double().sum(dim=1) / len(points)
            losses[rows] += of_rows.cpu().numpy()
    return losses, n_known, divergence


def _blocks(network: Network, X) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Give slices of X, their coordinates and their rows as dense tensors."""
    coordinates = network.coordinates
    for rows in gen_batches(X.shape[0], rows_a_block(coordinates.n_features)):
        x = as_tensor(as_dense(X[rows]), coordinates.mean.device)
        yield rows, network.read(X[rows]), x


def _directions(k: int) -> Tensor:
    """Points that stand for a standard normal distribution, of shape (n_points, k).

    They lie on the sphere of radius √k, in pairs that face each other along orthogonal
    directions: all of these give the mean of any polynomial of degree 3, as that of a linear
    decoder's squared error (Arasaratnam and Haykin, 2009, Cubature Kalman filters, IEEE
    Trans. Autom. Control 54(6)). The directions are random, but always the same, so that a
    row's bound does not depend on the rows beside it.
    """
    rng = np.random.RandomState(VALIDATION_SEED)
    n_bases = -(-N_DIRECTIONS // k)
    bases = [np.linalg.qr(rng.standard_normal((k, k)))[0][:N_DIRECTIONS] for _ in range(n_bases)]
    points = math.sqrt(k) * np.concatenate(bases)
    return torch.from_numpy(np.concatenate([points, -points]))
