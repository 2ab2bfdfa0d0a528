"""Callbacks of skorch, and Ctrl-C."""

import gc
import weakref
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.callback import ScoringMonitor
from sklearn.metrics import make_scorer, mean_squared_error, r2_score
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    Freezer,
    GradientNormClipping,
    Initializer,
    InputShapeSetter,
    LoadInitState,
    LRScheduler,
    MlflowLogger,
    ParamMapper,
    PassthroughScoring,
    ProgressBar,
    SacredLogger,
    TensorBoard,
    TrainEndCheckpoint,
    Unfreezer,
    WandbLogger,
)
from torch.optim.lr_scheduler import CyclicLR, ReduceLROnPlateau, StepLR

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


@pytest.mark.quick
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


@pytest.mark.quick
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


@pytest.mark.quick
def test_callbacks_do_not_change_the_result(smooth, X):
    # Watched steps take their gradients from autograd, which rounds otherwise.
    watched = smooth(callbacks=[All()], refit=False).fit(X)
    assert watched.best_epoch_ > 0
    codes = smooth(refit=False).fit_transform(X)
    np.testing.assert_allclose(watched.transform(X), codes, atol=1e-5)


def test_a_named_callback_keeps_its_name(quick, X):
    autoencoder = quick(callbacks=[("mine", All())]).fit(X)
    assert isinstance(dict(autoencoder.net_.callbacks_)["mine"], All)


@pytest.mark.quick
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


@pytest.mark.quick
def test_a_schedule_of_the_user_sets_the_learning_rate(quick, X):
    schedule = LRScheduler(StepLR, step_size=1, gamma=0.1)
    recorder = Recorder()
    params = {"lr": 1e-2, "lr_schedule": "constant", "callbacks": [recorder, schedule]}
    quick(**params).fit(X)
    np.testing.assert_allclose(recorder.learning_rates, [1e-2, 1e-3, 1e-4])


@pytest.mark.quick
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


@pytest.mark.quick
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


@pytest.mark.quick
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


@pytest.mark.quick
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


def squares(net, x, y):
    """A score of what a net gives for x, as a function of the user's would compute it."""
    return float(np.nanmean(np.square(np.asarray(net.predict(x)) - y)))


KINDS = {
    "dense": {},
    "missing cells": {},
    "sparse": {},
    "corrupted": {"corruption": "swap"},
    "cells of X": {"loss": "huber"},
    "supervised": {"supervised_weight": 1.0},
}


def rows_of(kind, X):
    """Rows of X as a kind of them is passed to fit."""
    if kind == "missing cells":
        return np.where(np.random.RandomState(0).uniform(size=X.shape) < 0.1, np.nan, X)
    return sparse.csr_array(np.where(X > 0.3, X, 0.0)) if kind == "sparse" else X


@pytest.mark.parametrize("kept_bytes", [2**27, 0], ids=["kept", "read"])
@pytest.mark.parametrize("use_caching", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_scoring_function_is_called_after_each_epoch(
    quick, X, kind, use_caching, kept_bytes, monkeypatch
):
    monkeypatch.setattr("sk_autoencoder._training.rows.KEPT_BYTES", kept_bytes)
    scoring = EpochScoring(
        lambda net, rows, y: net.loss(rows), name="again", use_caching=use_caching
    )
    autoencoder = quick(callbacks=[scoring], max_epochs=2, **KINDS[kind])
    history = autoencoder.fit(rows_of(kind, X), (X[:, 0] > 0).astype(int)).history_[1:]
    np.testing.assert_allclose(history["again"], history["valid_loss"], rtol=1e-5)


def test_a_scoring_function_is_given_what_the_net_gave_and_was_to_give(quick, X):
    scorings = [
        EpochScoring(squares, name="of epoch"),
        BatchScoring(squares, name="of batches"),
        EpochScoring(squares, name="of training", on_train=True),
        BatchScoring(squares, name="of steps", on_train=True),
    ]
    autoencoder = quick(callbacks=scorings, max_epochs=2).fit(X)
    history = autoencoder.history_[1:]
    pairs = [(name, "valid_loss") for name in ("of epoch", "of batches")]
    pairs += [(name, "train_loss") for name in ("of training", "of steps")]
    for name, loss in pairs:
        np.testing.assert_allclose(history[name], history[loss], rtol=1e-5)


def test_losses_of_batches_are_in_the_units_of_x(quick, X):
    passed = [PassthroughScoring("train_loss", on_train=True), PassthroughScoring("valid_loss")]
    plain, scored = (quick(callbacks=c).fit(100 * X).history_ for c in ([Callback()], passed))
    for name in ("train_loss", "valid_loss"):
        np.testing.assert_allclose(scored[name], plain[name], rtol=1e-6)


@pytest.mark.parametrize("on_train", [False, True])
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"loss": "huber"},
        {"corruption": "gaussian"},
        {"linear_shortcut": False},
        {"nested": True},
    ],
    ids=str,
)
def test_a_scoring_by_name_compares_rows_of_x_with_their_reconstructions(
    quick, X, params, on_train
):
    scorings = [
        EpochScoring("neg_mean_squared_error", name="of epoch", on_train=on_train),
        EpochScoring(r2_score, name="explained", on_train=on_train),
        BatchScoring(make_scorer(mean_squared_error), name="of batches", on_train=on_train),
    ]
    X = 100 * X + 7
    autoencoder = quick(callbacks=scorings, max_epochs=2, early_stopping=True, **params).fit(X)
    history = autoencoder.history_[1:]
    np.testing.assert_allclose(-history["of epoch"], history["of batches"], rtol=1e-4)
    share = 1 - history["of batches"] / X.var(axis=0).mean()
    np.testing.assert_allclose(history["explained"], share, atol=0.25)
    if not params and not on_train:
        np.testing.assert_allclose(-history["of epoch"], history["valid_loss"], rtol=1e-4)


