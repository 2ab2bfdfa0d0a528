"""A bottleneck from outside: a module, and a row in the table that says when it is asked for."""

import copy
import pickle

import numpy as np
import pytest
import torch

from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder._nn.bottlenecks import Identity
from sk_autoencoder._training import parts


class NoisyCode(Identity):
    """Add noise to the codes of a training step, and learn a scale for each component."""

    is_plain = False

    def __init__(self, width, generator):
        super().__init__(width)
        self.generator = generator
        self.scale = torch.nn.Parameter(torch.ones(width))

    def forward(self, t, z):
        code, divergence = super().forward(t, z)
        if self.training:
            code = code + 0.1 * torch.randn(z.shape, generator=self.generator).to(z) * self.scale
        return code, divergence


@pytest.fixture
def noisy(monkeypatch):
    row = (lambda config: True, lambda blueprint: NoisyCode(blueprint.width, blueprint.generator()))
    monkeypatch.setattr(parts, "BOTTLENECKS", [row, *parts.BOTTLENECKS])

    def make(**params):
        return AutoencoderTransformer(2, **({"max_epochs": 4, "random_state": 0} | params))

    return make


def test_it_changes_the_training_and_its_weights_are_trained(noisy, X, monkeypatch):
    autoencoder = noisy(early_stopping=False).fit(X)
    assert (autoencoder.net_.bottleneck_.scale != 1).all()
    monkeypatch.undo()
    plain = AutoencoderTransformer(2, max_epochs=4, random_state=0, early_stopping=False).fit(X)
    assert not np.allclose(autoencoder.transform(X), plain.transform(X))
    np.testing.assert_allclose(
        autoencoder.inverse_transform(autoencoder.transform(X)), autoencoder.reconstruct(X)
    )


def test_the_optimizer_has_its_weights_from_the_start(noisy, X):
    autoencoder = noisy(warm_start=True).fit(X)
    (group,) = autoencoder.net_.optimizer_.param_groups
    ids = {id(parameter) for parameter in group["params"]}
    assert id(autoencoder.net_.bottleneck_.scale) in ids


@pytest.mark.parametrize(
    "again", [copy.deepcopy, lambda fitted: pickle.loads(pickle.dumps(fitted))]
)
def test_a_copy_goes_on_as_the_original_does(noisy, X, again):
    first = noisy().partial_fit(X)
    second = again(first)
    np.testing.assert_array_equal(
        first.partial_fit(X).transform(X), second.partial_fit(X).transform(X)
    )
