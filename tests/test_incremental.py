"""Training that goes on: partial_fit and warm_start."""

import numpy as np
import pandas as pd
import pytest
from removing import with_missing
from skorch.callbacks import Callback


def constant(quick, **params):
    return quick(early_stopping=False, lr_schedule="constant", **params)


def frame(X, names):
    return pd.DataFrame(X, columns=list(names))


@pytest.mark.quick
def test_partial_fit_trains_for_one_epoch_on_all_rows(quick, X):
    once = quick().partial_fit(X)
    # More rows may come after the few ones of a first call.
    fitted = constant(quick, max_epochs=1, average=False, activation="silu").fit(X)
    np.testing.assert_array_equal(once.transform(X), fitted.transform(X))
    assert once.n_iter_ == 1
    assert list(once.history_["epoch"]) == [0, 1]
    assert once.validation_score_ is None


@pytest.mark.quick
def test_partial_fit_goes_on_where_the_last_call_stopped(quick, X):
    autoencoder = quick()
    errors = []
    for epoch in range(1, 41):
        autoencoder.partial_fit(X)
        errors.append(autoencoder.reconstruction_error(X).mean())
        assert autoencoder.n_iter_ == 1
        assert autoencoder.best_epoch_ == epoch
    assert list(autoencoder.history_["epoch"]) == list(range(41))
    assert (
        errors[-1]
        < errors[len(errors) // 2]
        < errors[0]
        < 1.1 * autoencoder.history_["train_loss"][0]
    )


def test_partial_fit_keeps_the_mean_of_the_first_rows(quick, X, X_new):
    autoencoder = quick().partial_fit(X)
    mean = autoencoder.mean_.copy()
    autoencoder.partial_fit(X_new + 1)
    np.testing.assert_array_equal(autoencoder.mean_, mean)
    np.testing.assert_allclose(mean, X.mean(axis=0), atol=1e-14)


@pytest.mark.quick
def test_partial_fit_takes_batches_of_any_size_after_the_first(quick, X):
    autoencoder = quick().partial_fit(X[:60])
    for rows in (slice(60, 61), slice(61, 90), slice(90, 120)):
        autoencoder.partial_fit(X[rows])
    assert len(autoencoder.history_) == 5


def test_partial_fit_learns_from_the_rows_that_it_is_given(quick, X):
    ours, theirs = quick().partial_fit(X), quick().partial_fit(X)
    ours.partial_fit(X[:60])
    theirs.partial_fit(X[60:])
    assert np.abs(ours.transform(X) - theirs.transform(X)).max() > 1e-5


@pytest.mark.quick
def test_partial_fit_goes_on_after_fit(quick, X):
    autoencoder = quick(early_stopping=False).fit(X)
    error = autoencoder.reconstruction_error(X).mean()
    for _ in range(20):
        autoencoder.partial_fit(X)
    assert autoencoder.reconstruction_error(X).mean() < error
    assert len(autoencoder.history_) == 3 + 20 + 1


@pytest.mark.quick
def test_partial_fit_refuses_other_columns(quick, X):
    with pytest.raises(ValueError, match="5 features"):
        quick().partial_fit(X).partial_fit(X[:, :5])
    with pytest.raises(ValueError, match="same order"):
        quick().partial_fit(frame(X, "abcdef")).partial_fit(frame(X, "fedcba"))


def test_partial_fit_takes_rows_of_the_other_dtype(quick, X):
    autoencoder = quick().partial_fit(X.astype(np.float32)).partial_fit(X)
    assert autoencoder.transform(X).dtype == np.float64
    assert autoencoder.transform(X.astype(np.float32)).dtype == np.float32


@pytest.mark.quick
def test_a_partial_fit_that_fails_keeps_weights_optimizer_and_history(quick, X):
    steady, shaken = quick().partial_fit(X), quick().partial_fit(X)
    broken = X.copy()
    broken[0, 0] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        shaken.partial_fit(broken)
    with pytest.raises(ValueError, match="diverged"):
        shaken.partial_fit(X * 1e30)
    np.testing.assert_array_equal(shaken.transform(X), steady.transform(X))
    np.testing.assert_array_equal(
        shaken.partial_fit(X).transform(X), steady.partial_fit(X).transform(X)
    )
    assert len(shaken.history_) == 3


@pytest.mark.parametrize(
    ("before", "after", "attribute"),
    [
        (
            {"variational": True},
            {"loss": "binary_crossentropy"},
            "noise_variance_",
        ),
        ({"nested": True}, {"nested": False}, "explained_variance_ratio_"),
    ],
)
def test_what_a_fit_does_not_set_is_not_left_from_the_one_before(
    quick, X, before, after, attribute
):
    X = (X - X.min()) / np.ptp(X)
    autoencoder = quick(**before).fit(X)
    autoencoder.set_params(**after)
    with pytest.raises(ValueError, match="diverged"):
        autoencoder.set_params(optimizer="sgd", lr=1e6).fit(X)
    assert hasattr(autoencoder, attribute)
    autoencoder.set_params(optimizer="adamw", lr=0.01).fit(X)
    assert not hasattr(autoencoder, attribute)


@pytest.mark.quick
def test_without_warm_start_a_fit_starts_anew(quick, X):
    autoencoder = quick().fit(X)
    codes = autoencoder.transform(X)
    autoencoder.partial_fit(X).fit(X)
    np.testing.assert_array_equal(autoencoder.transform(X), codes)
    assert len(autoencoder.history_) == 4


def test_without_warm_start_a_fit_takes_data_of_another_width(quick, X):
    assert quick().fit(X).fit(X[:, :4]).transform(X[:, :4]).shape == (120, 2)


@pytest.mark.quick
@pytest.mark.parametrize("early_stopping", [True, False])
def test_a_warm_start_goes_on_where_the_last_fit_stopped(quick, X, early_stopping):
    autoencoder = quick(warm_start=True, early_stopping=early_stopping, max_epochs=5).fit(X)
    errors = [autoencoder.reconstruction_error(X).mean()]
    mean = autoencoder.mean_.copy()
    for _ in range(5):
        autoencoder.fit(X)
        errors.append(autoencoder.reconstruction_error(X).mean())
        assert autoencoder.n_iter_ == 5
    assert list(autoencoder.history_["epoch"]) == list(range(31))
    assert errors[-1] < errors[2] < errors[0]
    np.testing.assert_array_equal(autoencoder.mean_, mean)


@pytest.mark.quick
def test_a_warm_start_keeps_the_state_of_the_optimizer(quick, X):
    autoencoder = quick(warm_start=True, early_stopping=False).fit(X)
    before = autoencoder.net_.optimizer_
    steps = max(int(state["step"]) for state in before.state.values())
    autoencoder.fit(X)
    states = autoencoder.net_.optimizer_.state.values()
    assert max(int(state["step"]) for state in states) == 2 * steps
    assert max(int(state["step"]) for state in before.state.values()) == steps


@pytest.mark.quick
def test_a_warm_start_never_ends_worse_on_the_validation_rows(quick, X):
    autoencoder = quick(warm_start=True, max_epochs=20).fit(X)
    kept, codes = autoencoder.best_epoch_, autoencoder.transform(X)
    autoencoder.set_params(lr=0.3, max_epochs=2).fit(X)
    assert autoencoder.best_epoch_ == kept
    np.testing.assert_array_equal(autoencoder.transform(X), codes)


def test_a_warm_start_trains_with_the_learning_rate_set_meanwhile(quick, X):
    autoencoder = quick(warm_start=True, early_stopping=False).fit(X)
    codes = autoencoder.transform(X)
    autoencoder.set_params(lr=1e-9).fit(X)
    np.testing.assert_allclose(autoencoder.transform(X), codes, atol=1e-5)


def test_a_warm_start_prints_what_verbose_asks_for_meanwhile(quick, X, capsys):
    autoencoder = quick(warm_start=True).fit(X)
    autoencoder.set_params(verbose=1).fit(X)
    assert "valid_loss" in capsys.readouterr().out


@pytest.mark.quick
@pytest.mark.parametrize(
    "params",
    [{"n_components": 3}, {"hidden_layer_sizes": (4,)}, {"linear_shortcut": False}],
    ids=str,
)
def test_a_warm_start_with_another_network_says_what_to_do(quick, X, params):
    autoencoder = quick(warm_start=True).fit(X)
    with pytest.raises(ValueError, match="warm_start"):
        autoencoder.set_params(**params).fit(X)


def test_a_warm_start_refuses_data_of_another_width_and_keeps_its_state(quick, X):
    autoencoder = quick(warm_start=True).fit(X)
    codes = autoencoder.transform(X)
    with pytest.raises(ValueError, match="4 features"):
        autoencoder.fit(X[:, :4])
    np.testing.assert_array_equal(autoencoder.transform(X), codes)


@pytest.mark.quick
def test_a_warm_start_that_diverges_keeps_its_state(quick, X):
    autoencoder = quick(warm_start=True, early_stopping=False).fit(X)
    codes, n_epochs = autoencoder.transform(X), len(autoencoder.history_)
    with pytest.raises(ValueError, match="diverged"):
        autoencoder.fit(X * 1e30)
    np.testing.assert_array_equal(autoencoder.transform(X), codes)
    assert len(autoencoder.history_) == n_epochs
    assert len(autoencoder.fit(X).history_) == n_epochs + 3


def test_a_warm_start_after_a_fit_of_all_rows_warns(quick, X):
    autoencoder = quick(max_epochs=20).fit(X)
    assert autoencoder.best_epoch_ > 0
    with pytest.warns(UserWarning, match="trained on all rows"):
        autoencoder.set_params(warm_start=True).fit(X)


def test_a_warm_start_warns_of_rows_set_aside_alone(quick, X, X_new):
    # Beside rows of the user's own all others are trained on, and those are new to any fit.
    autoencoder = quick(warm_start=True).fit(X, X_val=X_new).fit(X, X_val=X_new)
    with pytest.warns(UserWarning, match=r"trained on all rows.* pass X_val"):
        autoencoder.fit(X)
    autoencoder = quick(warm_start=True, early_stopping=False).fit(X)
    autoencoder.set_params(early_stopping=True).fit(X, X_val=X_new)


def test_a_warm_start_from_the_first_fit_on_does_not_warn(quick, X):
    quick(max_epochs=20, warm_start=True).fit(X).fit(X)


def test_a_warm_start_from_pca_that_gains_by_chance_is_pca(quick, X, monkeypatch):
    autoencoder = quick(warm_start=True, lr=1e-12).fit(X)
    assert autoencoder.best_epoch_ == 0
    codes = autoencoder.transform(X)
    monkeypatch.setattr(
        "sk_autoencoder._training.selection.better_than_chance", lambda gains, few=False: False
    )
    autoencoder.set_params(lr=0.02, max_epochs=20).fit(X)
    assert autoencoder.history_["valid_loss"].min() < autoencoder.history_["valid_loss"][0]
    assert autoencoder.best_epoch_ == 0
    np.testing.assert_allclose(autoencoder.transform(X), codes, atol=1e-10)


def test_a_warm_start_with_another_function_says_what_to_do(quick, X):
    autoencoder = quick(warm_start=True, loss=lambda output, x: (output - x).abs()).fit(X)
    autoencoder.set_params(loss=lambda output, x: (output - x).abs()).fit(X)
    with pytest.raises(ValueError, match="loss"):
        autoencoder.set_params(loss=lambda output, x: (output - x).square()).fit(X)


def test_a_number_is_the_same_whole_or_not(quick, X):
    autoencoder = quick(warm_start=True, weight_decay=1.0).fit(X)
    autoencoder.set_params(weight_decay=1).fit(X)


def test_a_loss_set_after_a_fit_counts_from_the_next_one_on(quick, X):
    X = (X - X.min()) / np.ptp(X)
    autoencoder = quick().fit(X)
    before = autoencoder.reconstruct(X)
    autoencoder.set_params(loss="binary_crossentropy")
    np.testing.assert_array_equal(autoencoder.reconstruct(X), before)


DRAWS = {
    "nested": {"nested": True},
    "variational": {"variational": True},
    "supervised": {"supervised_weight": 1.0},
    "contractive": {"contractive_penalty": 0.1},
    "gaussian": {"corruption": "gaussian"},
    "swap": {"corruption": "swap"},
    "hidden cells": {},
}


@pytest.mark.parametrize("name", DRAWS)
def test_training_after_an_error_draws_what_it_would_have_drawn_without(quick, X, name):
    class Broken(Callback):
        def on_epoch_end(self, net, **kwargs):
            raise ZeroDivisionError

    X = with_missing(X) if name == "hidden cells" else X
    y = np.arange(len(X)) % 2
    ours, theirs = (quick(**DRAWS[name]).partial_fit(X, y) for _ in range(2))
    with pytest.raises(ZeroDivisionError):
        ours.set_params(callbacks=[Broken()]).partial_fit(X, y)
    ours.set_params(callbacks=None).partial_fit(X, y)
    theirs.partial_fit(X, y)
    np.testing.assert_array_equal(ours.transform(X), theirs.transform(X))
