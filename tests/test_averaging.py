"""The average of the weights, and what shows that it beats PCA."""

import copy

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from sk_autoencoder._training._steps.averaging import EVERY, HORIZON, WARM_UP, WeightAverage
from sk_autoencoder._training.selection import (
    ENOUGH_ROWS,
    Gains,
    better_than_chance,
)

pytestmark = pytest.mark.quick

ALL_ROWS = {"early_stopping": False, "lr_schedule": "constant", "max_epochs": 3}


class Linear(nn.Module):
    """A user's module, which starts from the same weights each time."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.there = nn.Parameter(0.1 * torch.randn(6, 2, generator=generator))
        self.back = nn.Parameter(0.1 * torch.randn(2, 6, generator=generator))

    def encode(self, x):
        return x @ self.there

    def decode(self, z):
        return z @ self.back


class Watch(Callback):
    """Keep a copy of the weights at each hook, and raise where asked to."""

    def __init__(self, raise_at=None):
        self.raise_at = raise_at

    def on_train_begin(self, net, **kwargs):
        self.start = weights(net)
        self.steps, self.epochs, self.begun, self.averages = [], [], [], []

    def on_batch_begin(self, net, training=None, **kwargs):
        if training:
            self.begun.append(weights(net))

    def on_batch_end(self, net, training=None, **kwargs):
        if training:
            self.steps.append(weights(net))
            self.averages.append(net.average_)
            if len(self.steps) == self.raise_at:
                raise ZeroDivisionError

    def on_epoch_end(self, net, **kwargs):
        self.epochs.append(weights(net))


def weights(net):
    return torch.cat([p.detach().flatten() for p in net.module_.parameters()]).double().numpy()


def plain_average(start, steps):
    """Average steps in a loop, each share written out."""
    average = np.array(start)
    for n, step in enumerate(steps, start=1):
        share = max(1 / HORIZON, WARM_UP / (n + WARM_UP))
        if n > HORIZON:
            share *= EVERY if n % EVERY == 0 else 0
        average = (1 - share) * average + share * np.asarray(step)
    return average


@pytest.fixture
def module():
    return nn.Linear(3, 2)


@pytest.fixture
def X(X):
    """The same rows in the dtype of the training."""
    return X.astype(np.float32)


def values(module):
    return [parameter.detach().clone() for parameter in module.parameters()]


def move(module, rng):
    """Take a step somewhere, in place, as an optimizer does."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.from_numpy(rng.standard_normal(parameter.shape)).float())


@pytest.mark.parametrize("n_steps", [1, 5, 1500])
def test_the_average_is_that_of_a_plain_loop(module, n_steps):
    rng = np.random.RandomState(0)
    average, start, steps = WeightAverage(module.parameters()), values(module), []
    for _ in range(n_steps):
        move(module, rng)
        average.update()
        steps.append(values(module))
    last = values(module)
    average.show(True)
    for i, parameter in enumerate(values(module)):
        expected = plain_average(start[i].numpy(), [step[i].numpy() for step in steps])
        np.testing.assert_allclose(parameter, expected, rtol=1e-3, atol=1e-3)
        assert not torch.equal(parameter, last[i])


