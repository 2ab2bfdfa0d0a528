"""The references of a detector: reconstructions of training rows; the nearest ones of a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors

from sk_autoencoder._outliers.threshold import TIE
from sk_autoencoder._utils.blocks import batches
from sk_autoencoder._utils.threads import enough_threads

# Of features, as scikit-learn's "auto" has it: a tree takes longer with more.
MAX_TREE_FEATURES = 15

# References that a brute-force search finds beyond those asked for: where rounding hides which of
# them are nearest, the differences of their cells tell.
SPARE_NEIGHBORS = 8

# Of distances, or of differences of cells, that are held at a time.
MAX_BLOCK = 2**20


@dataclass(frozen=True)
class References:
    """Rows from which distances are measured.

    Parameters
    ----------
    rows : ndarray of shape (n_references, n_features), float64
    location : ndarray of shape (n_features,)
        Median of each column, about which distances are computed.
    neighbors : NearestNeighbors
        Finds the nearest of the rows less their location.
    """

    rows: np.ndarray
    location: np.ndarray
    neighbors: NearestNeighbors

    @classmethod
    def of(cls, rows: np.ndarray, n_neighbors: int) -> References:
        """Return rows with an index of them."""
        # The lower of two values in the middle: their mean may overflow.
        location = np.quantile(rows, 0.5, axis=0, method="lower")
        algorithm = "brute" if rows.shape[1] > MAX_TREE_FEATURES else "kd_tree"
        neighbors = NearestNeighbors(n_neighbors=n_neighbors, algorithm=algorithm)
        return cls(rows, location, neighbors.fit(rows - location))

    @property
    def n_neighbors(self) -> int:
        """Number of references that a row's distance is averaged over."""
        return self.neighbors.n_neighbors

    def scores(self, X: np.ndarray) -> np.ndarray:
        """Return minus the mean squared distance of each row from the references nearest to it."""
        scores = np.empty(len(X))
        for rows, squares, _ in self.nearest(X, self.n_neighbors):
            scores[rows] = _scores_of(squares)
        return scores

    def scores_as_if_new(self, X: np.ndarray, numbers: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """Return the scores of training rows as if none had a reference of its own.

        `numbers` has a number for each row, the same for exact copies, and `kept` the rows of which
        the references are the reconstructions.
        """
        n_found = min(self.n_neighbors + 1, len(kept))
        scores = np.empty(len(X))
        for rows, squares, found in self.nearest(X, n_found):
            own = numbers[kept[found]] == numbers[rows, None]
            if n_found > self.n_neighbors:
                own[~own.any(axis=1), -1] = True  # without its own, a row leaves the farthest
            scores[rows] = _scores_of(squares, ~own)
        return scores

    def explain(self, X: np.ndarray) -> np.ndarray:
        """Return what each cell adds to minus the score of its row, of the shape of X."""
        contributions = np.empty(X.shape)
        for rows, _, found in self.nearest(X, self.n_neighbors):
            contributions[rows] = self._contributions(X[rows], found)
        return contributions

    def nearest(self, X: np.ndarray, n_neighbors: int) -> Iterator[tuple]:
        """Find the references nearest to the rows of X, of some rows at a time.

        Yields these rows, as a slice, and the squared distances and indices of their
        references, of shape (n_rows, n_neighbors), the nearest first.
        """
        is_brute = self.neighbors.algorithm == "brute"
        n_found = n_neighbors + SPARE_NEIGHBORS if is_brute else n_neighbors
        n_found = min(n_found, len(self.rows))
        n_rows = max(MAX_BLOCK // max(n_found, X.shape[1]), 1)
        for rows in batches(len(X), n_rows):
            # In the dtype of the references, for which scikit-learn has a quick search.
            block = X[rows].astype(np.float64, copy=False)
            centred = block - self.location
            with enough_threads(len(X) * self.rows.size):
                distances, found = self.neighbors.kneighbors(centred, n_found)
            candidates, beyond = found, np.square(distances[:, -1])
            squares, found = np.square(distances[:, :n_neighbors]), found[:, :n_neighbors]
            if is_brute:
                lost = _are_lost_in_rounding(squares, centred)
                if lost.any():
                    beyond = beyond[lost] - _rounding_errors(centred[lost], beyond[lost])
                    again = self._search_by_differences(
                        block[lost], candidates[lost], beyond, n_neighbors
                    )
                    squares[lost], found[lost] = again
            yield rows, squares, found

    def _search_by_differences(
        self, X: np.ndarray, candidates: np.ndarray, beyond: np.ndarray, n_neighbors: int
    ) -> tuple:
        """Return what `nearest` finds for rows of X, from the differences of cells.

        No reference but the candidates of a row has a squared distance below `beyond`.
        """
        squares = np.empty(candidates.shape)
        n_rows = max(MAX_BLOCK // (candidates.shape[1] * X.shape[1]), 1)
        for rows in batches(len(X), n_rows):
            gaps = self.rows[candidates[rows]] - X[rows, None]
            squares[rows] = np.square(gaps, out=gaps).sum(axis=2)
        squares, found = _smallest(squares, n_neighbors)
        found = np.take_along_axis(candidates, found, axis=1)
        unsure = squares[:, -1] > np.maximum(beyond, 0)
        if candidates.shape[1] < len(self.rows) and unsure.any():
            squares[unsure], found[unsure] = self._search_all(X[unsure], n_neighbors)
        return squares, found

    def _search_all(self, X: np.ndarray, n_neighbors: int) -> tuple:
        """Return what `nearest` finds for rows of X, from the differences to all references."""
        squares = np.empty((len(X), n_neighbors))
        found = np.empty((len(X), n_neighbors), dtype=np.intp)
        for rows in batches(len(X), max(MAX_BLOCK // len(self.rows), 1)):
            every = cdist(X[rows], self.rows, "sqeuclidean")
            squares[rows], found[rows] = _smallest(every, n_neighbors)
        return squares, found

    def _contributions(self, X: np.ndarray, found: np.ndarray) -> np.ndarray:
        """Return the mean squared difference of each cell of X from the references of its row."""
        out = np.empty(X.shape)
        n_rows = max(MAX_BLOCK // (found.shape[1] * X.shape[1]), 1)
        for rows in batches(len(X), n_rows):
            gaps = self.rows[found[rows]] - X[rows, None]
            out[rows] = np.square(gaps).mean(axis=1)
        return out


def _are_lost_in_rounding(squares: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Return for which rows of X a brute-force search may be off by as much as a tie."""
    return _rounding_errors(X) > 0.25 * TIE * squares.mean(axis=1)


def _rounding_errors(X: np.ndarray, squares: Any = 0.0) -> np.ndarray:
    """Return how far squared distances from the rows of X may be off in a brute-force search.

    It takes a squared distance from |x|^2 - 2 x.r + |r|^2, with |r| <= |x| + |x - r|, whose
    rounding errors are those of these squares, however small their difference is.
    """
    squared_norms = np.einsum("ij,ij->i", X, X)
    return 4 * X.shape[1] * np.finfo(np.float64).eps * (squared_norms + squares)


def _smallest(values: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the n smallest values of each row, in order, and their places."""
    places = np.argpartition(values, n - 1, axis=1)[:, :n]
    order = np.argsort(np.take_along_axis(values, places, axis=1), axis=1)
    places = np.take_along_axis(places, order, axis=1)
    return np.take_along_axis(values, places, axis=1), places


def _scores_of(squares: np.ndarray, counted: Any = True) -> np.ndarray:
    """Return minus the mean of each row of squared distances, and 0 where that is 0, not -0."""
    return 0.0 - squares.mean(axis=1, where=counted)
