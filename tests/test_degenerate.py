"""Rows that vary in no direction or in few: no variance is negative, no rounding is blown up."""

import numpy as np
import pytest
import torch
from removing import with_missing
from scipy import sparse
from seams import setup_of

from sk_autoencoder._nn.whitening import Whitening
from sk_autoencoder._pca.imputation import fit_axes
from sk_autoencoder._pca.principal_axes import PrincipalAxes

SHAPES = {"narrow": (30, 4), "few rows": (20, 60), "wide": (2100, 2200)}


def constant(shape, seed):
    """Rows that are all alike, each feature of a size of its own, and weights."""
    rng = np.random.RandomState(seed)
    row = rng.standard_normal(shape[1]) * 10.0 ** rng.randint(-3, 9, shape[1])
    return np.tile(row, (shape[0], 1)), rng.uniform(0.1, 2, shape[0])


def low_rank(dtype, offset, rank=2):
    """Rows in a plane, (300, 10), rounded to a dtype."""
    rng = np.random.RandomState(0)
    plane = rng.standard_normal((300, rank)) @ rng.standard_normal((rank, 10))
    return (plane + offset).astype(dtype)


class Squashed(torch.nn.Module):
    """A user's module whose code has units that are dead, nearly so, or copies of others."""

    def __init__(self, n_features=10):
        super().__init__()
        self.encoder, self.decoder = (
            torch.nn.Linear(n_features, 3),
            torch.nn.Linear(5, n_features),
        )

    def encode(self, x):
        z = torch.relu(self.encoder(x))
        return torch.cat([z, z[:, :1] * (1 + 1e-7), z[:, 1:2] * 1e-9], dim=1)

    def decode(self, z):
        return self.decoder(z)


@pytest.mark.parametrize("shape", [SHAPES["narrow"], SHAPES["few rows"]], ids=str)
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix], ids=["dense", "sparse"])
@pytest.mark.parametrize("seed", range(10))
def test_constant_rows_with_weights_are_fitted(quick, shape, kind, seed):
    X, weight = constant(shape, seed)
    autoencoder = quick().fit(kind(X), sample_weight=weight)
    assert setup_of(autoencoder).axes.constant
    assert autoencoder.explained_variance_.min() >= 0
    np.testing.assert_allclose(autoencoder.sample(3, random_state=0), X[:3], rtol=1e-9)
    np.testing.assert_allclose(autoencoder.reconstruct(X), X, rtol=1e-9)


@pytest.mark.parametrize("share", [0.0, 0.3], ids=["complete", "with missing values"])
@pytest.mark.parametrize("seed", range(5))
def test_no_variance_of_constant_rows_with_missing_values_is_negative(quick, share, seed):
    X, weight = constant((40, 4), seed)
    X = with_missing(X, share)
    X[0, 0] = np.nan
    autoencoder = quick().fit(X, sample_weight=weight)
    expected, _ = constant((40, 4), seed)
    np.testing.assert_allclose(autoencoder.reconstruct(X), expected, rtol=1e-9)
    axes, imputation = fit_axes(X, np.arange(40), 4, np.random.RandomState(0), weight)
    assert axes.total_variance >= 0
    assert np.isfinite(imputation.deviation).all()


@pytest.mark.quick
@pytest.mark.parametrize("density", [0.05, 0.9])
def test_no_variance_of_sparse_rows_is_negative(density):
    for seed in range(20):
        X = sparse.random_array((60, 80), density=density, rng=np.random.default_rng(seed))
        X = sparse.csr_array(np.tile(X.toarray()[:1], (60, 1)) * 10.0 ** (seed % 7))
        weight = np.random.RandomState(seed).uniform(0.1, 2, 60)
        axes = PrincipalAxes.fit(X, np.arange(60), 3, np.random.RandomState(0), weight)
        loss, variance = axes.loss_and_variance(X, np.arange(60), weight)
        assert axes.total_variance >= 0
        assert loss >= 0
        assert variance >= 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [0.0, 3.7, -1e8])
