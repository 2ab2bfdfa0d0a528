"""What a fit tells: its epochs, its best one, its scores, its printed table, its repr."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.decomposition import PCA
from skorch.callbacks import Callback, PrintLog
from skorch.history import History

from sk_autoencoder._training.printing import SecondsLeft

# A validation loss that goes down and up again, so that the best epoch is not the last.
WAVERING = {
    "max_epochs": 20,
    "n_iter_no_change": 20,
    "lr": 0.05,
    "lr_schedule": "constant",
    "average": False,
    "refit": False,
    "random_state": 5,
}


class Weights(Callback):
    """Keep the weights after each epoch."""

    def on_train_begin(self, net, **kwargs):
        self.after = {}

    def on_epoch_end(self, net, **kwargs):
        weights = torch.cat([p.detach().flatten().clone() for p in net.module_.parameters()])
        self.after[net.history[-1, "epoch"]] = weights


def weights_of(autoencoder):
    return torch.cat([p.flatten() for p in autoencoder.net_.module_.parameters()])


@pytest.mark.parametrize("seed", range(4))
def test_the_quick_estimator_of_these_tests_is_not_pca(quick, X, seed):
    autoencoder = quick(random_state=seed).fit(X)
    assert autoencoder.best_epoch_ > 0
    assert autoencoder.score(X) > PCA(2).fit(X).explained_variance_ratio_.sum()


@pytest.mark.quick
def test_history_has_a_row_an_epoch_and_one_for_the_start(quick, X):
    history = quick(max_epochs=4).fit(X).history_
    assert isinstance(history, pd.DataFrame)
    assert list(history["epoch"]) == [0, 1, 2, 3, 4]
    assert list(history.columns) == ["epoch", "train_loss", "valid_loss", "dur", "shrinkage"]
    assert history.notna().all(axis=None)


@pytest.mark.quick
@pytest.mark.parametrize("refit", [False, True])
def test_history_tells_how_far_the_weights_of_judged_epochs_are_best_moved_to_pca(quick, X, refit):
    autoencoder = quick(max_epochs=25, refit=refit, shrinkage=0.5).fit(X)
    shares = autoencoder.history_.set_index("epoch")["shrinkage"]
    assert shares[0] == 1.0
    assert shares[autoencoder.best_epoch_] == autoencoder.shrinkage_ == 0.5
    # Ten of the 25 are judged where rows judge in turn, else the best one.
    assert shares.notna().sum() == (11 if refit else 2)
    assert set(shares.dropna()) <= {0.5, 1.0}


@pytest.mark.quick
@pytest.mark.parametrize("params", [{"linear_shortcut": False}, {"sparsity_penalty": 0.1}])
def test_history_tells_of_no_shrinkage_where_there_is_none(quick, X, params):
    history = quick(**params).fit(X).history_
    assert list(history.columns) == ["epoch", "train_loss", "valid_loss", "dur"]


def test_a_warm_start_keeps_what_history_told(quick, X):
    autoencoder = quick(max_epochs=4, warm_start=True).fit(X)
    before = autoencoder.history_["shrinkage"]
    after = autoencoder.fit(X).history_["shrinkage"]
    assert len(after) > len(before)
    pd.testing.assert_series_equal(after[: len(before)], before)


def test_history_without_early_stopping_has_no_validation_loss(quick, X):
    history = quick(early_stopping=False).fit(X).history_
    assert list(history.columns) == ["epoch", "train_loss", "dur"]


@pytest.mark.quick
@pytest.mark.parametrize("params", [{}, {"linear_shortcut": False}])
def test_row_zero_is_the_loss_of_pca_in_the_units_of_the_data(quick, X, params):
    X = 20 * X
    pca = PCA(2).fit(X)
    loss = np.square(X - pca.inverse_transform(pca.transform(X))).mean()
    history = quick(early_stopping=False, **params).fit(X).history_
    assert history["train_loss"][0] == pytest.approx(loss, rel=1e-9)


@pytest.mark.quick
def test_losses_are_in_the_units_of_the_data(quick, X):
    X = 20 * X
    autoencoder = quick(early_stopping=False, max_epochs=30, average=False).fit(X)
    error = autoencoder.reconstruction_error(X).mean()
    assert autoencoder.history_["train_loss"].iloc[-1] == pytest.approx(error, rel=0.1)


def test_losses_count_what_the_network_does_not_see(quick):
    X = np.random.RandomState(0).standard_normal((300, 400))
    autoencoder = quick(early_stopping=False, max_epochs=1, lr=1e-9).fit(X)
    error = autoencoder.reconstruction_error(X).mean()
    assert autoencoder.history_["train_loss"][1] == pytest.approx(error, rel=1e-4)
    assert autoencoder.history_["train_loss"][0] == pytest.approx(error, rel=1e-4)


@pytest.mark.parametrize("max_epochs", [0, 1, 5])
def test_n_iter_counts_the_epochs(quick, X, max_epochs):
    autoencoder = quick(max_epochs=max_epochs).fit(X)
    assert autoencoder.n_iter_ == max_epochs == len(autoencoder.history_) - 1


@pytest.mark.quick
def test_best_epoch_is_the_one_with_the_least_validation_loss(quick, X):
    autoencoder = quick(**WAVERING).fit(X)
    assert autoencoder.best_epoch_ == autoencoder.history_["valid_loss"].idxmin()
    assert 0 < autoencoder.best_epoch_ < 20


@pytest.mark.quick
def test_the_weights_kept_are_those_of_the_best_epoch(quick, X):
    weights = Weights()
    autoencoder = quick(**WAVERING, callbacks=[weights]).fit(X.astype(np.float32))
    assert 0 < autoencoder.best_epoch_ < 20
    assert torch.equal(weights_of(autoencoder), weights.after[autoencoder.best_epoch_])


@pytest.mark.quick
def test_a_refit_takes_all_rows_in_and_tells_of_the_training_before(quick, X):
    # A rate at which two trainings end alike.
    params = WAVERING | {"lr": 0.02, "random_state": 1}
    held_out, refitted = (quick(**params | {"refit": refit}).fit(X) for refit in (False, True))
    assert 0 < refitted.best_epoch_ < 20
    np.testing.assert_allclose(refitted.mean_, X.mean(axis=0), atol=1e-14)
    assert np.abs(held_out.mean_ - X.mean(axis=0)).max() > 1e-3
    assert refitted.pca_validation_score_ < refitted.validation_score_ < 1
    assert refitted.n_iter_ == held_out.n_iter_
    losses = ["epoch", "train_loss", "valid_loss"]
    pd.testing.assert_frame_equal(refitted.history_[losses], held_out.history_[losses])
    assert refitted.score(X) > held_out.score(X) - 0.05
    assert refitted.net_.history[:, "epoch"] == list(refitted.history_["epoch"][1:])
    assert len(refitted.partial_fit(X).history_) == len(held_out.history_) + 1


def test_small_tables_are_refitted_unless_told_otherwise(quick, X):
    codes = {refit: quick(lr=0.01, refit=refit).fit_transform(X) for refit in ("auto", True, False)}
    np.testing.assert_array_equal(codes["auto"], codes[True])
    assert np.abs(codes["auto"] - codes[False]).max() > 1e-6


@pytest.mark.quick
def test_without_early_stopping_the_last_weights_are_kept(quick, X):
    weights = Weights()
    autoencoder = quick(**WAVERING, early_stopping=False, callbacks=[weights])
    autoencoder.fit(X.astype(np.float32))
    assert autoencoder.best_epoch_ == 20
    assert torch.equal(weights_of(autoencoder), weights.after[20])


@pytest.mark.quick
def test_training_stops_after_n_iter_no_change_epochs_without_a_better_one(quick, X):
    autoencoder = quick(max_epochs=50, lr=0.2, n_iter_no_change=3).fit(X)
    loss = autoencoder.history_["valid_loss"]
    assert autoencoder.n_iter_ < 50
    assert loss[1:].idxmin() <= autoencoder.n_iter_ - 3


def test_a_large_tol_stops_sooner(quick, X):
    few = quick(max_epochs=30, tol=0.9, n_iter_no_change=2).fit(X)
    assert few.n_iter_ < quick(max_epochs=30, tol=0, n_iter_no_change=2).fit(X).n_iter_


def test_scores_are_shares_of_the_variance_of_the_validation_rows(quick, X):
    autoencoder = quick(max_epochs=12, refit=False).fit(X)
    loss = autoencoder.history_["valid_loss"]
    assert autoencoder.best_epoch_ > 0
    assert autoencoder.pca_validation_score_ < autoencoder.validation_score_ < 1
    left_by_ours = 1 - autoencoder.validation_score_
    left_by_pca = 1 - autoencoder.pca_validation_score_
    assert left_by_ours / left_by_pca == pytest.approx(loss.min() / loss[0], rel=1e-4)


def test_scores_are_none_without_validation_rows(quick, X):
    autoencoder = quick(early_stopping=False).fit(X)
    assert autoencoder.validation_score_ is None
    assert autoencoder.pca_validation_score_ is None


@pytest.mark.quick
def test_verbose_prints_the_table_of_skorch(quick, X, capsys):
    quick(verbose=1, refit=False).fit(X)
    header, rule, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["epoch", "left", "train_loss", "valid_loss", "dur"]
    assert set(rule.split()[0]) == {"-"}
    assert [line.split()[0] for line in lines] == ["1", "2", "3"]
    left = [float(line.split()[1]) for line in lines]
    assert left[0] > left[1] > left[2] == 0.0


@pytest.mark.quick
def test_seconds_left_are_those_of_the_epochs_so_far(monkeypatch):
    clock = iter([10.0, 12.0, 13.0, 22.0])
    monkeypatch.setattr("sk_autoencoder._training.printing.time.perf_counter", clock.__next__)
    net = SimpleNamespace(history=History())
    callback = SecondsLeft(3)
    callback.on_train_begin(net)
    for _ in range(3):
        net.history.new_epoch()
        callback.on_epoch_end(net)
    assert net.history[:, "left"] == [4.0, 1.5, 0.0]


@pytest.mark.quick
def test_seconds_left_are_printed_and_not_kept(quick, X):
    autoencoder = quick(verbose=1, early_stopping=False).fit(X)
    assert "left" not in autoencoder.history_
    assert "seconds_left" not in dict(autoencoder.net_.callbacks)


def test_lines_that_nobody_reads_are_not_made(quick, X, monkeypatch):
    def made(*_):
        raise AssertionError("a line was made")

    monkeypatch.setattr(PrintLog, "table", made)
    quick().fit(X)


def test_lines_go_to_a_sink_of_ones_own(quick, X):
    lines = []
    quick(net_params={"callbacks__print_log__sink": lines.append}, refit=False).fit(X)
    header, _, *epochs = lines
    assert header.split() == ["epoch", "train_loss", "valid_loss", "dur"]
    assert [line.split()[0] for line in epochs] == ["1", "2", "3"]


def test_not_verbose_prints_nothing(quick, X, capsys):
    quick(max_epochs=30, lr=0.2, n_iter_no_change=2).fit(X)
    assert capsys.readouterr() == ("", "")


def test_html_repr_shows_the_estimator_before_and_after_the_fit(quick, X):
    autoencoder = quick()
    assert "AutoencoderTransformer" in autoencoder._repr_html_()
    fitted = autoencoder.fit(X)._repr_html_()
    assert "AutoencoderTransformer" in fitted
    assert fitted != quick()._repr_html_()
