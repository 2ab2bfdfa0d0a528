"""Cells hidden in training: which, how much they count, and what a net learns from them."""

import numpy as np
import pytest
from gaps import with_gaps
from scipy import sparse
from sklearn.datasets import make_s_curve
from sklearn.model_selection import train_test_split
from skorch.callbacks import Callback

from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder._training import masking as _hidden_cells
from sk_autoencoder._training import procedure as _training
from sk_autoencoder._training.corruption import Noise
from sk_autoencoder._training.masking import MOST_EMPHASIS, HiddenCells, hidden_cells
from sk_autoencoder._validation import Data


@pytest.fixture(scope="module")
def X():
    return np.random.RandomState(0).standard_normal((400, 6)) + 7


def batch_of(autoencoder, gappy, *, fixed=True):
    """Input in the units of X, target and emphasis of all rows."""
    data = Data(gappy, gappy, None, gaps=True)
    rows = _training._rows(autoencoder, data, np.arange(len(gappy)), fixed=fixed)
    ((t, target),) = rows.batches(np.arange(len(gappy)), 1)
    x = autoencoder._coordinates.inverse(t.double()).numpy()
    return x, target.rows.numpy() + autoencoder.mean_, target.emphasis.numpy()


def test_cells_are_hidden_as_other_rows_have_gaps(quick, X):
    gappy = X.copy()
    gappy[::2, :2] = np.nan  # together, in half of the rows
    autoencoder = quick(max_epochs=0, early_stopping=False).fit(gappy)
    x, target, emphasis = batch_of(autoencoder, gappy)
    np.testing.assert_allclose(target, gappy, rtol=1e-5)
    changed = ~np.isclose(x, gappy, atol=1e-4)
    assert not changed[:, 2:].any()
    np.testing.assert_array_equal(changed[1::2, 0], changed[1::2, 1])
    assert changed[1::2, 0].mean() == pytest.approx(0.25, abs=0.1)
    np.testing.assert_array_equal(emphasis[1::2] > 1, changed[1::2])


