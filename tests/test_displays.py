"""The plots: what is drawn where, in scikit-learn's Display convention."""

import itertools
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_autoencoder._comparison import run_comparison
from sk_autoencoder._displays import ComparisonDisplay, ReconstructionDisplay
from sk_autoencoder._report import draw_report

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "n_components": [8, 8, 2, 2],
            "method": ["PCA", "autoencoder"] * 2,
            "error": [3.0, 2.0, 9.0, 7.0],
            "explained_variance": [0.7, 0.8, 0.1, 0.3],
            "fit_time": [0.1, 1.0, 0.2, 2.0],
            "transform_time": [0.01, 0.02, 0.03, 0.04],
        }
    )


@pytest.fixture
def X():
    return np.random.RandomState(0).uniform(1, 2, size=(40, 6))


@pytest.fixture
def estimator(quick):
    return quick(max_epochs=1, random_state=None)


def texts(labels):
    return [label.get_text() for label in labels]


def drawn_apart(axes):
    """Whether all axes of a figure, with their texts, lie inside of it and apart."""
    figure = axes.figure.get_figure(root=True)
    figure.draw_without_rendering()
    boxes = [ax.get_tightbbox() for ax in figure.get_axes()]
    width, height = figure.bbox.size
    inside = all(
        b.x0 >= -1 and b.y0 >= -1 and b.x1 <= width + 1 and b.y1 <= height + 1 for b in boxes
    )
    return inside and not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


@pytest.mark.parametrize(
    ("measure", "label", "pca", "autoencoder"),
    [
        ("error", "mean squared error", [9, 3], [7, 2]),
        ("explained_variance", "explained variance", [0.1, 0.7], [0.3, 0.8]),
        ("fit_time", "fit time [s]", [0.2, 0.1], [2, 1]),
        ("transform_time", "transform time [s]", [0.03, 0.01], [0.04, 0.02]),
    ],
)
def test_curves(table, measure, label, pca, autoencoder):
    display = ComparisonDisplay(table).plot(measure)

    assert display.figure_ is display.ax_.figure
    assert display.ax_.get_ylabel() == label
    assert texts(display.ax_.get_legend().get_texts()) == ["PCA", "autoencoder"]
    for line, values in zip(display.lines_, (pca, autoencoder), strict=True):
        assert line.get_xdata().tolist() == [2, 8]
        assert line.get_ydata().tolist() == values
    assert drawn_apart(display.ax_)
    assert texts(display.ax_.get_xticklabels()) == ["2", "8"]


def test_curves_start_the_error_at_zero(table):
    assert ComparisonDisplay(table).plot("error").ax_.get_ylim()[0] == 0


def test_many_sizes_leave_room_between_their_labels(table):
    many = pd.concat([table.assign(n_components=k) for k in range(1, 40)])
    assert len(ComparisonDisplay(many).plot().ax_.get_xticks()) < 12


def test_a_display_draws_into_the_axes_given(table, X):
    _, axes = plt.subplots(1, 2)
    assert ComparisonDisplay(table).plot(ax=axes[0]).ax_ is axes[0]
    images = ReconstructionDisplay(X, [X], ["copy"], image_shape=(2, 3)).plot(ax=axes[1])
    assert images.ax_ is axes[1]
    assert images.figure_ is axes[1].figure
    assert len(plt.get_fignums()) == 1


def test_comparison_from_data(X, estimator):
    display = ComparisonDisplay.from_data(
        X, (1, 3), estimator=estimator, random_state=0, test_size=10, measure="explained_variance"
    )

    expected = run_comparison(X, (1, 3), estimator=estimator, test_size=10, random_state=0).table()
    pd.testing.assert_series_equal(display.comparison["error"], expected["error"])
    assert display.ax_.get_ylabel() == "explained variance"


def test_unknown_measure(table):
    with pytest.raises(ValueError, match=r"'measure' parameter of .*plot must be a str"):
        ComparisonDisplay(table).plot("speed")


def test_images_stand_over_their_reconstructions():
    originals = np.arange(12.0).reshape(2, 6)
    display = ReconstructionDisplay(
        originals, [originals + 100], ["plus\n100"], image_shape=(2, 3)
    ).plot()

    shown = display.image_.get_array().filled(np.nan)
    gap = np.nan
    np.testing.assert_array_equal(
        shown,
        [
            [0, 1, 2, gap, 6, 7, 8, gap],
            [3, 4, 5, gap, 9, 10, 11, gap],
            [gap] * 8,
            [100, 101, 102, gap, 106, 107, 108, gap],
            [103, 104, 105, gap, 109, 110, 111, gap],
            [gap] * 8,
        ],
    )
    assert display.image_.get_clim() == (0, 11)
    assert texts(display.ax_.get_yticklabels()) == ["original", "plus\n100"]
    assert display.ax_.get_yticks().tolist() == [0.5, 3.5]
    assert drawn_apart(display.ax_)


