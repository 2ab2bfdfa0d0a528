"""AutoencoderOutlierDetector: its scores, its threshold, and what each feature adds."""

import inspect
import pickle
import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpydoc.docscrape import ClassDoc
from scipy import sparse
from scipy.stats import norm
from sklearn.base import BaseEstimator, TransformerMixin, clone, is_outlier_detector
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import pairwise_distances
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils._param_validation import InvalidParameterError

from benchmarks.quality import false_alarms
from sk_autoencoder import AutoencoderOutlierDetector, AutoencoderTransformer
from sk_autoencoder._outliers.references import References
from sk_autoencoder._outliers.threshold import QUANTILES, QUANTILES_OF_CLEAN, TIE, fence

DOC = ClassDoc(AutoencoderOutlierDetector)
SIGNATURE = inspect.signature(AutoencoderOutlierDetector).parameters


@pytest.fixture
def make(quick):
    """Give a function that makes a detector that fits in an instant."""

    def make_detector(**params):
        autoencoder = quick(max_epochs=1, early_stopping=False)
        return AutoencoderOutlierDetector(autoencoder, random_state=0, **params)

    return make_detector


@pytest.fixture
def X_odd(X):
    """Rows near a surface, and behind them five which are near it no more."""
    odd = X[:5].copy()
    odd[:, 1] += 6
    return np.concatenate([X, odd])


def squared_distances(X, references, n_neighbors):
    """Mean of the smallest squared distances, from all of them."""
    distances = np.sort(pairwise_distances(X, references, metric="sqeuclidean"), axis=1)
    return distances[:, :n_neighbors].mean(axis=1)


def squared_differences(X, references, n_neighbors):
    """Mean of the smallest squared distances, from the differences of all cells."""
    squares = np.square(X[:, None] - references).sum(axis=2)
    return np.sort(squares, axis=1)[:, :n_neighbors].mean(axis=1)


@pytest.mark.quick
@pytest.mark.parametrize("novelty", [False, True])
def test_a_score_is_minus_the_mean_squared_distance_of_the_nearest_reconstructions(
    make, X, X_new, novelty
):
    detector = make(novelty=novelty).fit(X)

    references = detector.autoencoder_.reconstruct(X)
    n_neighbors = 1 if novelty else 12
    assert detector.n_neighbors_ == n_neighbors
    np.testing.assert_allclose(detector.references_, references, atol=1e-12)
    np.testing.assert_allclose(
        -detector.score_samples(X_new), squared_distances(X_new, references, n_neighbors)
    )


