"""Cells hidden in training: which, how much they count, and what a net learns from them."""

import numpy as np
import pytest
from removing import with_missing
from scipy import sparse
from seams import corruptor_of, data_of, rows_of
from sklearn.datasets import make_s_curve
from sklearn.model_selection import train_test_split
from skorch.callbacks import Callback

from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder._training import masking as _hidden_cells
from sk_autoencoder._training.corruption import Clean, Noise
from sk_autoencoder._training.masking import MAX_EMPHASIS, MaskedCells, make_masks


@pytest.fixture(scope="module")
def X():
    return np.random.RandomState(0).standard_normal((400, 6)) + 7


def batch_of(autoencoder, incomplete, *, fixed=True):
    """Input in the units of X, target and emphasis of all rows."""
    data = data_of(incomplete, has_missing=True)
    rows = rows_of(autoencoder, data, fixed=fixed)
    ((_, (t, target)),) = rows.batches(None, 1)
    x = autoencoder.model_.frame.inverse(t.double()).numpy()
    return x, target.rows.numpy() + autoencoder.mean_, target.emphasis.numpy()


@pytest.mark.quick
def test_cells_are_hidden_as_other_rows_have_missing_cells(quick, X):
    incomplete = X.copy()
    incomplete[::2, :2] = np.nan  # together, in half of the rows
    autoencoder = quick(max_epochs=0, early_stopping=False).fit(incomplete)
    x, target, emphasis = batch_of(autoencoder, incomplete)
    np.testing.assert_allclose(target, incomplete, rtol=1e-5)
    changed = ~np.isclose(x, incomplete, atol=1e-4)
    assert not changed[:, 2:].any()
    np.testing.assert_array_equal(changed[1::2, 0], changed[1::2, 1])
    assert changed[1::2, 0].mean() == pytest.approx(0.25, abs=0.1)
    np.testing.assert_array_equal(emphasis[1::2] > 1, changed[1::2])


