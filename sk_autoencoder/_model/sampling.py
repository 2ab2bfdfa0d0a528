"""New codes: a mixture of normal distributions, fitted on those of the training rows."""

from __future__ import annotations

import copy
import warnings
from numbers import Integral
from threading import Lock

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.utils import check_scalar

from sk_autoencoder._model.fitted import Network
from sk_autoencoder._nn.whitening import Whitening, rounding_variances
from sk_autoencoder._training.batches import at_most
from sk_autoencoder._validation import Data

LARGEST_SAMPLE = 5000
NUMBERS_OF_NORMALS = (1, 2, 4, 8, 16, 32)
ROWS_A_DIRECTION = 4  # that a normal distribution has to have for itself
REGULARIZATION = 1e-3  # of the variance of the codes
SEED = 0

# One mixture at a time: the filters of warnings, which a fit of it changes, are those of all
# threads. The lock is not an attribute, so that a fitted estimator can be pickled.
FITTING = Lock()


class CodeMixture:
    """Draws codes like those of the training rows.

    Of these a random part is kept, at most `LARGEST_SAMPLE` of them, and the mixture is
    fitted when a sample is first asked for: a fit of the autoencoder does not pay for it.
    The number of normal distributions is the one with the lowest Bayesian information
    criterion (Schwarz, 1978).

    Parameters
    ----------
    codes : ndarray of shape (n_samples, n_components)
        Codes before whitening. They are kept in float32, centred and scaled by one number, so
        that neither their size nor their offset costs digits.
    """

    def __init__(self, codes: np.ndarray):
        codes = codes.astype(np.float64)
        self.mean = codes.mean(axis=0)
        self.scale = float(np.abs(codes - self.mean).max()) or 1.0
        self.codes = ((codes - self.mean) / self.scale).astype(np.float32)
        self._mixture: GaussianMixture | None = None

    def sample(self, n_samples: int, rng: np.random.RandomState) -> np.ndarray:
        """Codes, before whitening, of shape (n_samples, n_components)."""
        codes = self.codes.astype(np.float64)
        if not codes.any():  # all alike
            return np.tile(self.mean, (n_samples, 1))
        covariance = np.atleast_2d(np.cov(codes, rowvar=False))
        mean = codes.mean(axis=0)
        rounding = rounding_variances(mean, covariance, torch.float32)
        whitening = Whitening(mean, covariance, rounding)
        # A copy draws, so that what other threads draw from does not change.
        mixture = copy.copy(self._fitted(whitening(torch.from_numpy(codes)).numpy()))
        mixture.random_state = rng
        new, _ = mixture.sample(n_samples)
        new = whitening.inverse(torch.from_numpy(rng.permutation(new))).numpy()
        return new * self.scale + self.mean

    def _fitted(self, codes: np.ndarray) -> GaussianMixture:
        """Return the mixture of the whitened codes, for all threads the same."""
        if self._mixture is None:
            with FITTING:
                if self._mixture is None:
                    self._mixture = _fit(codes)
        return self._mixture


def _fit(codes: np.ndarray) -> GaussianMixture:
    """Fit mixtures of ever more normal distributions, as long as the criterion falls."""
    most = max(len(codes) // (ROWS_A_DIRECTION * codes.shape[1]), 1)
    best, least = None, np.inf
    for n_normals in NUMBERS_OF_NORMALS:
        if n_normals > most:
            break
        mixture = GaussianMixture(n_normals, reg_covar=REGULARIZATION, random_state=SEED)
        with warnings.catch_warnings():
            # Of a few steps more the sample would not change much.
            warnings.simplefilter("ignore", ConvergenceWarning)
            criterion = mixture.fit(codes).bic(codes)
        if criterion >= least:
            break
        best, least = mixture, criterion
    assert best is not None
    return best


def code_mixture(network: Network, data: Data) -> CodeMixture:
    """Give a mixture of the codes of some rows, which are drawn as often as they count."""
    index, rng = np.arange(len(data)), np.random.RandomState(SEED)
    if data.weight is None:
        index = at_most(LARGEST_SAMPLE, index, rng)
    else:
        n_kept = min(len(data), LARGEST_SAMPLE)
        index = rng.choice(index, n_kept, p=data.weight / data.weight.sum())
    return CodeMixture(network.encode(data.X[index]))


def check_n_samples(n_samples) -> int:
    """Give the number of rows asked for, at least 1."""
    return int(check_scalar(n_samples, "n_samples", Integral, min_val=1))
