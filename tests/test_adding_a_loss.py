"""A loss from outside: a row in the table, and a name that the parameter takes."""

import numpy as np
import pytest
import torch

from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder._nn.losses import LOSSES, Loss
from sk_autoencoder._sklearn_compat import StrOptions


def _log_cosh(output, x):
    """Compute the logarithm of the hyperbolic cosine of each difference."""
    difference = output - x
    return difference + torch.nn.functional.softplus(-2 * difference) - np.log(2)


class LogCoshAutoencoder(AutoencoderTransformer):
    _parameter_constraints = AutoencoderTransformer._parameter_constraints | {
        "loss": [StrOptions({"log_cosh"})]
    }


@pytest.fixture
def log_cosh(monkeypatch):
    loss = Loss(_log_cosh, shift_free=True, domain=(-50.0, 50.0), name="log_cosh")
    monkeypatch.setitem(LOSSES, "log_cosh", loss)

    def make(**params):
        return LogCoshAutoencoder(2, loss="log_cosh", max_epochs=8, random_state=0, **params)

    return make


def test_it_is_made_small_and_has_its_units_in_the_history(log_cosh, X):
    autoencoder = log_cosh(early_stopping=False, average=False).fit(X)
    difference = torch.from_numpy(autoencoder.reconstruct(X) - X)
    loss = _log_cosh(difference, torch.zeros_like(difference)).mean().item()
    losses = autoencoder.history_["train_loss"]
    assert loss < losses[0]
    assert losses.iloc[-1] == pytest.approx(loss, rel=0.2)


def test_pca_has_to_be_beaten_in_its_own_units(log_cosh, X):
    autoencoder = log_cosh(refit=False).fit(X)
    assert 0 < autoencoder.pca_validation_score_ <= autoencoder.validation_score_ < 1


def test_its_domain_is_checked(log_cosh, X):
    with pytest.raises(ValueError, match="loss='log_cosh' needs X between -50 and 50"):
        log_cosh().fit(1000 * X)


def test_missing_cells_do_not_count(log_cosh, X):
    X[::3, 0] = np.nan
    assert np.isfinite(log_cosh().fit(X).transform(X)).all()
