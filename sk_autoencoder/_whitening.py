"""Codes with unit variance that do not correlate."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


class Whitening(nn.Module):
    """Centre codes, and make their covariance on the training rows the identity.

    Each whitened component is made of its own and of the ones before it (the triangular
    factor of Cholesky), so that the beginning of a code stays the code of that size. The
    codes of PCA do not correlate, so that theirs are only divided, as `PCA` does with
    ``whiten=True``.

    Parameters
    ----------
    mean : ndarray of shape (n_components,)
    covariance : ndarray of shape (n_components, n_components)
    """

    mean: Tensor
    factor: Tensor

    def __init__(self, mean, covariance):
        super().__init__()
        # A component that does not vary, or that others determine, is left as small as it is.
        floor = max(np.trace(covariance), np.finfo(np.float64).tiny) * np.finfo(np.float64).eps
        jitter = floor * len(covariance) * np.eye(len(covariance))
        self.register_buffer("mean", torch.from_numpy(mean))
        self.register_buffer("factor", torch.from_numpy(np.linalg.cholesky(covariance + jitter)))

    def forward(self, z: Tensor) -> Tensor:
        """Whitened codes, in their dtype."""
        centred = (z.double() - self.mean).T
        return torch.linalg.solve_triangular(self.factor, centred, upper=False).T.to(z.dtype)

    def inverse(self, z: Tensor) -> Tensor:
        """Codes that whitening makes these of; a beginning of them gives a beginning."""
        size = z.shape[1]
        return (z.double() @ self.factor[:size, :size].T + self.mean[:size]).to(z.dtype)
