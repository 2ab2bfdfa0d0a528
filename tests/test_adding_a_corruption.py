"""A corruption from outside: a row in the table, and a name that the parameter takes."""

import numpy as np
import pytest
import torch

from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder._nn.corruptions import CORRUPTIONS, Corruption
from sk_autoencoder._sklearn_compat import StrOptions


def _to_greatest(x, level, generator, limits):
    """Set a share of the cells to the greatest value of their feature."""
    chosen = torch.rand(x.shape, generator=generator) < level
    return torch.where(chosen.to(x.device), limits[1], x)


class SaturatedAutoencoder(AutoencoderTransformer):
    _parameter_constraints = AutoencoderTransformer._parameter_constraints | {
        "corruption": [StrOptions({"saturation"}), None]
    }


@pytest.fixture
def saturated(monkeypatch):
    monkeypatch.setitem(CORRUPTIONS, "saturation", Corruption(_to_greatest, needs_range=True))

    def make(**params):
        defaults = {"max_epochs": 20, "random_state": 0, "corruption": "saturation"}
        return SaturatedAutoencoder(3, **(defaults | params))

    return make


def test_rows_that_are_corrupted_so_are_restored(saturated, X, X_new):
    rng = np.random.RandomState(0)
    X = np.repeat(X, 4, axis=0)
    noisy = np.where(rng.uniform(size=X_new.shape) < 0.3, X.max(axis=0), X_new)
    errors = [
        np.square(saturated(**params).fit(X).reconstruct(noisy) - X_new).mean()
        for params in ({}, {"corruption": None})
    ]
    assert errors[0] < 0.8 * errors[1]


def test_its_level_is_a_share_of_the_cells(saturated, X):
    with pytest.raises(ValueError, match="corruption_level=2 is no share of the cells"):
        saturated(corruption_level=2).fit(X)


def test_pca_of_corrupted_rows_is_what_it_has_to_beat(saturated, X):
    plain, noisy = saturated(corruption=None).fit(X), saturated().fit(X)
    assert noisy.pca_validation_score_ < plain.pca_validation_score_ - 0.05
