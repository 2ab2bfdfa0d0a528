"""New codes: drawn from a prior, or like those of the training rows."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import torch

from sk_autoencoder._data import Data
from sk_autoencoder._model.fitted import FittedAutoencoder
from sk_autoencoder._nn.whitening import Whitening
from sk_autoencoder._utils.blocks import at_most

# Codes to keep: so many, or as many as take up a share of the bytes of the weights, and some more.
MAX_SAMPLE = 5000
MAX_SHARE_OF_WEIGHTS = 1 / 16
FREE_BYTES = 2**11
DTYPE = np.dtype(np.int16)
NUMBERS_OF_NORMALS = (1, 2, 4, 8, 16, 32)
ROWS_A_DIRECTION = 4  # that a normal distribution has to have for itself
REGULARIZATION = 1e-3  # of the variance of the codes
SEED = 0

# One mixture at a time: the filters of warnings, which a fit of it changes, are those of all
# threads. The lock is not an attribute, so that a fitted estimator can be pickled.
FITTING = Lock()


@dataclass(frozen=True)
class Prior:
    """The normal distribution from which a variational autoencoder draws new codes."""

    scale: np.ndarray  # (n_components,), float64, in the units of X

    def sample(self, n_samples: int, rng: np.random.RandomState) -> np.ndarray:
        """Return codes before whitening, of shape (n_samples, n_components)."""
        return rng.standard_normal((n_samples, len(self.scale))) * self.scale


@dataclass(frozen=True)
class Mixture:
    """A mixture of normal distributions."""

    weights: np.ndarray  # (n_normals,)
    means: np.ndarray  # (n_normals, n_components)
    covariances: np.ndarray  # (n_normals, n_components, n_components)

    def sample(self, n_samples: int, rng: np.random.RandomState) -> np.ndarray:
        """Return rows in a random order, of shape (n_samples, n_components)."""
        counts = rng.multinomial(n_samples, self.weights)
        normals = zip(self.means, self.covariances, counts, strict=True)
        drawn = [rng.multivariate_normal(mean, cov, int(count)) for mean, cov, count in normals]
        return rng.permutation(np.vstack(drawn))


class CodeMixture:
    """Draws codes like those of the training rows.

    Of these a random part is kept, at most `MAX_SAMPLE` of them, and the mixture is
    fitted when a sample is first asked for: a fit of the autoencoder does not pay for it.
    The number of normal distributions is the one with the lowest Bayesian information
    criterion (Schwarz, 1978).

    Parameters
    ----------
    codes : ndarray of shape (n_samples, n_components), int16
        Codes before whitening, less their mean and divided by the scale.
    mean, scale : ndarray of shape (n_components,)
        float64.
    """

    def __init__(self, codes: np.ndarray, mean: np.ndarray, scale: np.ndarray):
        self.codes, self.mean, self.scale = codes, mean, scale
        self._mixture: Mixture | None = None

    @classmethod
    def of(cls, codes: np.ndarray) -> CodeMixture:
        """Return a mixture of some codes before whitening.

        Each component is rounded to a 30,000th of its largest value, far below what the mixture
        adds to its variance.
        """
        codes = codes.astype(np.float64)
        mean = codes.mean(axis=0)
        largest = np.abs(codes - mean).max(axis=0)
        scale = np.where(largest > 0, largest, largest.max() or 1.0) / np.iinfo(DTYPE).max
        return cls(np.rint((codes - mean) / scale).astype(DTYPE), mean, scale)

    def sample(self, n_samples: int, rng: np.random.RandomState) -> np.ndarray:
        """Return codes before whitening, of shape (n_samples, n_components)."""
        codes = self.codes * (self.scale / self.scale.max())
        if not codes.any():  # all alike
            return np.tile(self.mean, (n_samples, 1))
        covariance = np.atleast_2d(np.cov(codes, rowvar=False))
        mean = codes.mean(axis=0)
        whitening = Whitening.of(mean, covariance, np.square(self.scale / self.scale.max()))
        mixture = self._fitted(whitening(torch.from_numpy(codes)).numpy())
        new = whitening.inverse(torch.from_numpy(mixture.sample(n_samples, rng))).numpy()
        return new * self.scale.max() + self.mean

    def _fitted(self, codes: np.ndarray) -> Mixture:
        """Return the mixture of the whitened codes, for all threads the same."""
        if self._mixture is None:
            with FITTING:
                if self._mixture is None:
                    self._mixture = _fit(codes)
        return self._mixture


def _fit(codes: np.ndarray) -> Mixture:
    """Fit mixtures of ever more normal distributions, as long as the criterion falls."""
    # Where new rows are never asked for, scikit-learn is not needed.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    from sk_autoencoder._sklearn_compat import config_context

    most = max(len(codes) // (ROWS_A_DIRECTION * codes.shape[1]), 1)
    best: Any = None
    least = np.inf
    # A mixture of scikit-learn does less with dispatch than without.
    with warnings.catch_warnings(), config_context(array_api_dispatch=False):
        # Of a few steps more the sample would not change much.
        warnings.simplefilter("ignore", ConvergenceWarning)
        for n_normals in NUMBERS_OF_NORMALS:
            if n_normals > most:
                break
            mixture = GaussianMixture(n_normals, reg_covar=REGULARIZATION, random_state=SEED)
            criterion = mixture.fit(codes).bic(codes)
            if criterion >= least:
                break
            best, least = mixture, criterion
    return Mixture(best.weights_, best.means_, best.covariances_)


def _affordable(model: FittedAutoencoder) -> int:
    """Return how many codes stay small beside the weights."""
    n_bytes = sum(w.numel() * w.element_size() for w in model.module.parameters())
    return int((MAX_SHARE_OF_WEIGHTS * n_bytes + FREE_BYTES) // (DTYPE.itemsize * model.width))


def sample_for_mixture(model: FittedAutoencoder, data: Data) -> np.ndarray:
    """Return the places of some rows of a fit, drawn as often as they count.

    `model` has all components.
    """
    n_codes = min(MAX_SAMPLE, _affordable(model)) // data.processes.size
    seed = SEED + data.processes.rank
    if data.is_streamed:
        # Without an array of all of their numbers.
        few = min(n_codes, len(data))
        return np.sort(np.random.default_rng(seed).choice(len(data), few, replace=False))
    places, rng = np.arange(len(data)), np.random.RandomState(seed)
    if data.weight is None:
        return at_most(n_codes, places, rng)
    weight = data.weight[data.rows]
    return rng.choice(places, min(len(data), n_codes), p=weight / weight.sum())
