"""The course of a training."""

import numpy as np
import pandas as pd
import pytest
from drawing import drawn_apart, plt, texts
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_autoencoder import TrainingCurveDisplay

pytestmark = pytest.mark.quick

TRAIN, VALID = "training rows", "validation rows"


@pytest.fixture
def history():
    return pd.DataFrame(
        {
            "epoch": [0, 1, 2, 3],
            "train_loss": [8.0, 6.0, 5.0, 4.0],
            "valid_loss": [9.0, 7.0, 6.0, 6.5],
        }
    )


def quartic(reconstruction, X):
    """Stand for a loss of one's own."""
    return (reconstruction - X) ** 4


def legend(display):
    return texts(display.ax_.get_legend().get_texts())


def test_losses_stand_over_the_epochs_with_those_of_pca(history):
    display = TrainingCurveDisplay(history, best_epoch=2).plot()

    for line, level, losses in zip(
        display.lines_,
        display.row_0_lines_,
        ([8, 6, 5, 4], [9, 7, 6, 6.5]),
        strict=True,
    ):
        assert line.get_xdata().tolist() == [0, 1, 2, 3]
        assert line.get_ydata().tolist() == losses
        assert set(level.get_ydata()) == {losses[0]}
        assert level.get_color() == line.get_color()
    assert set(display.best_epoch_line_.get_xdata()) == {2}
    assert legend(display) == [TRAIN, VALID, "PCA", "kept: epoch 2"]
    assert display.ax_.get_xlabel() == "epoch"
    assert display.ax_.get_ylabel() == "mean squared error"
    assert display.ax_.get_ylim()[0] == 0
    assert drawn_apart(display.ax_)


def test_shared_axes_have_room_for_all_losses(history):
    _, axes = plt.subplots(1, 2, sharey=True)
    TrainingCurveDisplay(history).plot(ax=axes[0])
    TrainingCurveDisplay(history.assign(train_loss=100.0)).plot(ax=axes[1])
    bottom, top = axes[0].get_ylim()
    assert bottom == 0
    assert 100 < top < 120


@pytest.mark.parametrize(("loss_type", "label"), [("train", TRAIN), ("valid", VALID)])
def test_one_loss_alone(history, loss_type, label):
    display = TrainingCurveDisplay(history).plot(loss_type)
    assert [line.get_label() for line in display.lines_] == [label]
    assert len(display.row_0_lines_) == 1
    assert display.best_epoch_line_ is None
    assert legend(display) == [label, "PCA"]


def test_epochs_are_marked_at_whole_numbers(history):
    display = TrainingCurveDisplay(history[:3]).plot()
    display.figure_.draw_without_rendering()
    assert all(tick == round(tick) for tick in display.ax_.get_xticks())


def test_the_scale_can_be_logarithmic(history):
    assert TrainingCurveDisplay(history).plot(yscale="log").ax_.get_yscale() == "log"


def test_what_does_not_start_at_pca_starts_after_its_first_epoch(history):
    display = TrainingCurveDisplay(history, best_epoch=0, starts_at_row_0=False).plot()
    assert display.lines_[0].get_xdata().tolist() == [1, 2, 3]
    assert set(display.row_0_lines_[0].get_ydata()) == {8}
    assert legend(display)[-1] == "kept: epoch 0"


@pytest.mark.parametrize("row_0", ["PCA", "start"])
def test_the_start_may_be_what_was_kept(history, row_0):
    display = TrainingCurveDisplay(history, best_epoch=0, row_0=row_0).plot()
    assert legend(display)[-2:] == [row_0, f"kept: epoch 0, {row_0}"]


