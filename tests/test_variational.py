"""Variational codes: their start, their prior, their bound."""

import numpy as np
import pytest
import torch
from scipy import sparse, stats
from sklearn.datasets import load_digits
from skorch.callbacks import Callback

from sk_autoencoder import VariationalAutoencoderTransformer
from sk_autoencoder._model import bound as _variational


@pytest.fixture
def generative(quick):
    """Give a function that makes a variational autoencoder that learns in an instant."""

    def make(n_components=2, **params):
        return quick(n_components, **({"variational": True} | params))

    return make


def log_likelihood(X, n_components):
    """Logarithm of the density of rows under their own probabilistic PCA, and its noise."""
    variances, vectors = np.linalg.eigh(np.cov(X, rowvar=False, bias=True))
    noise = variances[:-n_components].mean()
    W = vectors[:, -n_components:] * np.sqrt(variances[-n_components:] - noise)
    covariance = W @ W.T + noise * np.eye(X.shape[1])
    return stats.multivariate_normal(X.mean(axis=0), covariance).logpdf(X), noise


@pytest.mark.quick
@pytest.mark.parametrize("n_components", [1, 2, 4])
def test_the_start_is_probabilistic_pca(generative, X, n_components):
    autoencoder = generative(n_components, max_epochs=0, early_stopping=False).fit(X)
    expected, noise = log_likelihood(X, n_components)
    assert autoencoder.noise_variance_ == pytest.approx(noise, rel=1e-5)
    np.testing.assert_allclose(autoencoder.score_samples(X), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.quick
def test_the_first_loss_in_the_history_is_that_of_probabilistic_pca(generative, X):
    X = np.tile(X, (40, 1))  # each of which is drawn once
    history = generative(max_epochs=0, early_stopping=False).fit(X).history_
    expected, noise = log_likelihood(X, 2)
    cells = -2 * expected.mean() / 6 - np.log(2 * np.pi) - 1
    assert history["train_loss"][0] == pytest.approx(np.exp(cells), rel=0.02)
    assert history["train_loss"][0] > 1.1 * noise


def test_training_raises_the_bound(generative, X, X_new):
    start, trained = (generative(max_epochs=n, lr=0.01).fit(X) for n in (0, 40))
    gain = trained.score_samples(X_new).mean() - start.score_samples(X_new).mean()
    assert gain > 1


def test_codes_do_not_collapse_on_digits():
    X, _ = load_digits(return_X_y=True)
    autoencoder = VariationalAutoencoderTransformer(8, max_epochs=15, random_state=0)
    Z = autoencoder.fit_transform(X[:800])
    assert np.all(Z.std(axis=0) > 0.7 * autoencoder.model_.sampler.scale)


def test_the_weight_of_the_divergence_makes_codes_keep_less(generative, X):
    little, much = (generative(kl_weight=w, max_epochs=20).fit(X) for w in (0.1, 20.0))
    assert much.transform(X).std() < 0.7 * little.transform(X).std()
    assert much.score(X) < little.score(X)


def test_new_rows_are_decoded_draws_from_the_prior(generative, X):
    autoencoder = generative(max_epochs=20).fit(X)
    new = autoencoder.sample(2000, random_state=0)
    np.testing.assert_allclose(new.mean(axis=0), X.mean(axis=0), atol=0.25)
    codes = np.random.RandomState(0).standard_normal((2000, 2)) * autoencoder.model_.sampler.scale
    np.testing.assert_allclose(autoencoder.inverse_transform(codes), new, rtol=1e-6)


@pytest.mark.quick
def test_the_prior_is_in_the_units_of_X(generative, X):
    scales = [generative(max_epochs=0).fit(factor * X).model_.sampler.scale for factor in (1, 1000)]
    np.testing.assert_allclose(scales[1], 1000 * scales[0], rtol=1e-5)
    Z = generative(max_epochs=0).fit_transform(X)
    assert np.all(Z.std(axis=0) < 1.1 * scales[0])
    assert np.all(Z.std(axis=0) > 0.7 * scales[0])


def test_a_bound_is_lower_for_stranger_rows(generative, X, X_new):
    autoencoder = generative(max_epochs=20).fit(X)
    rng = np.random.RandomState(0)
    shuffled = np.column_stack([rng.permutation(column) for column in X_new.T])
    scores = autoencoder.score_samples(X_new)
    assert autoencoder.score_samples(shuffled).mean() < scores.mean() - 3
    far = autoencoder.score_samples(1e6 * X_new)
    assert np.isfinite(far).all()
    assert far.max() < scores.min()


@pytest.mark.quick
def test_a_bound_does_not_depend_on_the_rows_beside(generative, X):
    autoencoder = generative().fit(X)
    whole = autoencoder.score_samples(X)
    np.testing.assert_allclose(autoencoder.score_samples(X[5:9]), whole[5:9], rtol=1e-9)


def test_noise_is_measured_on_rows_that_were_set_aside(generative, X):
    autoencoder = generative(max_epochs=40, lr=0.01).fit(X)  # trained on all rows in the end
    expected = autoencoder.reconstruction_error(X).mean()
    assert autoencoder.noise_variance_ > 1.05 * expected


def test_a_watched_training_and_a_lean_one_make_the_same_steps(smooth, X):
    params = {"variational": True, "early_stopping": False}
    lean, watched = (
        smooth(callbacks=callbacks, **params).fit(X) for callbacks in (None, [Callback()])
    )
    np.testing.assert_allclose(lean.transform(X), watched.transform(X), atol=1e-5)


@pytest.mark.quick
def test_validation_noise_is_the_same_in_each_epoch(generative, X):
    history = generative(lr=1e-12, max_epochs=3).fit(X).history_
    np.testing.assert_allclose(history["valid_loss"], history["valid_loss"][0], rtol=1e-6)
    assert history["train_loss"].nunique() > 1


def test_a_fit_is_repeated_bit_by_bit(generative, X):
    np.testing.assert_array_equal(generative().fit_transform(X), generative().fit_transform(X))


def test_torchs_generator_is_neither_read_nor_moved(generative, X):
    before = torch.random.get_rng_state()
    generative().fit(X).sample(3)
    assert torch.equal(torch.random.get_rng_state(), before)


class OwnModule(torch.nn.Module):
    """A linear network of a user, on rows as they are."""

    def __init__(self):
        super().__init__()
        self.down, self.up = torch.nn.Linear(6, 2), torch.nn.Linear(2, 6)

    def encode(self, x):
        return self.down(x)

    def decode(self, z):
        return self.up(z)


@pytest.mark.parametrize(
    "params",
    [
        {"whiten": True},
        {"linear_shortcut": False},
        {"module": OwnModule},
        {"module": OwnModule()},
        {"early_stopping": False},
        {"average": False},
        {"warm_start": True},
        {"optimizer": "sgd", "lr": 1e-3},
    ],
)
def test_it_goes_with_other_parameters(generative, X, params):
    autoencoder = generative(**params).fit(X).partial_fit(X)
    bound = autoencoder.score_samples(X)
    assert np.isfinite(bound).all()
    np.testing.assert_allclose(
        autoencoder.inverse_transform(autoencoder.transform(X)), autoencoder.reconstruct(X)
    )
    assert np.isfinite(autoencoder.sample(10, random_state=0)).all()
    assert autoencoder.history_["train_loss"].notna().all()


def test_a_cross_entropy_is_a_likelihood(generative, X):
    X = (X > 0).astype(float)
    autoencoder = generative(loss="binary_crossentropy", max_epochs=20).fit(X)
    bound = autoencoder.score_samples(X)
    p = X.mean(axis=0)
    independent = stats.bernoulli(p).logpmf(X).sum(axis=1)
    assert independent.mean() < bound.mean() < 0
    assert np.all((autoencoder.sample(10) >= 0) & (autoencoder.sample(10) <= 1))


def test_missing_cells_do_not_count_in_the_bound(generative, X):
    incomplete = X.copy()
    incomplete[::3, 1] = np.nan
    autoencoder = generative().fit(incomplete)
    bound = autoencoder.score_samples(incomplete)
    assert np.isfinite(bound).all()
    nothing = autoencoder.score_samples(np.full((1, 6), np.nan))
    assert -5 < nothing[0] <= 0  # the divergence of its code alone


@pytest.mark.quick
def test_sparse_rows_give_the_bound_of_dense_ones(generative, X):
    X = np.where(X > 1, X, 0.0)
    autoencoder = generative().fit(sparse.csr_array(X))
    np.testing.assert_allclose(
        autoencoder.score_samples(sparse.csr_array(X)), autoencoder.score_samples(X), rtol=1e-6
    )


def test_a_row_that_counts_more_pulls_the_prior_towards_itself(generative, X):
    weight = np.where(X[:, 0] > 0, 1.0, 1e-3)
    new = generative(max_epochs=10).fit(X, sample_weight=weight).sample(500, random_state=0)
    assert new[:, 0].mean() > 0.4


def test_what_lies_outside_of_the_coordinates_counts(generative):
    """The first loss is that of probabilistic PCA, with fewer axes than features too."""
    rng = np.random.RandomState(0)
    X = rng.standard_normal((1000, 400))
    X[:, :8] *= 20
    autoencoder = generative(8, max_epochs=0, early_stopping=False, hidden_layer_sizes=(8,)).fit(X)
    assert autoencoder.model_.frame.n_axes < 400
    variances = np.linalg.eigvalsh(np.cov(X, rowvar=False, bias=True))
    noise = variances[:-8].mean()
    assert autoencoder.noise_variance_ == pytest.approx(noise, rel=0.01)
    expected = np.exp((np.log(variances[-8:]).sum() + 392 * np.log(noise)) / 400)
    assert autoencoder.history_["train_loss"][0] == pytest.approx(expected, rel=0.005)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"loss": "huber"}, "loss' parameter .* Got 'huber'"),
        ({"loss": "poisson"}, "loss' parameter .* Got 'poisson'"),
        ({"loss": lambda back, x: (back - x).abs()}, "loss' parameter .* Got <function"),
    ],
)
def test_what_has_no_bound_is_refused(generative, X, params, match):
    with pytest.raises(ValueError, match=match):
        generative(**params).fit(np.abs(X))


def test_a_module_keeps_its_own_attributes(generative, X):
    module = OwnModule()
    module.posterior = torch.nn.Linear(6, 2)
    fitted = generative(module=module).fit(X)
    np.testing.assert_array_equal(
        fitted.net_.module_.posterior.weight.detach().numpy(),
        module.posterior.weight.detach().numpy(),
    )


@pytest.mark.quick
def test_the_points_stand_for_a_normal_distribution():
    for k in (1, 2, 5, 16):
        points = _variational._directions(k).numpy()
        np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(points.T @ points / len(points), np.eye(k), atol=1e-12)
