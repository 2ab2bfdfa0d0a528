"""Codes in the plane."""

import numpy as np
import pandas as pd
import pytest
from drawing import drawn_apart, matplotlib, texts
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_autoencoder import CodesDisplay

pytestmark = pytest.mark.quick


@pytest.fixture
def codes():
    return np.random.RandomState(0).standard_normal((60, 3))


def colors(display):
    """Colour of each point, without its transparency."""
    display.figure_.draw_without_rendering()
    return display.scatter_.get_facecolors()[:, :3]


def test_codes_of_a_fitted_estimator(quick, X):
    autoencoder = quick(3, max_epochs=1).fit(X)

    display = CodesDisplay.from_estimator(autoencoder, X, components=(2, 0))

    np.testing.assert_array_equal(
        display.scatter_.get_offsets(), autoencoder.transform(X)[:, [2, 0]]
    )
    assert display.ax_.get_xlabel() == "component 2"
    assert display.ax_.get_ylabel() == "component 0"
    assert display.legend_ is None
    assert display.colorbar_ is None


def test_codes_of_a_pipeline_that_gives_a_dataframe(X):
    pipeline = make_pipeline(StandardScaler(), PCA(2)).set_output(transform="pandas").fit(X)
    display = CodesDisplay.from_estimator(pipeline, X)
    np.testing.assert_array_equal(display.scatter_.get_offsets(), pipeline.transform(X))


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (np.arange(60) % 3, ["0", "1", "2"]),
        (np.arange(60.0) % 3, ["0.0", "1.0", "2.0"]),
        (np.array(["tea", "ale"] * 30), ["ale", "tea"]),
        (np.arange(60) % 2 == 0, ["False", "True"]),
        (pd.Series(["tea", "ale"] * 30, name="drink", dtype="category"), ["ale", "tea"]),
        (pd.Series([1, 0] * 30, name="drink"), ["0", "1"]),
        ([f"class {i % 25:02}" for i in range(60)], [f"class {i:02}" for i in range(25)]),
    ],
    ids=["int", "float", "str", "bool", "category", "series", "many"],
)
def test_classes_have_a_colour_each_and_a_legend(codes, y, classes):
    display = CodesDisplay(codes, y).plot()

    assert texts(display.legend_.get_texts()) == classes
    assert display.legend_.get_title().get_text() == (getattr(y, "name", None) or "")
    assert display.colorbar_ is None
    shown = dict(zip(classes, display.legend_.legend_handles, strict=True))
    for label, color in zip(y, colors(display), strict=True):
        np.testing.assert_allclose(
            color, matplotlib.colors.to_rgb(shown[str(label)].get_color()), atol=1e-12
        )
    assert len(np.unique(colors(display), axis=0)) == len(classes)
    assert drawn_apart(display.ax_)


@pytest.mark.parametrize(
    "y", [np.linspace(0, 1, 60), np.arange(60), pd.Series(np.arange(60) / 7, name="dose")]
)
def test_a_continuous_target_has_a_colour_bar(codes, y):
    display = CodesDisplay(codes, y).plot()

    np.testing.assert_array_equal(display.scatter_.get_array(), y)
    assert display.colorbar_.ax.get_ylabel() == (getattr(y, "name", None) or "")
    assert display.scatter_.get_cmap().name == "viridis"
    assert display.legend_ is None
    assert drawn_apart(display.ax_)


def test_colours_and_points_of_ones_own(codes):
    y = np.arange(60) % 3
    display = CodesDisplay(codes, y).plot(cmap="cividis", scatter_kwargs={"s": 5, "marker": "x"})
    expected = matplotlib.colormaps["cividis"]([0.0, 0.5, 1.0])[:, :3]
    np.testing.assert_allclose(np.unique(colors(display), axis=0), np.unique(expected, axis=0))
    assert display.scatter_.get_sizes().tolist() == [5]
    assert CodesDisplay(codes, y / 7).plot(cmap="magma").scatter_.get_cmap().name == "magma"


@pytest.mark.parametrize("components", [(0, 3), (-1, 0), (1, 1), (0,), (0, 1, 2), (0.0, 1.0)])
def test_components_that_the_codes_do_not_have(codes, components):
    match = r"components=\(.*\) must be two different whole numbers from 0 to 2"
    with pytest.raises(ValueError, match=match):
        CodesDisplay(codes, components=components).plot()


def test_one_component_makes_no_plane(X):
    with pytest.raises(ValueError, match=r"codes have 1 component, .* n_components=2 or more"):
        CodesDisplay.from_estimator(PCA(1).fit(X), X)


@pytest.mark.parametrize(
    ("y", "match"),
    [
        (np.zeros(59), "inconsistent numbers of samples"),
        (np.zeros((60, 2)), "y should be a 1d array"),
        (np.full(60, np.nan), "y contains NaN"),
        ("classes", "'y' parameter .* must be an array-like"),
    ],
)
def test_a_target_that_does_not_fit(codes, y, match):
    pca = PCA(2).fit(codes)
    with pytest.raises(ValueError, match=match):
        CodesDisplay.from_estimator(pca, codes, y)


def test_an_estimator_is_fitted_first(X):
    class Unchecked(BaseEstimator):
        def fit(self, X, y=None):
            self.mean_ = X.mean(axis=0)

        def transform(self, X):
            return X - self.mean_

    with pytest.raises(NotFittedError, match="not fitted yet"):
        CodesDisplay.from_estimator(Unchecked(), X)
