"""The principal axes of X: the solution that PCA finds, the network's start and its baseline.

All statistics are taken in float64, whatever the dtype of X, from blocks of its rows: X, be it
sparse, an array or a memory map, is never copied whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg, sparse

from sk_autoencoder._pca.centred_rows import WIDE_BLOCK_BYTES, CentredRows

MAX_EXACT = 2048
N_OVERSAMPLES = 10
N_ITERATIONS = 8  # explains as much as the 7 of scikit-learn's randomized_svd


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
    def fit(cls, X, index, n_axes: int, rng, weight: np.ndarray | None = None) -> PrincipalAxes:
        """Find the axes of the rows `index` of X, with the cheapest solver for their shape.

        `weight` has one number for each row of X, not negative: how often the row counts.
        """
        return cls.of_rows(CentredRows(X, index, weight), n_axes, rng)

    @classmethod
    def of_rows(cls, rows: CentredRows, n_axes: int, rng) -> PrincipalAxes:
        """Find the axes of rows, those of all processes, with the cheapest solver."""
        n_samples, n_features = int(rows.processes.sum(len(rows))), rows.X.shape[1]
        if n_features <= min(n_samples, MAX_EXACT):
            mean, total, variances, components = _from_covariance(rows, n_axes)
        else:
            rows = rows.about_mean()
            mean = rows.origin
            if n_samples <= MAX_EXACT and rows.processes.size == 1:
                total, variances, components = _from_row_products(rows, min(n_axes, n_samples))
            else:
                total, variances, components = _from_iterations(rows, n_axes, rng)
        return cls(mean, _signed(components), variances, _variance(total))

    @classmethod
    def of_covariance(cls, mean: np.ndarray, covariance: np.ndarray, n_axes: int) -> PrincipalAxes:
        """Find the axes of rows of which only their mean and covariance are known."""
        total = _variance(float(np.trace(covariance)))
        variances, vectors = _leading(covariance, n_axes)
        return cls(mean, _signed(vectors.T), variances, total)

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
        """Return the first axes alone."""
        return replace(
            self,
            components=self.components[:n_axes].copy(),
            explained_variance=self.explained_variance[:n_axes].copy(),
        )

    def training_loss(self) -> float:
        """Return the mean squared error of the rows fitted, reconstructed from all these axes."""
        return max(self.total_variance - self.explained_variance.sum(), 0.0) / self.n_features

    def share_left(self) -> float:
        """Share of the variance of the rows fitted that all these axes leave."""
        if self.constant:
            return 0.0
        return self.training_loss() * self.n_features / self.total_variance

    def loss_and_variance(
        self, X: np.ndarray | sparse.csr_array, index: np.ndarray, weight: np.ndarray | None = None
    ) -> tuple[float, float]:
        """Return the mean squared error of other rows, from all these axes and the mean alone."""
        rows = CentredRows(X, index, weight, self.mean)
        loss = variance = 0.0
        for block in rows.blocks(width=len(self.components)):
            loss += block.squared_error(self.components)
            variance += block.sum_of_squares()
        divisor = rows.total_weight * self.n_features
        return loss / divisor, variance / divisor


def explained_variance(loss: float, variance: float) -> float:
    """Share of a variance that a reconstruction explains; of none, all or nothing."""
    if variance == 0.0:
        return 1.0 if loss == 0.0 else 0.0
    return 1.0 - loss / variance


def pca_reconstructions(axes: PrincipalAxes, x: np.ndarray, sizes) -> Iterator[np.ndarray]:
    """Yield the mean of all rows, and the reconstructions of x from PCA of each size."""
    codes = (x - axes.mean) @ axes.components.T
    for size in (0, *sizes):
        yield codes[:, :size] @ axes.components[:size] + axes.mean


def _variance(total: float) -> float:
    """Return a difference of sums of squares as a variance, 0 where rounding made it negative."""
    if not math.isfinite(total):
        raise ValueError("The variance of X is too large for float64. Scale X down first.")
    return max(total, 0.0)


def _signed(components: np.ndarray) -> np.ndarray:
    """Return axes with signs that do not depend on how they were found."""
    # A fitted autoencoder, which imports this file, needs no scikit-learn.
    from sklearn.utils.extmath import svd_flip

    # A copy, since torch takes no negative strides, not even those of a single number.
    return svd_flip(None, np.array(components, order="C"), u_based_decision=False)[1]


def _from_covariance(rows: CentredRows, n_axes: int):
    """Return the mean and axes of narrow X, in one pass over its rows."""
    n_features = rows.X.shape[1]
    step, covariance = np.zeros(n_features), np.zeros((n_features, n_features))
    for block in rows.blocks():
        step += block.sum()
        covariance += block.feature_products()
    step, covariance = rows.processes.sum(step, covariance)
    step /= rows.total_weight
    covariance /= rows.total_weight
    # About the mean itself, which lies within a step of the origin.
    covariance -= np.outer(step, step)
    variances, vectors = _leading(covariance, n_axes)
    return rows.origin + step, float(np.trace(covariance)), variances, vectors.T


def _from_row_products(rows: CentredRows, n_axes: int):
    """Return the axes of few rows from their inner products: as many as rows, not as features."""
    products = np.zeros((len(rows), len(rows)))
    for _, block in rows.slabs():
        products += block.row_products()
    products /= rows.total_weight
    variances, vectors = _leading(products, n_axes)
    components = np.empty((rows.X.shape[1], n_axes))
    for columns, block in rows.slabs():
        components[columns] = block.transposed_times(vectors)
    components, _ = linalg.qr(components, mode="economic", overwrite_a=True, check_finite=False)
    return float(np.trace(products)), variances, components.T


def _from_iterations(rows: CentredRows, n_axes: int, rng):
    """Return axes of X with too many rows and features for an exact solution.

    Subspace iteration from random directions (Halko et al. 2011, algorithm 4.4), with the
    covariance as a product that is never formed.
    """
    n_features = rows.X.shape[1]
    width = min(n_axes + N_OVERSAMPLES, n_features)
    basis = rng.normal(size=(n_features, width))
    for _ in range(N_ITERATIONS):
        # A basis as good as an orthonormal one, for a third of its time.
        basis, _ = linalg.lu(basis, permute_l=True, overwrite_a=True, check_finite=False)
        basis = _covariance_times(rows, basis)
    basis, _ = linalg.qr(basis, mode="economic", overwrite_a=True, check_finite=False)
    total, within = 0.0, np.zeros((width, width))
    for block in rows.blocks(WIDE_BLOCK_BYTES, width):
        codes = block.times(basis)
        within += codes.T @ codes
        total += block.sum_of_squares()
    total, within = rows.processes.sum(total, within)
    variances, vectors = _leading(within / rows.total_weight, n_axes)
    return total / rows.total_weight, variances, (basis @ vectors).T


def _covariance_times(rows: CentredRows, V: np.ndarray) -> np.ndarray:
    """Multiply columns by the covariance, up to a factor."""
    products = np.zeros(V.shape)
    for block in rows.blocks(WIDE_BLOCK_BYTES, V.shape[1]):
        products += block.transposed_times(block.times(V))
    return rows.processes.sum(products)


def _leading(products: np.ndarray, n_axes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest eigenvalues, and their eigenvectors as columns, of a symmetric matrix."""
    last = len(products) - 1
    values, vectors = linalg.eigh(
        products, subset_by_index=[last - n_axes + 1, last], check_finite=False
    )
    return np.clip(values[::-1], 0.0, None), np.ascontiguousarray(vectors[:, ::-1])