def test_reconstructions_from_estimators(X, estimator):
    pca = PCA(2).fit(X)
    autoencoder = estimator.set_params(n_components=3, random_state=0).fit(X)

    display = ReconstructionDisplay.from_estimators(
        [pca, autoencoder], X, image_shape=(3, 2), n_images=4
    )

    np.testing.assert_array_equal(display.originals, X[:4])
    for model, shown in zip((pca, autoencoder), display.reconstructions, strict=True):
        np.testing.assert_allclose(shown, model.inverse_transform(model.transform(X))[:4])
    errors = [np.mean((pca.inverse_transform(pca.transform(X)) - X) ** 2)]
    errors.append(autoencoder.reconstruction_error(X).mean())
    assert display.labels == [
        f"PCA, k=2\nMSE {errors[0]:.3g}",
        f"AutoencoderTransformer, k=3\nMSE {errors[1]:.3g}",
    ]
    assert drawn_apart(display.ax_)


def test_reconstructions_of_a_dataframe_with_labels_of_ones_own(X):
    frame = pd.DataFrame(X, columns=list("abcdef"))
    pca = PCA(2).set_output(transform="pandas").fit(frame)
    display = ReconstructionDisplay.from_estimators(
        [pca], frame, image_shape=(2, 3), labels=["linear"]
    )
    assert texts(display.ax_.get_yticklabels()) == ["original", "linear"]


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"image_shape": (2, 2)}, r"image_shape=\(2, 2\) does not fit X, which has 6 features"),
        ({"image_shape": (6,)}, r"image_shape=\(6,\) does not fit X"),
        ({"image_shape": (2, 3), "labels": ["a", "b"]}, "labels has 2 entries for 1 estimators"),
        ({"image_shape": (2, 3), "n_images": 0}, "'n_images' parameter .* must be an int in"),
        ({"image_shape": 6}, "'image_shape' parameter .* must be"),
    ],
)
def test_wrong_parameters(X, params, match):
    with pytest.raises(ValueError, match=match):
        ReconstructionDisplay.from_estimators([PCA(2).fit(X)], X, **params)


def test_without_matplotlib_it_says_what_to_install(table, X, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    match = r"needs matplotlib, .* pip install matplotlib"
    with pytest.raises(ImportError, match="ComparisonDisplay.plot " + match):
        ComparisonDisplay(table).plot()
    with pytest.raises(ImportError, match="ReconstructionDisplay.plot " + match):
        ReconstructionDisplay(X, [X], ["copy"], image_shape=(2, 3)).plot()
    with pytest.raises(ImportError, match="ComparisonDisplay.from_data " + match):
        ComparisonDisplay.from_data(X)
    with pytest.raises(ImportError, match="ReconstructionDisplay.from_estimators " + match):
        ReconstructionDisplay.from_estimators([], X, image_shape=(2, 3))


def test_report_of_images(X, estimator):
    comparison = run_comparison(
        X, (1, 3), estimator=estimator, test_size=20, random_state=0, standardize=True
    )

    figure = draw_report(comparison, "a title", (2, 3))

    error, explained, images = figure.get_axes()
    assert error.get_ylabel() == "mean squared error"
    assert explained.get_ylabel() == "explained variance"
    assert texts(images.get_yticklabels()) == [
        "original",
        *(f"{r.method}, k={r.n_components}\nMSE {r.error:.3g}" for r in comparison.results),
    ]
    # 12 images of 3 pixels and a gap, in the units of X although the models are not.
    shown = images.get_images()[0].get_array()
    assert shown.shape == (5 * 3, 12 * 4)
    assert 1 <= shown[:2].min() <= shown[:2].max() <= 2
    assert figure.get_suptitle() == "a title"
    assert drawn_apart(images)
    assert not plt.get_fignums()


@pytest.mark.parametrize(
    ("n_features", "title"),
    [
        (3, "Error of each feature, 2 components"),
        (20, "Error of the 15 features where PCA's is greatest, 2 components"),
    ],
)
def test_report_of_features(estimator, n_features, title):
    scales = np.arange(1, n_features + 1)
    X = np.random.RandomState(0).standard_normal((60, n_features)) * scales
    frame = pd.DataFrame(X, columns=[f"$cost{i}_$ " + "long" * 20 for i in range(n_features)])
    comparison = run_comparison(frame, (2, 1), estimator=estimator, test_size=20, random_state=0)

    figure = draw_report(comparison, "$a_$.csv", None)

    *_, features = figure.get_axes()
    pca = comparison.models[0]
    shown = pca.inverse_transform(pca.transform(comparison.X_test))
    error = np.mean((shown - comparison.X_test.to_numpy()) ** 2, axis=0)
    worst = np.argsort(-error)[:15]
    np.testing.assert_allclose(features.get_lines()[0].get_xdata(), error[worst])
    assert features.get_title() == title
    names = texts(features.get_yticklabels())
    assert names == [(f"$cost{i}_$ " + "long" * 20)[:23] + "…" for i in worst]
    assert drawn_apart(features)


def test_features_without_names_are_numbered(X, estimator):
    comparison = run_comparison(X, (2,), estimator=estimator, test_size=20, random_state=0)
    names = texts(draw_report(comparison, "title", None).get_axes()[-1].get_yticklabels())
    assert sorted(names) == [f"x{i}" for i in range(6)]


def test_reconstructions_from_pipelines(X):
    pipeline = make_pipeline(StandardScaler(), PCA(2)).fit(X)
    display = ReconstructionDisplay.from_estimators([pipeline], X, image_shape=(2, 3))
    assert "k=2" in display.labels[0]
