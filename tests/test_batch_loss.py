"""The loss of a training batch: made in one place, whoever looks on."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from sk_autoencoder._nn.penalties import Penalties
from sk_autoencoder._training import setup as _start

pytestmark = pytest.mark.quick


class SquaresOfCodes(nn.Module):
    def forward(self, module, batch):
        return batch.z.square().mean()


class Half(nn.Module):
    def forward(self, module, batch):
        return torch.tensor(0.5)


@pytest.fixture
def penalize(monkeypatch):
    """Give a function that makes each net that is built from now on have penalties."""
    build = _start.build_net

    def set_penalties(*penalties):
        def build_penalized(*args):
            net = build(*args)
            net.penalties_ = Penalties(penalties)
            return net

        monkeypatch.setattr(_start, "build_net", build_penalized)

    return set_penalties


def test_a_watched_training_and_a_lean_one_make_the_same_steps(smooth, X, penalize):
    penalize((0.5, SquaresOfCodes()))
    lean, watched = (
        smooth(callbacks=callbacks, early_stopping=False).fit(X)
        for callbacks in (None, [Callback()])
    )
    np.testing.assert_allclose(lean.transform(X), watched.transform(X), atol=1e-5)
    losses = lean.history_["train_loss"]
    np.testing.assert_allclose(losses, watched.history_["train_loss"], rtol=1e-5)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
def test_a_penalty_counts_in_losses_of_the_mean(quick, X, penalize, loss):
    mean_loss = {
        "squared_error": np.square(X - X.mean(axis=0)).mean(),
        "absolute_error": np.abs(X - X.mean(axis=0)).mean(),
    }[loss]
    params = {"loss": loss, "early_stopping": False, "max_epochs": 1, "lr": 1e-9}
    plain = quick(**params).fit(X).history_["train_loss"].iloc[-1]
    penalize((3.0, Half()))
    penalized = quick(**params).fit(X).history_["train_loss"].iloc[-1]
    assert penalized - plain == pytest.approx(1.5 * mean_loss, rel=1e-4)


def test_validation_losses_hold_the_penalties(quick, X, penalize):
    plain = quick(max_epochs=1, refit=False).fit(X).history_["valid_loss"].iloc[-1]
    penalize((2.0, SquaresOfCodes()))
    penalized = quick(max_epochs=1, refit=False).fit(X).history_["valid_loss"].iloc[-1]
    assert penalized > 1.2 * plain