@pytest.mark.parametrize("piped", [False, True])
def test_from_a_fitted_estimator(quick, X, piped):
    autoencoder = quick()
    fitted = (make_pipeline(StandardScaler(), autoencoder) if piped else autoencoder).fit(X)

    display = TrainingCurveDisplay.from_estimator(fitted)

    history = autoencoder.history_
    for line, column in zip(display.lines_, ("train_loss", "valid_loss"), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), history["epoch"])
        np.testing.assert_array_equal(line.get_ydata(), history[column])
    assert set(display.best_epoch_line_.get_xdata()) == {autoencoder.best_epoch_}


def test_from_an_estimator_of_which_no_rows_were_set_aside(quick, X):
    autoencoder = quick(early_stopping=False).fit(X)
    display = TrainingCurveDisplay.from_estimator(autoencoder, yscale="log")
    assert legend(display) == [TRAIN, "PCA", "kept: epoch 3"]
    assert display.ax_.get_yscale() == "log"
    with pytest.raises(ValueError, match="loss_type='valid', but no rows were set aside"):
        TrainingCurveDisplay.from_estimator(autoencoder, loss_type="valid")


def test_from_a_textbook_stack(quick, X):
    autoencoder = quick(linear_shortcut=False).fit(X)
    display = TrainingCurveDisplay.from_estimator(autoencoder, loss_type="valid")
    np.testing.assert_array_equal(
        display.lines_[0].get_ydata(), autoencoder.history_["valid_loss"][1:]
    )


def test_a_variational_training_starts_at_no_pca(quick, X):
    autoencoder = quick(variational=True).fit(X)
    display = TrainingCurveDisplay.from_estimator(autoencoder)
    assert legend(display)[2] == "start"
    assert display.lines_[0].get_xdata()[0] == 0


@pytest.mark.parametrize("params", [{"sparsity_penalty": 0.1}, {"supervised_weight": 1.0}])
def test_losses_with_penalties_do_not_start_at_pca_which_is_without(quick, X, params):
    autoencoder = quick(**params).fit(X, X[:, 0] > 0)
    display = TrainingCurveDisplay.from_estimator(autoencoder)
    assert legend(display)[2] == "PCA, reconstruction alone"
    assert display.lines_[0].get_xdata()[0] == 1


@pytest.mark.parametrize(
    "params",
    [
        {"variational": True},
        {"sparsity_penalty": 0.1},
        {"supervised_weight": 1.0},
        {"corruption": "masking"},
        {"nested": True},
        {},
    ],
    ids=str,
)
def test_what_is_no_plain_mean_error_is_called_a_loss(quick, X, params):
    y, rows = X[:, 0] > 0, X.copy()
    if not params:
        rows[::5, 0] = np.nan  # further cells are hidden in training
    autoencoder = quick(max_epochs=1, **params).fit(rows, y)
    assert TrainingCurveDisplay.from_estimator(autoencoder).ax_.get_ylabel() == "loss"


@pytest.mark.parametrize(
    ("loss", "label"),
    [
        ("squared_error", "mean squared error"),
        ("absolute_error", "mean absolute error"),
        (quartic, "mean quartic"),
    ],
)
def test_the_axis_tells_which_loss_it_is(quick, X, loss, label):
    autoencoder = quick(max_epochs=1, loss=loss).fit(X)
    assert TrainingCurveDisplay.from_estimator(autoencoder).ax_.get_ylabel() == label


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"loss_type": "test"}, r"'loss_type' parameter of .*plot must be a str"),
        ({"yscale": "symlog"}, r"'yscale' parameter of .*plot must be a str"),
    ],
)
def test_wrong_parameters(history, params, match):
    with pytest.raises(ValueError, match=match):
        TrainingCurveDisplay(history).plot(**params)


def test_what_has_no_training_is_refused(quick, X):
    with pytest.raises(TypeError, match=r"PCA has no history of a training. Pass a fitted"):
        TrainingCurveDisplay.from_estimator(make_pipeline(StandardScaler(), PCA(2)).fit(X))
    with pytest.raises(NotFittedError, match="not fitted yet"):
        TrainingCurveDisplay.from_estimator(quick())
