"""Shares of the features in the scores of outliers."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Self

import numpy as np
from sklearn.pipeline import Pipeline

from sk_autoencoder._displays.axes import check_matplotlib, new_axes
from sk_autoencoder._sklearn_compat import Interval, get_feature_names, validate_params

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DARKEST_UNDER_BLACK = 0.5


class OutlierExplanationDisplay:
    """Table of rows by features, with each feature's share in the row's score.

    Use :meth:`from_estimator` to make one from a fitted detector.

    Parameters
    ----------
    contributions : ndarray of shape (n_rows, n_features)
        What each feature adds to the score of each row, none of it negative, as
        `AutoencoderOutlierDetector.explain` gives it.

    row_names : sequence of shape (n_rows,), default=None
        Names of the rows; None counts them from 0.

    feature_names : sequence of str of shape (n_features,), default=None
        Names of the features; None takes "x0", "x1" and so on.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the table.

    figure_ : matplotlib Figure
        Figure that holds the axes.

    image_ : matplotlib AxesImage
        The cells of the table, masked where they have no colour.

    text_ : ndarray of matplotlib Text, of shape (n_rows, n_columns)
        The shares written into the cells, in percent.

    See Also
    --------
    AutoencoderOutlierDetector : Its `explain` gives the contributions.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.preprocessing import scale
    >>> from sk_autoencoder import AutoencoderOutlierDetector, OutlierExplanationDisplay
    >>> X = scale(load_wine().data)
    >>> detector = AutoencoderOutlierDetector(random_state=0).fit(X)
    >>> display = OutlierExplanationDisplay.from_estimator(detector, X, n_rows=5)
    """

    ax_: Axes
    figure_: Figure

    def __init__(self, contributions, *, row_names=None, feature_names=None) -> None:
        self.contributions = contributions
        self.row_names = row_names
        self.feature_names = feature_names

    @classmethod
    @validate_params(
        {
            "cls": "no_validation",
            "estimator": "no_validation",
            "X": "no_validation",
            "n_rows": [Interval(Integral, 1, None, closed="left")],
            "max_features": [Interval(Integral, 1, None, closed="left")],
            "feature_names": ["array-like", None],
            "cmap": "no_validation",
            "ax": "no_validation",
        },
        prefer_skip_nested_validation=True,
    )
    def from_estimator(
        cls, estimator, X, *, n_rows=10, max_features=10, feature_names=None, cmap=None, ax=None
    ) -> Self:
        """Explain the oddest rows of X with a fitted detector, and plot what it gives.

        Parameters
        ----------
        estimator : AutoencoderOutlierDetector
            Fitted detector, or another one that has `explain`, or a fitted
            :class:`~sklearn.pipeline.Pipeline` that ends in one.

        X : array-like of shape (n_samples, n_features)
            Rows of which the ones with the highest scores are explained. Those of a
            DataFrame go by the names in its index.

        n_rows : int, default=10
            The most rows to explain, the oddest first.

        max_features : int, default=10
            The most features to give a column, those with the highest shares on average.
            The rest share a last one, which has no colour.

        feature_names : array-like of str of shape (n_features,), default=None
            Names of the features. None takes those of X, or, of a pipeline, those that the
            steps before the last one give; else "x0", "x1" and so on.

        cmap : str or matplotlib Colormap, default=None
            Colours of the cells, from a share of 0 on; None takes "Blues".

        ax : matplotlib Axes, default=None
            Axes to plot in; None makes a new figure.

        Returns
        -------
        display : OutlierExplanationDisplay
            The display, plotted.

        Raises
        ------
        TypeError
            If the estimator, or the last step of the pipeline, has no `explain`.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        detector = estimator[-1] if isinstance(estimator, Pipeline) else estimator
        if not hasattr(detector, "explain"):
            raise TypeError(
                f"{type(detector).__name__} has no method explain. Pass a fitted "
                "AutoencoderOutlierDetector, or a Pipeline that ends in one."
            )
        # A list has a method of that name.
        index = X.index if hasattr(X, "iloc") else None
        names = get_feature_names(X)
        if detector is not estimator and len(estimator) > 1:
            X, names = _transform(estimator[:-1], X)
        contributions = detector.explain(X)
        oddest = np.argsort(-contributions.sum(axis=1), kind="stable")[:n_rows]
        display = cls(
            contributions[oddest],
            row_names=oddest if index is None else np.asarray(index)[oddest],
            feature_names=names if feature_names is None else feature_names,
        )
        return display.plot(max_features=max_features, cmap=cmap, ax=ax)

    def plot(self, *, max_features=10, cmap=None, ax=None) -> Self:
        """Plot the shares, a row of the table for each row.

        Parameters
        ----------
        max_features : int, default=10
            The most features to give a column, those with the highest shares on average.
            The rest share a last one, which has no colour.

        cmap : str or matplotlib Colormap, default=None
            Colours of the cells, from a share of 0 on; None takes "Blues".

        ax : matplotlib Axes, default=None
            Axes to plot in; None makes a new figure.

        Returns
        -------
        display : OutlierExplanationDisplay
            The display, with `ax_`, `figure_`, `image_` and `text_`.

        Raises
        ------
        ValueError
            If there are not as many names as rows or features.
        """
        names, shares = self._columns(max_features)
        self.ax_ = ax = new_axes(ax, f"{type(self).__name__}.plot")
        self.figure_ = ax.figure
        # A sum over many features would outshine what each of the others has.
        is_sum = np.broadcast_to(np.arange(len(names)) >= max_features, shares.shape)
        cells = np.ma.array(shares, mask=is_sum)
        self.image_ = ax.imshow(cells, cmap=cmap or "Blues", vmin=0, aspect="auto")
        self._write(shares, is_sum)
        n_rows = len(shares)
        rows = _check_names(self.row_names, range(n_rows), n_rows, "row_names")
        ax.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
        ax.set_yticks(range(n_rows), [str(name) for name in rows])
        ax.set_ylabel("row")
        ax.set_title("share of each feature in the score [%]", fontsize="medium")
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        return self

    def _columns(self, max_features: int) -> tuple[list[str], np.ndarray]:
        """Return the columns of the table, the highest on average first, and the shares in them."""
        contributions = np.asarray(self.contributions)
        n_features = contributions.shape[1]
        names = _check_names(
            self.feature_names,
            [f"x{i}" for i in range(n_features)],
            n_features,
            "feature_names",
        )
        total = contributions.sum(axis=1, keepdims=True)
        # A row whose score is zero is no outlier, and nothing has a share in that.
        shares = np.divide(contributions, total, out=np.zeros(contributions.shape), where=total > 0)
        order = np.argsort(-shares.mean(axis=0), kind="stable")
        shown, others = order[:max_features], order[max_features:]
        columns, table = [str(names[i]) for i in shown], shares[:, shown]
        if len(others) > 0:
            columns.append(f"{len(others)} other{'s' if len(others) > 1 else ''}")
            table = np.column_stack([table, shares[:, others].sum(axis=1)])
        return columns, table

    def _write(self, shares: np.ndarray, is_sum: np.ndarray) -> None:
        """Write the shares into the cells, light on dark colours."""
        self.text_ = np.empty(shares.shape, dtype=object)
        for place, share in np.ndenumerate(shares):
            luminance = self.image_.to_rgba(share)[:3] @ np.array([0.299, 0.587, 0.114])
            color = "black" if is_sum[place] or luminance > DARKEST_UNDER_BLACK else "white"
            row, column = place
            self.text_[place] = self.ax_.text(
                column, row, f"{100 * share:.0f}", ha="center", va="center", color=color
            )


def _transform(steps: Pipeline, X):
    """Return what the steps make of X, and the names of its features, where there are any."""
    X = steps.transform(X)
    try:
        return X, steps.get_feature_names_out()
    except AttributeError:  # of a step that has no such method
        return X, get_feature_names(X)


def _check_names(names, default, expected: int, parameter: str):
    """Return the names, or those by default; refuse another number of them."""
    if names is None:
        return default
    if len(names) != expected:
        raise ValueError(
            f"{parameter} has {len(names)} names for {expected} rows or features of "
            "contributions. Pass one for each of them."
        )
    return names
