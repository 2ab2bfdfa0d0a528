"""The transformer where PCA stands: the same start, a better end, the same methods."""

import numpy as np
import pytest
from sklearn.datasets import make_s_curve
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler

SHAPES = {
    "narrow": (100, 6),
    "wide": (20, 60),
    "square": (30, 30),
    "more features than axes": (400, 300),
    "more features than axes and rows": (280, 400),
}


def full_pca(n_components, X):
    return PCA(n_components, svd_solver="full").fit(X)


def pca_reconstruction(n_components, X, X_new):
    pca = full_pca(n_components, X)
    return pca.inverse_transform(pca.transform(X_new))


def table(shape, noise=0.1):
    """Rows with 12 directions that stand out from noise."""
    rng = np.random.RandomState(0)
    n_samples, n_features = shape
    directions = np.linspace(5, 1, 12)[:, None] * rng.standard_normal((12, n_features))
    rows = rng.standard_normal((n_samples, 12)) @ directions
    return rows + noise * rng.standard_normal(shape) + rng.uniform(-3, 3, n_features)


@pytest.mark.quick
@pytest.mark.parametrize("n_components", [1, 4])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_no_epochs_give_the_reconstruction_of_pca(quick, shape, n_components):
    X = table(shape)
    autoencoder = quick(n_components, max_epochs=0).fit(X)
    expected = pca_reconstruction(n_components, X, X)
    np.testing.assert_allclose(autoencoder.reconstruct(X), expected, atol=1e-10 * np.ptp(X))


@pytest.mark.quick
@pytest.mark.parametrize("shape", [(100, 6), (20, 60), (400, 300)])
def test_codes_of_no_epochs_are_those_of_pca(quick, shape):
    X = table(shape)
    autoencoder = quick(4, max_epochs=0).fit(X)
    np.testing.assert_allclose(autoencoder.transform(X), full_pca(4, X).transform(X), atol=1e-8)


def test_a_table_too_large_for_an_exact_solution_keeps_the_directions_it_has(quick, monkeypatch):
    monkeypatch.setattr("sk_autoencoder._pca.principal_axes.MAX_EXACT", 250)
    X = table((270, 300), noise=0)
    autoencoder = quick(12, max_epochs=0).fit(X)
    np.testing.assert_allclose(autoencoder.reconstruct(X), X, atol=1e-10)
    np.testing.assert_array_equal(
        quick(12, max_epochs=0).fit_transform(X), autoencoder.transform(X)
    )


def test_as_many_components_as_features_reconstruct_exactly(quick, X, X_new):
    autoencoder = quick(6).fit(X)
    np.testing.assert_allclose(autoencoder.reconstruct(X_new), X_new, atol=1e-10)
    assert autoencoder.score(X_new) == pytest.approx(1)


