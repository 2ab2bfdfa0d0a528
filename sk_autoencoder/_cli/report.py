"""The picture of a comparison: its curves, and what the models make of held-out rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sk_autoencoder._comparison import Comparison, reconstruct
from sk_autoencoder._displays import ComparisonDisplay, ReconstructionDisplay
from sk_autoencoder._displays.axes import COLORS
from sk_autoencoder._displays.images import reconstruction_label
from sk_autoencoder._report.measures import Measures, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

N_IMAGES = 12
N_FEATURES = 15
LONGEST_NAME = 24


def draw_report(comparison: Comparison, title: str, image_shape: tuple[int, int] | None) -> Figure:
    """Draw the curves of error and explained variance over images, or over the features."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(h_pad=0.1)
    height = _height(comparison, image_shape)
    figure = Figure(figsize=(9.5, 3.4 + height), layout=layout, dpi=120)
    # A $ in the name of a file or of a column is no formula.
    figure.suptitle(title, fontweight="bold", parse_math=False)
    grid = figure.add_gridspec(2, 1, height_ratios=[3, height])
    left, right = figure.add_subfigure(grid[0]).subplots(1, 2)
    ComparisonDisplay(comparison.table()).plot("error", ax=left)
    ComparisonDisplay(comparison.table()).plot("explained_variance", ax=right)
    right.get_legend().remove()
    ax = figure.add_subfigure(grid[1]).subplots()
    if image_shape:
        _draw_images(comparison, image_shape, ax)
    else:
        _draw_features(comparison, ax)
    return figure


def _draw_images(comparison: Comparison, image_shape: tuple[int, int], ax: Axes) -> None:
    """Draw held-out images over their reconstructions by all models, in the units of the models."""
    images = comparison.X_test[:N_IMAGES]
    reconstructions = [reconstruct(model, images) for model in comparison.models]
    labels = [
        reconstruction_label(result.method, result.n_components, result.error)
        for result in comparison.results
    ]
    undo = (lambda X: X) if comparison.scaler is None else comparison.scaler.inverse_transform
    ReconstructionDisplay(
        undo(images), [undo(X) for X in reconstructions], labels, image_shape=image_shape
    ).plot(ax=ax)
    ax.set_title("Held-out images and their reconstructions")


def _draw_features(comparison: Comparison, ax: Axes) -> None:
    """Draw the error of each feature, of the models with the most components."""
    measures = Measures(comparison)
    errors = {method: measures.feature_errors(method) for method in comparison.methods}
    pca, autoencoder = comparison.methods
    worst = np.argsort(-errors[pca], kind="stable")[:N_FEATURES]
    places = np.arange(len(worst))
    ax.hlines(places, errors[pca][worst], errors[autoencoder][worst], color="lightgray")
    for method, error in errors.items():
        ax.plot(error[worst], places, "o", label=method, color=COLORS[method])
    ax.set_yticks(
        places, [shortened(measures.names[i], LONGEST_NAME) for i in worst], parse_math=False
    )
    ax.set_ylim(len(worst) - 0.5, -0.5)
    ax.set_xlim(left=0)
    ax.set_xlabel("mean squared error")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False)
    k = max(result.n_components for result in comparison.results)
    n_shown = len(worst)
    which = "each feature"
    if n_shown < len(measures.names):
        which = f"the {n_shown} features where PCA's is greatest"
    ax.set_title(f"Error of {which}, {k} components")


def _height(comparison: Comparison, image_shape: tuple[int, int] | None) -> float:
    """Return the inches that the images, or the features, take below the curves."""
    if image_shape:
        return 0.7 + 0.68 * (len(comparison.results) + 1)
    return 0.7 + 0.3 * min(comparison.X_test.shape[1], N_FEATURES)
