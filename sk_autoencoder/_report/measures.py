"""The numbers of a report, from the models of a comparison and the rows that they judge."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from sk_autoencoder._comparison import (
    Comparison,
    as_array,
    known_mean,
    last_step,
    pca_of,
    reconstruct,
)
from sk_autoencoder._pca.principal_axes import explained_variance

MAX_POINTS = 24  # of PCA's curve
N_ODD, N_REASONS = 12, 3
MAX_ROWS = 2000  # of those drawn


@dataclass(frozen=True)
class Reason:
    """A cell of a row, what the autoencoder makes of it, and its share of the row's error."""

    feature: str
    value: float
    expected: float
    share: float


@dataclass(frozen=True)
class OddRow:
    """A held-out row that comes back badly, at a place of these rows."""

    place: int
    name: str
    error: float  # times that of a typical row
    reasons: tuple[Reason, ...]


class Measures:
    """What is told of a comparison.

    Parameters
    ----------
    comparison : Comparison
    """

    def __init__(self, comparison: Comparison):
        self.comparison = comparison
        self.pca_name, self.name = comparison.methods
        self.rows = as_array(comparison.X_test)
        self.known = ~np.isnan(self.rows)
        self.names = names_of(comparison.X_test, self.rows.shape[1])
        self.is_incomplete = isinstance(comparison.models[0], Pipeline)  # PCA is imputed then
        self._reconstructions: dict[str, np.ndarray] = {}

    @cached_property
    def table(self) -> pd.DataFrame:
        """The results, a row for each method at a size."""
        return self.comparison.table()

    @cached_property
    def sizes(self) -> list[int]:
        """The sizes of the code that were compared."""
        return sorted(self.table["n_components"].unique().tolist())

    def explained(self, method: str, size: int) -> float:
        """Return the share of the variance of held-out rows that a method explains at a size."""
        found = self.table[(self.table["method"] == method) & (self.table["n_components"] == size)]
        return float(found["explained_variance"].iloc[0])

    @cached_property
    def deviation(self) -> np.ndarray:
        """The held-out rows about the mean of the training rows; NaN where cells are missing."""
        return self.rows - known_mean(as_array(self.comparison.X_train), self.is_incomplete)

    @cached_property
    def whole_pca(self) -> Any:
        """PCA of the training rows with all of its components."""
        X_train = self.comparison.X_train
        n_components = min(X_train.shape)
        with np.errstate(invalid="ignore"):  # it divides by the variance, which may be none
            return pca_of(n_components, 0, self.is_incomplete).fit(X_train)

    @cached_property
    def _pca_codes(self) -> np.ndarray:
        return self.whole_pca.transform(self.comparison.X_test)

    def pca_explained(self, size: int) -> float:
        """Return the share of the variance of held-out rows that PCA explains at any size."""
        codes = np.where(np.arange(self._pca_codes.shape[1]) < size, self._pca_codes, 0.0)
        error = self._mean_square(last_step(self.whole_pca).inverse_transform(codes) - self.rows)
        return explained_variance(error, self._mean_square(self.deviation))

    @cached_property
    def pca_curve(self) -> pd.DataFrame:
        """What PCA explains at sizes of all orders up to all of its components."""
        most = self._pca_codes.shape[1]
        spread = np.geomspace(1, most, MAX_POINTS).round().astype(int)
        sizes = np.unique([*spread, *(size for size in self.sizes if size <= most)])
        shares = [self.pca_explained(size) for size in sizes]
        return pd.DataFrame({"n_components": sizes, "explained_variance": shares})

    def pca_needs(self, share: float) -> int | None:
        """Return with how many components PCA explains a share, None where all do not."""
        least, most = 1, self._pca_codes.shape[1]
        if self.pca_explained(most) < share:
            return None
        while least < most:
            middle = (least + most) // 2
            if self.pca_explained(middle) >= share:
                most = middle
            else:
                least = middle + 1
        return least

    @cached_property
    def feature_shares(self) -> pd.DataFrame:
        """What each method explains of each feature, with the most components compared.

        "gain" is what the autoencoder saves of PCA's squared error, over the mean variance of a
        feature.
        """
        variance = self._by_feature(self.deviation)
        frame = pd.DataFrame({"feature": self.names})
        errors = {method: self.feature_errors(method) for method in (self.pca_name, self.name)}
        for method, error in errors.items():
            with np.errstate(divide="ignore", invalid="ignore"):
                frame[method] = np.where(variance > 0, 1 - error / variance, np.nan)
        saved = errors[self.pca_name] - errors[self.name]
        return frame.assign(gain=saved / max(variance.mean(), np.finfo(float).tiny))

    def feature_errors(self, method: str) -> np.ndarray:
        """Return a method's mean squared error of the known cells of each feature."""
        return self._by_feature(self.reconstruction(method) - self.rows)

    def reconstruction(self, method: str) -> np.ndarray:
        """Return what a method makes of the held-out rows with the most components."""
        if method not in self._reconstructions:
            largest = self.comparison.largest(method)
            self._reconstructions[method] = reconstruct(largest, self.comparison.X_test)
        return self._reconstructions[method]

    def plane(self, method: str) -> np.ndarray:
        """Return codes of some held-out rows in a plane: those of size two, or their axes."""
        at_two = self.table[(self.table["method"] == method) & (self.table["n_components"] == 2)]
        models = self.comparison.models
        model = models[at_two.index[0]] if len(at_two) else self.comparison.largest(method)
        codes = np.asarray(model.transform(self.comparison.X_test), dtype=float)[self.drawn]
        codes = codes - codes.mean(axis=0)
        _, _, axes = np.linalg.svd(codes, full_matrices=False)
        plane = codes @ axes[:2].T
        return np.pad(plane, ((0, 0), (0, 2 - plane.shape[1])))

    @cached_property
    def drawn(self) -> np.ndarray:
        """Which of the held-out rows are drawn."""
        n_rows = len(self.rows)
        if n_rows <= MAX_ROWS:
            return np.arange(n_rows)
        return np.sort(np.random.RandomState(0).choice(n_rows, MAX_ROWS, replace=False))

    @cached_property
    def row_errors(self) -> np.ndarray:
        """Mean squared error of each held-out row, each cell in units of its feature's error."""
        known = np.maximum(self.known.sum(axis=1), 1)
        return np.nansum(self._cell_errors, axis=1) / known

    @cached_property
    def _cell_errors(self) -> np.ndarray:
        """Squared errors of cells over those that are usual for the feature."""
        square = np.square(self.reconstruction(self.name) - self.rows, dtype=np.float64)
        usual = self.feature_errors(self.name)
        return square / np.where(usual > 0, usual, 1.0)

    @cached_property
    def odd_rows(self) -> list[OddRow]:
        """The held-out rows that come back worst, and the cells that are to blame."""
        rows, made = self.rows_and_reconstructions
        typical = self._typical_error()
        found = []
        for i in np.argsort(-self.row_errors, kind="stable")[:N_ODD]:
            cells = np.nan_to_num(self._cell_errors[i])
            total = max(cells.sum(), np.finfo(float).tiny)
            worst = np.argsort(-cells, kind="stable")[:N_REASONS]
            reasons = tuple(
                Reason(self.names[j], float(rows[i, j]), float(made[i, j]), cells[j] / total)
                for j in worst
                if cells[j] > 0
            )
            found.append(
                OddRow(int(i), self.row_name(i), float(self.row_errors[i] / typical), reasons)
            )
        return found

    def _typical_error(self) -> float:
        """Return the error of a typical row, a number above 0 where most come back exactly too."""
        least = np.finfo(float).eps * self.row_errors.mean()
        return float(max(np.median(self.row_errors), least, np.finfo(float).tiny))

    @cached_property
    def rows_and_reconstructions(self) -> tuple[np.ndarray, np.ndarray]:
        """Held-out rows, and what the autoencoder makes of them, in the units of the data."""
        scaler = self.comparison.scaler
        both = self.rows, self.reconstruction(self.name)
        return both if scaler is None else tuple(x * scaler.scale_ + scaler.mean_ for x in both)

    def row_name(self, i: int) -> str:
        """Return what a held-out row is called in the data."""
        return str(self.comparison.test_names[i])

    def _mean_square(self, difference: np.ndarray) -> float:
        return float(np.square(difference[self.known], dtype=np.float64).mean())

    def _by_feature(self, difference: np.ndarray) -> np.ndarray:
        square = np.where(self.known, np.square(difference, dtype=np.float64), 0.0)
        return square.sum(axis=0) / np.maximum(self.known.sum(axis=0), 1)


def shortened(name: str, longest: int) -> str:
    """Return a name cut to so many characters."""
    return name if len(name) <= longest else name[: longest - 1] + "…"


def names_of(X: Any, n_features: int) -> list[str]:
    """Return the names of columns; scikit-learn's where they have none."""
    names = getattr(X, "columns", range(n_features))
    return [name if isinstance(name, str) else f"x{name}" for name in names]
