"""Penalties of the code: what each of them measures, and what it makes of a fit."""

from functools import cache, partial
from typing import NamedTuple

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from torch import nn

from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder._nn.batch import Pass, Target
from sk_autoencoder._nn.penalties import L1, Contraction, Correlation, KullbackLeibler

PENALTIES = ("sparsity_penalty", "contractive_penalty", "orthogonality_penalty")


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
    return torch.randn(40000, 5, generator=torch.Generator().manual_seed(1))


SPARSE = [L1(), KullbackLeibler(0.1)]


@pytest.mark.quick
def test_l1_is_the_mean_size_of_the_components_as_shares_of_their_root_mean_squares():
    z = torch.tensor([[3.0, 0.0], [3.0, 0.0], [3.0, 0.0], [3.0, 8.0]])
    assert L1()(None, batch_of(z)).item() == pytest.approx((1 + 0.25**0.5) / 2)
    normal = torch.randn(10000, 2, generator=torch.Generator().manual_seed(0))
    assert L1()(None, batch_of(normal)).item() == pytest.approx((2 / np.pi) ** 0.5, rel=0.01)


@pytest.mark.quick
def test_kl_is_zero_where_the_mean_activity_is_the_target_and_grows_away_from_it():
    def divergence(share):
        z = torch.zeros(1000, 2)
        z[: round(1000 * share)] = 7.0
        return KullbackLeibler(0.1)(None, batch_of(z)).item()

    def expected(activity):
        return 0.1 * np.log(0.1 / activity) + 0.9 * np.log(0.9 / (1 - activity))

    for share in (0.05, 0.111, 0.5, 1.0):
        assert divergence(share) == pytest.approx(expected(share / (1 + share)), abs=1e-4)
    assert divergence(1.0) > divergence(0.5) > divergence(0.2) > divergence(0.111)
    assert np.isfinite(divergence(0.0))


@pytest.mark.parametrize("penalty", SPARSE, ids=type)
def test_sparsity_does_not_depend_on_the_scale_of_components(penalty):
    z = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    scale = torch.tensor([1e-3, 1.0, 1e3])
    value = penalty(None, batch_of(z)).item()
    assert penalty(None, batch_of(scale * z)).item() == pytest.approx(value, rel=1e-4)


@pytest.mark.parametrize("penalty", SPARSE, ids=type)
def test_sparsity_counts_rows_by_their_weights(penalty):
    z = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    doubled = penalty(None, batch_of(torch.cat([z, z[:20]])))
    weight = torch.where(torch.arange(60) < 20, 2.0, 1.0)
    weighted = penalty(None, batch_of(z, weight=weight))
    assert weighted.item() == pytest.approx(doubled.item(), rel=1e-4)


def shares_of_noise(z, slopes, variance=1.0, weight=None):
    """Mean share that noise has in noisy codes, with Jacobians (batch, n_components, n_inputs)."""
    weight = torch.ones(len(z)) if weight is None else weight
    weight = weight / weight.sum()
    noise = variance * torch.einsum("bki,bli,b->kl", slopes, slopes, weight)
    centred = z - weight @ z
    both = noise + (weight * centred.T) @ centred
    return torch.linalg.solve(both, noise).trace() / z.shape[1]