def test_new_rows_keep_their_distances_where_all_training_rows_are_alike(quick, dtype, value):
    X = np.full((30, 4), value, dtype=dtype)
    weight = np.random.RandomState(0).uniform(0.1, 2, 30)
    for autoencoder in (quick(whiten=True).fit(X), quick(whiten=True).fit(X, sample_weight=weight)):
        np.testing.assert_allclose(autoencoder.transform(X), 0, atol=1e-6 * (1 + abs(value)))
        step = np.float64(2 + abs(value))
        codes = autoencoder.transform(np.array(X[:1] + step, dtype=dtype))
        assert np.abs(codes).max() <= 2.01 * step


@pytest.mark.quick
@pytest.mark.parametrize("params", [{"max_epochs": 0}, {}], ids=["no epochs", "trained"])
@pytest.mark.parametrize("offset", [0.0, 1e3, 1e5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_is_not_whitened_to_unit_variance(quick, dtype, offset, params):
    X = low_rank(dtype, offset)
    codes = quick(5, whiten=True, **params).fit_transform(X)
    np.testing.assert_allclose(codes[:, :2].std(axis=0, ddof=1), 1, rtol=5e-3)
    assert codes[:, 2:].std(axis=0).max() < 0.3


def test_a_small_column_is_whitened_beside_the_offset_of_another(quick):
    rng = np.random.RandomState(0)
    seconds = 1.7e9 + 256 * rng.randint(-500, 500, 500)
    X = np.column_stack([seconds, *rng.standard_normal((3, 500))]).astype(np.float32)
    codes = quick(3, whiten=True, max_epochs=0).fit_transform(X)
    np.testing.assert_allclose(codes.std(axis=0, ddof=1), 1, rtol=1e-2)


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_a_covariance_that_rounding_made_indefinite_is_whitened(size):
    rng = np.random.RandomState(0)
    for _ in range(200):
        z = rng.standard_normal(6)
        covariance = size * (np.outer(z, z) + 1e-15 * rng.standard_normal((6, 6)))
        covariance = (covariance + covariance.T) / 2
        whitening = Whitening.of(np.zeros(6), covariance, np.zeros(6))
        assert whitening.factor.isfinite().all()


ROWS = {
    "binary": lambda rng: (rng.uniform(size=(200, 10)) < 0.15).astype(float),
    "repeated": lambda rng: np.repeat(rng.standard_normal((5, 10)), 20, axis=0),
    "two rows": lambda rng: np.repeat(rng.standard_normal((2, 10)), 30, axis=0) + 100,
    "one direction": lambda rng: np.outer(rng.standard_normal(100), rng.standard_normal(10)),
    "constant": lambda rng: np.full((50, 10), 3.7),
}
NETWORKS = {
    "at PCA": {},
    "textbook": {"linear_shortcut": False},
    "own module": {"module": Squashed},
    "whitened": {"module": Squashed, "whiten": True},
}


@pytest.mark.sampled(every=3)
@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("params", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_are_sampled_where_directions_of_the_code_are_dead(
    quick, rows, params, weighted, dtype
):
    for seed in range(2):
        X = rows(np.random.RandomState(seed)).astype(dtype)
        weight = np.random.RandomState(seed).uniform(0.1, 3, len(X)) if weighted else None
        autoencoder = quick(5, **(params | {"random_state": seed})).fit(X, sample_weight=weight)
        new = autoencoder.sample(50, random_state=0)
        assert np.isfinite(new).all()
        # Not farther from the reconstructions than these are from each other.
        back = autoencoder.reconstruct(X)
        size = np.ptp(back, axis=0).max() + 1e-4 * np.abs(back).max()
        assert np.abs(new - back.mean(axis=0)).max() < 3 * size


def test_samples_follow_codes_with_a_large_offset(quick):
    X = np.random.RandomState(0).standard_normal((200, 4)) + 1e9
    autoencoder = quick(2, module=Offset, max_epochs=0).fit(X)
    spread = autoencoder.transform(autoencoder.sample(2000, random_state=0)).std(axis=0)
    np.testing.assert_allclose(spread, autoencoder.transform(X).std(axis=0), rtol=0.2)


class Offset(torch.nn.Module):
    """A user's module that gives two features as a code, offset and all."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))

    def encode(self, x):
        return x[:, :2] * self.scale

    def decode(self, z):
        return torch.cat([z, z], dim=1)
