"""Codes with unit variance that do not correlate."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

ROUNDING = 4.0  # times the precision of a dtype


class Unwhitened(nn.Module):
    """Leave codes as they are."""

    def forward(self, z: Tensor) -> Tensor:
        return z

    def inverse(self, z: Tensor) -> Tensor:
        """Return the same codes."""
        return z


class Whitening(nn.Module):
    """Centre codes, and make their covariance on the training rows the identity.

    Each whitened component is made of its own and of the ones before it (the triangular
    factor of Cholesky), so that the beginning of a code stays the code of that size. The
    codes of PCA do not correlate, so that theirs are only divided, as `PCA` does with
    ``whiten=True``.

    Parameters
    ----------
    mean : ndarray of shape (n_components,)
    factor : ndarray of shape (n_components, n_components)
        Lower triangular factor of the covariance.
    """

    mean: Tensor
    factor: Tensor

    def __init__(self, mean, factor):
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(mean))
        self.register_buffer("factor", torch.from_numpy(factor))

    @classmethod
    def of(cls, mean: np.ndarray, covariance: np.ndarray, rounding: np.ndarray) -> Whitening:
        """Return what whitens codes with a mean and a covariance.

        `rounding` is the variance up to which each component may be nothing but rounding, as
        `rounding_variances` gives it.
        """
        return cls(mean, _factor(covariance, rounding))

    def forward(self, z: Tensor) -> Tensor:
        """Return whitened codes, in their dtype."""
        centred = (z.double() - self.mean).T
        return torch.linalg.solve_triangular(self.factor, centred, upper=False).T.to(z.dtype)

    def inverse(self, z: Tensor) -> Tensor:
        """Return codes that whitening makes these of; a beginning of them gives a beginning."""
        size = z.shape[1]
        return (z.double() @ self.factor[:size, :size].T + self.mean[:size]).to(z.dtype)


def rounding_variances(
    mean: np.ndarray,
    covariance: np.ndarray,
    dtype: torch.dtype,
    components: np.ndarray | None = None,
) -> np.ndarray:
    """Return for each component of codes the variance below which it is rounding of the rows.

    `mean` is that of X, in whose units the covariance of the codes is. A cell of X is rounded in
    proportion to its size, offset included, with a deviation of about 0.3 of the dtype's
    precision. `components` say which cells the first components are made of; of the others any
    cell may be a part.
    """
    square = np.full(len(covariance), np.max(np.square(mean)))
    if components is not None:
        square[: len(components)] = np.square(components) @ np.square(mean)
    return (ROUNDING * torch.finfo(dtype).eps) ** 2 * (square + np.trace(covariance))


def _factor(covariance: np.ndarray, rounding: np.ndarray) -> np.ndarray:
    """Return the triangular factor of a covariance in which each component varies a little.

    A component that does not vary, or that others determine, is left as small as it is. Codes
    that do not vary at all are only centred.
    """
    n_components, variances = len(covariance), np.diag(covariance)
    if np.all(variances <= rounding):
        return np.eye(n_components)
    added = np.maximum(n_components * np.finfo(np.float64).eps * variances.sum(), rounding)
    while True:
        try:
            return np.linalg.cholesky(covariance + np.diag(added))
        except np.linalg.LinAlgError:  # where the covariance itself has more rounding than that
            added = 10.0 * added
