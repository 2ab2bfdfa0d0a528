"""Codes in the plane."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Self

import numpy as np
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.validation import assert_all_finite, check_is_fitted

from sk_autoencoder._displays.axes import check_matplotlib, new_axes
from sk_autoencoder._sklearn_compat import validate_params

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

# Petroff (2021). Accessible color sequences for data visualization. arXiv:2107.02270.
CLASS_COLORS = [
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#94a4a2",
    "#832db6",
    "#a96b59",
    "#e76300",
    "#b9ac70",
    "#717581",
    "#92dadd",
]

MAX_CLASSES = 20
LEGEND_ROWS = 10


class CodesDisplay:
    """Two components of codes as points in the plane, coloured by a target.

    Use :meth:`from_estimator` to make one from a fitted estimator.

    Parameters
    ----------
    codes : ndarray of shape (n_samples, n_components)
        Codes, as `transform` gives them.

    y : array-like of shape (n_samples,), default=None
        Classes, or a continuous target, to colour the points by. The name of a
        `pandas.Series` becomes the title of the legend. Whole numbers of more than 20
        distinct values count as continuous.

    components : tuple of int of shape (2,), default=(0, 1)
        The components on the horizontal and the vertical axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the points.

    figure_ : matplotlib Figure
        Figure that holds the axes.

    scatter_ : matplotlib PathCollection
        The points.

    legend_ : matplotlib Legend or None
        The classes and their colours, where `y` has classes.

    colorbar_ : matplotlib Colorbar or None
        The colours of a continuous `y`.

    See Also
    --------
    ReconstructionDisplay : Originals over their reconstructions.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sk_autoencoder import AutoencoderTransformer, CodesDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> autoencoder = AutoencoderTransformer(n_components=2, max_epochs=5, random_state=0)
    >>> display = CodesDisplay.from_estimator(autoencoder.fit(X), X, y)
    """

    ax_: Axes
    figure_: Figure

    def __init__(self, codes, y=None, *, components: Sequence[int] = (0, 1)) -> None:
        self.codes = codes
        self.y = y
        self.components = components

    @classmethod
    @validate_params(
        {
            "cls": "no_validation",
            "estimator": "no_validation",
            "X": "no_validation",
            "y": ["array-like", None],
            "components": [list, tuple],
            "cmap": "no_validation",
            "scatter_kwargs": [dict, None],
            "ax": "no_validation",
        },
        prefer_skip_nested_validation=True,
    )
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        components: Sequence[int] = (0, 1),
        cmap=None,
        scatter_kwargs=None,
        ax=None,
    ) -> Self:
        """Encode X with a fitted estimator, and plot two components of the codes.

        Parameters
        ----------
        estimator : estimator
            Fitted transformer of two components or more, such as `AutoencoderTransformer`
            and `PCA`, or a pipeline that ends in one.

        X : array-like of shape (n_samples, n_features)
            Rows to encode.

        y : array-like of shape (n_samples,), default=None
            Classes, or a continuous target, to colour the points by. The name of a
            `pandas.Series` becomes the title of the legend. Whole numbers of more than 20
            distinct values count as continuous.

        components : tuple of int of shape (2,), default=(0, 1)
            The components on the horizontal and the vertical axis.

        cmap : str or matplotlib Colormap, default=None
            Colours of the classes, or of a continuous `y`. None takes Petroff's colours for
            up to ten classes, "turbo" for more of them, and "viridis" for a continuous `y`.

        scatter_kwargs : dict, default=None
            Further parameters of matplotlib's `scatter`, such as ``{"s": 5}``.

        ax : matplotlib Axes, default=None
            Axes to plot in; None makes a new figure.

        Returns
        -------
        display : CodesDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If the codes do not have both components, or `y` not one finite value a row.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        check_is_fitted(estimator)
        codes = np.asarray(estimator.transform(X))
        display = cls(codes, y, components=components)
        return display.plot(cmap=cmap, scatter_kwargs=scatter_kwargs, ax=ax)

    def plot(self, *, cmap=None, scatter_kwargs=None, ax=None) -> Self:
        """Plot two components of the codes against each other.

        Parameters
        ----------
        cmap : str or matplotlib Colormap, default=None
            Colours of the classes, or of a continuous `y`. None takes Petroff's colours for
            up to ten classes, "turbo" for more of them, and "viridis" for a continuous `y`.

        scatter_kwargs : dict, default=None
            Further parameters of matplotlib's `scatter`, such as ``{"s": 5}``.

        ax : matplotlib Axes, default=None
            Axes to plot in; None makes a new figure.

        Returns
        -------
        display : CodesDisplay
            The display, with `ax_`, `figure_`, `scatter_`, `legend_` and `colorbar_`.

        Raises
        ------
        ValueError
            If the codes do not have both components, or `y` not one finite value a row.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        first, second = _check_components(self.components, self.codes.shape[1])
        y = None if self.y is None else _check_y(self.y, self.codes)
        self.ax_ = ax = new_axes(ax, f"{type(self).__name__}.plot")
        self.figure_ = ax.figure
        self.legend_: Legend | None = None
        self.colorbar_ = None
        points = self.codes[:, first], self.codes[:, second]
        options = {"s": 16, "alpha": 0.8, "linewidths": 0, **(scatter_kwargs or {})}
        if y is None:
            self.scatter_ = ax.scatter(*points, **options)
        elif _has_classes(y):
            self._scatter_classes(points, y, cmap, options)
        else:
            self.scatter_ = ax.scatter(*points, c=y, cmap=cmap or "viridis", **options)
            self.colorbar_ = ax.figure.colorbar(self.scatter_, ax=ax, label=self._target_name())
            self.colorbar_.solids.set_alpha(1)
        ax.set_xlabel(f"component {first}")
        ax.set_ylabel(f"component {second}")
        ax.spines[["top", "right"]].set_visible(False)
        return self

    def _scatter_classes(self, points, y: np.ndarray, cmap, options: dict) -> None:
        """Draw the points in the order of the rows, so that no class hides another."""
        classes, numbers = np.unique(y, return_inverse=True)
        self.scatter_ = self.ax_.scatter(
            points[0],
            points[1],
            c=numbers,
            cmap=_class_colors(cmap, len(classes)),
            vmin=-0.5,
            vmax=len(classes) - 0.5,
            **options,
        )
        handles, _ = self.scatter_.legend_elements(num=None, alpha=1)
        self.legend_ = self.ax_.legend(
            handles,
            [str(label) for label in classes],
            title=self._target_name(),
            loc="center left",
            bbox_to_anchor=(1, 0.5),
            ncols=-(-len(classes) // LEGEND_ROWS),
            frameon=False,
            handletextpad=0.2,
        )

    def _target_name(self) -> str:
        return str(getattr(self.y, "name", None) or "")


def _check_components(components, n_components: int) -> tuple[int, int]:
    """Refuse what are not two different components of the codes."""
    if n_components < 2:
        raise ValueError(
            f"The codes have {n_components} component, and the plane takes two. Pass an "
            "estimator fitted with n_components=2 or more."
        )
    known = {i for i in components if isinstance(i, Integral) and i in range(n_components)}
    if len(components) != 2 or len(known) != 2:
        raise ValueError(
            f"components={tuple(components)} must be two different whole numbers from 0 to "
            f"{n_components - 1}, as the codes have {n_components} components."
        )
    return components[0], components[1]


def _check_y(y, codes: np.ndarray) -> np.ndarray:
    """Return y as an array of one finite value a row."""
    y = column_or_1d(y)
    check_consistent_length(codes, y)
    assert_all_finite(y, input_name="y")
    return y


def _has_classes(y: np.ndarray) -> bool:
    """Whether y has names, or few whole numbers."""
    if not np.issubdtype(y.dtype, np.number):
        return True
    distinct = np.unique(y)
    return len(distinct) <= MAX_CLASSES and bool(np.all(distinct == distinct.round()))


def _class_colors(cmap, n_classes: int):
    """Return a colormap of as many colours as there are classes."""
    import matplotlib as mpl

    if cmap is None and n_classes <= len(CLASS_COLORS):
        return mpl.colors.ListedColormap(CLASS_COLORS[:n_classes])
    colors = mpl.colormaps.get_cmap(cmap or "turbo")
    return mpl.colors.ListedColormap(colors(np.linspace(0, 1, n_classes)))
