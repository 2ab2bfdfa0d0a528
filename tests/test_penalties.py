"""Penalties of the code: what each of them measures, and what it makes of a fit."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from torch import nn

from sk_autoencoder._net import Pass
from sk_autoencoder._objective import Target
from sk_autoencoder._penalties import L1, PENALTIES, Contraction, Correlation, KullbackLeibler


class Encoder(nn.Module):
    """An encoder that bends, and whose Jacobian is easily had."""

    def __init__(self, n_inputs=5, n_components=3):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(n_components, n_inputs, generator=generator))

    def encode(self, t):
        return torch.tanh(t @ self.weight.T)


def batch_of(z, t=None, weight=None):
    return Pass(t, z, None, Target(t, weight))


@pytest.fixture
def t():
    return torch.randn(4000, 5, generator=torch.Generator().manual_seed(1))


def test_l1_is_the_mean_size_of_the_components():
    z = torch.tensor([[1.0, -2.0], [0.0, 3.0]])
    assert L1()(None, batch_of(z)).item() == 1.5
    assert L1()(None, batch_of(z, weight=torch.tensor([2.0, 0.0]))).item() == 1.5
    assert L1()(None, batch_of(z, weight=torch.tensor([0.0, 2.0]))).item() == 1.5
    assert L1()(None, batch_of(z, weight=torch.tensor([0.5, 1.5]))).item() == 1.5


def test_kl_is_zero_where_the_mean_activity_is_the_target_and_grows_away_from_it():
    def divergence(activity):
        z = torch.full((8, 2), (activity / (1 - activity)) ** 0.5)
        return KullbackLeibler(0.1)(None, batch_of(z)).item()

    assert divergence(0.1) == pytest.approx(0, abs=1e-6)
    expected = 0.1 * np.log(0.1 / 0.5) + 0.9 * np.log(0.9 / 0.5)
    assert divergence(0.5) == pytest.approx(expected, rel=1e-5)
    assert divergence(0.9) > divergence(0.5) > divergence(0.2)
    assert np.isfinite(divergence(0.0))


def test_contraction_estimates_the_squares_of_the_jacobian(t):
    module = Encoder()
    z = module.encode(t)
    slopes = (1 - z.square())[..., None] * module.weight  # (batch, n_components, n_inputs)
    exact = slopes.square().sum(dim=(1, 2)).mean() / 3
    penalty = Contraction(torch.Generator().manual_seed(0))(module, batch_of(z, t))
    assert penalty.item() == pytest.approx(exact.item(), rel=0.05)
    penalty.backward()
    estimate = module.weight.grad.clone()
    module.zero_grad()
    exact.backward()
    assert torch.cosine_similarity(estimate.ravel(), module.weight.grad.ravel(), dim=0) > 0.99


def test_contraction_of_rows_that_are_judged_is_always_the_same(t):
    module, penalty = Encoder(), Contraction(torch.Generator().manual_seed(0))
    with torch.no_grad():
        first, second = (penalty(module, batch_of(module.encode(t), t)) for _ in range(2))
    assert first == second
    assert not first.requires_grad


def test_correlation_is_the_mean_square_over_pairs():
    z = torch.randn(500, 4, generator=torch.Generator().manual_seed(0))
    z[:, 1] = z[:, 0] + 0.5 * z[:, 1]
    correlation = np.corrcoef(z.numpy(), rowvar=False)
    expected = np.square(correlation[np.triu_indices(4, 1)]).mean()
    assert Correlation()(None, batch_of(z)).item() == pytest.approx(expected, rel=1e-4)
    assert Correlation()(None, batch_of(1e-3 * z)).item() == pytest.approx(expected, rel=1e-4)


def test_correlation_counts_rows_by_their_weights():
    z = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    doubled = Correlation()(None, batch_of(torch.cat([z, z[:20]])))
    weight = torch.where(torch.arange(60) < 20, 2.0, 1.0)
    weighted = Correlation()(None, batch_of(z, weight=weight))
    assert weighted.item() == pytest.approx(doubled.item(), rel=1e-4)


@pytest.mark.parametrize("penalty", [Correlation(), L1(), KullbackLeibler(0.1)], ids=type)
def test_a_penalty_of_a_code_that_does_not_vary_is_finite_and_so_is_its_gradient(penalty):
    for shape in ((8, 3), (8, 1), (1, 3)):
        z = torch.zeros(shape, requires_grad=True)
        value = penalty(None, batch_of(z))
        value.backward()
        assert torch.isfinite(value)
        assert torch.isfinite(z.grad).all()


class Measured(NamedTuple):
    """Of codes: how few are active, how much they change with the rows, how they correlate."""

    active: float
    steepness: float
    correlation: float


def measured(autoencoder, X):
    Z = autoencoder.transform(X)
    sizes = np.abs(Z) / np.abs(Z).max(axis=0)
    steps = np.abs(autoencoder.transform(X + 1e-4) - Z).mean() / 1e-4
    correlation = np.corrcoef(Z, rowvar=False)[np.triu_indices(Z.shape[1], 1)]
    return Measured(sizes.mean(), steps, np.square(correlation).mean())


@pytest.mark.parametrize(
    ("params", "what"),
    [
        ({"sparsity_penalty": 1.0}, "active"),
        ({"sparsity_penalty": 0.3, "sparsity": "kl"}, "active"),
        ({"contractive_penalty": 0.3}, "steepness"),
        ({"orthogonality_penalty": 1.0, "linear_shortcut": False}, "correlation"),
    ],
    ids=str,
)
def test_a_penalty_makes_small_what_it_measures(quick, X, params, what):
    training = {"max_epochs": 25, "refit": False, "linear_shortcut": True} | params
    plain_params = training | dict.fromkeys(PENALTIES, 0.0)
    plain, penalized = (quick(3, **p).fit(X) for p in (plain_params, training))
    assert getattr(measured(penalized, X), what) < 0.8 * getattr(measured(plain, X), what)


# The components of PCA do not correlate.
@pytest.mark.parametrize("name", sorted(PENALTIES.keys() - {"orthogonality_penalty"}))
def test_an_epoch_is_kept_for_its_penalty_even_where_pca_reconstructs_better(quick, X, name):
    autoencoder = quick(3, refit=False, max_epochs=10, **{name: 50.0}).fit(X)
    assert autoencoder.best_epoch_ > 0
    assert autoencoder.validation_score_ < autoencoder.pca_validation_score_


def test_the_kept_score_is_that_of_the_reconstruction_alone(quick, X, monkeypatch):
    def split(rows, **kwargs):
        return rows[::2], rows[1::2]

    monkeypatch.setattr("sk_autoencoder._training.train_test_split", split)
    autoencoder = quick(3, sparsity_penalty=1.0, refit=False).fit(X)
    assert autoencoder.validation_score_ == pytest.approx(autoencoder.score(X[1::2]), rel=1e-5)
    unit = X[::2].var(axis=0).mean()
    assert autoencoder.history_["valid_loss"][1:].min() > 0.1 * unit


def test_a_weight_means_the_same_in_all_units(quick, X):
    params = {"sparsity_penalty": 0.5, "contractive_penalty": 0.2, "early_stopping": False}
    params |= {"orthogonality_penalty": 0.3}
    one, other = quick(**params).fit(X), quick(**params).fit(1000 * X + 5)
    np.testing.assert_allclose(other.transform(1000 * X + 5), 1000 * one.transform(X), atol=5)


@pytest.mark.parametrize("name", PENALTIES)
def test_penalties_work_with_all_that_x_may_be(quick, X, name):
    gappy = np.where(np.random.RandomState(0).uniform(size=X.shape) < 0.1, np.nan, X)
    weight = np.random.RandomState(0).randint(0, 3, len(X))
    for rows in (gappy, X.astype(np.float32)):
        autoencoder = quick(**{name: 0.1}, nested=True, loss="huber").fit(
            rows, sample_weight=weight
        )
        assert np.isfinite(autoencoder.history_.to_numpy(float)).all()
        assert np.isfinite(autoencoder.transform(rows)).all()


@pytest.mark.parametrize("name", PENALTIES)
def test_a_module_of_the_user_is_penalized(quick, X, name):
    class Linear(nn.Module):
        def __init__(self):
            super().__init__()
            self.encode, self.decode = nn.Linear(6, 3), nn.Linear(3, 6)

    params = {"module": Linear, "early_stopping": False, "max_epochs": 1}
    plain, penalized = (quick(3, **{name: w}, **params).fit(X) for w in (0.0, 5.0))
    assert penalized.history_["train_loss"].iloc[1] > plain.history_["train_loss"].iloc[1]


@pytest.mark.parametrize("name", PENALTIES)
def test_a_penalized_fit_repeats_and_leaves_global_generators_alone(quick, X, name):
    before = torch.get_rng_state()
    codes = [quick(**{name: 0.1}).fit_transform(X) for _ in range(2)]
    np.testing.assert_array_equal(*codes)
    assert torch.get_rng_state().equal(before)


def test_a_search_finds_a_weight(quick, X):
    search = GridSearchCV(quick(), {"sparsity_penalty": [0.0, 20.0]}, cv=2)
    assert search.fit(X).best_params_ == {"sparsity_penalty": 0.0}


def test_no_epochs_are_pca_whatever_the_penalties(quick, X):
    autoencoder = quick(max_epochs=0, **dict.fromkeys(PENALTIES, 1.0)).fit(X)
    pca = PCA(2).fit(X)
    np.testing.assert_allclose(
        autoencoder.reconstruct(X), pca.inverse_transform(pca.transform(X)), atol=1e-6
    )