@pytest.mark.quick
@pytest.mark.parametrize("case", ["noise", "plane"])
def test_where_nothing_beats_pca_the_result_is_pca_on_all_rows(quick, case):
    rng = np.random.RandomState(0)
    X = rng.standard_normal((300, 20))
    if case == "plane":
        X = X[:, :2] @ rng.standard_normal((2, 20)) + 5
    autoencoder = quick(lr=0.3, max_epochs=5).fit(X)
    assert autoencoder.best_epoch_ == 0
    assert autoencoder.n_iter_ == 5
    np.testing.assert_allclose(autoencoder.mean_, X.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(autoencoder.reconstruct(X), pca_reconstruction(2, X, X), atol=1e-10)


def test_a_gain_by_chance_is_not_taken_for_one(quick):
    lucky = 0
    for seed in range(10):
        X = np.random.RandomState(seed).standard_normal((150, 20))
        autoencoder = quick(lr=0.1, batch_size="auto", max_epochs=5, random_state=seed).fit(X)
        assert autoencoder.best_epoch_ == 0
        pca_score = autoencoder.pca_validation_score_
        assert autoencoder.validation_score_ == pytest.approx(pca_score, rel=1e-5)
        lucky += autoencoder.history_["valid_loss"].idxmin() > 0
    assert lucky > 0


@pytest.mark.quick
def test_learns_more_than_pca_on_a_curved_surface(quick):
    X, _ = make_s_curve(800, noise=0.02, random_state=0)
    X, X_new = X[:600], X[600:]
    params = {"hidden_layer_sizes": "auto", "batch_size": "auto", "refit": False}
    autoencoder = quick(lr=5e-3, max_epochs=100, **params).fit(X)
    error_of_pca = np.square(pca_reconstruction(2, X, X_new) - X_new).mean()
    assert autoencoder.reconstruction_error(X_new).mean() < 0.4 * error_of_pca
    assert autoencoder.validation_score_ > autoencoder.pca_validation_score_ + 0.05


def test_the_textbook_network_does_not_start_at_pca_and_learns(quick, X):
    textbook = quick(linear_shortcut=False, max_epochs=0).fit(X)
    assert textbook.score(X) < 0.3
    assert quick(linear_shortcut=False, max_epochs=60, lr=0.01).fit(X).score(X) > 0.6


def test_centring_takes_the_mean_of_the_training_rows(quick, X):
    autoencoder = quick(early_stopping=False).fit(X)
    assert autoencoder.mean_.dtype == np.float64
    np.testing.assert_allclose(autoencoder.mean_, X.mean(axis=0), atol=1e-14)


@pytest.mark.quick
def test_score_is_the_explained_share_of_the_variance_around_the_training_mean(quick, X, X_new):
    autoencoder = quick().fit(X)
    residual = np.square(X_new - autoencoder.reconstruct(X_new)).sum()
    total = np.square(X_new - autoencoder.mean_).sum()
    assert autoencoder.score(X_new) == pytest.approx(1 - residual / total, abs=1e-12)


def test_score_of_no_epochs_is_the_explained_variance_ratio_of_pca(quick, X):
    expected = full_pca(2, X).explained_variance_ratio_.sum()
    assert quick(max_epochs=0).fit(X).score(X) == pytest.approx(expected, abs=1e-12)


def test_reconstruction_errors_are_squares_per_cell_and_their_means_per_row(quick, X, X_new):
    autoencoder = quick().fit(X)
    squares = np.square(X_new - autoencoder.reconstruct(X_new))
    cells = autoencoder.reconstruction_error(X_new, per_feature=True)
    rows = autoencoder.reconstruction_error(X_new)
    np.testing.assert_allclose(cells, squares, rtol=1e-12)
    np.testing.assert_allclose(rows, squares.mean(axis=1), rtol=1e-12)
    np.testing.assert_array_equal(autoencoder.score_samples(X_new), -rows)


def test_a_row_off_the_surface_scores_lower(quick, X):
    autoencoder = quick().fit(X)
    stranger = 10 * np.ones((1, 6)) * [1, -1, 1, -1, 1, -1]
    assert autoencoder.score_samples(stranger)[0] < autoencoder.score_samples(X).min()


@pytest.mark.quick
@pytest.mark.parametrize("params", [{}, {"linear_shortcut": False}])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_floating_dtype_of_the_input_is_that_of_the_output(quick, X, dtype, params):
    X = X.astype(dtype)
    autoencoder = quick(**params).fit(X)
    codes = autoencoder.transform(X)
    assert codes.dtype == dtype
    assert autoencoder.inverse_transform(codes).dtype == dtype
    assert autoencoder.reconstruct(X).dtype == dtype
    assert autoencoder.reconstruction_error(X).dtype == np.float64
    assert autoencoder.score_samples(X).dtype == np.float64


@pytest.mark.parametrize(("fitted", "asked"), [(np.float32, np.float64), (np.float64, np.float32)])
def test_a_fit_in_one_dtype_transforms_rows_of_the_other(quick, X, fitted, asked):
    autoencoder = quick().fit(X.astype(fitted))
    codes = autoencoder.transform(X.astype(asked))
    assert codes.dtype == asked
    np.testing.assert_allclose(codes, autoencoder.transform(X.astype(fitted)), atol=1e-5)


def test_rows_in_float64_are_computed_in_float64(quick, X):
    autoencoder = quick(3, max_epochs=4).fit(X)
    codes = autoencoder.transform(X)
    nearby = autoencoder.transform(X + 1e-11)
    assert 0 < np.abs(codes - nearby).max() < 1e-9


@pytest.mark.quick
def test_fit_transform_is_fit_and_then_transform(quick, X):
    np.testing.assert_array_equal(quick().fit_transform(X), quick().fit(X).transform(X))


def test_rows_of_another_width_are_refused(quick, X):
    autoencoder = quick().fit(X)
    for method in ("transform", "reconstruct", "score", "score_samples", "reconstruction_error"):
        with pytest.raises(ValueError, match=r"X has 5 features.*expecting 6 features"):
            getattr(autoencoder, method)(X[:, :5])


def test_codes_of_another_width_are_refused(quick, X):
    with pytest.raises(ValueError, match=r"has 3 columns.*n_components=2"):
        quick().fit(X).inverse_transform(X[:, :3])


@pytest.mark.quick
@pytest.mark.parametrize(
    "method", ["transform", "inverse_transform", "reconstruct", "score", "reconstruction_error"]
)
def test_an_unfitted_estimator_says_so(quick, X, method):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(quick(), method)(X)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("params", "bad"),
    [({}, np.inf), ({"lr": 1e6}, 0), ({"n_components": 7}, 0), ({"net_params": {"lr": 1}}, 0)],
)
def test_a_fit_that_fails_keeps_what_was_fitted_before(quick, X, params, bad):
    autoencoder = quick().fit(X)
    codes, history, before = autoencoder.transform(X), autoencoder.history_, set(vars(autoencoder))
    broken = StandardScaler().fit_transform(X)[::2]
    broken[0, 0] += bad
    with pytest.raises(ValueError, match=r"infinity|lr|n_components|net_params"):
        autoencoder.set_params(**params).fit(broken)
    np.testing.assert_array_equal(autoencoder.transform(X), codes)
    assert autoencoder.history_ is history
    assert set(vars(autoencoder)) == before


def test_a_first_fit_that_fails_leaves_nothing_fitted(quick, X):
    autoencoder = quick(lr=1e6)
    before = set(vars(autoencoder))
    with pytest.raises(ValueError, match="lr"):
        autoencoder.fit(X)
    assert set(vars(autoencoder)) == before
