"""The curves of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from sk_autoencoder._displays.axes import (
    COLORS,
    MEASURES,
    check_matplotlib,
    label_sizes,
    new_axes,
    tidy,
)
from sk_autoencoder._sklearn_compat import StrOptions, validate_params

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sk_autoencoder._transformer import AutoencoderTransformer


class ComparisonDisplay:
    """Curves of what `compare_with_pca` measured, against the number of components.

    Use :meth:`from_data` to compare and plot at once.

    Parameters
    ----------
    comparison : pandas.DataFrame of shape (n_rows, 6)
        Table that `compare_with_pca` gave.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curves.

    figure_ : matplotlib Figure
        Figure that holds the axes.

    lines_ : list of matplotlib Line2D
        The curves, one a method.

    See Also
    --------
    compare_with_pca : Gives the table.
    ReconstructionDisplay : Originals over their reconstructions.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sk_autoencoder import ComparisonDisplay, compare_with_pca
    >>> X, _ = load_iris(return_X_y=True)
    >>> table = compare_with_pca(X, n_components=(1, 2), random_state=0)
    >>> display = ComparisonDisplay(table).plot("explained_variance")
    """

    ax_: Axes
    figure_: Figure

    def __init__(self, comparison) -> None:
        self.comparison = comparison

    @classmethod
    def from_data(
        cls,
        X: Any,
        n_components: str | int | Sequence[int] = "auto",
        *,
        estimator: AutoencoderTransformer | None = None,
        test_size: float = 0.25,
        random_state: int | np.random.RandomState | None = None,
        measure: str = "error",
        ax: Axes | None = None,
    ) -> Self:
        """Compare an autoencoder with PCA, and plot the curves.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data.

        n_components : "auto", int or sequence of int, default="auto"
            Sizes of the code to compare at, as in `compare_with_pca`.

        estimator : AutoencoderTransformer, default=None
            The autoencoder to compare; None takes one with the default parameters.

        test_size : float or int, default=0.25
            Share of the rows to hold out, in (0, 1), or their number.

        random_state : int, RandomState instance or None, default=None
            Determines the split and the fits.

        measure : {"error", "explained_variance", "fit_time", "transform_time"}, \
                default="error"
            What to plot.

        ax : matplotlib Axes, default=None
            Axes to plot in; None makes a new figure.

        Returns
        -------
        display : ComparisonDisplay
            The display, plotted.
        """
        check_matplotlib(f"{cls.__name__}.from_data")
        from sk_autoencoder._comparison import compare_with_pca

        table = compare_with_pca(
            X,
            n_components,
            estimator=estimator,
            test_size=test_size,
            random_state=random_state,
        )
        return cls(table).plot(measure, ax=ax)

    @validate_params(
        {"self": "no_validation", "measure": [StrOptions(set(MEASURES))], "ax": "no_validation"},
        prefer_skip_nested_validation=True,
    )
    def plot(self, measure="error", *, ax=None) -> Self:
        """Plot one measure against the number of components, a curve a method.

        Parameters
        ----------
        measure : {"error", "explained_variance", "fit_time", "transform_time"}, \
                default="error"
            What to plot.

        ax : matplotlib Axes, default=None
            Axes to plot in; None makes a new figure.

        Returns
        -------
        display : ComparisonDisplay
            The display, with `ax_`, `figure_` and `lines_`.
        """
        self.ax_ = ax = new_axes(ax, f"{type(self).__name__}.plot")
        self.figure_ = ax.figure
        self.lines_ = []
        for method, part in self.comparison.groupby("method", sort=False):
            part = part.sort_values("n_components")
            self.lines_ += ax.plot(
                "n_components",
                measure,
                data=part,
                marker="o",
                label=method,
                color=COLORS.get(method),
            )
        label_sizes(ax, self.comparison["n_components"], measure)
        tidy(ax)
        return self
