"""The picture of a comparison, as the command line writes it."""

import numpy as np
import pandas as pd
import pytest
from drawing import drawn_apart, plt, texts

from sk_autoencoder._cli.report import draw_report
from sk_autoencoder._comparison import reconstruct, run_comparison


@pytest.fixture
def X():
    return np.random.RandomState(0).uniform(1, 2, size=(40, 6))


@pytest.fixture
def estimator(quick):
    return quick(max_epochs=1, random_state=None)


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


def test_missing_cells_count_in_no_error(X, estimator):
    X[::3, 2] = np.nan
    comparison = run_comparison(X, (2,), estimator=estimator, test_size=20, random_state=0)

    features = draw_report(comparison, "title", None).get_axes()[-1]

    names = texts(features.get_yticklabels())
    for line, model, method in zip(
        features.get_lines(), comparison.models, ("imputed PCA", "autoencoder"), strict=True
    ):
        error = np.nanmean((reconstruct(model, comparison.X_test) - comparison.X_test) ** 2, axis=0)
        np.testing.assert_allclose(line.get_xdata(), [error[int(name[1:])] for name in names])
        assert line.get_label() == method
