"""Images over their reconstructions."""

import numpy as np
import pandas as pd
import pytest
from drawing import drawn_apart, texts
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_autoencoder import ReconstructionDisplay

pytestmark = pytest.mark.quick


@pytest.fixture
def X():
    return np.random.RandomState(0).uniform(1, 2, size=(40, 6))


@pytest.fixture
def estimator(quick):
    return quick(max_epochs=1, random_state=None)


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


def test_reconstructions_from_pipelines(X):
    pipeline = make_pipeline(StandardScaler(), PCA(2)).fit(X)
    display = ReconstructionDisplay.from_estimators([pipeline], X, image_shape=(2, 3))
    assert display.labels[0].startswith("PCA, k=2\n")


def test_missing_pixels_are_left_blank_and_do_not_count(X, estimator):
    autoencoder = estimator.set_params(random_state=0).fit(X)
    X[:, 0] = np.nan
    display = ReconstructionDisplay.from_estimators([autoencoder], X, image_shape=(2, 3))
    assert display.labels[0].endswith(f"MSE {autoencoder.reconstruction_error(X).mean():.3g}")
    shown = display.image_.get_array()
    assert shown.mask[0, 0]
    assert not shown.mask[3, 0]
    assert display.image_.get_clim() == (X[:12, 1:].min(), X[:12, 1:].max())


@pytest.mark.parametrize("container", [sparse.csr_array, sparse.coo_matrix])
def test_sparse_images_look_like_dense_ones(X, container):
    fits = [PCA(2).fit(X)]
    dense = ReconstructionDisplay.from_estimators(fits, X, image_shape=(2, 3))
    display = ReconstructionDisplay.from_estimators(fits, container(X), image_shape=(2, 3))
    np.testing.assert_array_equal(display.originals, dense.originals)
    np.testing.assert_allclose(display.reconstructions, dense.reconstructions)
    assert display.labels == dense.labels


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
