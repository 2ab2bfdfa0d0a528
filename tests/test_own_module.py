"""Modules of the user's own, and what reaches skorch."""

import copy
import functools

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

pytestmark = pytest.mark.quick

RESERVED_NET_PARAMS = [
    "batch_size",
    "callbacks",
    "criterion",
    "dataset",
    "device",
    "iterator_train",
    "iterator_valid",
    "lr",
    "max_epochs",
    "module",
    "optimizer",
    "optimizer__lr",
    "train_split",
    "verbose",
    "warm_start",
]


class ConvolutionalAutoencoder(nn.Module):
    """Images of 28 x 28 pixels to codes, with dropout on the way."""

    def __init__(self, n_components=2, width=4):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Unflatten(1, (1, 28, 28)),
            nn.Conv2d(1, width, 4, stride=4),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Flatten(),
            nn.Linear(width * 49, n_components),
        )
        self.decoder = nn.Sequential(
            nn.Linear(n_components, width * 49),
            nn.Unflatten(1, (width, 7, 7)),
            nn.ConvTranspose2d(width, 1, 4, stride=4),
            nn.Flatten(),
        )

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        return self.decode(self.encode(x))


class Halves(nn.Module):
    """Linear maps, of which a test can break one."""

    def __init__(self, n_in=6, n_code=2, n_out=6):
        super().__init__()
        self.encode = nn.Linear(n_in, n_code)
        self.decode = nn.Linear(n_code, n_out)

    def forward(self, x):
        return self.decode(self.encode(x))


def without(name):
    module = Halves()
    delattr(module, name)
    return module


@pytest.fixture(scope="module")
def images():
    """Bright squares on 28 x 28 pixels, at 60 places: float32."""
    corners = np.random.RandomState(0).randint(0, 18, (60, 2))
    images = np.zeros((60, 28, 28), np.float32)
    for image, (i, j) in zip(images, corners, strict=True):
        image[i : i + 10, j : j + 10] = 1
    return images.reshape(60, -1)


def weights_of(module):
    return [value.clone() for value in module.state_dict().values()]


def seeded(cls, *args, **kwargs):
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(0)
        return cls(*args, **kwargs)


def test_a_convolutional_autoencoder_learns_images(quick, images):
    module = seeded(ConvolutionalAutoencoder)
    autoencoder = quick(module=module, max_epochs=20, lr=0.01).fit(images)
    loss = autoencoder.history_["train_loss"]
    assert loss.iloc[-1] < 0.7 * loss[1]
    assert autoencoder.transform(images).shape == (60, 2)
    assert autoencoder.reconstruct(images).shape == images.shape
    assert autoencoder.reconstruct(images).dtype == np.float32
    assert isinstance(autoencoder.net_.module_, ConvolutionalAutoencoder)


def test_a_module_is_copied_before_it_is_trained(quick, images):
    module = seeded(ConvolutionalAutoencoder)
    before = weights_of(module)
    autoencoder = quick(module=module, lr=0.01).fit(images)
    assert all(map(torch.equal, before, weights_of(module)))
    assert not all(map(torch.equal, before, weights_of(autoencoder.net_.module_)))
    assert module.training
    assert autoencoder.module is module


def test_a_module_in_float64_is_left_as_it_is(quick, X):
    module = seeded(Halves).double()
    quick(module=module).fit(X)
    assert {parameter.dtype for parameter in module.parameters()} == {torch.float64}


def test_dropout_is_off_outside_of_training(quick, images):
    autoencoder = quick(module=seeded(ConvolutionalAutoencoder)).fit(images)
    np.testing.assert_array_equal(autoencoder.transform(images), autoencoder.transform(images))
    assert not autoencoder.net_.module_.training


def test_a_class_is_made_with_the_parameters_in_net_params(quick, images):
    params = {"module__n_components": 3, "module__width": 2}
    autoencoder = quick(3, module=ConvolutionalAutoencoder, net_params=params).fit(images)
    assert autoencoder.transform(images).shape == (60, 3)
    assert autoencoder.net_.module_.encoder[1].out_channels == 2
    assert clone(autoencoder).fit_transform(images).shape == (60, 3)


