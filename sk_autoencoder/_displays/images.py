"""Images over their reconstructions."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from sk_autoencoder._displays.axes import check_matplotlib, new_axes
from sk_autoencoder._displays.reconstructions import (
    check_labels,
    check_rows,
    encode,
    mean_squared_error,
    name_of,
)
from sk_autoencoder._sklearn_compat import Interval, validate_params

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sk_autoencoder import ReconstructionDisplay
    >>> X, _ = load_digits(return_X_y=True)
    >>> pca = PCA(8).fit(X)
    >>> display = ReconstructionDisplay.from_estimators([pca], X, image_shape=(8, 8))
    """

    ax_: Axes
    figure_: Figure

    def __init__(self, originals, reconstructions, labels, *, image_shape) -> None:
        self.originals = originals
        self.reconstructions = reconstructions
        self.labels = labels
        self.image_shape = image_shape

    @classmethod
    @validate_params(
        {
            "cls": "no_validation",
            "estimators": [list, tuple],
            "X": ["array-like", "sparse matrix"],
            "image_shape": [list, tuple],
            "n_images": [Interval(Integral, 1, None, closed="left")],
            "labels": [list, tuple, None],
            "ax": "no_validation",
        },
        prefer_skip_nested_validation=True,
    )
    def from_estimators(
        cls, estimators, X, *, image_shape, n_images=12, labels=None, ax=None
    ) -> Self:
        """Reconstruct images with fitted estimators, and plot them.

        Parameters
        ----------
        estimators : list of estimators
            Fitted transformers with `transform` and `inverse_transform`, such as
            `AutoencoderTransformer` and `PCA`, or pipelines that end in them.

        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Images, flattened. The errors in the labels are those of all of them. Pixels may
            be missing (NaN) where all estimators take that; these are left blank, and only
            the known ones count in the errors. Sparse rows are made dense.

        image_shape : tuple of int of shape (2,)
            Height and width of an image.

        n_images : int, default=12
            How many of the images to show, from the first on.

        labels : list of str, default=None
            What to write beside the reconstructions; None writes the class of the estimator
            or of a pipeline's last step, its number of components and its mean squared error.

        ax : matplotlib Axes, default=None
            Axes to plot in; None makes a new figure.

        Returns
        -------
        display : ReconstructionDisplay
            The display, plotted.

        Raises
        ------
        TypeError
            If an estimator knows no way back from its codes.
        ValueError
            If `image_shape` does not fit X, if `labels` are not one for each estimator, or if
            X has missing values that one of them does not take.
        """
        check_matplotlib(f"{cls.__name__}.from_estimators")
        rows = check_rows(X)
        _check_image_shape(image_shape, rows.shape[1])
        if labels is not None:
            check_labels(labels, estimators)
        shown, own_labels = [], []
        for estimator in estimators:
            codes = encode(estimator, X, rows)
            back = np.asarray(estimator.inverse_transform(codes))
            shown.append(back[:n_images])
            error = mean_squared_error(back, rows)
            own_labels.append(reconstruction_label(name_of(estimator), codes.shape[1], error))
        labels = own_labels if labels is None else list(labels)
        return cls(rows[:n_images], shown, labels, image_shape=image_shape).plot(ax=ax)

    def plot(self, *, ax=None, cmap: Any = "gray_r") -> Self:
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
        self.ax_ = ax = new_axes(ax, f"{type(self).__name__}.plot")
        self.figure_ = ax.figure
        height, _ = self.image_shape
        gap = max(1, height // 7)
        rows = [self.originals, *self.reconstructions]
        self.image_ = ax.imshow(
            np.vstack([_strip(images, self.image_shape, gap) for images in rows]),
            cmap=cmap,
            vmin=np.nanmin(self.originals),
            vmax=np.nanmax(self.originals),
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


def _strip(images: np.ndarray, image_shape, gap: int) -> np.ndarray:
    """Put images side by side, with a gap to the right of and below each; NaN is not drawn."""
    height, width = image_shape
    tiles = np.full((len(images), height + gap, width + gap), np.nan)
    tiles[:, :height, :width] = np.reshape(images, (-1, height, width))
    return np.hstack(list(tiles))


def reconstruction_label(name: str, n_components: int, error: float) -> str:
    """Return the text beside a row of reconstructions."""
    return f"{name}, k={n_components}\nMSE {error:.3g}"


def _check_image_shape(image_shape, n_features: int) -> None:
    """Refuse a shape that does not have as many pixels as X has features."""
    if len(image_shape) != 2 or np.prod(image_shape) != n_features:
        raise ValueError(
            f"image_shape={tuple(image_shape)} does not fit X, which has {n_features} features. "
            f"Pass (height, width) with height * width = {n_features}."
        )
