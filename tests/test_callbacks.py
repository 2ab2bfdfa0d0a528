"""Callbacks of skorch, and Ctrl-C."""

import gc
import weakref

import numpy as np
import pytest
from sklearn.callback import ScoringMonitor
from skorch.callbacks import Callback, Checkpoint, EarlyStopping, EpochScoring, LRScheduler
from torch.optim.lr_scheduler import StepLR

HOOKS = (
    "on_train_begin",
    "on_epoch_begin",
    "on_batch_begin",
    "on_grad_computed",
    "on_batch_end",
    "on_epoch_end",
    "on_train_end",
)


class Recorder(Callback):
    """Note the calls of all hooks."""

    def initialize(self):
        self.calls = []
        self.learning_rates = []
        return self

    def on_epoch_end(self, net, **kwargs):
        self.learning_rates.append(net.optimizer_.param_groups[0]["lr"])


def noting(hook):
    def note(self, net, **kwargs):
        self.calls.append(hook)
        getattr(super(All, self), hook)(net, **kwargs)

    return note


All = type("All", (Recorder,), {hook: noting(hook) for hook in HOOKS})


class Interrupting(Callback):
    """Press Ctrl-C in one of the hooks."""

    def __init__(self, hook, error=KeyboardInterrupt):
        self.hook = hook
        self.error = error


def interrupting(hook):
    def press(self, net, **kwargs):
        if self.hook == hook and len(net.history) >= 2:
            raise self.error

    return press


for hook in HOOKS:
    setattr(Interrupting, hook, interrupting(hook))


def test_all_hooks_are_called_in_turn(quick, X):
    recorder = All()
    quick(early_stopping=False, max_epochs=2, batch_size=60, callbacks=[recorder]).fit(X)
    batch = ["on_batch_begin", "on_grad_computed", "on_batch_end"]
    epoch = ["on_epoch_begin", *batch, *batch, "on_epoch_end"]
    assert recorder.calls == ["on_train_begin", *epoch, *epoch, "on_train_end"]


def test_validation_batches_are_told_from_training_batches(quick, X):
    class Batches(Callback):
        def on_train_begin(self, net, **kwargs):
            self.rows = []

        def on_batch_end(self, net, batch=None, training=None, **kwargs):
            self.rows.append((len(batch[0]), training))

    batches = Batches()
    params = {"max_epochs": 1, "batch_size": 60, "validation_fraction": 0.1}
    quick(linear_shortcut=False, callbacks=[batches], **params).fit(X)
    assert batches.rows == [(54, True), (54, True), (12, False)]


@pytest.mark.parametrize("lr", [1e-12, 0.02], ids=["PCA is kept", "a network is kept"])
def test_callbacks_watch_one_training(quick, X, lr):
    class Trainings(Callback):
        n_begun = n_ended = 0

        def on_train_begin(self, net, **kwargs):
            self.n_begun += 1

        def on_train_end(self, net, **kwargs):
            self.n_ended += 1

    trainings = Trainings()
    quick(lr=lr, callbacks=[trainings]).fit(X)
    assert (trainings.n_begun, trainings.n_ended) == (1, 1)


def test_callbacks_do_not_change_the_result(smooth, X):
    # Watched steps take their gradients from autograd, which rounds otherwise.
    watched = smooth(callbacks=[All()], refit=False).fit(X)
    assert watched.best_epoch_ > 0
    codes = smooth(refit=False).fit_transform(X)
    np.testing.assert_allclose(watched.transform(X), codes, atol=1e-5)


def test_a_named_callback_keeps_its_name(quick, X):
    autoencoder = quick(callbacks=[("mine", All())]).fit(X)
    assert isinstance(dict(autoencoder.net_.callbacks_)["mine"], All)


def test_what_a_callback_records_is_in_the_history(quick, X):
    def weight(net, dataset, y=None):
        return float(next(net.module_.parameters()).detach().abs().mean())

    scoring = EpochScoring(weight, name="weight", use_caching=False, on_train=True)
    history = quick(callbacks=[scoring]).fit(X).history_
    assert history["weight"][1:].between(1e-6, 10).all()
    assert np.isnan(history["weight"][0])


def test_an_epoch_scoring_of_the_loss_agrees_with_the_history(quick, X):
    def loss(net, rows, y=None):
        return net.loss(rows)

    scoring = EpochScoring(loss, name="loss_again", use_caching=False)
    history = quick(callbacks=[scoring]).fit(X).history_[1:]
    np.testing.assert_allclose(history["loss_again"], history["valid_loss"], rtol=1e-6)


def test_a_schedule_of_the_user_sets_the_learning_rate(quick, X):
    schedule = LRScheduler(StepLR, step_size=1, gamma=0.1)
    recorder = Recorder()
    params = {"lr": 1e-2, "lr_schedule": "constant", "callbacks": [recorder, schedule]}
    quick(**params).fit(X)
    np.testing.assert_allclose(recorder.learning_rates, [1e-2, 1e-3, 1e-4])