def test_a_function_can_make_the_module(quick, X):
    autoencoder = quick(module=functools.partial(Halves, n_code=2)).fit(X)
    assert isinstance(autoencoder.net_.module_, Halves)


def test_a_module_is_given_the_rows_as_they_are(quick, X):
    module = seeded(Halves)
    autoencoder = quick(module=module, max_epochs=0, early_stopping=False).fit(X)
    with torch.no_grad():
        expected = module.encode(torch.from_numpy(X).float()).numpy()
    np.testing.assert_allclose(autoencoder.transform(X), expected, atol=1e-5)


def test_a_module_computes_in_the_dtype_of_the_rows(quick, X):
    autoencoder = quick(module=seeded(Halves)).fit(X)
    difference = np.abs(autoencoder.transform(X + 1e-11) - autoencoder.transform(X)).max()
    assert 0 < difference < 1e-9


def test_net_params_reach_skorch(quick, X):
    params = {"optimizer__betas": (0.8, 0.9), "predict_nonlinearity": None}
    given = copy.deepcopy(params)
    net = quick(net_params=params, warm_start=True).fit(X).net_
    assert net.optimizer_.defaults["betas"] == (0.8, 0.9)
    assert net.predict_nonlinearity is None
    assert params == given


@pytest.mark.parametrize("name", RESERVED_NET_PARAMS)
def test_a_net_param_that_is_a_parameter_of_ours_is_refused(quick, X, name):
    with pytest.raises(ValueError, match=rf"net_params sets \['{name}'\].*Use the parameter"):
        quick(net_params={name: 1}).fit(X)


def test_a_net_param_that_skorch_does_not_know_is_refused(quick, X):
    with pytest.raises((TypeError, ValueError), match="optimiser__beta"):
        quick(net_params={"optimiser__beta": 1}).fit(X)


@pytest.mark.parametrize("name", ["encode", "decode"])
def test_a_module_without_a_method_is_refused(quick, X, name):
    with pytest.raises(TypeError, match=f"module=Halves has no method '{name}'"):
        quick(module=without(name)).fit(X)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Halves(n_code=3), r"Halves.encode gave .* \(2, 3\) .* \(n_samples, n_components\)"),
        (Halves(n_out=5), r"Halves.decode gave .* \(2, 5\) .* \(n_samples, n_features\)"),
        (Halves(n_in=7), r"Halves.encode"),
    ],
    ids=["code", "output", "input"],
)
def test_a_module_of_wrong_widths_is_refused(quick, X, module, message):
    with pytest.raises(ValueError, match=message):
        quick(module=module).fit(X)


def test_a_module_that_is_no_module_is_refused(quick, X):
    with pytest.raises(ValueError, match="'module' parameter"):
        quick(module="convolutional").fit(X)


class WithoutForward(nn.Module):
    """A module with nothing but the two methods that are asked for."""

    def __init__(self, n_features=6, n_components=2):
        super().__init__()
        self.down = nn.Linear(n_features, n_components)
        self.up = nn.Linear(n_components, n_features)

    def encode(self, x):
        return self.down(x)

    def decode(self, z):
        return self.up(z)


def test_a_module_needs_no_forward(quick, X):
    before = quick(module=WithoutForward, max_epochs=0).fit(X)
    after = quick(module=WithoutForward, max_epochs=20, lr=0.05).fit(X)
    assert after.score(X) > before.score(X)


def test_an_encoder_that_gives_no_tensor_is_named(quick, X):
    class Pair(WithoutForward):
        def encode(self, x):
            return self.down(x), x

    with pytest.raises(ValueError, match=r"Pair\.encode gave an output of shape tuple"):
        quick(module=Pair).fit(X)


def test_an_optimizer_takes_another_implementation_than_the_fused_one(quick, X):
    net = quick(net_params={"optimizer__foreach": True}, warm_start=True).fit(X).net_
    assert net.optimizer_.defaults["foreach"]


def test_training_goes_on_with_a_module_made_by_a_function_and_sizes_of_another_kind(quick, X):
    def make():
        return WithoutForward()

    quick(module=make).fit(X).set_params(module=make).partial_fit(X)
    quick(hidden_layer_sizes=[8, 4]).fit(X).set_params(hidden_layer_sizes=(8, 4)).partial_fit(X)
