"""How much of X comes back of codes of each size."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from sk_autoencoder._displays.axes import COLORS, check_matplotlib, label_sizes, new_axes, tidy
from sk_autoencoder._displays.reconstructions import (
    check_labels,
    check_rows,
    encode,
    is_nested,
    last_step,
    mean_squared_error,
    name_of,
    variance,
)
from sk_autoencoder._model.dimension import number_beyond_chance
from sk_autoencoder._pca.principal_axes import explained_variance
from sk_autoencoder._sklearn_compat import StrOptions, validate_params

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MEASURES_OF_ERROR = {"error", "explained_variance"}
MAX_SIZES = 64
MARKERS = "os^Dv"
MAX_MARKERS = 16
MARKER_DISTANCE = 0.1  # of the diagonal of the axes


class ReconstructionCurveDisplay:
    """Error of reconstructions, or explained variance, against the number of components.

    Use :meth:`from_estimators` to make one from fitted estimators.

    Parameters
    ----------
    curves : pandas.DataFrame of shape (n_points, 4)
        A row for each point: "label", "n_components", "error" and "explained_variance".

    elbows : dict of str to int, default=None
        By label the number of components before the elbow, which is marked on its curve. None
        marks nothing.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curves.

    figure_ : matplotlib Figure
        Figure that holds the axes.

    lines_ : list of matplotlib Line2D
        The curves, one a label.

    marks_ : dict of str to matplotlib Line2D
        By label what marks its elbow.

    See Also
    --------
    ComparisonDisplay : Fits an autoencoder and PCA at each size, and plots both.
    ReconstructionDisplay : Originals over their reconstructions.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sk_autoencoder import AutoencoderTransformer, ReconstructionCurveDisplay
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = AutoencoderTransformer(n_components=8, max_epochs=5, random_state=0)
    >>> fitted = [PCA().fit(X), autoencoder.fit(X)]
    >>> display = ReconstructionCurveDisplay.from_estimators(fitted, X)
    """

    ax_: Axes
    figure_: Figure

    def __init__(self, curves, *, elbows=None) -> None:
        self.curves = curves
        self.elbows = elbows

    @classmethod
    @validate_params(
        {
            "cls": "no_validation",
            "estimators": [list, tuple],
            "X": ["array-like", "sparse matrix"],
            "labels": [list, tuple, None],
            "measure": [StrOptions(MEASURES_OF_ERROR)],
            "ax": "no_validation",
        },
        prefer_skip_nested_validation=True,
    )
    def from_estimators(cls, estimators, X, *, labels=None, measure="error", ax=None) -> Self:
        """Reconstruct X with fitted estimators, and plot how well they do.

        The components of `PCA`, and of an autoencoder with `nested=True`, are ordered: the
        first of them are the code of a smaller size. One fit of these gives a whole curve, at
        all sizes up to its own, or at about 64 of them, spread geometrically, where there are
        more. Any other estimator gives one point.

        On each curve with a point at every size from 1 on, a ring marks the elbow, as
        `n_components="auto"` finds it; a fit with that has it at its last point.

        Parameters
        ----------
        estimators : list of estimators
            Fitted transformers with `transform` and `inverse_transform`, such as
            `AutoencoderTransformer` and `PCA`, or pipelines that end in them.

        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to reconstruct. Cells may be missing (NaN) where all estimators take that;
            only the known ones count. Sparse rows are made dense.

        labels : list of str, default=None
            Names of the estimators. Those of one name make one curve. None takes the names
            of their classes.

        measure : {"error", "explained_variance"}, default="error"
            What to plot: the mean squared error in the squared units of X, or one minus its
            share of the variance of X.

        ax : matplotlib Axes, default=None
            Axes to plot in; None makes a new figure.

        Returns
        -------
        display : ReconstructionCurveDisplay
            The display, plotted.

        Raises
        ------
        TypeError
            If an estimator knows no way back from its codes.
        ValueError
            If `labels` are not one for each estimator, if two estimators of one name have
            as many components, if there is no estimator, or if X has missing
            values that one of them does not take.
        """
        check_matplotlib(f"{cls.__name__}.from_estimators")
        if not estimators:
            raise ValueError("estimators is empty. Pass at least one fitted estimator.")
        if labels is None:
            labels = [name_of(estimator) for estimator in estimators]
        else:
            check_labels(labels, estimators)
        rows = check_rows(X)
        total = variance(rows)
        curves = pd.DataFrame(
            [
                (label, size, error, explained_variance(error, total))
                for label, estimator in zip(labels, estimators, strict=True)
                for size, error in _errors(estimator, X, rows)
            ],
            columns=["label", "n_components", "error", "explained_variance"],
        )
        _check_distinct(curves)
        chosen = {
            label: last_step(estimator).n_components_
            for label, estimator in zip(labels, estimators, strict=True)
            if is_nested(estimator)
            and getattr(last_step(estimator), "n_components", None) == "auto"
        }
        elbows = _elbows(curves, rows.shape[1]) | chosen
        return cls(curves, elbows=elbows).plot(measure, ax=ax)

    @validate_params(
        {
            "self": "no_validation",
            "measure": [StrOptions(MEASURES_OF_ERROR)],
            "ax": "no_validation",
        },
        prefer_skip_nested_validation=True,
    )
    def plot(self, measure="error", *, ax=None) -> Self:
        """Plot one measure against the number of components, a curve a label.

        Parameters
        ----------
        measure : {"error", "explained_variance"}, default="error"
            What to plot: the mean squared error in the squared units of X, or one minus its
            share of the variance of X.

        ax : matplotlib Axes, default=None
            Axes to plot in; None makes a new figure.

        Returns
        -------
        display : ReconstructionCurveDisplay
            The display, with `ax_`, `figure_`, `lines_` and `marks_`.
        """
        self.ax_ = ax = new_axes(ax, f"{type(self).__name__}.plot")
        self.figure_ = ax.figure
        self.lines_, self.marks_ = [], {}
        groups = self.curves.groupby("label", sort=False)
        for (label, part), marker in zip(groups, cycle(MARKERS), strict=False):
            self.lines_ += ax.plot(
                "n_components",
                measure,
                data=part.sort_values("n_components"),
                marker=marker,
                markersize=4,
                markevery=MARKER_DISTANCE if len(part) > MAX_MARKERS else None,
                label=label,
                color=COLORS.get(label),
            )
            if label in (self.elbows or {}):
                self.marks_[label] = _mark(ax, part, self.elbows[label], measure, self.lines_[-1])
        label_sizes(ax, self.curves["n_components"], measure)
        tidy(ax)
        return self


def _errors(estimator, X, rows: np.ndarray) -> Iterator[tuple[int, float]]:
    """Encode X once, and give the error of its reconstruction from codes of each size."""
    for codes, size in _codes_of_each_size(estimator, encode(estimator, X, rows)):
        reconstruction = np.asarray(estimator.inverse_transform(codes))
        yield size, mean_squared_error(reconstruction, rows)


def _codes_of_each_size(estimator, codes: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
    """Return the first components alone, for each size, where they are ordered."""
    n_components = codes.shape[1]
    if is_nested(estimator):
        for size in _sizes(n_components):
            yield codes[:, :size], size
    elif isinstance(last_step(estimator), PCA):
        for size in _sizes(n_components):
            yield np.where(np.arange(n_components) < size, codes, 0), size
    else:
        yield codes, n_components


def _sizes(n_components: int) -> list[int]:
    """Return all sizes of a code, or, of many, some that are spread geometrically."""
    if n_components <= MAX_SIZES:
        return list(range(1, n_components + 1))
    spread = np.geomspace(1, n_components, MAX_SIZES).round().astype(int)
    return np.unique(spread).tolist()


def _elbows(curves: pd.DataFrame, n_features: int) -> dict[str, int]:
    """Return by label how many components count, of the curves that have a point at each size."""
    found = {}
    for label, part in curves.groupby("label", sort=False):
        part = part.sort_values("n_components")
        sizes = part["n_components"].to_numpy()
        if len(part) > 1 and np.array_equal(sizes, np.arange(1, len(part) + 1)):
            shares = np.diff(part["explained_variance"], prepend=0.0)
            found[str(label)] = number_beyond_chance(shares, n_features)
    return found


def _mark(ax, part: pd.DataFrame, elbow: int, measure: str, line):
    """Draw a ring around the point of a curve at a size, and write the size beside it."""
    y = part.loc[part["n_components"] == elbow, measure].iloc[0]
    (ring,) = ax.plot(elbow, y, "o", markersize=13, markerfacecolor="none", color=line.get_color())
    ax.annotate(
        str(elbow), (elbow, y), xytext=(7, -16), textcoords="offset points", color=line.get_color()
    )
    return ring


def _check_distinct(curves: pd.DataFrame) -> None:
    """Refuse two points of one curve at one size."""
    twice = curves[curves.duplicated(["label", "n_components"])]
    if len(twice):
        label, size = twice.iloc[0][["label", "n_components"]]
        raise ValueError(
            f"Two estimators named {label!r} have {size} components. Pass labels that tell "
            "them apart."
        )