def test_a_scoring_by_name_counts_what_lies_outside_of_the_axes(quick):
    X = np.random.RandomState(0).standard_normal((300, 280))
    scoring = EpochScoring("neg_mean_squared_error", name="error")
    history = quick(callbacks=[scoring], max_epochs=1).fit(X).history_
    assert -history["error"].iloc[1] < history["valid_loss"].iloc[1] * 1.001
    np.testing.assert_allclose(-history["error"][1:], history["valid_loss"][1:], rtol=1e-3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_the_net_predicts_rows_of_x(quick, X, dtype, loss):
    X = (X - X.min()).astype(dtype)
    autoencoder = quick(loss=loss).fit(X)
    back = autoencoder.reconstruct(X)
    np.testing.assert_allclose(autoencoder.net_.predict(X), back, rtol=1e-6)
    np.testing.assert_allclose(autoencoder.net_.forward(X).numpy(), back, rtol=1e-6)
    assert autoencoder.net_.predict(X).dtype == dtype


REFUSED = {
    "no scoring": (EpochScoring(None, name="s"), "EpochScoring, without a scoring, but the net"),
    "nothing to compare with": (
        EpochScoring("r2", use_caching=False),
        "EpochScoring, with a scoring of scikit-learn and use_caching=False",
    ),
    "training": (PassthroughScoring("train_loss"), "Set on_train=True for"),
    "validation": (PassthroughScoring("valid_loss", on_train=True), "and False for what is of val"),
    "shape": (InputShapeSetter(), "InputShapeSetter, which would make.*'module__input_dim'"),
    "a class": (InputShapeSetter, "InputShapeSetter, which would make the module anew"),
    "state": (LoadInitState(Checkpoint()), "LoadInitState, which would replace.*partial_fit or"),
    "best weights": (EarlyStopping(load_best=True), "EarlyStopping, with load_best=True.*Leave"),
    "best file": (Checkpoint(load_best=True), "Checkpoint, with load_best=True, but which"),
    "our name": (("best_epoch", Callback()), "the name 'best_epoch', which.*another name"),
}


@pytest.mark.quick
@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize(("callback", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_callback_that_cannot_work_is_refused_before_anything_is_computed(
    quick, X, callback, reason, early_stopping, monkeypatch
):
    monkeypatch.setattr("sk_autoencoder._training.setup.find_axes", None)
    for method in ("fit", "partial_fit"):
        with pytest.raises(ValueError, match=reason):
            getattr(quick(callbacks=[callback], early_stopping=early_stopping), method)(X)


@pytest.mark.parametrize("policy", ["WarmRestartLR", StepLR, CyclicLR, ReduceLROnPlateau])
def test_two_schedules_of_the_learning_rate_are_told_apart(quick, X, policy):
    steps = {StepLR: {"step_size": 1}, CyclicLR: {"base_lr": 1e-3, "max_lr": 1e-2}}
    schedule = LRScheduler(policy, monitor="train_loss", **steps.get(policy, {}))
    autoencoder = quick(callbacks=[schedule])
    with pytest.raises(ValueError, match=r"LRScheduler with policy=.*lr_schedule='one_cycle'. Set"):
        autoencoder.fit(X)
    autoencoder.partial_fit(X)
    autoencoder.set_params(lr_schedule="constant").fit(X)


@pytest.mark.parametrize("callback", [EarlyStopping(), Checkpoint()])
def test_what_looks_at_validation_losses_needs_validation_rows(quick, X, callback):
    autoencoder = quick(callbacks=[callback], early_stopping=False)
    for fit in (autoencoder.fit, quick(callbacks=[callback]).partial_fit):
        with pytest.raises(ValueError, match=r"monitor='valid_loss.*Set monitor='train_loss"):
            fit(X)
    # Where there is no epoch, nothing is looked at.
    assert quick(4, callbacks=[EarlyStopping()]).fit(X[:4]).n_iter_ == 0


def test_a_policy_that_is_no_callback_is_told_where_it_belongs(quick, X):
    policy = StepLR(torch.optim.SGD([torch.zeros(1, requires_grad=True)]), 1)
    with pytest.raises(TypeError, match=r"no callback of skorch.*go into LRScheduler"):
        quick(callbacks=[policy]).fit(X)


@pytest.mark.quick
def test_gradients_are_clipped(quick, X):
    norms = []

    class Norms(Callback):
        def on_grad_computed(self, net, named_parameters, **kwargs):
            gradients = [p.grad.flatten() for _, p in named_parameters if p.grad is not None]
            norms.append(torch.cat(gradients).norm().item())

    quick(callbacks=[GradientNormClipping(1e-3), Norms()], max_epochs=1).fit(X)
    assert max(norms) == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.quick
@pytest.mark.parametrize("goes_on", [False, True])
def test_frozen_weights_stay_as_they_are(quick, X, goes_on):
    params = {"early_stopping": False, "weight_decay": 0.1}
    start = quick(max_epochs=0, **params).fit(X).net_.module_.state_dict()
    autoencoder = quick(callbacks=[Freezer("encoder*")], **params).fit(X)
    if goes_on:
        autoencoder.set_params(callbacks=None).partial_fit(X)
    for name, weights in autoencoder.net_.module_.state_dict().items():
        assert weights.equal(start[name]) is name.startswith("encoder"), name


def test_weights_are_thawed_and_set_when_they_are_to_be(quick, X):
    params = {"early_stopping": False, "max_epochs": 3, "average": False}
    start = quick(**params | {"max_epochs": 0}).fit(X).net_.module_.state_dict()
    callbacks = [
        Freezer("encoder*"),
        Unfreezer("encoder.0.*", at=3),
        ParamMapper("decoder.0.bias", at=3, fn=torch.nn.init.zeros_),
        Initializer("decoder.2.bias", fn=torch.nn.init.ones_),
    ]
    weights = quick(callbacks=callbacks, **params).fit(X).net_.module_.state_dict()
    assert not weights["encoder.0.weight"].equal(start["encoder.0.weight"])
    assert weights["encoder.2.weight"].equal(start["encoder.2.weight"])
    assert weights["decoder.2.bias"].mean() > 0.5


def test_a_checkpoint_is_loaded_again(quick, X, tmp_path):
    checkpoint = Checkpoint(dirname=str(tmp_path), monitor="valid_loss_best")
    autoencoder = quick(callbacks=[checkpoint], warm_start=True).fit(X)
    codes = autoencoder.transform(X.astype(np.float32))
    autoencoder.net_.load_params(checkpoint=checkpoint)
    np.testing.assert_allclose(autoencoder.transform(X.astype(np.float32)), codes, atol=1e-5)


@pytest.mark.parametrize(
    "callback",
    [TensorBoard, SacredLogger, MlflowLogger, WandbLogger, TrainEndCheckpoint, ProgressBar],
)
def test_what_tells_others_of_a_training_does(quick, X, callback, tmp_path):
    run = MagicMock(dir=str(tmp_path))
    made = {
        MlflowLogger: lambda: MlflowLogger(run=run, client=run),
        TrainEndCheckpoint: lambda: TrainEndCheckpoint(dirname=str(tmp_path)),
        ProgressBar: ProgressBar,
    }.get(callback, lambda: callback(run))()
    history = quick(callbacks=[made]).fit(X).history_
    if callback in (TensorBoard, SacredLogger, MlflowLogger, WandbLogger):
        assert str(history["valid_loss"].iloc[-1]) in str(run.mock_calls)
