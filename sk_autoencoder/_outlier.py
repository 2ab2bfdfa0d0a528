"""AutoencoderOutlierDetector: rows that lie far from what a network makes of the training rows."""

from __future__ import annotations

import copy
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from sk_autoencoder._exporting import ExportingDetectorMixin
from sk_autoencoder._outliers.references import References
from sk_autoencoder._outliers.threshold import labels_of, threshold
from sk_autoencoder._saving.mixin import SavingMixin
from sk_autoencoder._saving.pickles import replace_fitted
from sk_autoencoder._sklearn_compat import (
    HasMethods,
    Interval,
    RealNotInt,
    StrOptions,
    fit_context,
    safe_indexing,
)
from sk_autoencoder._transformer import AutoencoderTransformer
from sk_autoencoder._utils.arrays import as_numpy
from sk_autoencoder._utils.blocks import at_most
from sk_autoencoder._utils.copies import find_copies
from sk_autoencoder._utils.random import check_random_source
from sk_autoencoder._utils.sizes import check_cells
from sk_autoencoder._validation import (
    DTYPES,
    validate_data,
)

# Scores of 50 epochs told anomalies no better.
EPOCHS = 10

SHARE_OF_NEIGHBORS = 0.1
MIN_NEIGHBORS = 5


class AutoencoderOutlierDetector(OutlierMixin, ExportingDetectorMixin, SavingMixin, BaseEstimator):
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

    autoencoder_: Any
    references_: np.ndarray
    location_: np.ndarray
    n_neighbors_: int
    offset_: float
    n_features_in_: int
    feature_names_in_: np.ndarray

    if TYPE_CHECKING:  # of scikit-learn's, which has no types

        def fit_predict(self, X: Any, y: Any = None, **params: Any) -> np.ndarray: ...
        def set_params(self, **params: Any) -> Self: ...
        def get_params(self, deep: bool = True) -> dict[str, Any]: ...

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
        autoencoder: Any = None,
        *,
        n_neighbors: str | float = "auto",
        max_samples: int = 4096,
        novelty: bool = False,
        contamination: str | float = "auto",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.autoencoder = autoencoder
        self.n_neighbors = n_neighbors
        self.max_samples = max_samples
        self.novelty = novelty
        self.contamination = contamination
        self.random_state = random_state

    # The autoencoder checks its own parameters.
    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None) -> Self:
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
        header, original = copy.copy(self), X
        X = _validated(header, X, reset=True)
        rng = check_random_source(self.random_state)
        autoencoder = self._fresh_autoencoder(X, rng)
        names = getattr(header, "feature_names_in_", None)
        rows = original if names is not None and _takes_names(autoencoder) else X
        _fit_transformer(autoencoder, rows)
        kept = at_most(self.max_samples, self._candidates(X), rng)
        references = _reconstruct(autoencoder, safe_indexing(rows, kept))
        n_neighbors = self._count_neighbors(len(kept))
        index = References.of(references, n_neighbors)
        # Without novelty, training rows are judged by the same rule as in `predict`, so that
        # `contamination` is the share of them that it calls outliers.
        is_new = self.novelty and len(kept) > 1
        scores = index.scores_as_if_new(X, _numbers(X), kept) if is_new else index.scores(X)
        attributes = {
            "autoencoder_": autoencoder,
            "references_": references,
            "location_": index.location,
            "neighbors_": index.neighbors,
            "n_neighbors_": n_neighbors,
            "offset_": threshold(scores, X.shape[1], self.contamination, novelty=self.novelty),
            "n_features_in_": X.shape[1],
        }
        if names is not None:
            attributes["feature_names_in_"] = names
        return self._publish(attributes)

    def score_samples(self, X: Any) -> np.ndarray:
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
        references = self._references()
        return references.scores(_validated(self, X, reset=False))

    def decision_function(self, X: Any) -> np.ndarray:
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

    def predict(self, X: Any) -> np.ndarray:
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
        return labels_of(self.decision_function(X))

    def explain(self, X: Any) -> np.ndarray:
        """Return what each feature adds to the scores of the rows of X.

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
        references = self._references()
        return references.explain(_validated(self, X, reset=False))

    def _fresh_autoencoder(self, X: np.ndarray, rng) -> Any:
        """Return an unfitted copy of the autoencoder, or the one that is taken by default."""
        if self.autoencoder is None:
            autoencoder = default_autoencoder(*X.shape)
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

    def _candidates(self, X: np.ndarray) -> np.ndarray:
        """Return the rows of which the reconstructions may be kept.

        With `novelty` these are one of each that are copies: to a copy a row is never new.
        """
        return np.unique(_numbers(X), return_index=True)[1] if self.novelty else np.arange(len(X))

    def _count_neighbors(self, n_references: int) -> int:
        """Return the number of neighbours asked for, where there are as many."""
        if self.n_neighbors == "auto":
            wanted = 1 if self.novelty else max(SHARE_OF_NEIGHBORS * n_references, MIN_NEIGHBORS)
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

    def _references(self) -> References:
        """Return the references of the fit."""
        check_is_fitted(self)
        return References(self.references_, self.location_, self.neighbors_)

    def _publish(self, attributes: dict[str, Any]) -> AutoencoderOutlierDetector:
        """Set all fitted attributes at once."""
        replace_fitted(self, attributes)
        return self


def default_autoencoder(n_samples: int, n_features: int) -> AutoencoderTransformer:
    """Return what reconstructs rows where nothing else is asked for, not fitted."""
    width = min(-(-n_features // 2), n_samples)
    return AutoencoderTransformer(width, max_epochs=EPOCHS, early_stopping=False)


def _validated(estimator, X, *, reset: bool) -> np.ndarray:
    """Return rows of X as float32 or float64, where distances of them are numbers."""
    n_rows = 2 if reset else 1
    X = validate_data(estimator, as_numpy(X), dtype=DTYPES, reset=reset, ensure_min_samples=n_rows)
    # Distances are computed in float64 of float32, too.
    check_cells(X.astype(np.float64, copy=False), reset=reset)
    return X


def _takes_names(autoencoder: Any) -> bool:
    """Return whether a part of the autoencoder was fitted before, to columns with names."""
    return hasattr(autoencoder, "feature_names_in_")


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
    """Return the reconstructions of rows of X, float64."""
    return np.asarray(autoencoder.inverse_transform(autoencoder.transform(X)), dtype=np.float64)