@pytest.mark.quick
def test_what_features_add_sums_to_the_score_and_is_never_negative(make, X, X_new, monkeypatch):
    detector = make().fit(X)

    contributions = detector.explain(X_new)
    monkeypatch.setattr("sk_autoencoder._outliers.references.MAX_BLOCK", 7 * 12 * 6)

    assert contributions.shape == X_new.shape
    assert contributions.dtype == np.float64
    assert (contributions >= 0).all()
    np.testing.assert_allclose(contributions.sum(axis=1), -detector.score_samples(X_new))
    np.testing.assert_allclose(detector.explain(X_new), contributions, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("novelty", [False, True])
@pytest.mark.parametrize("method", ["fit", "predict", "explain"])
def test_the_memory_does_not_grow_with_the_distances_of_all_rows(monkeypatch, method, novelty):
    monkeypatch.setattr("sk_autoencoder._outliers.references.MAX_BLOCK", 2**14)
    X = np.random.RandomState(0).standard_normal((10_000, 2))
    params = {"max_samples": 200, "n_neighbors": 100, "novelty": novelty}
    detector = AutoencoderOutlierDetector(FunctionTransformer(), **params).fit(X)

    tracemalloc.start()
    getattr(detector, method)(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 0.3 * len(X) * 100 * 8


def test_scores_do_not_depend_on_the_rows_that_are_searched_together(make, X, X_new, monkeypatch):
    def scores():
        detector = make(novelty=True, n_neighbors=3).fit(X)
        return detector.score_samples(X_new), detector.offset_

    together = scores()
    monkeypatch.setattr("sk_autoencoder._outliers.references.MAX_BLOCK", 50)
    for one, other in zip(together, scores(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)


@pytest.mark.quick
def test_the_feature_that_is_wrong_adds_the_most(make, X_odd):
    contributions = make().fit(X_odd).explain(X_odd[-5:])
    assert (contributions.argmax(axis=1) == 1).all()
    assert (contributions[:, 1] > 0.5 * contributions.sum(axis=1)).all()


@pytest.mark.quick
@pytest.mark.parametrize("novelty", [False, True])
def test_rows_off_the_surface_are_outliers(make, X, X_odd, novelty):
    detector = make(novelty=novelty).fit(X if novelty else X_odd)

    labels = detector.predict(X_odd)

    assert is_outlier_detector(detector)
    assert set(labels) == {-1, 1}
    assert (labels[-5:] == -1).all()
    assert (labels[:-5] == 1).mean() > 0.9


def test_rows_on_the_surface_but_far_from_others_are_outliers(X):
    # PCA with as many components as features reconstructs whatever comes.
    detector = AutoencoderOutlierDetector(PCA(6)).fit(X)
    assert (detector.predict(X + 20) == -1).all()


def test_the_decision_is_the_score_from_the_threshold_on(make, X, X_new):
    detector = make().fit(X)
    decision = detector.decision_function(X_new)
    np.testing.assert_array_equal(decision, detector.score_samples(X_new) - detector.offset_)
    np.testing.assert_array_equal(detector.predict(X_new), np.where(decision < 0, -1, 1))


@pytest.mark.quick
def test_contamination_is_the_share_of_training_rows_called_outliers(make, X):
    labels = make(contamination=0.15).fit_predict(X)
    assert (labels == -1).sum() == 18


@pytest.mark.parametrize("skewness", [-0.5, 0, 0.3, 0.6])
def test_the_fence_is_a_quantile_of_the_g_distribution(skewness):
    def distance(z):
        return 3 + 0.5 * (np.expm1(skewness * z) / skewness if skewness else z)

    distances = distance(norm.ppf(np.linspace(0, 1, 10_001)[1:-1]))
    for shares in (QUANTILES, QUANTILES_OF_CLEAN):
        found = fence(distances, shares, 1.0)
        assert found == pytest.approx(distance(norm.ppf(1 - 0.75 / 100)), rel=1e-3)
        assert (fence(distances, shares, 0.2) < found) == (skewness > 0.2)


@pytest.mark.parametrize("novelty", [False, True])
def test_the_threshold_is_the_fence_of_the_distances(make, X, novelty):
    detector = make(novelty=novelty).fit(X)
    rows = np.arange(len(X))
    scores = detector.score_samples(X)
    if novelty:
        scores = detector._references().scores_as_if_new(X, rows, rows)
    distances = np.sqrt(-scores)
    share = 0.95 if novelty else 0.85
    lower, middle, upper = np.quantile(distances, [1 - share, 0.5, share])
    most = 0.325 * X.shape[1] ** -0.4
    g = min(np.log((upper - middle) / (middle - lower)) / norm.ppf(share), most)
    beyond, at_upper = np.exp(g * norm.ppf([1 - 0.75 / 100, share])) - 1
    fence = middle + (upper - middle) * beyond / at_upper
    assert detector.offset_ == pytest.approx(-(fence**2))


@pytest.mark.parametrize("novelty", [False, True])
@pytest.mark.parametrize("n_features", [1, 2, 5, 20, 50])
def test_few_clean_rows_are_called_outliers_whatever_their_dimension(n_features, novelty):
    shares = []
    for seed in range(4):
        X = np.random.RandomState(seed).standard_normal((3000, n_features))
        detector = AutoencoderOutlierDetector(FunctionTransformer(), novelty=novelty)
        shares.append(np.mean(detector.fit(X[:1000]).predict(X[1000:]) == -1))
    assert 0.005 < np.mean(shares) < 0.045


@pytest.mark.sampled(every=3)
@pytest.mark.parametrize("n_features", [1, 2, 3, 5, 10, 20, 50])
def test_of_clean_rows_of_many_kinds_one_to_three_percent_are_called_outliers(n_features):
    shares = [
        false_alarms.measure(make, 300, n_features, seed, network=False)
        for make in (*false_alarms.CHOSEN_ON, *false_alarms.OTHERS)
        for seed in range(3)
    ]
    for rows in ("fitted", "new, novelty"):
        assert 0.01 < np.mean([share[rows] for share in shares]) < 0.03


@pytest.mark.parametrize("n_features", [1, 2, 5, 20, 50])
def test_outliers_are_found_where_one_row_in_twenty_is_one(n_features):
    rng = np.random.RandomState(0)
    X = rng.standard_normal((400, n_features))
    directions = rng.standard_normal((20, n_features))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    X[:20] = directions * (n_features**0.5 + 4)
    labels = AutoencoderOutlierDetector(FunctionTransformer()).fit_predict(X)
    assert (labels[:20] == -1).all()
    assert (labels[20:] == 1).mean() > 0.97


def test_no_table_of_mostly_identical_rows_is_flagged_wholly():
    for seed in range(40):
        X = np.random.RandomState(seed).poisson(0.01, (300, 6)).astype(float)
        autoencoder = AutoencoderTransformer(3, max_epochs=2, early_stopping=False)
        labels = AutoencoderOutlierDetector(autoencoder, random_state=seed).fit_predict(X)
        assert (labels[(X == 0).all(axis=1)] == 1).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_features", [2, 20])
@pytest.mark.parametrize("novelty", [False, True])
@pytest.mark.parametrize("contamination", ["auto", 0.01, 0.1, 0.3, 0.5])
def test_equal_rows_have_equal_labels(contamination, novelty, n_features, dtype):
    rng = np.random.RandomState(0)
    kinds = (rng.standard_normal((9, n_features)) / 3).astype(dtype)
    kind = rng.choice(9, 200, p=[0.4, 0.2] + 7 * [0.4 / 7])
    X = kinds[kind]
    params = {"contamination": contamination, "novelty": novelty, "random_state": 0}
    detector = AutoencoderOutlierDetector(PCA(2), n_neighbors=3, **params).fit(X)

    together = detector.predict(X)
    alone = np.concatenate([detector.predict(row[None]) for row in kinds])

    np.testing.assert_array_equal(together, alone[kind])
    np.testing.assert_array_equal(detector.predict(X[:67]), together[:67])
    assert (together == 1).any()
    distance = np.abs(detector.decision_function(X))
    assert (distance >= 0.25 * TIE * -detector.offset_).all()


@pytest.mark.parametrize("contamination", ["auto", 0.1, 0.5])
@pytest.mark.parametrize("novelty", [False, True])
@pytest.mark.parametrize("n_features", [1, 3, 30])
def test_all_rows_the_same_are_inliers(n_features, novelty, contamination):
    X = np.full((50, n_features), 0.1)
    params = {"novelty": novelty, "contamination": contamination, "random_state": 0}
    detector = AutoencoderOutlierDetector(**params).fit(X)
    assert (detector.predict(X) == 1).all()
    assert (detector.predict(X[:1]) == 1).all()
    assert (detector.predict(X + 1) == -1).all()


@pytest.mark.sampled(every=3)
@pytest.mark.parametrize("offset", [0, 1e8])
@pytest.mark.parametrize("novelty", [False, True])
@pytest.mark.parametrize(("n_samples", "n_features"), [(8, 3), (600, 3), (8, 20), (600, 20)])
def test_a_row_alone_has_the_score_that_it_has_among_others(n_samples, n_features, novelty, offset):
    rng = np.random.RandomState(0)
    X = rng.standard_normal((n_samples, n_features)) + offset
    detector = AutoencoderOutlierDetector(PCA(2), novelty=novelty).fit(X)
    X_new = rng.standard_normal((300, n_features)) + offset
    alone = np.concatenate([detector.score_samples(row[None]) for row in X_new])
    np.testing.assert_allclose(detector.score_samples(X_new), alone, rtol=0.25 * TIE)


def with_outliers(n_features):
    """Normal rows, the first five of which are outliers in the second column."""
    X = np.random.RandomState(0).standard_normal((400, n_features))
    X[:5, 1] = [12, -12, 11, -11, 13]
    return X


def shift_a_column(X):
    return X + np.append(1.7e9, np.zeros(X.shape[1] - 1))


@pytest.mark.sampled(every=3)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_features", [6, 20])
@pytest.mark.parametrize("novelty", [False, True])
@pytest.mark.parametrize(
    "move",
    [shift_a_column, lambda X: X + 1e8, lambda X: X - 1e12],
    ids=["one column", "1e8", "-1e12"],
)
@pytest.mark.parametrize("autoencoder", [None, FunctionTransformer()], ids=["network", "rows"])
def test_outliers_far_from_zero_are_found(autoencoder, move, novelty, n_features, dtype):
    X = with_outliers(n_features)
    # In units in which float32 tells rows apart at that offset.
    X = move(X * 1e6 if dtype == np.float32 else X).astype(dtype)
    detector = AutoencoderOutlierDetector(autoencoder, novelty=novelty, random_state=0)

    detector.fit(X[5:] if novelty else X)

    scores = detector.score_samples(X)
    assert (detector.predict(X)[:5] == -1).all()
    np.testing.assert_allclose(detector.explain(X).sum(axis=1), -scores, rtol=1e-7)


@pytest.mark.parametrize("n_features", [6, 20])
@pytest.mark.parametrize("novelty", [False, True])
@pytest.mark.parametrize("far", [1.7e9, 1e15])
def test_outliers_are_found_beside_rows_far_from_all_others(far, novelty, n_features):
    # As where some dates are missing and stand as 0, or where one cell is a typing error.
    X = with_outliers(n_features)
    X[slice(8, None, 4) if far == 1.7e9 else slice(8, 9), 0] += far
    params = {"novelty": novelty, "n_neighbors": 20, "random_state": 0}
    detector = AutoencoderOutlierDetector(FunctionTransformer(), **params)

    detector.fit(X[5:] if novelty else X)

    assert (detector.predict(X)[:5] == -1).all()
    assert (detector.predict(X)[5:] == 1).mean() > 0.9
    scores = detector.score_samples(X)
    np.testing.assert_allclose(detector.explain(X).sum(axis=1), -scores, rtol=1e-7)


@pytest.mark.parametrize("novelty", [False, True])
def test_an_offset_does_not_call_for_the_slow_search(monkeypatch, novelty):
    def refuse(*_):
        raise AssertionError("searched by the differences of all cells")

    monkeypatch.setattr(References, "_search_by_differences", refuse)
    X = with_outliers(20) + 1e8
    detector = AutoencoderOutlierDetector(PCA(10), novelty=novelty).fit(X)
    np.testing.assert_array_equal(detector.location_, np.sort(detector.references_, axis=0)[199])
    detector.score_samples(X)


def test_the_nearest_of_a_reference_are_told_without_all_others(monkeypatch):
    X = np.random.RandomState(0).standard_normal((200, 20))
    X_new = np.concatenate([X, X + 1e-9])
    detector = AutoencoderOutlierDetector(FunctionTransformer(), novelty=True).fit(X)
    monkeypatch.setattr(
        "sk_autoencoder._outliers.references.cdist", lambda *_: pytest.fail("all others")
    )
    expected = np.repeat([0, -20e-18], len(X))
    np.testing.assert_allclose(detector.score_samples(X_new), expected, rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize("spread", [0, 1e-12, 1e-9, 1e-6])
@pytest.mark.parametrize("n_neighbors", [1, 3, 30])
def test_the_nearest_of_many_near_copies_are_found(n_neighbors, spread):
    rng = np.random.RandomState(0)
    X = 1e3 + rng.standard_normal((4, 20)).repeat(50, axis=0)
    X += spread * rng.standard_normal(X.shape)
    detector = AutoencoderOutlierDetector(
        FunctionTransformer(), novelty=True, n_neighbors=min(n_neighbors, len(np.unique(X, axis=0)))
    ).fit(X)
    expected = squared_differences(X, detector.references_, detector.n_neighbors_)
    np.testing.assert_allclose(-detector.score_samples(X), expected, rtol=1e-9)


@pytest.mark.parametrize("n_features", [2, 20])
def test_the_score_of_a_reference_is_zero_and_not_minus_zero(n_features):
    X = np.random.RandomState(0).standard_normal((50, n_features)) + 1e8
    detector = AutoencoderOutlierDetector(FunctionTransformer(), novelty=True).fit(X)
    scores = detector.score_samples(X)
    assert (scores == 0).all()
    assert not np.signbit(scores).any()


@pytest.mark.quick
@pytest.mark.parametrize(("max_samples", "n_neighbors"), [(4096, "auto"), (60, 4), (3, 3)])
def test_with_novelty_the_threshold_comes_from_other_rows_than_ones_own(
    make, X, max_samples, n_neighbors
):
    detector = make(
        novelty=True, contamination=0.1, max_samples=max_samples, n_neighbors=n_neighbors
    ).fit(X)

    references, k = detector.references_, detector.n_neighbors_
    scores = []
    for row, own in zip(X, detector.autoencoder_.reconstruct(X), strict=True):
        others = references[np.abs(references - own).max(axis=1) > 1e-9]
        scores.append(-squared_distances(row[None], others, k)[0])
    assert detector.offset_ == pytest.approx(np.percentile(scores, 10))


@pytest.mark.parametrize("max_samples", [2, 3, 8])
def test_with_all_references_as_neighbours_few_clean_rows_are_outliers(make, X, max_samples):
    params = {"novelty": True, "max_samples": max_samples, "n_neighbors": 1.0}
    detector = make(contamination=0.1, **params).fit(X)
    assert detector.n_neighbors_ == max_samples
    assert (detector.predict(X) == -1).mean() <= 0.1


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, 12),
        ({"max_samples": 80}, 8),
        ({"max_samples": 20}, 5),
        ({"max_samples": 3}, 3),
        ({"novelty": True}, 1),
        ({"n_neighbors": 7}, 7),
        ({"n_neighbors": 7, "novelty": True}, 7),
        ({"n_neighbors": 0.25}, 30),
        ({"n_neighbors": 1.0}, 120),
        ({"n_neighbors": 1e-9}, 1),
    ],
)
def test_as_many_neighbours_as_asked_for(make, X, params, expected):
    assert make(**params).fit(X).n_neighbors_ == expected


def test_more_neighbours_than_rows_are_refused_and_nothing_is_lost(make, X, X_new):
    detector = make().fit(X)
    scores = detector.score_samples(X_new)
    detector.set_params(n_neighbors=121)
    with pytest.raises(ValueError, match=r"n_neighbors=121 is more than the 120 training rows"):
        detector.fit(X[:, :5], None)  # with 120 rows, of other features
    np.testing.assert_array_equal(detector.score_samples(X_new), scores)


def test_of_many_rows_some_are_drawn_and_kept(make, X):
    detectors = [make(max_samples=30).set_params(random_state=seed).fit(X) for seed in (0, 0, 1)]

    kept = [detector.references_ for detector in detectors]

    assert all(rows.shape == (30, 6) for rows in kept)
    np.testing.assert_array_equal(kept[0], kept[1])
    assert not np.array_equal(kept[0], kept[2])
    reconstructions = detectors[0].autoencoder_.reconstruct(X)
    assert (pairwise_distances(kept[0], reconstructions).min(axis=1) < 1e-6).all()


def test_the_autoencoder_is_copied_before_it_is_fitted(quick, X):
    autoencoder = quick(max_epochs=1)
    detector = AutoencoderOutlierDetector(autoencoder).fit(X)
    assert not hasattr(autoencoder, "net_")
    assert detector.autoencoder_ is not autoencoder
    assert detector.autoencoder_.get_params() == autoencoder.get_params()


def test_an_autoencoder_without_a_random_state_is_given_one(quick, X, X_new):
    def scores(own, seed):
        autoencoder = quick(max_epochs=1, early_stopping=False, random_state=own)
        detector = AutoencoderOutlierDetector(autoencoder, random_state=seed)
        return detector.fit(X).score_samples(X_new)

    np.testing.assert_array_equal(scores(None, 0), scores(None, 0))
    assert not np.array_equal(scores(None, 0), scores(None, 1))
    np.testing.assert_array_equal(scores(3, 0), scores(3, 1))


def test_steps_without_a_random_state_are_given_one(quick, X, X_new):
    def scores(own, seed):
        autoencoder = quick(max_epochs=1, early_stopping=False, random_state=own)
        pipeline = make_pipeline(StandardScaler(), autoencoder)
        detector = AutoencoderOutlierDetector(pipeline, random_state=seed)
        return detector.fit(X).score_samples(X_new)

    np.testing.assert_array_equal(scores(None, 0), scores(None, 0))
    assert not np.array_equal(scores(None, 0), scores(None, 1))
    np.testing.assert_array_equal(scores(3, 0), scores(3, 1))


@pytest.mark.parametrize(
    ("shape", "n_components"), [((30, 6), 3), ((30, 5), 3), ((30, 1), 1), ((4, 20), 4)]
)
def test_by_default_the_code_is_half_as_wide_as_the_rows(shape, n_components):
    X = np.random.RandomState(0).standard_normal(shape)
    autoencoder = AutoencoderOutlierDetector(random_state=0).fit(X).autoencoder_
    assert isinstance(autoencoder, AutoencoderTransformer)
    assert autoencoder.n_components_ == n_components
    assert autoencoder.n_iter_ == 10


@pytest.mark.parametrize(
    "transformer",
    [PCA(2), FunctionTransformer(), make_pipeline(StandardScaler(), PCA(2))],
    ids=["PCA", "rows themselves", "pipeline"],
)
def test_another_transformer_may_stand_for_the_autoencoder(transformer, X, X_new):
    detector = AutoencoderOutlierDetector(transformer, n_neighbors=3).fit(X)
    fitted = clone(transformer).fit(X)
    references = fitted.inverse_transform(fitted.transform(X))
    np.testing.assert_allclose(
        -detector.score_samples(X_new), squared_distances(X_new, references, 3)
    )


def bootstrap(n, rng):
    return rng.randint(n, size=3 * n)


@pytest.mark.parametrize("repeat", [lambda n, rng: np.arange(n).repeat(10), bootstrap])
def test_a_copy_of_a_row_does_not_make_new_rows_look_strange(repeat):
    rng = np.random.RandomState(0)
    X, X_new = rng.standard_normal((300, 8)), rng.standard_normal((2000, 8))
    detector = AutoencoderOutlierDetector(FunctionTransformer(), novelty=True, random_state=0)
    detector.fit(X[repeat(300, rng)])
    assert len(np.unique(detector.references_, axis=0)) == len(detector.references_)
    assert (detector.predict(X_new) < 0).mean() < 0.04
    # To the threshold a row is new, whatever copies of it were trained on.
    assert (detector.predict(X) < 0).mean() < 0.04


def with_frozen(X):
    """Transformers of which some or all parts are fitted, and the part that is."""
    scaler, pca = StandardScaler().fit(X), PCA(2).fit(X)
    chained = make_pipeline(StandardScaler(), PCA(3)).fit(X)
    return {
        "alone": (FrozenEstimator(pca), pca),
        "pipeline": (FrozenEstimator(chained), chained),
        "first step": (make_pipeline(FrozenEstimator(scaler), PCA(2)), scaler),
        "last step": (make_pipeline(StandardScaler(), FrozenEstimator(pca)), pca),
        "only steps": (make_pipeline(FrozenEstimator(scaler), FrozenEstimator(pca)), pca),
    }


@pytest.mark.quick
@pytest.mark.parametrize("place", list(with_frozen(np.eye(6))))
@pytest.mark.parametrize("novelty", [False, True])
def test_a_frozen_transformer_is_not_fitted_again(place, novelty, X, X_new):
    transformer, part = with_frozen(X_new)[place]
    before = pickle.dumps(part)

    detector = AutoencoderOutlierDetector(
        transformer, n_neighbors=3, novelty=novelty, random_state=0
    ).fit(X)

    assert pickle.dumps(part) == before
    codes = detector.autoencoder_.transform(X)
    references = detector.autoencoder_.inverse_transform(codes)
    np.testing.assert_allclose(detector.references_, references)
    np.testing.assert_allclose(
        -detector.score_samples(X_new), squared_distances(X_new, references, 3)
    )
    again = pickle.loads(pickle.dumps(clone(detector).fit(X)))
    np.testing.assert_array_equal(again.score_samples(X_new), detector.score_samples(X_new))


def test_a_frozen_autoencoder_stays_the_object_that_it_is(quick, X, X_new):
    autoencoder = quick(max_epochs=1).fit(X_new)
    detector = AutoencoderOutlierDetector(FrozenEstimator(autoencoder), random_state=0).fit(X)
    assert detector.autoencoder_.estimator is autoencoder
    np.testing.assert_allclose(detector.references_, autoencoder.reconstruct(X), atol=1e-12)


def test_steps_beside_a_frozen_one_are_given_a_random_state(quick, X, X_new):
    def scores(seed):
        pipeline = make_pipeline(FrozenEstimator(scaler), quick(max_epochs=1, random_state=None))
        return AutoencoderOutlierDetector(pipeline, random_state=seed).fit(X).score_samples(X_new)

    scaler = StandardScaler().fit(X_new)
    np.testing.assert_array_equal(scores(0), scores(0))
    assert not np.array_equal(scores(0), scores(1))


@pytest.mark.parametrize("place", ["alone", "pipeline", "first step"])
@pytest.mark.parametrize("container", [pd.DataFrame, pl.DataFrame])
def test_a_frozen_transformer_of_columns_with_names_is_given_them(container, place, X, X_new):
    frame, frame_new = (container(dict(zip("abcdef", rows.T, strict=True))) for rows in (X, X_new))
    transformer, _ = with_frozen(frame_new)[place]
    without_names, _ = with_frozen(X_new)[place]

    detector = AutoencoderOutlierDetector(transformer, max_samples=60, random_state=0).fit(frame)

    expected = AutoencoderOutlierDetector(without_names, max_samples=60, random_state=0).fit(X)
    np.testing.assert_allclose(
        detector.score_samples(frame_new), expected.score_samples(X_new), rtol=1e-12
    )


def test_columns_with_other_names_than_a_frozen_transformer_knows_are_refused(X):
    frozen = FrozenEstimator(PCA(2).fit(pd.DataFrame(X, columns=list("abcdef"))))
    with pytest.raises(ValueError, match="feature names should match"):
        AutoencoderOutlierDetector(frozen).fit(pd.DataFrame(X, columns=list("uvwxyz")))


def test_a_frozen_transformer_that_was_never_fitted_is_refused(X):
    with pytest.raises(NotFittedError):
        AutoencoderOutlierDetector(FrozenEstimator(PCA(2))).fit(X)


class Curt(TransformerMixin, BaseEstimator):
    """A transformer whose `fit` takes rows alone, and which gives nothing back."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def set_params(self, **params):
        super().set_params(**params)

    def fit(self, X):
        self.mean_ = X.mean(axis=0)

    def transform(self, X):
        return X - self.mean_

    def inverse_transform(self, X):
        return X + self.mean_


def test_methods_of_a_transformer_may_give_nothing_back(X):
    detector = AutoencoderOutlierDetector(Curt(), random_state=0).fit(X)
    assert detector.autoencoder_.random_state is not None
    np.testing.assert_allclose(detector.references_, X)


def test_a_dataframe_is_read_without_warnings_and_its_names_are_kept(smooth, X, X_new):
    frame, frame_new = (pd.DataFrame(rows, columns=list("abcdef")) for rows in (X, X_new))
    detector = AutoencoderOutlierDetector(smooth())
    scores = clone(detector).fit(frame).score_samples(frame_new)
    assert detector.fit(X).score_samples(X_new) == pytest.approx(scores, rel=1e-3, abs=1e-5)
    assert detector.fit(frame).feature_names_in_.tolist() == list("abcdef")


def test_constant_rows_are_inliers():
    X = np.ones((20, 3))
    detector = AutoencoderOutlierDetector(random_state=0).fit(X)
    assert (detector.predict(X) == 1).all()
    assert (detector.predict(X + 1) == -1).all()


def test_the_random_state_of_numpy_is_neither_read_nor_moved(make, X):
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    make(max_samples=30).set_params(random_state=None).fit(X)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


@pytest.mark.parametrize("method", ["predict", "decision_function", "score_samples", "explain"])
def test_a_detector_is_fitted_first(make, X, method):
    with pytest.raises(NotFittedError):
        getattr(make(), method)(X)


@pytest.mark.quick
@pytest.mark.parametrize(
    "params",
    [
        {"autoencoder": LogisticRegression()},
        {"autoencoder": 3},
        {"n_neighbors": 0},
        {"n_neighbors": 1.5},
        {"max_samples": 0},
        {"novelty": "yes"},
        {"contamination": 0},
        {"contamination": 0.6},
        {"random_state": "seed"},
    ],
)
def test_parameters_out_of_range_are_refused(params, X):
    with pytest.raises(InvalidParameterError, match=next(iter(params))):
        AutoencoderOutlierDetector(**params).fit(X)


def test_parameters_of_the_autoencoder_are_checked_too(quick, X):
    with pytest.raises(InvalidParameterError, match="'lr' parameter of AutoencoderTransformer"):
        AutoencoderOutlierDetector(quick(lr=-1)).fit(X)


@pytest.mark.quick
def test_missing_cells_are_refused(make, X):
    X[0, 0] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        make().fit(X)


@pytest.mark.parametrize("method", ["predict", "decision_function", "score_samples", "explain"])
@pytest.mark.parametrize("size", [1e160, 1e308])
def test_cells_too_large_for_their_squares_are_refused(X, size, method):
    detector = AutoencoderOutlierDetector(FunctionTransformer())
    far = np.concatenate([X, np.full((1, X.shape[1]), size)])
    with pytest.raises(ValueError, match=r"has a size of 1e\+.*Scale X down"):
        getattr(detector.fit(X), method)(far)
    with pytest.raises(ValueError, match=r"has a size of 1e\+.*Scale X down"):
        detector.fit(far)


def test_cells_too_small_for_their_squares_are_refused(X):
    with pytest.raises(ValueError, match=r"has a size of .*e-170.*Scale X up"):
        AutoencoderOutlierDetector(FunctionTransformer()).fit(1e-170 * X)


def test_float32_is_squared_in_float64(X):
    far = np.concatenate([X, np.full((1, X.shape[1]), 1e37)]).astype(np.float32)
    detector = AutoencoderOutlierDetector(FunctionTransformer(), random_state=0).fit(far)
    assert detector.predict(far)[-1] == -1
    assert np.isfinite(detector.explain(far)).all()


def test_sparse_rows_are_refused(make, X):
    with pytest.raises(TypeError, match=r"Sparse data was passed.*dense"):
        make().fit(sparse.csr_array(X))


def test_the_documented_parameters_are_those_of_the_signature():
    documented = {p.name: p.type.partition("default=")[2] for p in DOC["Parameters"]}
    assert list(documented) == list(SIGNATURE)
    assert {name: eval(default, {}) for name, default in documented.items()} == {
        name: parameter.default for name, parameter in SIGNATURE.items()
    }
    assert list(AutoencoderOutlierDetector._parameter_constraints) == list(SIGNATURE)


def test_the_documented_attributes_are_those_that_a_fit_sets(make, X):
    detector = make().fit(pd.DataFrame(X, columns=list("abcdef")))
    fitted = {name for name in vars(detector) if name[0] != "_" and name.endswith("_")}
    assert fitted == {attribute.name for attribute in DOC["Attributes"]}
