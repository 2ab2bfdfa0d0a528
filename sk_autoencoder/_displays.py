"""Plots of a comparison and of reconstructions, with scikit-learn's Display convention."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions, validate_params
from sklearn.utils.validation import check_array, check_is_fitted

COLORS = {"PCA": "tab:gray", "autoencoder": "tab:blue"}

MOST_TICKS = 8

MEASURES = {
    "error": "mean squared error",
    "explained_variance": "explained variance",
    "fit_time": "fit time [s]",
    "transform_time": "transform time [s]",
}


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
    """

    def __init__(self, comparison):
        self.comparison = comparison

    @classmethod
    def from_data(
        cls,
        X,
        n_components=(2, 4, 8),
        *,
        estimator=None,
        test_size=0.25,
        random_state=None,
        measure="error",
        ax=None,
    ):
        """Compare an autoencoder with PCA, and plot the curves.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data.

        n_components : sequence of int, default=(2, 4, 8)
            Sizes of the code to compare at.

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
    def plot(self, measure="error", *, ax=None):
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
        self.ax_ = ax = _axes(ax, f"{type(self).__name__}.plot")
        self.figure_ = ax.figure
        self.lines_ = []
        for method, part in self.comparison.groupby("method"):
            part = part.sort_values("n_components")
            self.lines_ += ax.plot(
                "n_components",
                measure,
                data=part,
                marker="o",
                label=method,
                color=COLORS.get(method),
            )
        _mark_sizes(ax, sorted(set(self.comparison["n_components"])))
        ax.set_ylabel(MEASURES[measure])
        if measure == "error":
            ax.set_ylim(bottom=0)
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False)
        return self


class ReconstructionDisplay:
    """Images over their reconstructions, a row of them for each estimator.

    Use :meth:`from_estimators` to make one from fitted estimators.

    Parameters
    ----------
    originals : ndarray of shape (n_images, n_features)
        Images to show, flattened.

    reconstructions : list of ndarray of shape (n_images, n_features)
        Their reconstructions, one array for each estimator.

    labels : list of str
        What to write beside the reconstructions.

    image_shape : tuple of int of shape (2,)
        Height and width of an image.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the images.

    figure_ : matplotlib Figure
        Figure that holds the axes.

    image_ : matplotlib AxesImage
        All images side by side.

    See Also
    --------
    ComparisonDisplay : Curves of the error against the number of components.
    """

    def __init__(self, originals, reconstructions, labels, *, image_shape):
        self.originals = originals
        self.reconstructions = reconstructions
        self.labels = labels
        self.image_shape = image_shape

    @classmethod
    @validate_params(
        {
            "cls": "no_validation",
            "estimators": [list, tuple],
            "X": ["array-like"],
            "image_shape": [list, tuple],
            "n_images": [Interval(Integral, 1, None, closed="left")],
            "labels": [list, tuple, None],
            "ax": "no_validation",
        },
        prefer_skip_nested_validation=True,
    )
    def from_estimators(cls, estimators, X, *, image_shape, n_images=12, labels=None, ax=None):
        """Reconstruct images with fitted estimators, and plot them.

        Parameters
        ----------
        estimators : list of estimators
            Fitted transformers with `transform` and `inverse_transform`, such as
            `AutoencoderTransformer` and `PCA`.

        X : array-like of shape (n_samples, n_features)
            Images, flattened. The errors in the labels are those of all of them.

        image_shape : tuple of int of shape (2,)
            Height and width of an image.

        n_images : int, default=12
            How many of the images to show, from the first on.

        labels : list of str, default=None
            What to write beside the reconstructions; None writes the estimator's class, its
            number of components and its mean squared error.

        ax : matplotlib Axes, default=None
            Axes to plot in; None makes a new figure.

        Returns
        -------
        display : ReconstructionDisplay
            The display, plotted.
        """
        check_matplotlib(f"{cls.__name__}.from_estimators")
        rows = check_array(X, dtype=[np.float64, np.float32], input_name="X")
        _check_image_shape(image_shape, rows.shape[1])
        reconstructions = [_reconstruct(estimator, X) for estimator in estimators]
        if labels is None:
            pairs = zip(estimators, reconstructions, strict=True)
            labels = [_label(estimator, X, rows, back) for estimator, back in pairs]
        elif len(labels) != len(estimators):
            raise ValueError(
                f"labels has {len(labels)} entries for {len(estimators)} estimators. "
                "Pass one for each, or None."
            )
        shown = [reconstruction[:n_images] for reconstruction in reconstructions]
        return cls(rows[:n_images], shown, list(labels), image_shape=image_shape).plot(ax=ax)

    def plot(self, *, ax=None, cmap="gray_r"):
        """Plot a row of originals over rows of their reconstructions.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot in; None makes a new figure.

        cmap : str or matplotlib Colormap, default="gray_r"
            Colours of the pixels, from the least of the originals to the greatest.

        Returns
        -------
        display : ReconstructionDisplay
            The display, with `ax_`, `figure_` and `image_`.
        """
        self.ax_ = ax = _axes(ax, f"{type(self).__name__}.plot")
        self.figure_ = ax.figure
        height, _ = self.image_shape
        gap = max(1, height // 7)
        rows = [self.originals, *self.reconstructions]
        self.image_ = ax.imshow(
            np.vstack([_strip(images, self.image_shape, gap) for images in rows]),
            cmap=cmap,
            vmin=np.min(self.originals),
            vmax=np.max(self.originals),
            interpolation="nearest",
        )
        ax.set_xticks([])
        ax.set_yticks(
            [(height - 1) / 2 + i * (height + gap) for i in range(len(rows))],
            ["original", *self.labels],
        )
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        return self


def check_matplotlib(caller: str) -> None:
    """Say what to install where matplotlib is missing."""
    try:
        import matplotlib  # noqa: F401 (only to see whether it is there)
    except ImportError as error:
        raise ImportError(
            f"{caller} needs matplotlib, which is not installed. Run: pip install matplotlib"
        ) from error


def _axes(ax, caller: str):
    """Give the axes passed, or those of a new figure."""
    check_matplotlib(caller)
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1]


def _mark_sizes(ax, sizes: list[int]) -> None:
    """Spread sizes of a code, which tend to be powers of two, and mark as many as have room."""
    ax.set_xscale("log", base=2)
    if len(sizes) <= MOST_TICKS:
        ax.set_xticks(sizes)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.minorticks_off()
    ax.set_xlabel("number of components")


def _strip(images: np.ndarray, image_shape, gap: int) -> np.ndarray:
    """Put images side by side, with a gap to the right of and below each; NaN is not drawn."""
    height, width = image_shape
    tiles = np.full((len(images), height + gap, width + gap), np.nan)
    tiles[:, :height, :width] = np.reshape(images, (-1, height, width))
    return np.hstack(list(tiles))


def _reconstruct(estimator, X) -> np.ndarray:
    check_is_fitted(estimator)
    return np.asarray(estimator.inverse_transform(estimator.transform(X)))


def _label(estimator, X, rows: np.ndarray, reconstruction: np.ndarray) -> str:
    """Name an estimator, its number of components and its mean squared error."""
    error = np.square(reconstruction - rows, dtype=np.float64).mean()
    n_components = estimator.transform(X[:1]).shape[1]
    return reconstruction_label(type(estimator).__name__, n_components, error)


def reconstruction_label(name: str, n_components: int, error: float) -> str:
    """Give the text beside a row of reconstructions."""
    return f"{name}, k={n_components}\nMSE {error:.3g}"


def _check_image_shape(image_shape, n_features: int) -> None:
    """Refuse a shape that does not have as many pixels as X has features."""
    if len(image_shape) != 2 or np.prod(image_shape) != n_features:
        raise ValueError(
            f"image_shape={tuple(image_shape)} does not fit X, which has {n_features} features. "
            f"Pass (height, width) with height * width = {n_features}."
        )