def test_training_rows_are_hidden_anew_in_each_pass_and_others_alike(quick, X):
    gappy = with_gaps(X, 0.3)
    autoencoder = quick(max_epochs=0).fit(gappy)
    first, again = (batch_of(autoencoder, gappy)[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    first, again = (batch_of(autoencoder, gappy, fixed=False)[0] for _ in range(2))
    assert not np.allclose(first, again)


@pytest.mark.parametrize(("share", "of_hidden"), [(0.01, 0.05), (0.1, 0.5), (0.3, 0.5), (0.8, 0.5)])
def test_hidden_cells_are_half_of_the_loss_unless_they_are_few(share, of_hidden):
    X = with_gaps(np.zeros((4000, 10)), share)
    hides = hidden_cells(Data(X, X, None, gaps=True), np.arange(4000), np.random.RandomState(0))
    found = hides.patterns.mean() / 2  # in half of the rows
    assert found * hides.hidden == pytest.approx(of_hidden, rel=0.1)
    assert found * hides.hidden + (1 - found) * hides.shown == pytest.approx(1)
    assert hides.hidden <= MOST_EMPHASIS


@pytest.mark.parametrize("loss", ["squared_error", "huber"])
def test_the_net_at_its_start_and_its_yardstick_lose_the_same(quick, X, loss):
    gappy = with_gaps(X, 0.2)
    autoencoder = quick(loss=loss, max_epochs=0, early_stopping=False).fit(gappy)
    rows = _training._rows(
        autoencoder, Data(gappy, gappy, None, gaps=True), np.arange(len(X)), fixed=True
    )
    autoencoder.net_.module_.float()
    assert autoencoder.net_.loss(rows) == pytest.approx(autoencoder.history_["train_loss"][0])


def test_no_row_loses_all_of_its_cells(quick, X):
    gappy = with_gaps(X, 0.4)
    gappy[:100] = np.nan
    autoencoder = quick(max_epochs=1, early_stopping=False).fit(gappy)
    assert not autoencoder._noise.patterns.all(axis=1).any()
    known = ~np.isnan(gappy)
    for _ in range(5):
        _, _, emphasis = batch_of(autoencoder, gappy, fixed=False)
        shown = known & (emphasis < 1)
        assert (shown.any(axis=1) == known.any(axis=1)).all()
    assert np.isfinite(autoencoder.history_["train_loss"]).all()


def test_nothing_is_hidden_where_the_training_rows_have_no_gaps(quick, X):
    rows = X.copy()
    rows[3, 2] = np.nan
    data = Data(rows, rows, None, gaps=True)
    assert hidden_cells(data, np.arange(4, 100), np.random.RandomState(0)) is None
    assert quick(max_epochs=0).fit(X)._noise is None


def test_a_corruption_asked_for_takes_the_place_of_hidden_cells(quick, X):
    gappy = with_gaps(X, 0.2)
    assert isinstance(quick(max_epochs=0).fit(gappy)._noise, HiddenCells)
    assert isinstance(quick(max_epochs=0, corruption="swap").fit(gappy)._noise, Noise)


def test_cells_are_hidden_once_gaps_come(quick, X):
    autoencoder = quick().partial_fit(X)
    assert autoencoder._noise is None
    autoencoder.partial_fit(with_gaps(X, 0.2))
    assert isinstance(autoencoder._noise, HiddenCells)


class Stop(Callback):
    """Ends a training as Ctrl-C does, in its second epoch."""

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) > 1:
            raise KeyboardInterrupt


def test_an_interrupted_step_with_gaps_leaves_a_net_for_rows_without(quick, X):
    autoencoder = quick(callbacks=[Stop()]).partial_fit(X)
    codes = autoencoder.transform(X)
    gappy = with_gaps(X, 0.2)
    with pytest.raises(KeyboardInterrupt):
        autoencoder.partial_fit(gappy)
    assert autoencoder._noise is None
    assert not autoencoder.net_.criterion_.gaps
    np.testing.assert_array_equal(autoencoder.transform(X), codes)
    autoencoder.set_params(callbacks=None).partial_fit(gappy)
    assert isinstance(autoencoder._noise, HiddenCells)


def test_later_gaps_are_hidden_as_they_are(quick, X):
    autoencoder = quick().partial_fit(with_gaps(X, 0.05))
    draws = autoencoder._noise.draws
    autoencoder.partial_fit(with_gaps(X, 0.5))
    assert autoencoder._noise.patterns.mean() == pytest.approx(0.5, abs=0.05)
    autoencoder.partial_fit(X)
    assert autoencoder._noise.draws is draws


@pytest.mark.parametrize("warm_start", [True, False])
def test_sparse_rows_may_come_after_gaps(quick, X, warm_start):
    autoencoder = quick(warm_start=warm_start)
    step = autoencoder.fit if warm_start else autoencoder.partial_fit
    step(with_gaps(X, 0.2))
    step(sparse.csr_array(X))
    assert np.isfinite(autoencoder.history_["train_loss"]).all()


def test_hidden_cells_teach_a_net_to_fill_gaps(monkeypatch):
    """Without them it learns what it reads, and fills gaps worse than at its start."""
    X = make_s_curve(1200, noise=0.05, random_state=0)[0]
    X = np.hstack([X, np.square(X), np.roll(X, 1, axis=1) * X])
    train, test = train_test_split(X, random_state=0)
    gappy = with_gaps(test, 0.2, 1)

    def error(**params):
        model = AutoencoderTransformer(4, random_state=0, **params).fit(with_gaps(train, 0.2))
        return np.square(model.reconstruct(gappy) - test)[np.isnan(gappy)].mean()

    hiding, start = error(max_epochs=20), error(max_epochs=0)
    monkeypatch.setattr(_hidden_cells, "hidden_cells", lambda *_: None)
    assert hiding < 0.8 * min(start, error(max_epochs=20))


def test_the_callers_rows_stay_and_a_fit_repeats_itself(quick, X):
    gappy = with_gaps(X, 0.2)
    before = gappy.copy()
    fits = [quick().fit(gappy) for _ in range(2)]
    np.testing.assert_array_equal(gappy, before)
    np.testing.assert_array_equal(fits[0].transform(gappy), fits[1].transform(gappy))
