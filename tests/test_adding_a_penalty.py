"""A penalty from outside: a class, a row in the table, a parameter that is its weight."""

import numpy as np
import pytest
from sklearn.base import clone
from torch import nn

from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder._training import parts


class Level(nn.Module):
    """Mean square of a component over a batch, as a share of a level that it may not exceed."""

    def __init__(self, level):
        super().__init__()
        self.level = level

    def forward(self, module, batch):
        return batch.z.square().mean() / self.level


class LevelledAutoencoder(AutoencoderTransformer):
    _parameter_constraints = AutoencoderTransformer._parameter_constraints | {
        "level_penalty": [float]
    }

    def __init__(self, n_components=2, *, level_penalty=0.0, **params):
        super().__init__(n_components, **params)
        self.level_penalty = level_penalty

    @classmethod
    def _get_param_names(cls):
        return sorted([*AutoencoderTransformer._get_param_names(), "level_penalty"])


@pytest.fixture
def levelled(monkeypatch):
    monkeypatch.setitem(parts.PENALTIES, "level_penalty", lambda blueprint: Level(blueprint.width))

    def make(weight, **params):
        params = {"max_epochs": 5, "random_state": 0, "early_stopping": False} | params
        return LevelledAutoencoder(2, **params).set_params(level_penalty=weight)

    return make


def test_a_penalty_is_made_small(levelled, X):
    plain, light, heavy = (levelled(weight).fit(X) for weight in (0.0, 0.5, 5.0))
    sizes = [np.square(each.transform(X)).mean() for each in (plain, light, heavy)]
    assert sizes[0] > 1.1 * sizes[1] > 1.2 * sizes[2]
    unpenalized = AutoencoderTransformer(2, max_epochs=5, random_state=0, early_stopping=False)
    np.testing.assert_array_equal(plain.transform(X), unpenalized.fit(X).transform(X))


def test_its_weight_is_a_parameter_that_a_fit_that_goes_on_leaves_alone(levelled, X):
    autoencoder = levelled(0.5)
    assert clone(autoencoder).level_penalty == 0.5
    autoencoder.partial_fit(X)
    with pytest.raises(ValueError, match="level_penalty changed since the last fit"):
        autoencoder.set_params(level_penalty=1.0).partial_fit(X)


def test_it_counts_in_the_losses_and_keeps_pca_from_judging(levelled, X):
    autoencoder = levelled(1.0, early_stopping=True).fit(X)
    assert not autoencoder.is_pca_
    assert autoencoder.net_.penalties_.weights == (1.0,)
