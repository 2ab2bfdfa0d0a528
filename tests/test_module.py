"""The stacked autoencoder: its layers, its start, its first weights."""

import numpy as np
import pytest
import torch
from torch import nn

from sk_autoencoder._nn.layers import ACTIVATIONS
from sk_autoencoder._nn.stack import StackedAutoencoder, auto_hidden_layer_sizes

pytestmark = pytest.mark.quick


def weights_of(module):
    return [value.clone() for value in module.state_dict().values()]


def test_the_decoder_mirrors_the_encoder():
    module = StackedAutoencoder(10, 2, (8, 5), linear_shortcut=False)
    encoder = [(layer.in_features, layer.out_features) for layer in module.encoder[::2]]
    decoder = [(layer.out_features, layer.in_features) for layer in module.decoder[::2]]
    assert encoder == [(10, 8), (8, 5), (5, 2)]
    assert decoder == encoder[::-1]
    assert [type(layer) for layer in module.encoder[1::2]] == [nn.SiLU, nn.SiLU]
    assert isinstance(module.encoder[-1], nn.Linear)
    assert isinstance(module.decoder[-1], nn.Linear)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_every_activation_trains(quick, X, activation):
    autoencoder = quick(activation=activation, max_epochs=1).fit(X)
    assert isinstance(autoencoder.net_.module_.encoder[1], ACTIVATIONS[activation])
    assert np.isfinite(autoencoder.history_["train_loss"]).all()


@pytest.mark.parametrize("hidden_layer_sizes", [(8,), [8], np.array([8])], ids=type)
def test_any_sequence_gives_the_widths(quick, X, hidden_layer_sizes):
    module = quick(hidden_layer_sizes=hidden_layer_sizes).fit(X).net_.module_
    assert [layer.out_features for layer in module.encoder[::2]] == [8, 2]


def test_no_hidden_layer_leaves_one_linear_layer_each():
    module = StackedAutoencoder(10, 2, ())
    assert len(module.encoder) == len(module.decoder) == 1


@pytest.mark.parametrize("bad", [(0,), (8, -1), (2.5,), ("8",), ((8,), (4,)), 8])
def test_widths_that_are_no_positive_integers_are_refused(quick, X, bad):
    with pytest.raises((ValueError, TypeError), match="hidden_layer_sizes"):
        quick(hidden_layer_sizes=bad).fit(X)


def test_the_module_starts_as_a_projection():
    module = StackedAutoencoder(6, 2, (8, 4))
    x = torch.arange(12.0).reshape(2, 6)
    projected = torch.tensor([[0.0, 1, 0, 0, 0, 0], [6, 7, 0, 0, 0, 0]])
    assert torch.equal(module.encode(x), x[:, :2])
    assert torch.equal(module(x), projected)
    module.encoder[0].weight.data.fill_(1)
    assert torch.equal(module(x), projected)


def test_the_same_generator_gives_the_same_weights():
    def weights(seed):
        generator = torch.Generator().manual_seed(seed)
        return weights_of(StackedAutoencoder(6, 2, (8, 4), generator=generator))

    assert all(map(torch.equal, weights(0), weights(0)))
    assert not all(map(torch.equal, weights(0), weights(1)))


def test_the_outputs_of_a_layer_start_as_large_as_its_inputs():
    layer = StackedAutoencoder(50, 2, (400,), linear_shortcut=False).encoder[0]
    assert layer(torch.randn(1000, 50)).std().item() == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize("n_inputs", [1, 6, 64, 200, 784])
@pytest.mark.parametrize("n_components", [1, 2, 150, 600])
def test_automatic_widths_get_narrower_and_leave_room_for_the_code(n_inputs, n_components):
    first, second, third = auto_hidden_layer_sizes(n_inputs, n_components)
    assert first > second >= third >= n_components
