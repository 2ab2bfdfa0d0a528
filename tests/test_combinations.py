"""Parameters together: those that are refused, with the reason, and codes wider than X."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from sk_autoencoder import AutoencoderTransformer


class Linear(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode, self.decode = nn.Linear(6, 2), nn.Linear(2, 6)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"module": Linear, "dropout": 0.1}, r"dropout=0.1 shapes.*module has its own layers"),
        ({"module": Linear, "normalization": "layer"}, r"normalization='layer' shapes.*Leave"),
        ({"module": Linear, "tied_weights": True}, r"tied_weights=True shapes.*build it into"),
        ({"module": Linear, "pretrain": "layerwise"}, r"pretrain='layerwise' shapes"),
        ({"pretrain": "layerwise"}, r"linear_shortcut=True starts at PCA. Set linear_shortcut"),
        ({"hidden_layer_sizes": (), "dropout": 0.5}, r"dropout=0.5 drops hidden.*is empty"),
        ({"hidden_layer_sizes": [], "normalization": "batch"}, r"normalization='batch' is put"),
        (
            {"contractive_penalty": 1.0, "normalization": "batch"},
            r"depends on the other rows too. Use normalization='layer'",
        ),
        ({"sparsity_penalty": 1.0, "whiten": True}, r"whiten=True centres them and mixes them"),
    ],
    ids=lambda value: str(list(value)) if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_what_makes_no_sense_together_is_refused(quick, X, params, reason, method):
    with pytest.raises(ValueError, match=reason):
        getattr(quick(**params), method)(X)


@pytest.mark.slow
def test_all_at_once_fit(quick, X):
    everything = {
        "corruption": "gaussian",
        "sparsity_penalty": 0.01,
        "contractive_penalty": 0.01,
        "orthogonality_penalty": 0.01,
        "dropout": 0.1,
        "normalization": "layer",
        "tied_weights": True,
        "nested": True,
    }
    for more in ({}, {"linear_shortcut": False, "pretrain": "layerwise"}, {"loss": "huber"}):
        autoencoder = quick(3, max_epochs=10, **everything, **more).fit(X)
        assert autoencoder.score(X) > 0.3


@pytest.mark.quick
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"orthogonality_penalty": 1.0},
        {"contractive_penalty": 1.0},
        {"variational": True},
        {"corruption": "gaussian", "corruption_level": 0},
        {"dropout": 0.2},
        {"tied_weights": True},
    ],
    ids=str,
)
def test_a_code_wider_than_x_is_refused_where_nothing_gives_it_meaning(quick, X, params):
    with pytest.raises(ValueError, match=r"n_components=9 .*give a wider code a meaning"):
        quick(9, **params).fit(X)


def drop_first_feature(x, generator):
    return torch.cat([0 * x[:, :1], x[:, 1:]], dim=1)


WIDE = {
    "corruption": {"corruption": "gaussian", "corruption_level": 0.5},
    "sparsity": {"sparsity_penalty": 0.1},
    "own corruption": {"corruption": drop_first_feature, "corruption_level": 0},
    "contraction": {"corruption": "masking", "contractive_penalty": 0.1},
    "textbook": {"sparsity_penalty": 0.1, "linear_shortcut": False},
    "tied": {"corruption": "masking", "tied_weights": True},
    "nested": {"sparsity_penalty": 0.1, "sparsity": "kl", "nested": True},
    "whitened": {"corruption": "swap", "whiten": True},
    "cells of X": {"corruption": "swap", "nested": True, "loss": "huber"},
}


@pytest.mark.parametrize("params", WIDE.values(), ids=list(WIDE))
@pytest.mark.parametrize("early_stopping", [True, False])
def test_a_code_may_be_wider_than_x_where_it_has_a_meaning(quick, X, params, early_stopping):
    autoencoder = quick(9, early_stopping=early_stopping, **params).fit(X)
    assert autoencoder.transform(X).shape == (120, 9)
    assert autoencoder.explained_variance_.shape == (9,)
    assert autoencoder.components_.shape == (9, 6)
    assert np.isfinite(autoencoder.transform(X)).all()
    if not autoencoder.whiten:
        assert autoencoder.score(X) > 0.3
    assert autoencoder.history_["train_loss"][0] < X.var(axis=0).mean()


@pytest.mark.quick
def test_a_wide_code_starts_as_a_copy_of_x(quick, X):
    autoencoder = quick(9, max_epochs=0, sparsity_penalty=0.1).fit(X)
    np.testing.assert_allclose(autoencoder.reconstruct(X), X, atol=1e-6)
    np.testing.assert_array_equal(autoencoder.transform(X)[:, 6:], 0)


def test_a_wide_code_comes_to_use_what_it_starts_without(quick, X):
    autoencoder = quick(9, max_epochs=20, early_stopping=False, corruption="gaussian").fit(X)
    assert (autoencoder.transform(X)[:, 6:].std(axis=0) > 0.01).all()


@pytest.mark.quick
def test_a_wide_denoising_code_beats_all_of_pca(quick):
    X = load_digits().data
    noise = {"corruption": "gaussian", "corruption_level": 4.0}
    params = {"max_epochs": 6, "refit": False, "random_state": 0}
    autoencoder = AutoencoderTransformer(80, hidden_layer_sizes=(80,), **noise, **params).fit(X)
    assert autoencoder.best_epoch_ > 0
    assert autoencoder.validation_score_ > autoencoder.pca_validation_score_ + 0.1


def test_few_rows_may_have_a_code_wider_than_they_are_many(quick, X):
    autoencoder = quick(9, corruption="gaussian").fit(X[:8])
    assert autoencoder.n_iter_ > 0
    assert autoencoder.transform(X).shape == (120, 9)