def test_training_rows_are_hidden_anew_in_each_pass_and_others_alike(quick, X):
    incomplete = with_missing(X, 0.3)
    autoencoder = quick(max_epochs=0).fit(incomplete)
    first, again = (batch_of(autoencoder, incomplete)[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    first, again = (batch_of(autoencoder, incomplete, fixed=False)[0] for _ in range(2))
    assert not np.allclose(first, again)


@pytest.mark.quick
@pytest.mark.parametrize(("share", "of_hidden"), [(0.01, 0.05), (0.1, 0.5), (0.3, 0.5), (0.8, 0.5)])
def test_hidden_cells_are_half_of_the_loss_unless_they_are_few(share, of_hidden):
    X = with_missing(np.zeros((4000, 10)), share)
    hides = make_masks(data_of(X, has_missing=True), np.random.RandomState(0))
    found = hides.patterns.mean() / 2  # in half of the rows
    assert found * hides.masked == pytest.approx(of_hidden, rel=0.1)
    assert found * hides.masked + (1 - found) * hides.shown == pytest.approx(1)
    assert hides.masked <= MAX_EMPHASIS


@pytest.mark.quick
@pytest.mark.parametrize("loss", ["squared_error", "huber"])
def test_the_net_at_its_start_and_its_yardstick_lose_the_same(quick, X, loss):
    incomplete = with_missing(X, 0.2)
    autoencoder = quick(loss=loss, max_epochs=0, early_stopping=False).fit(incomplete)
    rows = rows_of(autoencoder, data_of(incomplete, has_missing=True), fixed=True)
    autoencoder.net_.prepare_for_training()
    assert autoencoder.net_.loss(rows) == pytest.approx(autoencoder.history_["train_loss"][0])


@pytest.mark.quick
def test_no_row_loses_all_of_its_cells(quick, X):
    incomplete = with_missing(X, 0.4)
    incomplete[:100] = np.nan
    autoencoder = quick(max_epochs=1, early_stopping=False).fit(incomplete)
    assert not corruptor_of(autoencoder).patterns.all(axis=1).any()
    known = ~np.isnan(incomplete)
    for _ in range(5):
        _, _, emphasis = batch_of(autoencoder, incomplete, fixed=False)
        shown = known & (emphasis < 1)
        assert (shown.any(axis=1) == known.any(axis=1)).all()
    assert np.isfinite(autoencoder.history_["train_loss"]).all()


def test_nothing_is_hidden_where_the_training_rows_have_no_missing_cells(quick, X):
    rows = X.copy()
    rows[3, 2] = np.nan
    data = data_of(rows, has_missing=True).take(np.arange(4, 100))
    assert not make_masks(data, np.random.RandomState(0)).changes_rows
    assert not corruptor_of(quick(max_epochs=0).fit(X)).changes_rows


def test_a_corruption_asked_for_takes_the_place_of_hidden_cells(quick, X):
    incomplete = with_missing(X, 0.2)
    assert isinstance(corruptor_of(quick(max_epochs=0).fit(incomplete)), MaskedCells)
    assert isinstance(corruptor_of(quick(max_epochs=0, corruption="swap").fit(incomplete)), Noise)


def test_cells_are_hidden_once_missing_cells_come(quick, X):
    autoencoder = quick().partial_fit(X)
    assert not corruptor_of(autoencoder).changes_rows
    autoencoder.partial_fit(with_missing(X, 0.2))
    assert isinstance(corruptor_of(autoencoder), MaskedCells)


class Stop(Callback):
    """Ends a training as Ctrl-C does, in its second epoch."""

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) > 1:
            raise KeyboardInterrupt


def test_an_interrupted_step_with_missing_leaves_a_net_for_rows_without(quick, X):
    autoencoder = quick(callbacks=[Stop()]).partial_fit(X)
    codes = autoencoder.transform(X)
    incomplete = with_missing(X, 0.2)
    with pytest.raises(KeyboardInterrupt):
        autoencoder.partial_fit(incomplete)
    assert not corruptor_of(autoencoder).changes_rows
    assert not autoencoder.net_.error.takes_missing
    np.testing.assert_array_equal(autoencoder.transform(X), codes)
    autoencoder.set_params(callbacks=None).partial_fit(incomplete)
    assert isinstance(corruptor_of(autoencoder), MaskedCells)


def test_later_missing_cells_are_hidden_as_they_are(quick, X):
    autoencoder = quick().partial_fit(with_missing(X, 0.05))
    seed = corruptor_of(autoencoder).draws.seed
    autoencoder.partial_fit(with_missing(X, 0.5))
    assert corruptor_of(autoencoder).patterns.mean() == pytest.approx(0.5, abs=0.05)
    autoencoder.partial_fit(X)
    assert corruptor_of(autoencoder).draws.seed == seed


@pytest.mark.parametrize("warm_start", [True, False])
def test_sparse_rows_may_come_after_missing_cells(quick, X, warm_start):
    autoencoder = quick(warm_start=warm_start)
    step = autoencoder.fit if warm_start else autoencoder.partial_fit
    step(with_missing(X, 0.2))
    step(sparse.csr_array(X))
    assert np.isfinite(autoencoder.history_["train_loss"]).all()


@pytest.mark.slow
def test_hidden_cells_teach_a_net_to_fill_missing_cells(monkeypatch):
    """Without them it learns what it reads, and fills missing cells worse than at its start."""
    X = make_s_curve(1200, noise=0.05, random_state=0)[0]
    X = np.hstack([X, np.square(X), np.roll(X, 1, axis=1) * X])
    train, test = train_test_split(X, random_state=0)
    incomplete = with_missing(test, 0.2, 1)

    def error(**params):
        model = AutoencoderTransformer(4, random_state=0, **params).fit(with_missing(train, 0.2))
        return np.square(model.reconstruct(incomplete) - test)[np.isnan(incomplete)].mean()

    hiding, start = error(max_epochs=20), error(max_epochs=0)
    monkeypatch.setattr(_hidden_cells, "make_masks", lambda *_: Clean())
    assert hiding < 0.8 * min(start, error(max_epochs=20))


def test_the_callers_rows_stay_and_a_fit_repeats_itself(quick, X):
    incomplete = with_missing(X, 0.2)
    before = incomplete.copy()
    fits = [quick().fit(incomplete) for _ in range(2)]
    np.testing.assert_array_equal(incomplete, before)
    np.testing.assert_array_equal(fits[0].transform(incomplete), fits[1].transform(incomplete))