def test_one_cycle_rises_to_lr_and_falls(quick, X):
    recorder = Recorder()
    quick(max_epochs=10, lr=1e-2, callbacks=[recorder]).fit(X)
    rates = recorder.learning_rates
    assert max(rates) == pytest.approx(1e-2, rel=0.05)
    assert 0 < rates.index(max(rates)) < 9
    assert rates[-1] < 1e-4
    constant = Recorder()
    quick(lr=1e-2, lr_schedule="constant", callbacks=[constant]).fit(X)
    assert constant.learning_rates == [1e-2] * 3


@pytest.mark.parametrize("early_stopping", [True, False])
def test_an_early_stopping_of_the_user_stops_the_fit(quick, X, early_stopping):
    stopping = EarlyStopping(monitor="train_loss", patience=2, threshold=0.99, sink=lambda _: None)
    autoencoder = quick(max_epochs=20, early_stopping=early_stopping, callbacks=[stopping])
    assert autoencoder.fit(X).n_iter_ < 5
    assert autoencoder.transform(X).shape == (120, 2)


def test_callbacks_of_the_caller_can_be_used_again(quick, X):
    stopping = EarlyStopping(monitor="train_loss", patience=2, threshold=0.99, sink=lambda _: None)
    autoencoder = quick(max_epochs=20, callbacks=[stopping])
    first = autoencoder.fit(X).n_iter_
    assert autoencoder.fit(X).n_iter_ == first


@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize("hook", [hook for hook in HOOKS if hook != "on_train_begin"])
def test_ctrl_c_reaches_the_caller_and_keeps_what_was_fitted(quick, X, hook, early_stopping):
    autoencoder = quick(early_stopping=early_stopping).fit(X)
    codes, history, before = autoencoder.transform(X), autoencoder.history_, set(vars(autoencoder))
    with pytest.raises(KeyboardInterrupt):
        autoencoder.set_params(callbacks=[Interrupting(hook)]).fit(2 * X)
    np.testing.assert_array_equal(autoencoder.transform(X), codes)
    assert autoencoder.history_ is history
    assert set(vars(autoencoder)) == before
    autoencoder.set_params(callbacks=None).fit(X)
    np.testing.assert_array_equal(autoencoder.transform(X), codes)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
@pytest.mark.parametrize("hook", ["on_batch_end", "on_epoch_end"])
def test_an_interrupted_warm_start_goes_on_from_where_it_stood(quick, X, hook, error):
    steady, shaken = quick(warm_start=True).fit(X), quick(warm_start=True).fit(X)
    with pytest.raises(error):
        shaken.set_params(callbacks=[Interrupting(hook, error)]).fit(X)
    shaken.set_params(callbacks=None)
    np.testing.assert_array_equal(shaken.transform(X), steady.transform(X))
    np.testing.assert_array_equal(shaken.fit(X).transform(X), steady.fit(X).transform(X))
    assert list(shaken.history_["epoch"]) == list(range(7))


def test_ctrl_c_in_a_first_fit_leaves_nothing_fitted(quick, X):
    autoencoder = quick(callbacks=[Interrupting("on_epoch_end")])
    before = set(vars(autoencoder))
    with pytest.raises(KeyboardInterrupt):
        autoencoder.fit(X)
    assert set(vars(autoencoder)) == before


def test_ctrl_c_while_the_patience_nears_its_end_reaches_the_caller(quick, X):
    class Late(Callback):
        def on_epoch_begin(self, net, **kwargs):
            stopping = dict(net.callbacks_)["early_stopping"]
            if stopping.misses_ == stopping.patience - 1 and len(net.history) > 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quick(max_epochs=30, lr=0.5, n_iter_no_change=2, callbacks=[Late()]).fit(X)


def test_the_fitted_estimator_does_not_hold_the_training_data(quick, X):
    rows = np.vstack([X, X])
    alive = weakref.ref(rows)
    autoencoder = quick().fit(rows)
    del rows
    gc.collect()
    assert alive() is None
    assert autoencoder.n_features_in_ == 6


@pytest.mark.parametrize("params", [{}, {"monitor": None}], ids=str)
def test_checkpoints_of_skorch_are_written(quick, X, tmp_path, params):
    quick(callbacks=[Checkpoint(dirname=str(tmp_path), **params)]).fit(X)
    assert (tmp_path / "params.pt").exists()


def test_callbacks_see_the_end_of_the_epoch_in_which_the_fit_stops(quick, X, capsys):
    recorder = Recorder()
    stopping = {"n_iter_no_change": 1, "max_epochs": 30, "lr": 1e-12, "verbose": 1}
    autoencoder = quick(callbacks=[recorder], **stopping).fit(X)
    assert 0 < autoencoder.n_iter_ < 30
    assert len(recorder.learning_rates) == autoencoder.n_iter_
    table = capsys.readouterr().out.splitlines()
    assert sum(line.split()[:1] == [str(autoencoder.n_iter_)] for line in table) == 1


def test_callbacks_of_scikit_learn_are_told_where_they_belong(quick, X):
    with pytest.raises(TypeError, match="set_callbacks"):
        quick(callbacks=[ScoringMonitor(scoring=None)]).fit(X)
