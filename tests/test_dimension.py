"""`n_components="auto"`: how many components explain more than chance would."""

import numpy as np
import pytest
from conftest import curved
from skorch.callbacks import Callback

from sk_autoencoder import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    ReconstructionCurveDisplay,
    VariationalAutoencoderTransformer,
)
from sk_autoencoder._model.dimension import number_beyond_chance


def rows_of(dimension, n_features=20, n_rows=400, noise=0.1):
    rng = np.random.default_rng(dimension)
    X = rng.normal(size=(n_rows, dimension)) @ rng.normal(size=(dimension, n_features))
    return X + noise * rng.normal(size=X.shape)


def curved_plane():
    """Give rows of a plane that is bent, with noise, of which PCA takes many axes for signal."""
    z = np.random.default_rng(0).uniform(-1, 1, (600, 2))
    X = np.sin(z @ np.random.default_rng(1).normal(size=(2, 25)) + np.arange(25))
    return X + 0.1 * np.random.default_rng(2).normal(size=X.shape)


def auto(**params):
    return AutoencoderTransformer("auto", nested=True, max_epochs=20, random_state=0, **params)


@pytest.mark.parametrize(
    ("shares", "n_features", "expected"),
    [
        ([0.5, 0.3, 0.1, 0.01, 0.01, 0.009, 0.008, 0.007], 20, 3),
        ([0.9, 0.01, 0.01, 0.01, 0.01], 10, 1),
        ([0.3, 0.3, 0.3, 0.001, -0.002, 0.0, 0.001], 30, 3),
        ([0.05] * 8, 20, 1),  # of noise alone
        ([0.12] * 8, 50, 8),  # all that there are, beside what is left
        ([1.0], 1, 1),
        ([1.0, 0.0], 2, 1),
        ([0.0, 0.0, 0.0], 3, 1),
        ([-0.2, -0.1], 5, 1),
    ],
)
def test_the_rule(shares, n_features, expected):
    assert number_beyond_chance(np.array(shares), n_features) == expected


@pytest.mark.sampled(only=["float32-3", "float64-1"])
@pytest.mark.parametrize("dimension", [1, 3, 6])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_dimension_of_flat_rows_is_found(dimension, dtype):
    fitted = auto().fit(rows_of(dimension).astype(dtype))
    assert fitted.n_components_ == dimension
    assert fitted.transform(rows_of(dimension)).shape == (400, dimension)
    assert fitted.explained_variance_ratio_.shape == (dimension,)


@pytest.mark.slow
def test_the_dimension_of_a_curve_is_found():
    z = np.random.default_rng(0).uniform(-1, 1, (500, 1))
    X = np.hstack([np.sin(3 * z), np.cos(3 * z), z, z**2, z**3, np.abs(z)]) @ rows_of(6, 25, 6)
    X += 0.02 * X.std() * np.random.default_rng(1).normal(size=X.shape)
    fitted = AutoencoderTransformer("auto", nested=True, random_state=0).fit(X)
    assert fitted.n_components_ <= 2
    assert fitted.score(X) > 0.95


@pytest.mark.parametrize(
    "X",
    [
        np.random.default_rng(0).normal(size=(300, 20)),
        np.ones((30, 4)),
        np.arange(20.0)[:, None],
        np.random.default_rng(0).normal(size=(2, 5)),
    ],
    ids=["noise", "constant", "one feature", "two rows"],
)
def test_where_nothing_counts_there_is_one(X):
    assert auto().fit(X).n_components_ == 1


@pytest.mark.slow
def test_missing_cells():
    X = rows_of(2)
    X[np.random.default_rng(0).random(X.shape) < 0.1] = np.nan
    assert auto().fit(X).n_components_ == 2


@pytest.mark.slow
def test_wide_rows_are_looked_at_up_to_a_limit():
    fitted = auto().fit(rows_of(60, n_features=80))
    assert fitted.model_.width == 32


@pytest.mark.slow
def test_a_warning_tells_where_all_that_are_looked_at_count():
    X = rows_of(50, n_features=200, n_rows=800, noise=0.01)
    with pytest.warns(UserWarning, match="no more than 32 components") as caught:
        fitted = auto().fit(X)
    assert [warning.filename for warning in caught] == [__file__]
    assert fitted.n_components_ == 32


@pytest.mark.slow
def test_the_last_training_has_few_components_beside_those_that_count():
    X = curved_plane()
    fitted = AutoencoderTransformer("auto", nested=True, random_state=0).fit(X)
    assert abs(fitted.n_components_ - 2) <= 1
    assert fitted.model_.width <= 3 * (fitted.n_components_ + 1)
    again = AutoencoderTransformer("auto", nested=True, random_state=0).fit(X)
    np.testing.assert_array_equal(again.transform(X), fitted.transform(X))


@pytest.mark.slow
def test_a_killed_fit_goes_on(tmp_path):
    X, path = curved_plane(), tmp_path / "fit.checkpoint"

    class StoppedError(Exception):
        pass

    class Stop(Callback):
        n_epochs = 0

        def on_epoch_end(self, net, **kwargs):
            Stop.n_epochs += 1
            if Stop.n_epochs == 25:
                raise StoppedError

    params = {"checkpoint": path, "checkpoint_every": 3}
    with pytest.raises(StoppedError):
        auto(callbacks=[Stop()], **params).fit(X)
    fitted = auto(callbacks=[Stop()], **params).fit(X, resume_from=path)
    assert Stop.n_epochs > 26
    expected = auto(callbacks=[Stop()]).fit(X)
    np.testing.assert_array_equal(fitted.transform(X), expected.transform(X))


def test_progress_is_told(capsys):
    from sklearn.callback import ProgressBar

    fitted = auto().set_callbacks(ProgressBar()).fit(rows_of(3))
    assert fitted.n_components_ == 3


def test_training_goes_on_with_those_chosen():
    fitted = auto(warm_start=True).fit(rows_of(3))
    assert fitted.fit(rows_of(3)).n_components_ == 3


def test_unordered_components_are_refused():
    X = curved(50)
    for estimator in (AutoencoderTransformer("auto"), VariationalAutoencoderTransformer("auto")):
        with pytest.raises(ValueError, match=r"n_components='auto'.*nested=True"):
            estimator.fit(X)
    with pytest.raises(ValueError, match="n_components"):
        AutoencoderTransformer("all", nested=True).fit(X)


@pytest.mark.parametrize("params", [{"max_epochs": 0}, {"max_epochs": 3}])
def test_a_share_of_a_table_is_taken_as_pca_does(params):
    X = rows_of(3)
    fitted = AutoencoderTransformer("auto", nested=True, random_state=0, **params).fit(X)
    assert fitted.n_components_ == 3


def test_a_detector_takes_it():
    detector = AutoencoderOutlierDetector(auto()).fit(rows_of(3))
    assert detector.autoencoder_.n_components_ == 3


def test_the_curve_marks_it():
    X = rows_of(3)
    from sklearn.decomposition import PCA

    fits = [PCA().fit(X), auto().fit(X), AutoencoderTransformer(2, max_epochs=2).fit(X)]
    labels = ["PCA", "auto", "plain"]
    display = ReconstructionCurveDisplay.from_estimators(fits, X, labels=labels)
    assert display.elbows == {"PCA": 3, "auto": 3}
    assert set(display.marks_) == {"PCA", "auto"}
    x, y = display.marks_["PCA"].get_data()
    point = display.curves.query("label == 'PCA' and n_components == 3")
    assert (x, y) == (3, point["error"].item())