@pytest.mark.parametrize("variance", [1.0, 4.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_contraction_estimates_the_share_of_noise_in_noisy_codes(t, variance, weighted):
    module, weight = Encoder(), (t[:, 0].abs() > 1).float() if weighted else None
    z = module.encode(t)
    slopes = (1 - z.square())[..., None] * module.weight  # (batch, n_components, n_inputs)
    exact = shares_of_noise(z, slopes, variance, weight)
    penalty = Contraction(torch.Generator().manual_seed(0), variance)
    value = penalty(module, batch_of(z, t, weight))
    assert value.item() == pytest.approx(exact.item(), rel=0.03)
    (estimate,) = torch.autograd.grad(value, module.weight, retain_graph=True)
    (expected,) = torch.autograd.grad(exact, module.weight)
    assert torch.cosine_similarity(estimate.ravel(), expected.ravel(), dim=0) > 0.99


@pytest.mark.quick
def test_contraction_is_one_half_for_pca_of_features_that_do_not_correlate(t):
    module = nn.Linear(5, 2, bias=False)
    module.weight.data = torch.eye(5)[:2]
    module.encode = module.forward
    value = Contraction(torch.Generator().manual_seed(0))(module, batch_of(t[:, :2], t))
    assert value.item() == pytest.approx(0.5, abs=0.02)


def test_contraction_is_the_same_for_all_linear_images_of_a_code(t):
    module, image = Encoder(), nn.Module()
    mix = torch.tensor([[1e-3, 0.0, 0.0], [1.0, 1.0, 0.5], [0.0, 0.5, 1.0]])
    image.encode = lambda t: module.encode(t) @ mix.T
    values = [
        Contraction(torch.Generator().manual_seed(0))(m, batch_of(m.encode(t), t)).item()
        for m in (module, image)
    ]
    assert values[1] == pytest.approx(values[0], rel=0.01)


@pytest.mark.parametrize("shape", [(1, 5), (2, 5)], ids=str)
def test_contraction_of_few_rows_is_at_most_1_and_its_gradient_finite(t, shape):
    module = Encoder()
    t = t[: shape[0]]
    value = Contraction(torch.Generator().manual_seed(0))(module, batch_of(module.encode(t), t))
    value.backward()
    assert 0 <= value.item() <= 1
    assert module.weight.grad.abs().max() < 1


def test_contraction_of_rows_that_are_judged_is_always_the_same(t):
    module, penalty = Encoder(), Contraction(torch.Generator().manual_seed(0))
    with torch.no_grad():
        first, second = (penalty(module, batch_of(module.encode(t), t)) for _ in range(2))
    assert first == second
    assert not first.requires_grad


@pytest.mark.quick
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


@pytest.mark.parametrize("penalty", [Correlation(), *SPARSE], ids=type)
def test_a_penalty_of_a_code_that_does_not_vary_is_finite_and_so_is_its_gradient(penalty):
    for shape in ((8, 3), (8, 1), (1, 3)):
        z = torch.zeros(shape, requires_grad=True)
        value = penalty(None, batch_of(z))
        value.backward()
        assert torch.isfinite(value)
        assert torch.isfinite(z.grad).all()


class Measured(NamedTuple):
    """Of codes of rows not trained on; none of it changes with the scale of the components."""

    near_zero: float  # share below a tenth of the root mean square of the component
    activity: float  # mean of z² / (s² + z²), with the mean square s²
    moved: float  # by noise, as a share of the spread of each component
    correlation: float
    explained: float


@pytest.fixture(scope="module")
def measure():
    """Give a function that fits digits with some parameters, each once, and measures codes."""
    X = load_digits().data
    noise = np.random.RandomState(0).standard_normal((597, 64))

    @cache
    def measured(**params):
        training = {"max_epochs": 12, "refit": False, "random_state": 0} | params
        autoencoder = AutoencoderTransformer(8, **training).fit(X[:1200])
        Z = autoencoder.transform(X[1200:])
        rms = np.sqrt(np.square(Z).mean(axis=0))
        moves = autoencoder.transform(X[1200:] + noise) - Z
        correlation = np.corrcoef(Z, rowvar=False)[np.triu_indices(8, 1)]
        return Measured(
            (np.abs(Z) < 0.1 * rms).mean(),
            (Z**2 / (rms**2 + Z**2)).mean(),
            np.sqrt(np.square(moves).mean(axis=0) / Z.var(axis=0)).mean(),
            np.square(correlation).mean(),
            autoencoder.score(X[1200:]),
        )

    return measured


@pytest.mark.parametrize("sparsity", ["l1", "kl"])
def test_sparse_codes_are_near_zero_by_their_own_measure(measure, sparsity):
    plain, sparse = measure(), measure(sparsity_penalty=1.0, sparsity=sparsity)
    assert plain.near_zero < 0.1
    assert sparse.near_zero > 0.2
    assert sparse.explained > plain.explained - 0.1


def test_sparse_codes_need_not_be_copies_of_one_component(measure):
    sparse = measure(sparsity_penalty=1.0, orthogonality_penalty=1.0)
    assert sparse.near_zero > 0.2
    assert sparse.correlation < 0.06


def test_mean_activities_move_with_their_target(measure):
    params = {"sparsity_penalty": 1.0, "sparsity": "kl"}
    little, more = (measure(**params, sparsity_target=target) for target in (0.02, 0.2))
    assert little.activity < 0.75 * more.activity
    assert more.activity < 0.85 * measure().activity


def test_contractive_codes_move_less_by_their_own_measure(measure):
    plain, contracted = measure(), measure(contractive_penalty=1.0)
    assert contracted.moved < 0.65 * plain.moved
    assert contracted.correlation < 0.05  # no code of which many components are alike
    assert contracted.explained > plain.explained - 0.05


@pytest.mark.quick
def test_uncorrelated_codes_correlate_less(measure):
    textbook = {"linear_shortcut": False}
    plain, penalized = measure(**textbook), measure(**textbook, orthogonality_penalty=1.0)
    assert penalized.correlation < 0.3 * plain.correlation


def test_a_single_component_is_trained_as_without_a_penalty_of_pairs(quick, X):
    make = partial(quick, 1, activation="silu")
    plain, penalized = (make(orthogonality_penalty=w).fit(X) for w in (0.0, 1.0))
    np.testing.assert_array_equal(penalized.transform(X), plain.transform(X))
    search = GridSearchCV(quick(orthogonality_penalty=0.1), {"n_components": [1, 2, 4]}, cv=2)
    assert search.fit(X).best_params_ == {"n_components": 4}


# The components of PCA do not correlate, and contractive ones reconstruct these rows better.
def test_an_epoch_is_kept_for_its_penalty_even_where_pca_reconstructs_better(quick, X):
    autoencoder = quick(3, refit=False, max_epochs=10, sparsity_penalty=50.0).fit(X)
    assert autoencoder.best_epoch_ > 0
    assert autoencoder.validation_score_ < autoencoder.pca_validation_score_


def test_the_kept_score_is_that_of_the_reconstruction_alone(quick, X, monkeypatch):
    def split(rows, **kwargs):
        return rows[::2], rows[1::2]

    monkeypatch.setattr("sk_autoencoder._training.split.train_test_split", split)
    autoencoder = quick(3, sparsity_penalty=1.0, refit=False).fit(X)
    assert autoencoder.validation_score_ == pytest.approx(autoencoder.score(X[1::2]), rel=1e-5)
    unit = X[::2].var(axis=0).mean()
    assert autoencoder.history_["valid_loss"][1:].min() > 0.1 * unit


@pytest.mark.quick
def test_a_weight_means_the_same_in_all_units(smooth, X):
    params = {"sparsity_penalty": 0.5, "contractive_penalty": 0.2, "early_stopping": False}
    params |= {"orthogonality_penalty": 0.3}
    one, other = smooth(**params).fit(X), smooth(**params).fit(1000 * X + 5)
    np.testing.assert_allclose(other.transform(1000 * X + 5), 1000 * one.transform(X), atol=0.01)


@pytest.mark.parametrize("name", PENALTIES)
def test_penalties_work_with_all_that_x_may_be(quick, X, name):
    incomplete = np.where(np.random.RandomState(0).uniform(size=X.shape) < 0.1, np.nan, X)
    weight = np.random.RandomState(0).randint(0, 3, len(X))
    for rows in (incomplete, X.astype(np.float32)):
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


class Cut(nn.Module):
    """A module of the user whose codes have no derivative by the rows."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder, self.decode = encoder, nn.Linear(3, 6)

    def encode(self, x):
        return self.encoder(x.detach())


class CutBehind(Cut):
    def encode(self, x):
        return self.encoder(x).detach()


@pytest.mark.parametrize("module", [Cut, CutBehind])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_module_whose_codes_have_no_derivative_is_refused(quick, X, module, early_stopping):
    params = {"module": module(nn.Linear(6, 3)), "early_stopping": early_stopping}
    autoencoder = quick(3, **params).fit(X)
    before = autoencoder.transform(X)
    with pytest.raises(ValueError, match=r"derivative of codes.*have none.*detach\(\)"):
        autoencoder.set_params(contractive_penalty=0.1).fit(X)
    np.testing.assert_array_equal(autoencoder.transform(X), before)


def test_noise_is_as_large_as_features_vary_in_the_frame_of_a_module_too(quick, X):
    class Linear(nn.Module):
        def __init__(self):
            super().__init__()
            self.encode, self.decode = nn.Linear(6, 3), nn.Linear(3, 6)

    for params, expected in (({}, 1), ({"module": Linear}, X.var(axis=0).mean())):
        autoencoder = quick(3, contractive_penalty=1.0, **params).fit(X)
        (contraction,) = autoencoder.net_.penalties_.terms
        assert contraction.variance == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", PENALTIES)
def test_a_penalized_fit_repeats_and_leaves_global_generators_alone(quick, X, name):
    before = torch.get_rng_state()
    codes = [quick(**{name: 0.1}).fit_transform(X) for _ in range(2)]
    np.testing.assert_array_equal(*codes)
    assert torch.get_rng_state().equal(before)


def test_a_search_finds_a_weight(quick, X):
    search = GridSearchCV(quick(), {"sparsity_penalty": [0.0, 20.0]}, cv=2)
    assert search.fit(X).best_params_ == {"sparsity_penalty": 0.0}


@pytest.mark.quick
def test_no_epochs_are_pca_whatever_the_penalties(quick, X):
    autoencoder = quick(max_epochs=0, **dict.fromkeys(PENALTIES, 1.0)).fit(X)
    pca = PCA(2).fit(X)
    np.testing.assert_allclose(
        autoencoder.reconstruct(X), pca.inverse_transform(pca.transform(X)), atol=1e-6
    )
