"""Weights of rows: none, whole numbers and fractions, in fits and in scores."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from seams import data_of, gains_of
from sklearn.callback import FitCallback
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import estimator_checks_generator

LOSSES = ["squared_error", "absolute_error", "binary_crossentropy", "poisson"]
FRAMES = {
    "at PCA": {},
    "textbook": {"linear_shortcut": False},
    "sums of errors": {"loss": "huber"},
}


@pytest.fixture
def weight(X):
    """Whole numbers from 0 to 3, of which a good part are 0: (120,)."""
    return np.random.RandomState(3).randint(0, 4, len(X)).astype(float)


@pytest.fixture
def routed():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def name_of(check):
    return getattr(check, "func", check).__name__


def test_scikit_learn_runs_each_of_its_checks_of_weights(quick):
    run = {name_of(check) for _, check in estimator_checks_generator(quick())}
    checks = {
        name
        for name in vars(estimator_checks)
        if name.startswith("check_sample_weight") or name == "check_all_zero_sample_weights_error"
    }
    assert checks <= run
    assert len(checks) == 8


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("params", [{}, {"whiten": True}, {"loss": "huber"}], ids=str)
def test_the_check_of_equivalence_holds_for_what_is_not_trained(quick, params, sparse):
    kind = "sparse" if sparse else "dense"
    check = getattr(estimator_checks, f"check_sample_weight_equivalence_on_{kind}_data")
    check("AutoencoderTransformer", quick(max_epochs=0, **params))


@pytest.mark.quick
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("rows", ["narrow", "wide"])
def test_whole_weights_are_repeated_rows(quick, X, loss, rows):
    X = (X - X.min()) / np.ptp(X) if rows == "narrow" else np.random.RandomState(0).rand(60, 300)
    weight = np.random.RandomState(3).randint(0, 4, len(X))
    repeated = X.repeat(weight, axis=0)
    weighted = quick(loss=loss, max_epochs=0).fit(X, sample_weight=weight)
    expected = quick(loss=loss, max_epochs=0).fit(repeated)
    np.testing.assert_allclose(weighted.mean_, expected.mean_, atol=1e-12)
    np.testing.assert_allclose(weighted.transform(X), expected.transform(X), atol=1e-8)
    np.testing.assert_allclose(weighted.reconstruct(X), expected.reconstruct(X), atol=1e-8)


@pytest.mark.quick
@pytest.mark.parametrize("params", [{}, {"early_stopping": False}, {"linear_shortcut": False}])
def test_a_row_without_weight_is_left_out(quick, X, weight, params):
    heavy = np.where(weight > 0, 2.5, 0.0)
    expected = quick(**params).fit(X[heavy > 0])
    weighted = quick(**params).fit(X, sample_weight=heavy)
    np.testing.assert_array_equal(weighted.transform(X), expected.transform(X))
    pd.testing.assert_frame_equal(
        weighted.history_.drop(columns="dur"), expected.history_.drop(columns="dur")
    )


def test_a_row_without_weight_may_be_anything_finite(quick, X):
    weight = np.r_[0.0, np.ones(119)]
    spoilt = np.vstack([[[1e12, -1e12, 1e12, 0, 0, 1e12]], X[1:]])
    np.testing.assert_array_equal(
        quick().fit(spoilt, sample_weight=weight).transform(X),
        quick().fit(X, sample_weight=weight).transform(X),
    )


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("constant", [1, 0.001, 7.3])
def test_constant_weights_are_as_none(quick, X, method, constant):
    plain = getattr(quick(), method)(X)
    weighted = getattr(quick(), method)(X, sample_weight=np.full(120, constant))
    np.testing.assert_array_equal(weighted.transform(X), plain.transform(X))
    assert weighted.score(X, sample_weight=[constant] * 120) == plain.score(X)


@pytest.mark.parametrize("params", FRAMES.values(), ids=FRAMES)
def test_the_size_of_all_weights_does_not_matter(quick, X, weight, params):
    # Times a power of two, which rounds nothing.
    small, large = (
        quick(**params).fit(X, sample_weight=weight * factor) for factor in (2**-20, 2**20)
    )
    np.testing.assert_allclose(small.transform(X), large.transform(X), atol=1e-12)
    assert small.score(X, sample_weight=weight) == pytest.approx(
        large.score(X, sample_weight=weight * 2**10)
    )


@pytest.mark.sampled(every=3)
@pytest.mark.parametrize("params", FRAMES.values(), ids=FRAMES)
@pytest.mark.parametrize("early_stopping", [True, False])
def test_a_trained_fit_moves_towards_the_heavy_rows(quick, X, params, early_stopping):
    heavy = X[:, 0] > 0
    params = {"max_epochs": 20, "early_stopping": early_stopping, "lr": 0.01, **params}
    errors = [
        quick(1, **params)
        .fit(X, sample_weight=np.where(heavy == towards, 50.0, 1.0))
        .reconstruction_error(X[heavy])
        .mean()
        for towards in (True, False)
    ]
    assert errors[0] < 0.8 * errors[1]


def test_the_training_itself_heeds_weights_and_not_only_the_start(quick, X):
    heavy = X[:, 0] > 0
    weight = np.where(heavy, 50.0, 1.0)
    start = quick(1, max_epochs=0).fit(X, sample_weight=weight)
    trained = quick(1, max_epochs=30, early_stopping=False).fit(X, sample_weight=weight)
    assert trained.score(X[heavy]) > start.score(X[heavy]) + 0.1
    assert trained.score(X[heavy]) > quick(1, max_epochs=30, early_stopping=False).fit(X).score(
        X[heavy]
    )


@pytest.mark.quick
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
@pytest.mark.parametrize("shape", [(120, 6), (300, 280)], ids=["narrow", "more than the axes"])
def test_losses_in_history_are_weighted_means(quick, loss, shape):
    X = np.random.RandomState(0).standard_normal(shape)
    weight = np.random.RandomState(1).uniform(0.1, 3, len(X))
    # Steps too small to be seen: the loss of the first epoch is that of the start.
    params = {"lr": 1e-12, "early_stopping": False, "max_epochs": 1, "hidden_layer_sizes": (4,)}
    autoencoder = quick(loss=loss, **params).fit(X, sample_weight=weight)
    error = np.abs(X - autoencoder.reconstruct(X)) ** (2 if loss == "squared_error" else 1)
    expected = np.average(error.mean(axis=1), weights=weight)
    np.testing.assert_allclose(autoencoder.history_["train_loss"], expected, rtol=1e-5)


@pytest.mark.quick
def test_validation_losses_are_weighted_means(quick, X, monkeypatch):
    weight = np.random.RandomState(1).uniform(0.1, 3, len(X))
    rows = np.arange(120)
    split = rows[::2], rows[1::2]
    monkeypatch.setattr("sk_autoencoder._training.split.train_test_split", lambda *a, **k: split)
    params = {"lr": 1e-12, "max_epochs": 2, "refit": False}
    autoencoder = quick(**params).fit(X, sample_weight=weight)
    pca = quick(max_epochs=0, early_stopping=False).fit(X[::2], sample_weight=weight[::2])
    error = np.square(X - pca.reconstruct(X)).mean(axis=1)[1::2]
    expected = np.average(error, weights=weight[1::2])
    np.testing.assert_allclose(autoencoder.history_["valid_loss"], expected, rtol=1e-5)
    variance = np.average(np.square(X - pca.mean_).mean(axis=1)[1::2], weights=weight[1::2])
    assert autoencoder.pca_validation_score_ == pytest.approx(1 - expected / variance)


def test_a_gain_on_rows_that_hardly_count_is_none(quick, X):
    X_plane = np.random.RandomState(0).standard_normal((300, 6))
    both = np.vstack([X_plane, np.tile(X, (2, 1))])
    weight = np.r_[np.ones(300), np.full(240, 1e-9)]
    assert quick(max_epochs=10).fit(both, sample_weight=weight).best_epoch_ == 0
    assert quick(max_epochs=10).fit(both).best_epoch_ > 0


def test_gains_over_pca_count_by_their_weights(quick, X):
    weight = np.random.RandomState(0).uniform(0.1, 3, len(X))
    autoencoder = quick(early_stopping=False, max_epochs=10).fit(X)
    plain, weighted = (gains_of(autoencoder, data_of(X, weight=given)) for given in (None, weight))
    plain, weighted = plain.of_each, weighted.of_each
    assert np.abs(plain).max() > 0.01
    np.testing.assert_allclose(weighted, plain * weight / weight.mean(), rtol=1e-5)


@pytest.mark.quick
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_weighted_score_is_that_of_the_definition(quick, X, X_new, dtype):
    autoencoder = quick().fit(X.astype(dtype))
    weight = np.random.RandomState(0).uniform(0, 2, len(X_new))
    weight[:5] = 0
    X_new = X_new.astype(dtype)
    residual = weight @ np.square(X_new - autoencoder.reconstruct(X_new)).sum(axis=1)
    total = weight @ np.square(X_new - autoencoder.mean_).sum(axis=1)
    score = autoencoder.score(X_new, sample_weight=weight)
    assert score == pytest.approx(1 - residual / total, rel=1e-6)
    assert autoencoder.score(X_new, None, weight) == score


def test_one_weighted_row_is_enough_for_a_score_and_for_a_later_step(quick, X):
    autoencoder = quick().fit(X)
    weight = np.r_[1.0, np.zeros(119)]
    assert autoencoder.score(X, sample_weight=weight) == autoencoder.score(X[:1])
    autoencoder.partial_fit(X, sample_weight=weight)


@pytest.mark.parametrize("kind", [list, pd.Series, np.float32, np.int64], ids=str)
def test_weights_of_any_kind_are_taken(quick, X, weight, kind):
    expected = quick().fit(X, sample_weight=weight).transform(X)
    given = weight.astype(kind) if kind in (np.float32, np.int64) else kind(weight)
    np.testing.assert_array_equal(quick().fit(X, sample_weight=given).transform(X), expected)


def test_weights_are_not_changed(quick, X, weight):
    before = weight.copy()
    weight.flags.writeable = False
    quick().fit(X, sample_weight=weight).partial_fit(X, sample_weight=weight)
    np.testing.assert_array_equal(weight, before)


REFUSED = {
    "negative": (lambda w: np.where(np.arange(120) == 3, -1.0, w), "Negative values"),
    "NaN": (lambda w: np.where(np.arange(120) == 3, np.nan, w), "NaN"),
    "infinite": (lambda w: np.where(np.arange(120) == 3, np.inf, w), "infinity"),
    "all zero": (lambda w: 0 * w, "at least one non-zero"),
    "too few": (lambda w: w[1:], r"sample_weight.shape == \(119,\)"),
    "a matrix": (lambda w: np.c_[w, w], "1D array"),
    "words": (lambda w: ["a"] * 120, "could not convert"),
}


@pytest.mark.parametrize("method", ["fit", "partial_fit", "score"])
@pytest.mark.parametrize(("spoil", "message"), REFUSED.values(), ids=REFUSED)
def test_weights_that_cannot_be_used_are_refused(quick, X, weight, method, spoil, message):
    autoencoder = quick().fit(X)
    codes = autoencoder.transform(X)
    with pytest.raises(ValueError, match=message):
        getattr(autoencoder, method)(X, sample_weight=spoil(weight))
    np.testing.assert_array_equal(autoencoder.transform(X), codes)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_weights_that_leave_one_row_are_refused(quick, X, method):
    weight = np.r_[np.zeros(119), 1.0]
    with pytest.raises(ValueError, match=r"leaves 1 rows of 120.*two with a weight above zero"):
        getattr(quick(), method)(X, sample_weight=weight)


def test_more_components_than_rows_with_a_weight_are_refused(quick, X):
    weight = np.r_[np.ones(3), np.zeros(117)]
    with pytest.raises(ValueError, match=r"n_components=4 must be at most.*n_samples=3"):
        quick(4).fit(X, sample_weight=weight)


def test_partial_fit_takes_weights_in_its_first_and_in_later_calls(quick, X, weight):
    heavy = X[:, 0] > 0
    weight = np.where(heavy, 50.0, 1.0)
    plain, weighted = quick(1, lr=0.01), quick(1, lr=0.01)
    for _ in range(20):
        plain.partial_fit(X)
        weighted.partial_fit(X, sample_weight=weight)
    assert weighted.score(X[heavy]) > plain.score(X[heavy])
    np.testing.assert_allclose(weighted.mean_, np.average(X, axis=0, weights=weight))
    once = quick(1, lr=0.01).partial_fit(X)
    later = quick(1, lr=0.01).partial_fit(X).partial_fit(X, sample_weight=weight)
    assert not np.array_equal(once.partial_fit(X).transform(X), later.transform(X))


def test_fit_transform_passes_weights_on(quick, X, weight):
    np.testing.assert_array_equal(
        quick().fit_transform(X, sample_weight=weight),
        quick().fit(X, sample_weight=weight).transform(X),
    )


class Recorder(FitCallback):
    """A callback of scikit-learn that keeps the rows that it is told of."""

    def __init__(self):
        self.seen = []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, **kwargs):
        self.seen.append((X, y))

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, **kwargs):
        self.seen.append((X, y))


Y = {
    "none": lambda n: None,
    "numbers": np.arange,
    "list": lambda n: [str(i) for i in range(n)],
    "series": lambda n: pd.Series(np.arange(n), index=np.arange(n)[::-1]),
    "ragged": lambda n: [[0] * (i % 3) for i in range(n)],
    "word": lambda n: "a word",
    "number": lambda n: 3,
}


@pytest.mark.parametrize("make", Y.values(), ids=Y)
def test_callbacks_are_told_of_rows_and_targets_of_one_length(quick, X, weight, make):
    recorder = Recorder()
    y = make(120)
    quick().set_callbacks(recorder).fit(X, y, sample_weight=weight)
    assert recorder.seen
    counted = weight > 0
    for rows, target in recorder.seen:
        np.testing.assert_array_equal(rows, X[counted])
        assert len(target) == len(rows)
    target = recorder.seen[-1][1]
    if isinstance(y, (np.ndarray, pd.Series)):
        np.testing.assert_array_equal(target, np.asarray(y)[counted])
    elif isinstance(y, list):
        assert list(target) == [value for value, kept in zip(y, counted, strict=True) if kept]


@pytest.mark.usefixtures("routed")
def test_a_pipeline_routes_weights_to_the_fit_and_to_the_score(quick, X, weight):
    plain = make_pipeline(StandardScaler(), quick().set_fit_request(sample_weight=True))
    plain[0].set_fit_request(sample_weight=False)
    plain[1].set_score_request(sample_weight=True)
    plain.fit(X, sample_weight=weight)
    rows = StandardScaler().fit_transform(X)
    alone = quick().fit(rows, sample_weight=weight)
    np.testing.assert_array_equal(plain.transform(X), alone.transform(rows))
    assert np.abs(plain.transform(X) - quick().fit_transform(rows)).max() > 1e-3
    score = plain.score(X, sample_weight=weight)
    assert score == alone.score(rows, sample_weight=weight)
    assert score != plain.score(X)


@pytest.mark.usefixtures("routed")
def test_a_search_routes_weights_to_fits_and_scores(quick, X):
    weight = np.where(X[:, 0] > 0, 20.0, 1.0)
    scores = {}
    for fits, scored in [(True, True), (True, False), (False, True), (False, False)]:
        autoencoder = quick().set_fit_request(sample_weight=fits)
        autoencoder.set_score_request(sample_weight=scored)
        search = GridSearchCV(autoencoder, {"n_components": [1, 2]}, cv=3, error_score="raise")
        given = {"sample_weight": weight} if fits or scored else {}
        search.fit(X, **given)
        scores[fits, scored] = search.cv_results_["mean_test_score"].round(9).tolist()
    assert len({str(score) for score in scores.values()}) == 4


@pytest.mark.usefixtures("routed")
def test_weights_without_a_request_are_refused_where_they_are_routed(quick, X, weight):
    with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError, match="sample_weight"):
        make_pipeline(quick()).fit(X, sample_weight=weight)


def test_a_weighted_constant_table_is_reconstructed(quick):
    X = np.full((20, 3), 3.7)
    X[:5] = 9.0
    weight = np.r_[np.zeros(5), np.arange(1.0, 16)]
    autoencoder = quick().fit(X, sample_weight=weight)
    np.testing.assert_allclose(autoencoder.reconstruct(X[5:]), X[5:], rtol=1e-12)


@pytest.mark.quick
def test_weighted_axes_are_those_of_pca_on_weighted_rows(quick, X):
    weight = np.random.RandomState(0).uniform(0.1, 5, 120)
    autoencoder = quick(max_epochs=0).fit(X, sample_weight=weight)
    mean = np.average(X, axis=0, weights=weight)
    pca = PCA(2, svd_solver="full").fit(
        np.vstack([(X - mean) * np.sqrt(weight)[:, None], -(X - mean) * np.sqrt(weight)[:, None]])
    )
    expected = (X - mean) @ pca.components_.T @ pca.components_ + mean
    np.testing.assert_allclose(autoencoder.reconstruct(X), expected, atol=1e-12)
