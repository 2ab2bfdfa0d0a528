"""AutoencoderOutlierDetector: rows that lie far from what a network makes of the training rows."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import ndtri
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import gen_batches
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from sk_autoencoder._sklearn_compat import (
    HasMethods,
    Interval,
    RealNotInt,
    StrOptions,
    fit_context,
    safe_indexing,
)
from sk_autoencoder._training.batches import at_most
from sk_autoencoder._transformer import AutoencoderTransformer
from sk_autoencoder._utils.arrays import as_numpy
from sk_autoencoder._utils.copies import find_copies
from sk_autoencoder._utils.sizes import check_cells
from sk_autoencoder._utils.threads import enough_threads
from sk_autoencoder._validation import (
    DTYPES,
    check_random_source,
    unchanged_on_error,
    validate_data,
)

# Scores of 50 epochs told anomalies no better.
EPOCHS = 10

SHARE_OF_NEIGHBORS = 0.1
LEAST_NEIGHBORS = 5

# Quantiles of the distances that the fence is drawn from, the upper one below those of outliers
# where there may be some, and the share that it aims to leave beyond it: `benchmarks.false_alarms`
# shows what comes of them.
QUANTILES = (0.15, 0.5, 0.85)
QUANTILES_OF_CLEAN = (0.05, 0.5, 0.95)
FALSE_ALARMS = 0.75 / 100

# The most skewness that is taken for that of clean rows, times a power of the number of features
# with which it falls, as distances of more features are less skewed. Outliers among the highest
# distances raise it, and with it the fence; of one feature clean rows are too skewed for less.
MAX_SKEWNESS = 0.325
MAX_SKEWNESS_OF_ONE_FEATURE = 1.1
SKEWNESS_POWER = -0.4

# Of a score. Rounding alone parts scores that differ by less.
TIE = 1e-9

# Of features, as scikit-learn's "auto" has it: a tree takes longer with more.
MAX_TREE_FEATURES = 15

# References that a brute-force search finds beyond those asked for: where rounding hides which of
# them are nearest, the differences of their cells tell.
SPARE_NEIGHBORS = 8

# Of distances, or of differences of cells, that are held at a time.
LARGEST_BLOCK = 2**20


class AutoencoderOutlierDetector(OutlierMixin, BaseEstimator):
    """Outliers as rows that are far from the reconstructions of the training rows.

    An autoencoder is trained on the training rows and reconstructs them. A row is scored by
    its squared distance from the nearest of these reconstructions, on average over
    `n_neighbors` of them [1]_. That distance is large for a row that the network cannot
    reconstruct, which is off the surface near which the training rows lie, and for a row
    that is on the surface but far from them: the two ways to be an outlier that robust PCA
    tells apart [2]_. The reconstruction error sees the first way alone, and misses what the
    network has learnt from anomalies among the training rows. A distance needs all cells of a
    row: missing values and sparse matrices are refused.

    Where the training rows may hold anomalies, `novelty=False`, these are often near each
    other, and the distance is averaged over a tenth of the reconstructions, more than lie
    near a few anomalies. Where they are clean, `novelty=True`, the nearest one alone tells
    best. Columns of different units want a `StandardScaler` in front.

    On the tables of ADBench most of what this gains over the error comes from the distance:
    measured from the rows themselves, with ``autoencoder=FunctionTransformer()``, it tells
    anomalies almost as well. The network leaves out of the references what it takes for
    noise.

    Parameters
    ----------
    autoencoder : transformer with `inverse_transform`, default=None
        What reconstructs rows, of which a copy is fitted: an `AutoencoderTransformer`, or
        another transformer that has `inverse_transform`. One that is fitted already, and is
        not to be fitted again, comes in a :class:`~sklearn.frozen.FrozenEstimator`. None
        takes an `AutoencoderTransformer` with half as many components as features, trained
        on all rows for 10 epochs.

    n_neighbors : "auto", int or float, default="auto"
        Number of reconstructions that a row's distance is averaged over; a float is a share
        of them, in (0, 1]. "auto" takes a tenth, but at least 5, or with `novelty` one.

    max_samples : int, default=4096
        The most training rows to keep the reconstructions of; of more rows as many are drawn
        at random, as in [3]_. The network is trained on all of them.

    novelty : bool, default=False
        Whether the training rows are clean, so that what is asked is whether new rows are
        like them. Rows that were trained on then look more normal than others.

    contamination : "auto" or float, default="auto"
        Share of outliers among the training rows, in (0, 0.5], which sets the threshold.
        "auto" finds it from the 15th, 50th and 85th percentiles (5th, 50th and 95th with
        `novelty`) of the training rows' distances, the roots of minus their scores: it fits
        Tukey's g distribution to them, a normal one that is skewed, and sets the threshold
        where that leaves 0.75 % beyond, as in [4]_. Of clean rows 1 to 3 % are then called
        outliers on average over kinds of tables, in 1 to 50 dimensions: fewer where rows lie
        in clusters, up to 6 % where they lie along a line or have heavy tails; of new rows
        more where a network has learnt from few rows of many features. Where about a tenth
        of the training rows or more are outliers, give their share instead. Rows with equal
        scores are on the same side of the threshold.

    random_state : int, RandomState instance or None, default=None
        Determines the training rows that are kept, and the autoencoder where its own
        `random_state`, or that of a step of it, is None.

    Attributes
    ----------
    autoencoder_ : estimator
        The fitted copy of `autoencoder`.

    references_ : ndarray of shape (n_references, n_features)
        Reconstructions of training rows, from which distances are measured.

    location_ : ndarray of shape (n_features,)
        Median of each column of `references_`, about which distances are computed, so that
        they stay exact where X is far from zero.

    neighbors_ : sklearn.neighbors.NearestNeighbors
        Finds the nearest of ``references_ - location_`` to rows less `location_`.

    n_neighbors_ : int
        Number of references that a row's distance is averaged over.

    offset_ : float
        The threshold: rows whose `score_samples` is below it are outliers.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, where all of them are strings.

    See Also
    --------
    OutlierExplanationDisplay : Shares of the features in the scores of the oddest rows.
    AutoencoderTransformer : Its `score_samples` is the reconstruction error alone.
    sklearn.ensemble.IsolationForest : Outliers as rows that random splits soon isolate.

    References
    ----------
    .. [1] Angiulli and Pizzuti (2002). Fast outlier detection in high dimensional spaces.
       PKDD, 15-27.
    .. [2] Hubert, Rousseeuw and Vanden Branden (2005). ROBPCA: a new approach to robust
       principal component analysis. Technometrics 47(1), 64-79.
    .. [3] Sugiyama and Borgwardt (2013). Rapid distance-based outlier detection via
       sampling. NeurIPS.
    .. [4] Bruffaerts, Verardi and Vermandele (2014). A generalized boxplot for skewed and
       heavy-tailed distributions. Statistics and Probability Letters 95, 110-117.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_autoencoder import AutoencoderOutlierDetector
    >>> X = np.random.RandomState(0).standard_normal((200, 4))
    >>> X[0, 2] = 9
    >>> detector = AutoencoderOutlierDetector(random_state=0).fit(X)
    >>> int(detector.predict(X)[0])
    -1
    >>> int(detector.explain(X)[0].argmax())
    2
    """

    _parameter_constraints: ClassVar[dict] = {
        "autoencoder": [HasMethods(["fit", "transform", "inverse_transform"]), None],
        "n_neighbors": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="right"),
        ],
        "max_samples": [Interval(Integral, 1, None, closed="left")],
        "novelty": ["boolean"],
        "contamination": [StrOptions({"auto"}), Interval(Real, 0, 0.5, closed="right")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        autoencoder=None,
        *,
        n_neighbors="auto",
        max_samples=4096,
        novelty=False,
        contamination="auto",
        random_state=None,
    ):
        self.autoencoder = autoencoder
        self.n_neighbors = n_neighbors
        self.max_samples = max_samples
        self.novelty = novelty
        self.contamination = contamination
        self.random_state = random_state

    # The autoencoder checks its own parameters.
    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Train the autoencoder, keep reconstructions, and set the threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training data, two rows or more.
        y : Ignored
            Not used, present for API consistency.

        Returns
        -------
        self : object
            The fitted detector.
        """
        with unchanged_on_error(self):
            original = X
            X = self._validate(X, reset=True)
            rng = check_random_source(self.random_state)
            self.autoencoder_ = self._fresh_autoencoder(X, rng)
            rows = original if self._takes_names() else X
            _fit_transformer(self.autoencoder_, rows)
            kept = at_most(self.max_samples, self._candidates(X), rng)
            self.references_ = _reconstruct(self.autoencoder_, safe_indexing(rows, kept))
            self.n_neighbors_ = self._count_neighbors(len(kept))
            self._index_references()
            self.offset_ = self._threshold(self._scores_of_training(X, kept))
        return self

    def score_samples(self, X):
        """Say how normal each row of X is: minus its squared distance from the references.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Minus the mean over the `n_neighbors_` nearest of `references_`, in the squared
            units of X, float64. Higher is more normal.
        """
        check_is_fitted(self)
        X = self._validate(X, reset=False)
        return self._scores(X)

    def decision_function(self, X):
        """Say how far each row of X is from the threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            `score_samples` less `offset_`: below zero are outliers.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """Tell the outliers among the rows of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to judge.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            -1 for an outlier and 1 for an inlier, int.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def explain(self, X):
        """Give what each feature adds to the scores of the rows of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to explain.

        Returns
        -------
        contributions : ndarray of shape (n_samples, n_features)
            Mean squared difference of each cell from those of the `n_neighbors_` nearest of
            `references_`, in the squared units of X, float64. None is negative, and the sum
            of a row is minus its `score_samples`, up to rounding.
        """
        check_is_fitted(self)
        X = self._validate(X, reset=False)
        contributions = np.empty(X.shape)
        for rows, _, found in self._nearest(X, self.n_neighbors_):
            contributions[rows] = self._contributions(X[rows], found)
        return contributions

    def _validate(self, X, *, reset: bool) -> np.ndarray:
        """Return rows of X as float32 or float64, where distances of them are numbers."""
        n_rows = 2 if reset else 1
        X = validate_data(self, as_numpy(X), dtype=DTYPES, reset=reset, ensure_min_samples=n_rows)
        # Distances are computed in float64 of float32, too.
        check_cells(X.astype(np.float64, copy=False), reset=reset)
        return X

    def _fresh_autoencoder(self, X: np.ndarray, rng) -> Any:
        """Give an unfitted copy of the autoencoder, or the one that is taken by default."""
        if self.autoencoder is None:
            width = min(-(-X.shape[1] // 2), len(X))
            autoencoder = AutoencoderTransformer(width, max_epochs=EPOCHS, early_stopping=False)
        else:
            autoencoder = clone(self.autoencoder)
        unset = sorted(
            name
            for name, value in autoencoder.get_params().items()
            if value is None and (name == "random_state" or name.endswith("__random_state"))
        )
        if unset:
            autoencoder.set_params(**{name: rng.randint(2**31 - 1) for name in unset})
        return autoencoder

    def _takes_names(self) -> bool:
        """Return whether a part of the autoencoder was fitted before, to columns with names."""
        return hasattr(self, "feature_names_in_") and hasattr(
            self.autoencoder_, "feature_names_in_"
        )

    def _index_references(self) -> None:
        """Set `location_` and `neighbors_`, from `references_`."""
        # The lower of two values in the middle: their mean may overflow.
        self.location_ = np.quantile(self.references_, 0.5, axis=0, method="lower")
        is_wide = self.references_.shape[1] > MAX_TREE_FEATURES
        self.neighbors_ = NearestNeighbors(
            n_neighbors=self.n_neighbors_, algorithm="brute" if is_wide else "kd_tree"
        )
        self.neighbors_.fit(self.references_ - self.location_)

    def _candidates(self, X: np.ndarray) -> np.ndarray:
        """Return the rows of which the reconstructions may be kept.

        With `novelty` these are one of each that are copies: to a copy a row is never new.
        """
        return np.unique(_numbers(X), return_index=True)[1] if self.novelty else np.arange(len(X))

    def _count_neighbors(self, n_references: int) -> int:
        """Give the number of neighbours asked for, where there are as many."""
        if self.n_neighbors == "auto":
            wanted = 1 if self.novelty else max(SHARE_OF_NEIGHBORS * n_references, LEAST_NEIGHBORS)
            return min(int(wanted), n_references)
        if not isinstance(self.n_neighbors, Integral):
            return max(int(self.n_neighbors * n_references), 1)
        n_neighbors = int(self.n_neighbors)
        if n_neighbors > n_references:
            raise ValueError(
                f"n_neighbors={self.n_neighbors} is more than the {n_references} training rows "
                "whose reconstructions are kept. Lower n_neighbors, or pass more rows."
            )
        return n_neighbors

    def _scores_of_training(self, X: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """Scores of the training rows, with `novelty` as if each of them were new.

        Without it they are judged by the same rule as in `predict`, so that `contamination`
        is the share of them that it calls outliers.
        """
        if not self.novelty or len(kept) == 1:
            return self._scores(X)
        n_found = min(self.n_neighbors_ + 1, len(kept))
        scores, numbers = np.empty(len(X)), _numbers(X)
        for rows, squares, found in self._nearest(X, n_found):
            own = numbers[kept[found]] == numbers[rows, None]
            if n_found > self.n_neighbors_:
                own[~own.any(axis=1), -1] = True  # without its own, a row leaves the farthest
            scores[rows] = _scores_of(squares, ~own)
        return scores

    def _scores(self, X: np.ndarray) -> np.ndarray:
        """Minus the mean squared distance of each row of X from the references nearest to it."""
        scores = np.empty(len(X))
        for rows, squares, _ in self._nearest(X, self.n_neighbors_):
            scores[rows] = _scores_of(squares)
        return scores

    def _nearest(self, X: np.ndarray, n_neighbors: int) -> Iterator[tuple]:
        """Find the references nearest to the rows of X, of some rows at a time.

        Yields these rows, as a slice, and the squared distances and indices of their
        references, of shape (n_rows, n_neighbors), the nearest first.
        """
        is_brute = self.neighbors_.algorithm == "brute"
        n_found = n_neighbors + SPARE_NEIGHBORS if is_brute else n_neighbors
        n_found = min(n_found, len(self.references_))
        n_rows = max(LARGEST_BLOCK // max(n_found, X.shape[1]), 1)
        for rows in gen_batches(len(X), n_rows):
            # In the dtype of the references, for which scikit-learn has a quick search.
            block = X[rows].astype(np.float64, copy=False)
            centred = block - self.location_
            with enough_threads(len(X) * self.references_.size):
                distances, found = self.neighbors_.kneighbors(centred, n_found)
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
        """Return what `_nearest` finds for rows of X, from the differences of cells.

        No reference but the candidates of a row has a squared distance below `beyond`.
        """
        squares = np.empty(candidates.shape)
        n_rows = max(LARGEST_BLOCK // (candidates.shape[1] * X.shape[1]), 1)
        for rows in gen_batches(len(X), n_rows):
            gaps = self.references_[candidates[rows]] - X[rows, None]
            squares[rows] = np.square(gaps, out=gaps).sum(axis=2)
        squares, found = _smallest(squares, n_neighbors)
        found = np.take_along_axis(candidates, found, axis=1)
        unsure = squares[:, -1] > np.maximum(beyond, 0)
        if candidates.shape[1] < len(self.references_) and unsure.any():
            squares[unsure], found[unsure] = self._search_all(X[unsure], n_neighbors)
        return squares, found

    def _search_all(self, X: np.ndarray, n_neighbors: int) -> tuple:
        """Return what `_nearest` finds for rows of X, from the differences to all references."""
        squares = np.empty((len(X), n_neighbors))
        found = np.empty((len(X), n_neighbors), dtype=np.intp)
        for rows in gen_batches(len(X), max(LARGEST_BLOCK // len(self.references_), 1)):
            every = cdist(X[rows], self.references_, "sqeuclidean")
            squares[rows], found[rows] = _smallest(every, n_neighbors)
        return squares, found

    def _contributions(self, X: np.ndarray, found: np.ndarray) -> np.ndarray:
        """Mean squared difference of each cell of X from the references found for its row."""
        out = np.empty(X.shape)
        n_rows = max(LARGEST_BLOCK // (found.shape[1] * X.shape[1]), 1)
        for rows in gen_batches(len(X), n_rows):
            gaps = self.references_[found[rows]] - X[rows, None]
            out[rows] = np.square(gaps).mean(axis=1)
        return out

    def _threshold(self, scores: np.ndarray) -> float:
        """Return the score below which a row is an outlier."""
        if self.contamination == "auto":
            is_alone = self.n_features_in_ == 1
            most = MAX_SKEWNESS_OF_ONE_FEATURE if is_alone else MAX_SKEWNESS
            most *= self.n_features_in_**SKEWNESS_POWER
            quantiles = QUANTILES_OF_CLEAN if self.novelty else QUANTILES
            fence = _fence(np.sqrt(-scores), quantiles, most)
            wanted = -np.square(fence)
        else:
            wanted = np.percentile(scores, 100 * self.contamination)
        return _between_ties(np.sort(scores), float(wanted))


def _numbers(X: np.ndarray) -> np.ndarray:
    """Return a number for each row of X, the same for exact copies."""
    copies = find_copies(X)
    return np.arange(len(X)) if copies is None else copies


def _fit_transformer(transformer: Any, X) -> None:
    """Fit a transformer, whatever its `fit` gives back; that of a frozen one asks for a y."""
    if has_fit_parameter(transformer, "y"):
        transformer.fit(X, None)
    else:
        transformer.fit(X)


def _reconstruct(autoencoder: Any, X) -> np.ndarray:
    """Rows of X on their way through the code and back, float64."""
    return np.asarray(autoencoder.inverse_transform(autoencoder.transform(X)), dtype=np.float64)


def _scores_of(squares: np.ndarray, counted: Any = True) -> np.ndarray:
    """Return minus the mean of each row of squared distances, and 0 where that is 0, not -0."""
    return 0.0 - squares.mean(axis=1, where=counted)


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


def _fence(distances: np.ndarray, shares: tuple[float, ...], max_skewness: float) -> float:
    """Return the distance that clean rows seldom exceed: a quantile of Tukey's g distribution.

    It has the median and the upper quantile of the distances, and a skewness g that follows
    from the lower one, exp(g z) being the ratio of their distances from the median.
    """
    lower, middle, upper = np.quantile(distances, shares)
    z, z_upper = ndtri(1 - FALSE_ALARMS), ndtri(shares[-1])
    if upper == middle:
        return upper
    if lower == middle:
        g = max_skewness
    else:
        g = (np.log(upper - middle) - np.log(middle - lower)) / z_upper
        g = np.clip(g, -max_skewness, max_skewness)
    stretch = np.expm1(g * z) / np.expm1(g * z_upper) if g else z / z_upper
    return middle + (upper - middle) * stretch


def _between_ties(scores: np.ndarray, wanted: float) -> float:
    """Return the threshold that is wanted, or the next lower one that parts no ties.

    `scores` are sorted and the highest is that of an inlier. What is returned keeps away from
    them, by more than they change with the rows that are searched together.
    """
    above = np.searchsorted(scores, wanted)
    cuts = np.append(0, 1 + np.flatnonzero(np.diff(scores) > TIE * np.abs(scores[:-1])))
    cut = cuts[np.searchsorted(cuts, above, side="right") - 1]
    highest = scores[cut] * (1 + TIE / 2)
    lowest = scores[cut - 1] * (1 - TIE / 2) if cut > 0 else -np.inf
    return float(max(min(wanted, highest), lowest))
