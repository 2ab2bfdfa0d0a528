"""Rows with missing values: the principal axes of what was observed, and imputation of the rest.

A missing value is a NaN. The rows are taken for draws from a normal distribution whose covariance
is of low rank plus noise, fitted by expectation maximization (Dempster et al., 1977): its mean and
covariance are those of the rows without missing values, as far as the observed cells tell.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sk_autoencoder._pca.principal_axes import PrincipalAxes
from sk_autoencoder._utils.blocks import batches
from sk_autoencoder._utils.copies import merge_copies

BLOCK_BYTES = 2**25
MAX_FACTORS = 64
MAX_CELLS = 2**22
MAX_POSTERIORS = 512
MAX_ITER = 30
TOL = 1e-3

# Rows that the prior of unrelated features is worth, for each feature.
PRIOR_ROWS = 2.0
# Standard deviations beyond which an observed cell tells no more of the others.
MAX_DEVIATION = 6.0
COMPENSATION_STEPS = 4


@dataclass(frozen=True)
class Imputation:
    """A normal distribution of the rows, which tells missing values from what was observed.

    With z standard normal, a row is `mean + scale * (z @ loadings + noise)`: probabilistic
    PCA (Tipping and Bishop, 1999) of the scaled features.
    """

    mean: np.ndarray  # (n_features,)
    scale: np.ndarray  # (n_features,)
    loadings: Any  # (n_factors, n_features)
    noise: float  # variance
    deviation: np.ndarray  # (n_features,), the features' standard deviations
    lowest: np.ndarray  # (n_features,), of the training rows
    highest: np.ndarray  # (n_features,)
    # (n_factors,), the length of each loading where these are along the principal axes of X.
    strength: np.ndarray | None = None

    def along(self, components: np.ndarray) -> Imputation:
        """Return the same imputation with the loadings along these axes, if it is along any."""
        if self.strength is None:
            return self
        return replace(self, loadings=loadings_along(components, self.strength))

    def impute(self, X: np.ndarray, components: np.ndarray | None = None) -> np.ndarray:
        """Return X with missing values imputed, each row by itself; a copy, unless none is missing.

        A missing value gets its conditional expectation, inside the range of the training rows. No
        observed cell counts for more than `MAX_DEVIATION`, since a single extreme one
        would else carry all missing values of its row away.

        Given orthonormal components, they are imputed so that the projection of the row
        onto them has the conditional expectation there. Projecting the expectation itself
        adds what the other cells happen to share with the missing one, and misses its tail; as in
        twicing (Tukey, 1977), the difference is added to the imputation, a few times.
        """
        missing = np.isnan(X)
        if not missing.any():
            return X
        filled = X.copy()
        rows = np.flatnonzero(missing.any(axis=1))
        for some in batches(len(rows), self._block_rows):
            index = rows[some]
            unknown = missing[index]
            values = self._impute(X[index] - self.mean, unknown, components)
            filled[index] = np.where(unknown, values + self.mean, X[index])
        return filled

    def _impute(self, centred, missing, components):
        """Return centred rows with missing values imputed."""
        limit = MAX_DEVIATION * self.deviation
        told = np.clip(np.where(missing, 0.0, centred), -limit, limit)
        expected = self.expect(told, missing)
        expected = np.clip(expected, self.lowest - self.mean, self.highest - self.mean)
        filled = np.where(missing, expected, centred)
        if components is not None:
            for _ in range(COMPENSATION_STEPS):
                projected = filled @ components.T @ components
                filled = np.where(missing, filled + expected - projected, filled)
        return filled

    def expect(self, centred: np.ndarray, missing: np.ndarray) -> np.ndarray:
        """Return the conditional expectation of all cells; centred rows are 0 where one misses."""
        told = centred / self.scale @ self.loadings.T / self.noise  # (batch, n_factors)
        factors = np.linalg.solve(self._precision(missing), told[..., None])[..., 0]
        return factors @ self.loadings * self.scale

    def _precision(self, missing):
        """Return the inverse covariance of each row's factors, given its observed cells."""
        n_factors = len(self.loadings)
        upper = np.triu_indices(n_factors)
        place = np.zeros((n_factors, n_factors), dtype=np.intp)
        place[upper] = place.T[upper] = np.arange(len(upper[0]))
        products = self.loadings[upper[0]] * self.loadings[upper[1]] / self.noise
        packed = (~missing).astype(np.float64) @ products.T  # half of what is symmetric
        precision = np.take(packed, place.ravel(), axis=1).reshape(
            len(missing), n_factors, n_factors
        )
        precision[:, range(n_factors), range(n_factors)] += 1.0
        return precision

    def covariance_of_missing(self, missing: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Return the conditional covariance of the missing values, summed over rows."""
        n_features = len(self.mean)
        loadings = self.loadings * self.scale
        total = np.diag(weight @ missing * self.noise * self.scale**2)
        if n_features > MAX_FACTORS + 1:
            # The mean of a few rows stands for all, or each would cost a product of the features.
            some = np.linspace(0, len(missing) - 1, min(len(missing), MAX_POSTERIORS), dtype=int)
            factors = np.linalg.inv(self._precision(missing[some])).mean(axis=0)
            together = missing.T.astype(np.float64) @ (weight[:, None] * missing)
            return total + together * (loadings.T @ factors @ loadings)
        for rows in batches(len(missing), self._block_rows):
            factors = np.linalg.inv(self._precision(missing[rows]))
            roots = np.linalg.cholesky(factors).swapaxes(1, 2) @ loadings
            roots *= (missing[rows] * np.sqrt(weight[rows, None]))[:, None, :]
            flat = roots.reshape(-1, n_features)
            total += flat.T @ flat
        return total

    @property
    def _block_rows(self) -> int:
        widest = max(len(self.loadings) ** 2, len(self.mean))
        return max(1, BLOCK_BYTES // (8 * widest))


class Imputer:
    """Imputes missing values so that the projection onto the leading axes is as expected.

    Parameters
    ----------
    imputation : Imputation
        Along principal axes it may leave out its loadings, which these tell.
    n_components : int
        Number of leading axes.
    axes : ndarray of shape (n_axes, n_features) or None
        Orthonormal rows; None takes those that it is called with.
    """

    def __init__(self, imputation: Imputation, n_components: int, axes: np.ndarray | None = None):
        self.imputation = imputation
        self.n_components = n_components
        self.axes = axes
        self._ready: tuple[Imputation, np.ndarray] | None = None

    @classmethod
    def of(cls, imputation: Imputation, n_components: int, axes: np.ndarray | None) -> Imputer:
        """Return an imputer that holds no more than what its axes do not tell."""
        n_axes = n_components
        if imputation.strength is not None:
            n_axes = max(n_axes, len(imputation.strength))
            imputation = replace(imputation, loadings=None)
        return cls(imputation, n_components, None if axes is None else axes[:n_axes])

    def __getstate__(self) -> dict:
        return vars(self) | {"_ready": None}

    def __call__(self, X: np.ndarray, axes: np.ndarray | None) -> np.ndarray:
        """Return X with missing values imputed, each row by itself."""
        imputation, components = self.along(axes)
        return imputation.impute(X, components)

    def along(self, axes: np.ndarray | None) -> tuple[Imputation, np.ndarray]:
        """Return the imputation with its loadings, and the components."""
        if self._ready is None:
            found: Any = axes if self.axes is None else self.axes.astype(np.float64)
            self._ready = self.imputation.along(found), found[: self.n_components]
        return self._ready


def loadings_along(components: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """Return loadings of some lengths along the leading ones of orthonormal components."""
    return strength[:, None] * components[: len(strength)]


def imputation_of_axes(axes: PrincipalAxes, n_rows: float) -> Imputation:
    """Return an imputation for rows to come, fitted on so many complete rows."""
    everywhere = np.full(axes.n_features, np.inf)
    ones = np.ones(axes.n_features)
    return _normal(axes, n_rows, ones, -everywhere, everywhere)


def number_of_distinct(X, index: np.ndarray, weight: np.ndarray | None) -> float:
    """Return how many rows of equal weight would tell as much as the distinct ones of some.

    `weight` has a number for each of these rows.
    """
    _, weight = merge_copies(X, index, np.ones(len(index)) if weight is None else weight)
    return effective_number(weight)


def fit_axes(
    X: np.ndarray, index: np.ndarray, n_axes: int, rng, weight: np.ndarray | None = None
) -> tuple[PrincipalAxes, Imputation]:
    """Find the axes of the rows `index` of X, which may miss values, and how to impute them.

    `weight` holds a number for each of these rows, 0 for one that is not there. Rows without
    an observed cell carry nothing. Where nothing is missing and no weight is given, the axes
    are those of `PrincipalAxes.fit`.
    """
    rows = _Rows(X, index, weight)
    if rows.has_missing or weight is not None:
        mean, covariance = _maximize(rows)
        axes = PrincipalAxes.of_covariance(mean, covariance, n_axes)
        axes.components[:, rows.constant] = 0.0  # but for rounding
        return axes, _imputation(rows, axes.mean, covariance)
    axes = PrincipalAxes.fit(X, index, n_axes, rng)
    if rows.n_features <= MAX_FACTORS + 1:
        return axes, _imputation(rows, axes.mean, _available(rows)[1])
    return axes, _imputation_from_axes(rows, axes, np.ones(rows.n_features))


def effective_number(weight: np.ndarray) -> float:
    """Return how many rows of equal weight would tell as much (Kish, 1965)."""
    weight = np.ldexp(weight, -np.frexp(weight.max())[1])  # whose squares are numbers
    return float(weight.sum() ** 2 / np.square(weight).sum())


class _Rows:
    """Rows of X with at least one observed cell, and what is told of their features.

    A column without any in these rows stays at the middle of its range in X.
    """

    def __init__(self, X, index, weight):
        weight = np.ones(len(index)) if weight is None else np.asarray(weight, dtype=np.float64)
        self.X, self.index, self.weight = X, index, weight
        self.n_features = X.shape[1]
        self.has_missing = False
        self.lowest = np.full(self.n_features, np.inf)
        self.highest = np.full(self.n_features, -np.inf)
        kept = np.zeros(len(index), dtype=bool)
        for rows, block, missing in self.blocks():
            self.has_missing |= bool(missing.any())
            kept[rows] = ~missing.all(axis=1) & (weight[rows] > 0)
            seen = np.where(missing | ~kept[rows, None], np.nan, block)
            self.lowest = np.fmin(self.lowest, np.fmin.reduce(seen))
            self.highest = np.fmax(self.highest, np.fmax.reduce(seen))
        # A copy tells nothing new, so that a row of weight two and a row twice are the same.
        self.index, self.weight = merge_copies(X, index[kept], weight[kept])
        if (empty := np.flatnonzero(self.lowest > self.highest)).size:
            self._look_elsewhere(empty)

    def _look_elsewhere(self, columns: np.ndarray) -> None:
        """Take the range of columns from all rows of X, where these have no value of them."""
        values = self.X[:, columns]
        if (empty := columns[np.isnan(values).all(axis=0)]).size:
            raise ValueError(
                f"X has no value in column {', '.join(map(str, empty))}, and nothing tells how to "
                "fill it. Drop it, or fill it before."
            )
        self.lowest[columns] = np.nanmin(values, axis=0)
        self.highest[columns] = np.nanmax(values, axis=0)

    def few(self, n_rows: int) -> _Rows:
        """Return at most so many of the rows, evenly spread."""
        if n_rows >= len(self.index):
            return self
        some = np.linspace(0, len(self.index) - 1, n_rows, dtype=int)
        rows = copy.copy(self)
        rows.index, rows.weight = self.index[some], self.weight[some]
        return rows

    @property
    def constant(self) -> np.ndarray:
        """Which features have, up to rounding, one value alone."""
        largest = np.maximum(np.abs(self.lowest), np.abs(self.highest))
        return self.highest - self.lowest <= 4 * np.finfo(np.float64).eps * largest

    def blocks(self) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Yield rows in float64, a few at a time, with their place and what they miss."""
        for rows in batches(len(self.index), max(1, BLOCK_BYTES // (8 * self.n_features))):
            block = self.X[self.index[rows]].astype(np.float64)
            yield rows, block, np.isnan(block)


def _maximize(rows: _Rows) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and covariance of the rows, all known, by expectation maximization."""
    mean, covariance = _available(rows)
    if not rows.has_missing:
        return mean, covariance
    few = rows.few(max(MAX_CELLS // rows.n_features, 1))
    for _ in range(MAX_ITER):
        before = covariance
        mean, covariance = _expected(few, _imputation(few, mean, covariance))
        if np.abs(covariance - before).max() <= TOL * np.trace(covariance) / len(covariance):
            break
    return (
        _expected(rows, _imputation(few, mean, covariance))
        if few is not rows
        else (mean, covariance)
    )


def _available(rows: _Rows) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and covariance from the cells and pairs of cells that were observed."""
    total = count = np.zeros(rows.n_features)
    for some, block, missing in rows.blocks():
        total = total + rows.weight[some] @ np.where(missing, 0.0, block)
        count = count + rows.weight[some] @ ~missing
    middle = rows.lowest / 2 + rows.highest / 2
    mean = np.divide(total, count, out=middle, where=count > 0)
    # Once more, so that a large offset costs no digits.
    total = np.zeros(rows.n_features)
    for some, block, missing in rows.blocks():
        total += rows.weight[some] @ np.where(missing, 0.0, block - mean)
    mean = mean + total / np.where(count > 0, count, 1.0)
    products = np.zeros((rows.n_features, rows.n_features))
    pairs = np.zeros_like(products)
    for some, block, missing in rows.blocks():
        centred, weight = np.where(missing, 0.0, block - mean), rows.weight[some, None]
        products += centred.T @ (weight * centred)
        pairs += (~missing).T.astype(np.float64) @ (weight * ~missing)
    return mean, products / np.where(pairs > 0.0, pairs, 1.0)


def _expected(rows: _Rows, imputation: Imputation) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and covariance of the rows, with missing values as an imputation has them."""
    total = np.zeros(rows.n_features)
    products = np.zeros((rows.n_features, rows.n_features))
    for some, block, missing in rows.blocks():
        weight = rows.weight[some]
        centred = np.where(missing, 0.0, block - imputation.mean)
        for part in batches(len(block), imputation._block_rows):
            expected = imputation.expect(centred[part], missing[part])
            centred[part] = np.where(missing[part], expected, centred[part])
        total += weight @ centred
        products += centred.T @ (weight[:, None] * centred)
        incomplete = missing.any(axis=1)
        if incomplete.any():
            products += imputation.covariance_of_missing(missing[incomplete], weight[incomplete])
    # An imputation has a unit for each feature, which is nothing that a constant one may vary by.
    total[rows.constant] = products[rows.constant] = products[:, rows.constant] = 0.0
    n_rows = rows.weight.sum()
    shift = total / n_rows
    covariance = products / n_rows - np.outer(shift, shift)
    np.fill_diagonal(covariance, np.maximum(np.diag(covariance), 0.0))
    return imputation.mean + shift, covariance


def _imputation(rows: _Rows, mean: np.ndarray, covariance: np.ndarray) -> Imputation:
    """Fit an imputation to a covariance.

    Where there are few features, each is scaled by its deviation: factors for all of them
    make the loss of PCA no better, and small features tell as much as large ones.
    """
    n_features = len(mean)
    n_factors = min(n_features, MAX_FACTORS)
    scale = np.ones(n_features)
    if n_features <= MAX_FACTORS + 1:
        deviation = np.sqrt(np.diag(covariance))
        varies = deviation > 4 * np.finfo(np.float64).eps * np.abs(mean)
        scale = np.where(varies, deviation, 1.0)
    axes = PrincipalAxes.of_covariance(mean, covariance / scale / scale[:, None], n_factors)
    return _imputation_from_axes(rows, axes, scale)


def _imputation_from_axes(rows: _Rows, axes: PrincipalAxes, scale: np.ndarray) -> Imputation:
    """Fit an imputation to the axes of the scaled features, inside the range of the rows."""
    imputation = _normal(axes, effective_number(rows.weight), scale, rows.lowest, rows.highest)
    return replace(imputation, strength=None)


def _normal(axes: PrincipalAxes, n_rows: float, scale, lowest, highest) -> Imputation:
    """Fit an imputation to the axes of the scaled features.

    `PRIOR_ROWS` rows a feature of unrelated features, of the mean variance, are added: a
    ridge, without which few rows or features that nearly determine each other overfit.
    """
    n_features = axes.n_features
    n_factors = min(len(axes.components), n_features - 1, MAX_FACTORS)
    prior = PRIOR_ROWS * n_features / (n_rows + PRIOR_ROWS * n_features)
    typical = axes.total_variance / n_features
    variances = axes.explained_variance[:n_factors]
    rest = max(axes.total_variance - variances.sum(), 0.0) / (n_features - n_factors)
    noise = (1 - prior) * rest + prior * typical
    strength = np.sqrt((1 - prior) * np.clip(variances - rest, 0.0, None))
    loadings = loadings_along(axes.components, strength)
    deviation = scale * np.sqrt(np.square(loadings).sum(axis=0) + noise)
    return Imputation(
        axes.mean, scale, loadings, noise or 1.0, deviation, lowest, highest, strength
    )
