"""The principal axes of X: the solution that PCA finds, the network's start and its yardstick.

All statistics are taken in float64, whatever the dtype of X. Narrow X is read in blocks of rows;
of X with more features than rows, or with very many of both, a centred copy is made.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg
from sklearn.utils import gen_batches
from sklearn.utils.extmath import randomized_svd, svd_flip

BLOCK_BYTES = 2**25
LARGEST_EXACT = 2048


@dataclass(frozen=True)
class PrincipalAxes:
    """Mean and leading principal axes of the rows of a matrix.

    Variances are biased (divided by the number of rows), so that sums of them are errors.
    """

    mean: np.ndarray  # (n_features,)
    components: np.ndarray  # (n_axes, n_features), orthonormal rows
    explained_variance: np.ndarray  # (n_axes,)
    total_variance: float  # summed over the features

    @classmethod
    def fit(cls, X: np.ndarray, index: np.ndarray, n_axes: int, rng) -> PrincipalAxes:
        """Find the axes of the rows `index` of X, with the cheapest solver for their shape."""
        n_samples, n_features = len(index), X.shape[1]
        mean = _mean(X, index)
        if n_features <= min(n_samples, LARGEST_EXACT):
            total, variances, components = _from_covariance(X, index, mean, n_axes)
        else:
            total, variances, components = _from_rows(X[index] - mean, n_axes, rng)
        # A copy, since torch takes no negative strides, not even those of a single number.
        if not math.isfinite(total):
            raise ValueError("The variance of X is too large for float64. Scale X down first.")
        _, components = svd_flip(None, np.array(components, order="C"), u_based_decision=False)
        return cls(mean, components, variances, total)

    @property
    def n_features(self) -> int:
        return self.mean.shape[0]

    @property
    def constant(self) -> bool:
        """Whether the rows differ by no more than the rounding of their mean."""
        rounding = 4 * np.finfo(np.float64).eps * np.linalg.norm(self.mean)
        return bool(math.sqrt(self.total_variance) <= rounding)

    @property
    def scale(self) -> float:
        """Root mean variance of the features, 1 where nothing varies."""
        return 1.0 if self.constant else math.sqrt(self.total_variance / self.n_features)

    def leading(self, n_axes: int) -> PrincipalAxes:
        """Give the first axes alone."""
        return replace(
            self,
            components=self.components[:n_axes].copy(),
            explained_variance=self.explained_variance[:n_axes].copy(),
        )

    def training_loss(self) -> float:
        """Mean squared error of the reconstruction of the rows fitted, from all these axes."""
        return max(self.total_variance - self.explained_variance.sum(), 0.0) / self.n_features

    def loss_and_variance(self, X: np.ndarray, index: np.ndarray) -> tuple[float, float]:
        """Mean squared error of other rows, from all these axes and from the mean alone."""
        loss = variance = 0.0
        for block in _blocks(X, index):
            centred = block - self.mean
            codes = centred @ self.components.T
            variance += np.square(centred).sum()
            loss += np.square(centred - codes @ self.components).sum()
        n_cells = len(index) * self.n_features
        return loss / n_cells, variance / n_cells


def explained_variance(loss: float, variance: float) -> float:
    """Share of a variance that a reconstruction explains; of none, all or nothing."""
    if variance == 0.0:
        return 1.0 if loss == 0.0 else 0.0
    return 1.0 - loss / variance


def _from_covariance(X, index, mean, n_axes):
    """Axes of narrow X, in one pass over its rows."""
    n_features = X.shape[1]
    covariance = np.zeros((n_features, n_features))
    for block in _blocks(X, index):
        centred = block - mean
        covariance += centred.T @ centred
    covariance /= len(index)
    total = float(np.trace(covariance))
    variances, vectors = linalg.eigh(
        covariance,
        subset_by_index=[n_features - n_axes, n_features - 1],
        overwrite_a=True,
        check_finite=False,
    )
    return total, np.clip(variances[::-1], 0.0, None), vectors.T[::-1]


def _from_rows(centred, n_axes, rng):
    """Axes of X with more features than rows, or too many of both for an exact solution."""
    total = float(np.square(centred).sum() / len(centred))
    if min(centred.shape) <= LARGEST_EXACT:
        _, singular, components = linalg.svd(centred, full_matrices=False, check_finite=False)
    else:
        _, singular, components = randomized_svd(centred, n_axes, random_state=rng)
    return total, singular[:n_axes] ** 2 / len(centred), components[:n_axes]


def _mean(X: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Column means in float64, corrected once so that a large offset costs no digits."""
    first = sum(block.sum(axis=0, dtype=np.float64) for block in _blocks(X, index)) / len(index)
    return first + sum((block - first).sum(axis=0) for block in _blocks(X, index)) / len(index)


def _blocks(X: np.ndarray, index: np.ndarray) -> Iterator[np.ndarray]:
    """Rows of X, a few at a time: a float64 copy of a block stays below `BLOCK_BYTES`."""
    for rows in gen_batches(len(index), max(1, BLOCK_BYTES // (8 * X.shape[1]))):
        yield X[index[rows]]
