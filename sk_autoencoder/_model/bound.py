"""The evidence lower bound of rows, and the noise with which it is greatest."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sk_autoencoder._data import Data
from sk_autoencoder._model.fitted import FittedAutoencoder
from sk_autoencoder._nn.bottlenecks import VALIDATION_SEED
from sk_autoencoder._nn.frames import as_tensor
from sk_autoencoder._utils.blocks import as_dense, batches, rows_a_block

# Standard deviation of the noise, in units of the frame.
MIN_DEVIATION = 1e-4
N_DIRECTIONS = 16
MAX_SAMPLE = 1000


@dataclass(frozen=True)
class Bound:
    """Score rows by their evidence lower bound, in nats.

    Parameters
    ----------
    noise_variance : float or None
        Variance of the normal noise of a cell; None for a cross-entropy.
    """

    noise_variance: float | None

    def __call__(self, model: FittedAutoencoder, X, has_missing: bool) -> np.ndarray:
        with model.threads(2 * N_DIRECTIONS * X.shape[0]):
            losses, n_known, divergence = _expectations(model, X, has_missing)
        noise = self.noise_variance
        if noise is not None:
            losses = losses / (2 * noise) + n_known / 2 * math.log(2 * math.pi * noise)
        return -losses - divergence


def noise_variance(model: FittedAutoencoder, data: Data) -> float | None:
    """Return the variance of the noise with which the bound of some rows is greatest.

    It is in the squared units of X; None where the loss is not squared, and so has no such noise.
    """
    if model.loss != "squared_error":
        return None
    few = data.few(MAX_SAMPLE, np.random.RandomState(VALIDATION_SEED))
    weight = 1.0 if few.weight is None else few.weight[few.rows]
    losses, n_known, _ = _expectations(model, few.X[few.rows], few.has_missing)
    least = MIN_DEVIATION**2 * model.frame.scale**2
    loss, n_cells = data.processes.sum((weight * losses).sum(), (weight * n_known).sum())
    return max(float(loss / max(n_cells, 1)), least)


@torch.inference_mode()
def _expectations(model: FittedAutoencoder, X, has_missing: bool):
    """Return each row's expected loss, a sum over known cells, their number, its divergence."""
    posterior, is_gaussian = model.bottleneck, model.loss == "squared_error"
    losses, n_known, divergence = np.zeros((3, X.shape[0]))
    for rows in batches(X.shape[0], rows_a_block(model.n_features)):
        x = as_tensor(as_dense(X[rows]), model.frame.device)
        t = model.read(X[rows], has_missing)
        z = model.module.encode(t)
        log_shares = posterior.log_shares(t)
        divergence[rows] = posterior.divergence(z, log_shares).double().cpu().numpy()
        spread = posterior.prior_scale * (log_shares / 2).exp()
        known = ~x.isnan()
        n_known[rows] = known.sum(dim=1).cpu().numpy()
        points = _directions(model.width).to(z)
        for point in points:
            output = model.output.inverse(model.module.decode(z + point * spread))
            cells = _cells(output, x, is_gaussian)
            of_rows = torch.where(known, cells, 0.0).double().sum(dim=1) / len(points)
            losses[rows] += of_rows.cpu().numpy()
    return losses, n_known, divergence


def _cells(output: Tensor, x: Tensor, is_gaussian: bool) -> Tensor:
    """Return the loss of each cell; what it is where one is missing does not count."""
    if is_gaussian:
        return (output - x).double().square()
    known = torch.where(x.isnan(), 0.0, x)
    return functional.binary_cross_entropy_with_logits(output, known, reduction="none")


def _directions(k: int) -> Tensor:
    """Return points that stand for a standard normal distribution, of shape (n_points, k).

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
