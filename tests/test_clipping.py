"""Gradients that are longer than the last ones are cut, where the learning rate is chosen."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder._training._steps.clipping import GradientClip
from sk_autoencoder._training.budget import MAX_LR
from sk_autoencoder._training.plan import LR

pytestmark = pytest.mark.quick


def clipped(clip, parameters, *gradients):
    """Return the length of gradients after they were cut."""
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = None if gradient is None else torch.tensor(gradient)
    clip()
    made = [p.grad for p in parameters if p.grad is not None]
    return torch.cat([gradient.flatten() for gradient in made]).norm().item()


def test_a_long_gradient_is_cut_to_the_mean_length_before():
    parameters = [nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1))]
    clip = GradientClip(parameters)
    for _ in range(3):
        assert clipped(clip, parameters, [0.0, 3.0], [4.0]) == pytest.approx(5)
    assert clipped(clip, parameters, [0.0, 300.0], [400.0]) == pytest.approx(5)
    # It counted twice the mean in the mean.
    assert clip.mean == pytest.approx(5 + 0.05 * 5)
    assert clipped(clip, parameters, [0.0, 0.3], [0.4]) == pytest.approx(0.5)


def test_parts_of_a_cut_gradient_keep_their_direction():
    parameters = [nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1))]
    clip = GradientClip(parameters)
    clipped(clip, parameters, [0.0, 3.0], [4.0])
    clipped(clip, parameters, [60.0, 0.0], [-80.0])
    assert parameters[0].grad.tolist() == pytest.approx([3, 0], abs=1e-5)
    assert parameters[1].grad.tolist() == pytest.approx([-4], abs=1e-5)


def test_frozen_parameters_have_no_gradient_to_cut():
    parameters = [nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1))]
    clip = GradientClip(parameters)
    assert clipped(clip, parameters, [3.0, 4.0], None) == pytest.approx(5)
    assert clipped(clip, parameters, [6.0, 8.0], None) == pytest.approx(5)


def test_a_gradient_that_is_not_cut_is_not_written():
    parameters = [nn.Parameter(torch.zeros(2))]
    clip = GradientClip(parameters)
    clipped(clip, parameters, [3.0, 4.0])
    whole = torch.full((1024,), 0.01)
    parameters[0].grad = torch.tensor([3.0, 1.0])
    for gradient, cut in ((parameters[0].grad, clip), (whole, lambda: clip.cut(whole))):
        before = gradient._version
        cut()
        assert gradient._version == before


def test_gradients_of_zero_stay_so():
    parameters = [nn.Parameter(torch.zeros(2))]
    clip = GradientClip(parameters)
    for _ in range(2):
        assert clipped(clip, parameters, [0.0, 0.0]) == 0
    # Later ones are not measured by them.
    assert clipped(clip, parameters, [3.0, 4.0]) == pytest.approx(5)


def test_a_gradient_whose_length_is_not_finite_counts_twice_the_mean():
    parameters = [nn.Parameter(torch.zeros(2))]
    clip = GradientClip(parameters)
    clipped(clip, parameters, [3.0, 4.0])
    assert clipped(clip, parameters, [3e30, 4e30]) == 0
    assert clip.mean == pytest.approx(5 + 0.05 * 5)
    assert clipped(clip, parameters, [3.0, 4.0]) == pytest.approx(5)


class Watch(Callback):
    """Records the highest learning rate, and the longest gradient over the mean one."""

    def on_train_begin(self, net, **kwargs):
        self.clips, self.highest = net.clip_ is not None, 0.0

    def on_batch_end(self, net, training, **kwargs):
        self.highest = max(self.highest, net.optimizer_.param_groups[0]["lr"])


@pytest.mark.parametrize(
    ("params", "lr", "clips"),
    [
        ({}, MAX_LR / 2, True),
        ({"hidden_layer_sizes": (256,)}, 0.005, True),
        ({"hidden_layer_sizes": (2048,)}, LR / 2, False),
        ({"hidden_layer_sizes": ()}, MAX_LR / 2, True),
        ({"optimizer": "adam"}, MAX_LR / 2, True),
        ({"loss": "huber", "normalization": "layer"}, MAX_LR / 2, True),
        ({"nested": True}, MAX_LR / 2, True),
        ({"optimizer": "sgd"}, LR, False),
        ({"linear_shortcut": False}, LR, False),
        ({"loss": "poisson"}, LR, False),
        ({"loss": "absolute_error"}, LR, False),
        ({"corruption": "masking"}, LR, False),
        ({"dropout": 0.1}, LR, False),
        ({"normalization": "batch"}, LR, False),
        ({"sparsity_penalty": 0.1}, LR, False),
        ({"lr_schedule": "constant"}, LR, False),
        ({"lr": 0.03}, 0.03, False),
    ],
    ids=str,
)
def test_where_the_rate_is_chosen_from_the_width(X, params, lr, clips):
    watch = Watch()
    autoencoder = AutoencoderTransformer(2, max_epochs=10, callbacks=[watch], **params)
    autoencoder.fit(np.abs(X))
    assert watch.highest == pytest.approx(lr, rel=0.01)
    assert watch.clips is clips


@pytest.mark.parametrize(("n_distinct", "lr"), [(1999, MAX_LR / 2), (2000, MAX_LR)])
def test_the_rate_of_few_distinct_rows_is_lower(n_distinct, lr):
    X = np.random.RandomState(0).standard_normal((n_distinct, 3))
    watch = Watch()
    autoencoder = AutoencoderTransformer(1, max_epochs=3, callbacks=[watch])
    autoencoder.fit(np.append(X, X[:100], axis=0))
    assert watch.highest == pytest.approx(lr, rel=0.01)


def test_cells_that_are_missing_make_gradients_noisy(X):
    watch, X = Watch(), X.copy()
    X[::3, 1] = np.nan
    AutoencoderTransformer(2, max_epochs=10, callbacks=[watch]).fit(X)
    assert watch.highest == pytest.approx(LR, rel=0.01)
    assert watch.clips is False


def test_a_warm_start_takes_the_rate_of_now(X):
    watch = Watch()
    autoencoder = AutoencoderTransformer(2, max_epochs=3, warm_start=True, callbacks=[watch])
    autoencoder.set_params(lr=1e-3).fit(X)
    assert watch.highest == pytest.approx(1e-3, rel=0.01)
    autoencoder.set_params(lr="auto").fit(X)
    assert watch.highest == pytest.approx(MAX_LR / 2, rel=0.01)


def test_clipped_steps_that_callbacks_watch_are_those_of_steps_that_none_does(X):
    params = {"max_epochs": 5, "early_stopping": False, "random_state": 0}
    alone = AutoencoderTransformer(2, **params).fit_transform(X)
    watched = AutoencoderTransformer(2, callbacks=[Watch()], **params).fit_transform(X)
    np.testing.assert_allclose(alone, watched, atol=1e-3)
