"""Components: whitened, with their variances, as a linear map, and as many as are needed."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from seams import moments_of, unwhitened
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from torch import nn

from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder._nn.whitening import Whitening

VARIANTS = {
    "defaults": {},
    "all rows": {"early_stopping": False},
    "textbook": {"linear_shortcut": False},
    "no epochs": {"max_epochs": 0},
    "absolute error": {"loss": "absolute_error"},
}


def table(n_samples=150, n_features=30, seed=0):
    """Rows whose directions have variances that fall step by step."""
    rng = np.random.RandomState(seed)
    return rng.standard_normal((n_samples, n_features)) * np.geomspace(9, 0.1, n_features) + 5


def up_to_sign(components):
    columns = np.abs(components).argmax(axis=1)
    return components * np.sign(components[np.arange(len(components)), columns])[:, None]


class Mirror(nn.Module):
    """A user's module: one layer, read forwards and backwards, with a bend."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(6, 3, generator=generator))

    def encode(self, x):
        return x @ self.weight

    def decode(self, z):
        return torch.tanh(z @ self.weight.T)

    def forward(self, x):
        return self.decode(self.encode(x))


@pytest.mark.quick
@pytest.mark.parametrize("params", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_whitened_codes_are_centred_with_unit_covariance(quick, X, params, dtype):
    X = X.astype(dtype)
    autoencoder = quick(3, whiten=True, **params).fit(X)
    codes = autoencoder.transform(X)
    assert codes.dtype == dtype
    atol = {np.float32: 1e-4, np.float64: 1e-9}[dtype]
    np.testing.assert_allclose(codes.mean(axis=0), 0, atol=atol)
    np.testing.assert_allclose(np.cov(codes.astype(float), rowvar=False), np.eye(3), atol=atol)


def test_whitened_codes_of_weighted_rows_have_unit_weighted_covariance(quick, X):
    weight = np.random.RandomState(0).uniform(0, 3, len(X))
    codes = quick(3, whiten=True).fit(X, sample_weight=weight).transform(X)
    np.testing.assert_allclose(np.average(codes, axis=0, weights=weight), 0, atol=1e-10)
    covariance = (weight * codes.T) @ codes / (weight.sum() - 1)  # as if of repeated rows
    np.testing.assert_allclose(covariance, np.eye(3), atol=1e-9)


@pytest.mark.parametrize("params", VARIANTS.values(), ids=VARIANTS)
def test_whitening_changes_codes_and_nothing_else(quick, X, X_new, params):
    plain, whitened = quick(3, **params).fit(X), quick(3, whiten=True, **params).fit(X)
    codes = whitened.transform(X_new)
    assert np.abs(codes - plain.transform(X_new)).max() > 0.01
    expected = plain.reconstruct(X_new)
    np.testing.assert_allclose(whitened.inverse_transform(codes), expected, atol=1e-9)
    np.testing.assert_array_equal(whitened.reconstruct(X_new), expected)
    assert whitened.score(X_new) == plain.score(X_new)
    np.testing.assert_array_equal(whitened.explained_variance_, plain.explained_variance_)
    np.testing.assert_array_equal(whitened.components_, plain.components_)
    columns = plain.history_.columns.drop("dur")
    pd.testing.assert_frame_equal(whitened.history_[columns], plain.history_[columns])


@pytest.mark.quick
@pytest.mark.parametrize("shape", [(150, 30), (40, 90)], ids=["narrow", "wide"])
def test_whitening_without_epochs_is_that_of_pca(quick, shape):
    X = table(*shape)
    codes = quick(4, whiten=True, max_epochs=0).fit_transform(X)
    expected = PCA(4, whiten=True, svd_solver="full").fit_transform(X)
    np.testing.assert_allclose(up_to_sign(codes.T), up_to_sign(expected.T), atol=1e-7)


def test_a_whitened_component_is_made_of_its_own_and_those_before_it(quick, X):
    plain, whitened = quick(3).fit(X), quick(3, whiten=True).fit(X)
    codes = whitened.transform(X)
    for i in range(3):
        before = np.c_[plain.transform(X)[:, : i + 1], np.ones(len(X))]
        solution, *_ = np.linalg.lstsq(before, codes[:, i])
        np.testing.assert_allclose(before @ solution, codes[:, i], atol=1e-9)
        assert solution[i] > 0


def test_set_output_holds_for_whitened_codes(quick, X):
    frame = pd.DataFrame(X, columns=list("abcdef"), index=np.arange(120)[::-1])
    autoencoder = quick(whiten=True).set_output(transform="pandas").fit(frame)
    codes = autoencoder.transform(frame)
    assert list(codes.columns) == ["autoencodertransformer0", "autoencodertransformer1"]
    assert list(codes.index) == list(frame.index)
    back = autoencoder.inverse_transform(codes)
    assert list(back.columns) == list("abcdef")
    np.testing.assert_allclose(back, autoencoder.reconstruct(frame), atol=1e-9)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_a_copy_whitens_as_the_original(quick, X, copied):
    autoencoder = quick(whiten=True).fit(X)
    np.testing.assert_array_equal(copied(autoencoder).transform(X), autoencoder.transform(X))


def test_an_own_module_is_whitened(quick, X):
    autoencoder = quick(3, module=Mirror, whiten=True).fit(X)
    codes = autoencoder.transform(X)
    np.testing.assert_allclose(np.cov(codes, rowvar=False), np.eye(3), atol=1e-8)
    back = autoencoder.inverse_transform(codes)
    np.testing.assert_allclose(back, autoencoder.reconstruct(X), atol=1e-9)


@pytest.mark.parametrize("value", [0.0, 3.7, 1e8])
def test_a_constant_table_is_whitened_to_zeros(quick, value):
    X = np.full((20, 3), value)
    autoencoder = quick(whiten=True).fit(X)
    codes = autoencoder.transform(X)
    assert np.isfinite(codes).all()
    np.testing.assert_allclose(codes, 0, atol=1e-6)
    np.testing.assert_allclose(autoencoder.inverse_transform(codes), X, rtol=1e-12)


def test_more_components_than_the_rows_vary_in_can_be_whitened(quick):
    X = table()[:, :2] @ np.random.RandomState(0).standard_normal((2, 10))
    autoencoder = quick(5, whiten=True, max_epochs=0).fit(X)
    codes = autoencoder.transform(X)
    assert np.isfinite(codes).all()
    np.testing.assert_allclose(np.cov(codes[:, :2], rowvar=False), np.eye(2), atol=1e-6)
    np.testing.assert_allclose(autoencoder.inverse_transform(codes), X, atol=1e-9)


def test_whitening_of_a_beginning_is_the_beginning_of_the_whitened():
    rng = np.random.RandomState(0)
    Z = rng.standard_normal((50, 4)) @ rng.standard_normal((4, 4)) + 3
    whitening = Whitening.of(Z.mean(axis=0), np.cov(Z, rowvar=False), np.zeros(Z.shape[1]))
    white = whitening(torch.from_numpy(Z))
    np.testing.assert_allclose(whitening.inverse(white), Z, atol=1e-12)
    np.testing.assert_allclose(whitening.inverse(white[:, :2]), Z[:, :2], atol=1e-12)


@pytest.mark.parametrize("shape", [(150, 30), (40, 90)], ids=["narrow", "wide"])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_without_epochs_the_variances_are_those_of_pca(quick, shape, kind):
    X = table(*shape)
    given = quick(4, max_epochs=0).fit(kind(X)).explained_variance_
    expected = PCA(4, svd_solver="full").fit(X).explained_variance_
    np.testing.assert_allclose(given, expected, rtol=1e-9)


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("params", VARIANTS.values(), ids=VARIANTS)
def test_variances_are_those_of_the_codes_of_all_training_rows(quick, X, params, whiten):
    plain = quick(3, **params).fit(X)
    variances = quick(3, whiten=whiten, **params).fit(X).explained_variance_
    assert variances.dtype == np.float64
    np.testing.assert_allclose(variances, plain.transform(X).var(axis=0, ddof=1), rtol=1e-9)


def test_later_steps_whiten_anew_and_not_what_is_whitened(quick, X, X_new):
    plain, whitened = quick(3), quick(3, whiten=True)
    for rows in (X, X_new):
        plain.partial_fit(rows)
        codes = whitened.partial_fit(rows).transform(rows)
        factor = np.linalg.cholesky(moments_of(plain).covariance)
        expected = np.linalg.solve(factor, (plain.transform(rows) - moments_of(plain).mean).T).T
        np.testing.assert_allclose(codes, expected, atol=1e-9)
    np.testing.assert_array_equal(whitened.explained_variance_, plain.explained_variance_)


LINKED = {
    **VARIANTS,
    "binary crossentropy": {"loss": "binary_crossentropy"},
    "poisson": {"loss": "poisson"},
    "own module": {"module": Mirror},
    "whitened": {"whiten": True},
}


@pytest.mark.sampled(every=3)
@pytest.mark.parametrize("activation", ["gelu", "tanh", "celu"])
@pytest.mark.parametrize("params", LINKED.values(), ids=LINKED)
def test_components_are_the_slopes_of_the_decoder_at_the_code_of_the_mean(
    quick, X, params, activation
):
    X = (X - X.min()) / np.ptp(X)
    autoencoder = quick(3, activation=activation, lr=0.01, max_epochs=5)
    autoencoder.set_params(**params).fit(X)
    # The code before whitening, of which components are told.
    plain = unwhitened(autoencoder)
    code, step = plain.transform(plain.mean_[None]), 1e-5
    slopes = [
        plain.inverse_transform(code + step * axis) - plain.inverse_transform(code - step * axis)
        for axis in np.eye(3)
    ]
    expected = np.concatenate(slopes) / (2 * step)
    assert autoencoder.components_.shape == (3, 6)
    np.testing.assert_allclose(autoencoder.components_, expected, rtol=1e-4, atol=1e-7)


@pytest.mark.quick
@pytest.mark.parametrize("shape", [(150, 30), (40, 90), (300, 280)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_without_epochs_components_are_those_of_pca(quick, shape, dtype):
    X = table(*shape).astype(dtype)
    given = quick(4, max_epochs=0).fit(X).components_
    expected = PCA(4, svd_solver="full").fit(X.astype(np.float64)).components_
    atol = {np.float32: 1e-5, np.float64: 1e-9}[dtype]
    np.testing.assert_allclose(up_to_sign(given), up_to_sign(expected), atol=atol)


def test_a_network_that_is_not_told_from_pca_has_its_components(monkeypatch):
    X = table(600, 12)
    monkeypatch.setattr(
        "sk_autoencoder._training.selection.better_than_chance", lambda gains, few=False: False
    )
    autoencoder = AutoencoderTransformer(3, max_epochs=5, random_state=0).fit(X)
    assert autoencoder.n_iter_ > 0
    assert autoencoder.best_epoch_ == 0
    expected = PCA(3, svd_solver="full").fit(X).components_
    np.testing.assert_allclose(up_to_sign(autoencoder.components_), up_to_sign(expected), atol=1e-9)


@pytest.mark.quick
def test_a_trained_linear_network_has_components_near_those_of_pca(quick):
    X = table(200, 12)
    autoencoder = quick(3, hidden_layer_sizes=(), lr=1e-3, early_stopping=False, max_epochs=20)
    given = up_to_sign(autoencoder.fit(X).components_)
    expected = up_to_sign(PCA(3, svd_solver="full").fit(X).components_)
    assert 1e-6 < np.abs(given - expected).max() < 0.1


@pytest.mark.parametrize("hidden", [(), (16,)])
def test_components_are_the_same_without_gradients_and_leave_none(quick, X, hidden):
    autoencoder = quick(hidden_layer_sizes=hidden).fit(X)
    module = autoencoder.net_.module_
    module.zero_grad()
    expected = autoencoder.components_
    assert all(parameter.grad is None for parameter in module.parameters())
    with torch.no_grad():
        np.testing.assert_array_equal(autoencoder.components_, expected)
        assert not torch.is_grad_enabled()
    np.testing.assert_array_equal(autoencoder.components_, expected)


def test_an_unfitted_estimator_has_no_components(quick):
    assert not hasattr(quick(), "components_")
    with pytest.raises(NotFittedError):
        _ = quick().components_


@pytest.mark.quick
@pytest.mark.parametrize("share", [0.01, 0.3, 0.7, 0.95, 0.999])
@pytest.mark.parametrize("shape", [(150, 30), (40, 90)], ids=["narrow", "wide"])
@pytest.mark.parametrize("max_epochs", [0, 2])
def test_a_share_takes_as_many_components_as_pca_does(quick, share, shape, max_epochs):
    X = table(*shape)
    pca = PCA(share, svd_solver="full").fit(X)
    autoencoder = quick(share, max_epochs=max_epochs, hidden_layer_sizes=(8,)).fit(X)
    assert autoencoder.n_components_ == pca.n_components_
    assert autoencoder.n_components == share
    codes = autoencoder.transform(X)
    assert codes.shape == (len(X), pca.n_components_)
    assert len(autoencoder.explained_variance_) == pca.n_components_
    assert len(autoencoder.components_) == pca.n_components_
    assert len(autoencoder.get_feature_names_out()) == pca.n_components_
    assert autoencoder.inverse_transform(codes).shape == X.shape
    if max_epochs == 0:
        np.testing.assert_allclose(
            autoencoder.reconstruct(X), pca.inverse_transform(pca.transform(X))
        )
        assert autoencoder.score(X) >= share


def test_a_share_of_weighted_rows_is_that_of_repeated_ones(quick):
    X = table()
    weight = np.random.RandomState(0).randint(0, 5, len(X))
    autoencoder = quick(0.8, max_epochs=0).fit(X, sample_weight=weight)
    assert autoencoder.n_components_ == PCA(0.8).fit(X.repeat(weight, axis=0)).n_components_


def test_a_share_of_a_constant_table_takes_one_component(quick):
    assert quick(0.5).fit(np.full((20, 3), 3.7)).n_components_ == 1


def test_later_steps_keep_the_number_of_components(quick, X):
    autoencoder = quick(0.9).partial_fit(X)
    before = autoencoder.n_components_
    assert autoencoder.partial_fit(X[:30] * [1, 0, 0, 0, 0, 0]).n_components_ == before


@pytest.mark.quick
@pytest.mark.parametrize("n_components", [0, 0.0, 1.0, 1.5, -0.5, -1, "mle", np.nan])
def test_what_is_neither_a_number_of_components_nor_a_share_is_refused(quick, X, n_components):
    with pytest.raises(ValueError, match=r"'n_components' parameter.*int in the range \[1, inf\)"):
        quick(n_components).fit(X)


@pytest.mark.parametrize("n_components", [np.int64(2), np.float64(0.5)])
def test_numbers_of_numpy_are_taken(quick, X, n_components):
    expected = quick(n_components.item()).fit_transform(X)
    np.testing.assert_array_equal(quick(n_components).fit_transform(X), expected)


def test_the_moments_of_steps_are_those_of_all_of_their_codes(quick, X):
    autoencoder = quick(3, whiten=True, linear_shortcut=False)
    codes = []
    for rows in (X[:100], X[100:101], X[101:103], X[103:]):
        autoencoder.partial_fit(rows)
        plain = unwhitened(autoencoder)
        codes.append(plain.transform(rows))
    whole = np.vstack(codes)
    np.testing.assert_allclose(autoencoder.explained_variance_, whole.var(axis=0, ddof=1))
    np.testing.assert_allclose(moments_of(autoencoder).mean, whole.mean(axis=0))
    np.testing.assert_allclose(moments_of(autoencoder).covariance, np.cov(whole.T))


def test_a_step_on_a_single_row_leaves_whitened_codes_of_their_size(quick, X):
    autoencoder = quick(3, whiten=True).partial_fit(X).partial_fit(X[:1]).partial_fit(X[:2])
    assert np.abs(autoencoder.transform(X)).max() < 20
