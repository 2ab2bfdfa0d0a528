"""Layers of choice: dropout, normalization, tied weights, and what is never behind the code."""

import copy
import pickle

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import nn

from sk_autoencoder._nn.layers import ACTIVATIONS, NORMALIZATIONS, Dropout, TiedLinear, blocks
from sk_autoencoder._nn.stack import StackedAutoencoder

OPTIONS = {
    "dropout": {"dropout": 0.3},
    "batch": {"normalization": "batch"},
    "layer": {"normalization": "layer"},
    "tied": {"tied_weights": True},
    "all": {"dropout": 0.1, "normalization": "layer", "tied_weights": True},
}
EACH = pytest.mark.parametrize("params", OPTIONS.values(), ids=list(OPTIONS))


def make(**params):
    generator = torch.Generator().manual_seed(0)
    return StackedAutoencoder(6, 2, (32, 16), generator=generator, **params)


def pca_of(X, n_components=2):
    pca = PCA(n_components).fit(X)
    return pca.inverse_transform(pca.transform(X))


@pytest.mark.quick
def test_dropout_zeroes_its_share_in_training_and_keeps_the_mean():
    dropout, x = Dropout(0.25, torch.Generator().manual_seed(0)), torch.ones(200, 100)
    out = dropout(x)
    assert (out == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert out.mean().item() == pytest.approx(1, abs=0.02)
    assert dropout.eval()(x).equal(x)


def test_hidden_units_are_dropped_and_normalized_and_no_others():
    module = make(dropout=0.5, normalization="layer")
    kinds = [nn.Linear, nn.LayerNorm, nn.SiLU, Dropout]
    for stacked in (module.encoder, module.decoder):
        assert [type(part) for part in stacked] == 2 * kinds + [nn.Linear]
    assert [part.normalized_shape for part in module.decoder[1::4]] == [(16,), (32,)]


@pytest.mark.quick
@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_what_is_normalized_has_no_offset_and_a_unit_of_its_own(name):
    module = make(normalization=name)
    x = 5 + 3 * torch.randn(64, 6, generator=torch.Generator().manual_seed(0))
    hidden = module.encoder[:2](x)
    dim = 0 if name == "batch" else 1
    torch.testing.assert_close(
        hidden.mean(dim=dim), torch.zeros(hidden.shape[1 - dim]), atol=1e-4, rtol=0
    )
    torch.testing.assert_close(
        hidden.var(dim=dim, correction=0), torch.ones(hidden.shape[1 - dim]), atol=1e-2, rtol=0
    )


@pytest.mark.quick
def test_the_tied_decoder_is_the_transpose_of_the_encoder():
    module = make(tied_weights=True, linear_shortcut=False)
    weights = [layer.weight for layer in module.encoder[::2]]
    mirrored = [layer.mirrored[0].weight.T for layer in module.decoder[::2]]
    assert all(a.equal(b.T) for a, b in zip(weights, mirrored[::-1], strict=True))
    assert {name for name, _ in module.decoder.named_parameters()} == {"0.bias", "2.bias", "4.bias"}
    hidden = torch.randn(3, 2)
    expected = hidden @ weights[-1] + module.decoder[0].bias
    torch.testing.assert_close(module.decoder[0](hidden), expected)


@pytest.mark.quick
def test_weights_stay_tied_through_training_copies_and_pickles(quick, X):
    fitted = quick(tied_weights=True, early_stopping=False).fit(X)
    for autoencoder in (fitted, copy.deepcopy(fitted), pickle.loads(pickle.dumps(fitted))):
        module = autoencoder.net_.module_
        assert module.decoder[0].mirrored[0] is module.encoder[-1]
        assert module.decoder_shortcut.mirrored[0] is module.encoder_shortcut
        np.testing.assert_array_equal(autoencoder.transform(X), fitted.transform(X))
    assert np.abs(fitted.reconstruct(X) - pca_of(X)).max() > 1e-2
    n_tied, n_free = (
        sum(p.numel() for p in quick(tied_weights=tied).fit(X).net_.module_.parameters())
        for tied in (True, False)
    )
    assert n_tied < 0.6 * n_free


@pytest.mark.quick
@EACH
@pytest.mark.parametrize("activation", ["silu", "sigmoid", "softplus"])
def test_the_start_is_pca_with_any_layers(quick, X, params, activation):
    autoencoder = quick(max_epochs=0, activation=activation, **params).fit(X)
    np.testing.assert_allclose(autoencoder.reconstruct(X), pca_of(X), atol=1e-6)


@pytest.mark.parametrize("widths", [(), (1,), (3,), (6,), (16,), (7, 5), (8, 8), (16, 9, 4)])
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_tied_stacks_of_any_widths_start_at_zero(widths, activation):
    generator = torch.Generator().manual_seed(0)
    module = StackedAutoencoder(
        6, 2, widths, activation, generator=generator, tied_weights=True
    ).double()
    x = torch.randn(20, 6, generator=generator, dtype=torch.float64)
    projected = x * (torch.arange(6) < 2)
    torch.testing.assert_close(module.encode(x), projected[:, :2], atol=1e-12, rtol=0)
    torch.testing.assert_close(module(x), projected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("activation", sorted({*ACTIVATIONS} - {"identity"}))
@pytest.mark.parametrize("widths", [(32,), (32, 16)], ids=str)
def test_pca_is_no_saddle_of_tied_weights(X, activation, widths):
    rows = torch.from_numpy(PCA().fit_transform(X)).float()
    generator = torch.Generator().manual_seed(0)
    module = StackedAutoencoder(6, 2, widths, activation, generator=generator, tied_weights=True)
    (module(rows) - rows).square().mean().backward()
    assert module.encoder[0].weight.grad.abs().max() > 1e-4


@pytest.mark.parametrize(
    "params",
    [
        {"activation": "tanh"},
        {"hidden_layer_sizes": (32,)},
        {"hidden_layer_sizes": (31, 17)},
        {"hidden_layer_sizes": (32, 24, 16)},
    ],
    ids=str,
)
def test_tied_weights_leave_pca_with_any_stack(quick, X, params):
    training = {"tied_weights": True, "max_epochs": 30, "early_stopping": False}
    error = np.square(quick(**training, **params).fit(X).reconstruct(X) - X).mean()
    assert error < 0.6 * np.square(pca_of(X) - X).mean()


@pytest.mark.sampled(every=3)
@EACH
@pytest.mark.parametrize("random_state", range(3))
def test_any_layers_learn_more_than_pca(quick, X, params, random_state):
    training = {"max_epochs": 30, "early_stopping": False, "random_state": random_state}
    autoencoder = quick(**training, **params).fit(X)
    error = np.square(autoencoder.reconstruct(X) - X).mean()
    assert error < 0.8 * np.square(pca_of(X) - X).mean()


@EACH
def test_any_layers_change_the_result(quick, X, params):
    training = {"early_stopping": False, "average": False}
    codes = [quick(**training, **p).fit_transform(X) for p in ({}, params)]
    assert np.abs(codes[0] - codes[1]).max() > 1e-3


@pytest.mark.sampled(every=3)
@EACH
@pytest.mark.parametrize("linear_shortcut", [True, False])
def test_a_fit_repeats_and_leaves_global_generators_alone(quick, X, params, linear_shortcut):
    before = torch.get_rng_state()
    params = params | {"linear_shortcut": linear_shortcut}
    codes = [quick(**params).fit_transform(X) for _ in range(2)]
    np.testing.assert_array_equal(*codes)
    assert torch.get_rng_state().equal(before)


@EACH
def test_rows_are_encoded_one_by_one_as_all_at_once(quick, X, params):
    autoencoder = quick(early_stopping=False, **params).fit(X)
    together = autoencoder.transform(X)
    for rows in (X[:1], X[:7]):
        np.testing.assert_allclose(autoencoder.transform(rows), together[: len(rows)], atol=1e-7)


@EACH
def test_layers_keep_the_default_dtype_of_torch_out(quick, X, params):
    torch.set_default_dtype(torch.float64)
    try:
        odd = quick(**params).fit_transform(X)
    finally:
        torch.set_default_dtype(torch.float32)
    np.testing.assert_array_equal(odd, quick(**params).fit_transform(X))


def test_batch_normalization_refuses_a_row_that_is_alone(quick, X):
    with pytest.raises(ValueError, match=r"two rows in each batch.*Raise batch_size"):
        quick(normalization="batch", batch_size=1).fit(X)
    autoencoder = quick(normalization="batch").partial_fit(X)
    with pytest.raises(ValueError, match=r"1 rows in batches of at most 1"):
        autoencoder.partial_fit(X[:1])


@pytest.mark.quick
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_blocks_are_the_layers_with_what_is_behind_them(activation):
    for tied in (True, False):
        module = make(activation=activation, dropout=0.1, tied_weights=tied)
        parts = blocks(module.decoder)
        assert [len(part) for part in parts] == [3, 3, 1]
        assert isinstance(parts[-1][0], TiedLinear if tied else nn.Linear)