def test_the_average_forgets_steps_beyond_its_horizon(module):
    average = WeightAverage(module.parameters())
    for value, n_steps in ((1.0, 2000), (0.0, HORIZON)):
        with torch.no_grad():
            module.weight.fill_(value)
        for _ in range(n_steps):
            average.update()
    average.show(True)
    np.testing.assert_allclose(
        module.weight.detach(), (1 - EVERY / HORIZON) ** (HORIZON // EVERY), rtol=1e-3
    )


def test_showing_the_average_twice_is_showing_it_once_and_back_is_exact(module):
    average = WeightAverage(module.parameters())
    parameters = list(module.parameters())
    move(module, np.random.RandomState(0))
    average.update()
    raw = values(module)
    average.show(False)
    assert all(map(torch.equal, values(module), raw))
    average.show(True)
    shown = values(module)
    assert not any(map(torch.equal, shown, raw))
    average.show(True)
    assert all(map(torch.equal, values(module), shown))
    average.show(False)
    assert all(map(torch.equal, values(module), raw))
    average.show(True)
    assert all(map(torch.equal, values(module), shown))
    # An optimizer holds on to the parameters themselves.
    assert all(one is other for one, other in zip(module.parameters(), parameters, strict=True))


def test_callbacks_see_raw_weights_in_an_epoch_and_averaged_ones_at_its_end(quick, X):
    watch = Watch()
    quick(**ALL_ROWS, callbacks=[watch]).fit(X)
    n_batches = len(watch.steps) // 3
    assert n_batches == 15
    for epoch, seen in enumerate(watch.epochs, start=1):
        expected = plain_average(watch.start, watch.steps[: epoch * n_batches])
        np.testing.assert_allclose(seen, expected, atol=1e-5)
        assert np.abs(seen - watch.steps[epoch * n_batches - 1]).max() > 1e-2
    # Each step goes on from the raw weights of the one before.
    for begun, before in zip(watch.begun[1:], watch.steps[:-1], strict=True):
        np.testing.assert_array_equal(begun, before)


def test_averaging_does_not_change_the_steps(quick, X):
    averaged, raw = Watch(), Watch()
    fits = [
        quick(**ALL_ROWS, average=average, callbacks=[watch]).fit(X)
        for average, watch in ((True, averaged), (False, raw))
    ]
    np.testing.assert_array_equal(averaged.steps, raw.steps)
    np.testing.assert_array_equal(raw.epochs, raw.steps[14::15])
    np.testing.assert_array_equal(*(fit.history_["train_loss"] for fit in fits))


@pytest.mark.parametrize("watched", [True, False])
def test_a_fit_ends_with_averaged_weights(quick, X, watched):
    watch = Watch()
    autoencoder = quick(**ALL_ROWS, callbacks=[watch]).fit(X)
    if not watched:
        autoencoder = quick(**ALL_ROWS).fit(X)
    expected = plain_average(watch.start, watch.steps)
    np.testing.assert_allclose(weights(autoencoder.net_), expected, atol=1e-5)
    assert autoencoder.net_.average_ is None


def test_with_early_stopping_the_averaged_weights_of_the_best_epoch_are_kept(quick, X):
    watch = Watch()
    autoencoder = quick(max_epochs=8, lr_schedule="constant", callbacks=[watch]).fit(X)
    best, n_batches = autoencoder.best_epoch_, len(watch.steps) // autoencoder.n_iter_
    assert best > 0
    expected = plain_average(watch.start, watch.steps[: best * n_batches])
    np.testing.assert_allclose(weights(autoencoder.net_), expected, atol=1e-5)


@pytest.mark.parametrize("params", [{}, ALL_ROWS], ids=["validated", "all rows"])
def test_an_averaged_fit_is_repeatable_and_not_that_without(quick, X, params):
    codes = quick(**params).fit_transform(X)
    np.testing.assert_array_equal(quick(**params).fit_transform(X), codes)
    np.testing.assert_array_equal(quick(**params, average=True).fit_transform(X), codes)
    assert np.abs(quick(**params, average=False).fit_transform(X) - codes).max() > 1e-3


def test_partial_fit_does_not_average(quick, X):
    watch = Watch()
    autoencoder = quick(callbacks=[watch]).partial_fit(X)
    assert watch.averages == [None] * 15
    np.testing.assert_array_equal(weights(autoencoder.net_), watch.steps[-1])
    autoencoder.fit(X).partial_fit(X)
    assert watch.averages == [None] * 15
    np.testing.assert_array_equal(weights(autoencoder.net_), watch.steps[-1])


def test_a_module_of_the_user_is_not_averaged(smooth, X):
    watch = Watch()
    own = smooth(**ALL_ROWS, module=Linear, callbacks=[watch]).fit(X)
    assert set(watch.averages) == {None}
    np.testing.assert_array_equal(weights(own.net_), watch.steps[-1])
    without = smooth(**ALL_ROWS, module=Linear, average=False).fit(X)
    np.testing.assert_allclose(own.transform(X), without.transform(X), atol=1e-5)


@pytest.mark.parametrize("raise_at", [1, 20])
@pytest.mark.parametrize("early_stopping", [True, False])
def test_an_error_in_a_fit_leaves_averaged_weights_and_optimizer(
    quick, X, raise_at, early_stopping
):
    params = {"warm_start": True, "early_stopping": early_stopping}
    autoencoder = quick(**params).fit(X)
    steady = copy.deepcopy(autoencoder)
    before = copy.deepcopy(autoencoder.net_.optimizer_.state_dict()["state"])
    with pytest.raises(ZeroDivisionError):
        autoencoder.set_params(callbacks=[Watch(raise_at)]).fit(X)
    autoencoder.set_params(callbacks=None)
    np.testing.assert_array_equal(weights(autoencoder.net_), weights(steady.net_))
    np.testing.assert_array_equal(autoencoder.transform(X), steady.transform(X))
    assert autoencoder.net_.average_ is None
    assert not autoencoder.net_.module_.training
    assert autoencoder.history_.equals(steady.history_)
    state = autoencoder.net_.optimizer_.state_dict()["state"]
    for index, values_before in before.items():
        for name, value in values_before.items():
            assert torch.equal(state[index][name], value)
    np.testing.assert_array_equal(autoencoder.fit(X).transform(X), steady.fit(X).transform(X))


def gains_of(mean, n=60):
    """Gains with a mean that is that many of its standard errors, of which as many gain."""
    gains = np.linspace(-1, 1, n)
    return Gains(gains + mean * gains.std(ddof=1) / np.sqrt(n))


@pytest.mark.parametrize(
    ("n_errors", "lax", "strict"),
    [(-3, False, False), (0.9, False, False), (2.2, True, False), (4, True, True)],
)
def test_few_rows_have_to_show_more(n_errors, lax, strict):
    gains = gains_of(n_errors)
    assert better_than_chance(gains) is lax
    assert better_than_chance(gains, few=False) is lax
    assert better_than_chance(gains, few=True) is strict


def test_few_rows_have_to_show_two_standard_errors_whatever_their_ranks():
    gains = np.r_[np.full(50, 1.0), -19.0]
    assert 1 < gains.mean() * np.sqrt(51) / gains.std(ddof=1) < 2
    assert better_than_chance(Gains(gains))
    assert not better_than_chance(Gains(gains), few=True)


def test_few_rows_have_to_pass_the_signed_rank_test_at_one_in_a_thousand():
    # All of nine gains by chance: 1 in 512; all of ten: 1 in 1024.
    assert better_than_chance(Gains(np.arange(10.0, 19)))
    assert not better_than_chance(Gains(np.arange(10.0, 19)), few=True)
    assert better_than_chance(Gains(np.arange(10.0, 20)), few=True)


@pytest.mark.parametrize("few", [True, False])
@pytest.mark.parametrize("gains", [[], [5.0], np.zeros(50)], ids=["none", "one row", "zeros"])
def test_no_gain_is_shown_by_no_rows_or_one_or_no_difference(gains, few):
    assert better_than_chance(Gains(np.array(gains)), few=few) is False


def test_rows_of_a_small_table_are_asked_in_turn_while_nothing_is_settled(quick, X, monkeypatch):
    asked = []

    def strict(gains, few=False):
        asked.append((len(gains.of_each), few))
        return False

    monkeypatch.setattr("sk_autoencoder._training.selection.better_than_chance", strict)
    autoencoder = quick().fit(X)
    assert list(dict.fromkeys(asked)) == [(40, True), (80, True), (120, True)]
    assert autoencoder.best_epoch_ == 0
    assert autoencoder.validation_score_ == autoencoder.pca_validation_score_


@pytest.mark.parametrize(
    "params", [{"refit": False}, {"callbacks": [Callback()]}], ids=["refit", "callbacks"]
)
def test_validation_rows_are_asked_once_where_nothing_is_trained_again(
    quick, X, params, monkeypatch
):
    asked = []

    def lax(gains, few=False):
        asked.append((len(gains.of_each), few))
        return True

    monkeypatch.setattr("sk_autoencoder._training.selection.better_than_chance", lax)
    noise = 0.05 * np.random.RandomState(0).standard_normal((360, 6))
    assert quick(**params).fit(np.vstack([X] * 3) + noise).best_epoch_ > 0
    assert asked == [(ENOUGH_ROWS, False)]
