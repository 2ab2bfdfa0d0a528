"""Layerwise pretraining: a better start than random weights, found layer by layer."""

import copy

import numpy as np
import pytest
import torch
from scipy import sparse
from seams import data_of
from sklearn.datasets import load_digits

from sk_autoencoder._nn.layers import blocks
from sk_autoencoder._training import pretraining as _pretraining
from sk_autoencoder._training.rows import Rows

STACK = {"linear_shortcut": False, "early_stopping": False, "pretrain": "layerwise"}


@pytest.fixture(autouse=True)
def _few_steps(monkeypatch):
    monkeypatch.setattr(_pretraining, "N_STEPS", 100)


@pytest.mark.quick
def test_each_layer_reconstructs_what_those_below_it_give(quick, X):
    lost = []
    for pretrain in (None, "layerwise"):
        autoencoder = quick(max_epochs=0, **STACK | {"pretrain": pretrain}).fit(X)
        module, hidden = autoencoder.net_.module_, autoencoder.model_.frame.read(X)
        pairs = zip(blocks(module.encoder), reversed(blocks(module.decoder)), strict=True)
        with torch.no_grad():
            for down, up in pairs:
                error = (up(down(hidden)) - hidden).square().mean() / hidden.var(dim=0).mean()
                lost.append(error.item())
                hidden = down(hidden)
    assert all(after < 0.6 * before for before, after in zip(lost[:3], lost[3:], strict=True))


def test_a_pretrained_stack_of_sigmoids_gets_going(quick):
    X = load_digits().data[:600] / 16
    params = {"activation": "sigmoid", "hidden_layer_sizes": (64, 32, 16), "batch_size": 32}
    params |= STACK | {"max_epochs": 3}
    scores = [quick(8, **params | {"pretrain": p}).fit(X).score(X) for p in (None, "layerwise")]
    assert scores[1] > scores[0] + 0.1


@pytest.mark.quick
def test_each_layer_is_trained_alone_from_the_outermost_on(quick, X, monkeypatch):
    trained = []

    class Recording(_pretraining.Adam):
        def __init__(self, parameters, **kwargs):
            parameters = list(parameters)
            trained.append(sorted(tuple(p.shape) for p in parameters if p.ndim == 2))
            super().__init__(parameters, **kwargs)

    monkeypatch.setattr(_pretraining, "Adam", Recording)
    quick(**STACK).fit(X)
    assert trained == [[(6, 32), (32, 6)], [(16, 32), (32, 16)], [(2, 16), (16, 2)]]


@pytest.mark.parametrize(
    "params",
    [
        {"tied_weights": True},
        {"normalization": "batch"},
        {"dropout": 0.2, "normalization": "layer"},
        {"corruption": "masking"},
        {"loss": "huber", "nested": True},
        {"sparsity_penalty": 0.1},
    ],
    ids=str,
)
def test_pretraining_combines_with_other_ways(quick, X, params):
    autoencoder = quick(**STACK, **params).fit(X)
    without = quick(**STACK | {"pretrain": None}, **params).fit(X)
    assert np.isfinite(autoencoder.transform(X)).all()
    assert np.abs(autoencoder.transform(X) - without.transform(X)).max() > 1e-2


def test_pretraining_repeats_and_leaves_global_generators_alone(quick, X):
    before = torch.get_rng_state()
    np.testing.assert_array_equal(*(quick(**STACK).fit_transform(X) for _ in range(2)))
    assert torch.get_rng_state().equal(before)


def test_pretraining_takes_missing_cells_weights_and_sparse_rows(quick, X):
    incomplete = np.where(np.random.RandomState(0).uniform(size=X.shape) < 0.1, np.nan, X)
    weight = np.random.RandomState(0).randint(0, 3, len(X))
    for rows in (incomplete, sparse.csr_array(X)):
        codes = quick(**STACK).fit(rows, sample_weight=weight).transform(rows)
        assert np.isfinite(codes).all()


def test_weights_count_in_pretraining(quick, X, monkeypatch):
    monkeypatch.setattr(_pretraining, "N_STEPS", 400)
    narrow = {"hidden_layer_sizes": (2,), "activation": "identity", "max_epochs": 0}
    fitted = quick(linear_shortcut=False, early_stopping=False, **narrow).fit(X)
    coordinates = fitted.model_.frame
    t, chosen = coordinates.read(X).float(), X[:, 0] > 0
    errors = []
    for weight in (np.where(chosen, 100.0, 0.01), None):
        module = copy.deepcopy(fitted.net_.module_).float()
        rows = Rows(data_of(X, weight=weight), coordinates, fitted.net_.error, torch.device("cpu"))
        _pretraining.pretrain_layerwise(module, rows, 8, seed=0)
        down, up = blocks(module.encoder)[0], blocks(module.decoder)[-1]
        with torch.no_grad():
            errors.append((up(down(t)) - t)[torch.from_numpy(chosen)].square().mean().item())
    assert errors[0] < 0.9 * errors[1]


@pytest.mark.quick
def test_a_fit_that_goes_on_is_not_pretrained_again(quick, X, monkeypatch):
    autoencoder = quick(**STACK).partial_fit(X)
    monkeypatch.setattr("sk_autoencoder._training.setup.pretrain_layerwise", None)
    autoencoder.partial_fit(X)
    with pytest.raises(TypeError):
        quick(**STACK).partial_fit(X)


@pytest.mark.parametrize(
    ("n_rows", "n_steps"), [(2, 100), (16, 100), (17, 200), (64, 400), (65, 500), (120, 500)]
)
def test_steps_follow_the_number_of_rows(quick, X, n_rows, n_steps, monkeypatch):
    taken = []

    class Counting(_pretraining.Adam):
        def step(self, closure=None):
            taken.append(1)
            return super().step(closure)

    monkeypatch.setattr(_pretraining, "N_STEPS", 500)
    monkeypatch.setattr(_pretraining, "Adam", Counting)
    quick(1, hidden_layer_sizes=(), max_epochs=0, **STACK).fit(X[:n_rows])
    assert len(taken) == n_steps
