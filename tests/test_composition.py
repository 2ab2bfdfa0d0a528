"""Inside of scikit-learn's compositions, copied, stored and taken up again."""

import copy
import io
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_autoencoder import AutoencoderTransformer

NAMES = ["a", "b", "c", "d", "e", "f"]


def through_joblib(estimator):
    file = io.BytesIO()
    joblib.dump(estimator, file)
    file.seek(0)
    return joblib.load(file)


COPIES = {
    "pickle": lambda estimator: pickle.loads(pickle.dumps(estimator)),
    "joblib": through_joblib,
    "deepcopy": copy.deepcopy,
}


def test_a_pipeline_scales_reduces_and_classifies(quick, X):
    y = X[:, 0] > 0
    pipeline = make_pipeline(StandardScaler(), quick(4), LogisticRegression()).fit(X, y)
    assert pipeline.score(X, y) > 0.8


@pytest.mark.quick
def test_a_pipeline_goes_both_ways(quick, X):
    pipeline = make_pipeline(StandardScaler(), quick(6)).fit(X)
    np.testing.assert_allclose(pipeline.inverse_transform(pipeline.transform(X)), X, atol=1e-9)
    assert list(pipeline.get_feature_names_out()[:2]) == [
        "autoencodertransformer0",
        "autoencodertransformer1",
    ]


def test_a_feature_union_lays_codes_beside_those_of_pca(quick, X):
    union = FeatureUnion([("pca", PCA(3)), ("autoencoder", quick())]).fit(X)
    codes = union.transform(X)
    assert codes.shape == (120, 5)
    np.testing.assert_array_equal(codes[:, 3:], quick().fit_transform(X))
    assert union.get_feature_names_out()[-1] == "autoencoder__autoencodertransformer1"


@pytest.mark.quick
def test_a_column_transformer_reduces_some_columns(quick, X):
    frame = pd.DataFrame(X, columns=NAMES)
    columns = ColumnTransformer(
        [("autoencoder", quick(), ["b", "d", "f"])], remainder="passthrough"
    ).set_output(transform="pandas")
    out = columns.fit_transform(frame)
    assert list(out.columns) == [
        "autoencoder__autoencodertransformer0",
        "autoencoder__autoencodertransformer1",
        "remainder__a",
        "remainder__c",
        "remainder__e",
    ]
    np.testing.assert_array_equal(out["remainder__a"], frame["a"])


@pytest.mark.slow
def test_a_search_over_own_parameters_runs_in_two_processes_without_y(quick, X):
    grid = {"n_components": [1, 3], "hidden_layer_sizes": [(8,), (16, 8)], "lr": [1e-3]}
    search = GridSearchCV(quick(), grid, cv=3, n_jobs=2, error_score="raise").fit(X)
    assert search.best_params_["n_components"] == 3
    assert len(search.cv_results_["params"]) == 4
    assert search.best_score_ == pytest.approx(
        cross_val_score(quick(**search.best_params_), X, cv=3).mean(), abs=1e-6
    )


def test_a_search_over_nested_parameters_runs_in_two_processes(quick, X):
    y = np.where(X[:, 0] * X[:, 1] > 0, "same", "opposite")
    pipeline = Pipeline(
        [("scale", StandardScaler()), ("autoencoder", quick()), ("classify", LogisticRegression())]
    )
    grid = {"autoencoder__n_components": [1, 4], "autoencoder__activation": ["relu", "gelu"]}
    search = GridSearchCV(pipeline, grid, cv=3, n_jobs=2, error_score="raise").fit(X, y)
    assert search.best_params_["autoencoder__n_components"] == 4
    assert search.predict(X).dtype == y.dtype


def test_a_search_over_sizes_trains_one_nested_network_a_fold(quick, X, tmp_path, monkeypatch):
    y, sizes, fits = X[:, 0] > 0, (1, 2, 4), []
    fit = AutoencoderTransformer.fit
    monkeypatch.setattr(
        AutoencoderTransformer,
        "fit",
        lambda self, X, *args: fits.append(len(X)) or fit(self, X, *args),
    )
    first = {size: [("first", "passthrough", slice(size))] for size in sizes}
    pipeline = Pipeline(
        [
            ("reduce", quick(4, nested=True)),
            ("choose", ColumnTransformer(first[4])),
            ("classify", LogisticRegression()),
        ],
        memory=str(tmp_path),
    )
    grid = {"choose__transformers": [*first.values()]}
    search = GridSearchCV(pipeline, grid, cv=3, error_score="raise").fit(X, y)
    assert sorted(fits) == [len(X) * 2 // 3] * 3 + [len(X)]
    size = sizes[search.best_index_]
    codes = search.best_estimator_["reduce"].transform(X)[:, :size]
    expected = LogisticRegression().fit(codes, y).predict_proba(codes)
    np.testing.assert_allclose(search.predict_proba(X), expected, atol=1e-6)


def test_cross_val_score_needs_no_y(quick, X):
    scores = cross_val_score(quick(), X, cv=3, error_score="raise")
    assert scores.shape == (3,)
    assert np.all((scores > 0.3) & (scores < 1))


@pytest.mark.parametrize(
    "y",
    [
        np.array(["a", "b"] * 60),
        ["a", "b"] * 60,
        [None] * 120,
        np.full(120, np.nan),
        np.zeros((120, 3)),
        "a word",
    ],
    ids=["strings", "list of strings", "list of None", "NaN", "matrix", "word"],
)
def test_y_is_ignored_whatever_it_is(quick, X, y):
    codes = quick().fit(X).transform(X)
    np.testing.assert_array_equal(quick().fit(X, y).transform(X), codes)
    np.testing.assert_array_equal(quick().fit_transform(X, y), codes)
    assert quick().partial_fit(X, y).score(X, y) == quick().partial_fit(X).score(X)


@pytest.mark.quick
def test_clone_copies_parameters_and_nothing_fitted(quick, X):
    fitted = quick(3, callbacks=[], net_params={"optimizer__betas": (0.8, 0.9)}).fit(X)
    copied = clone(fitted)
    assert copied.get_params() == fitted.get_params()
    assert not [name for name in vars(copied) if name.endswith("_")]
    np.testing.assert_array_equal(copied.fit_transform(X), fitted.transform(X))


@pytest.mark.quick
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_copy_transforms_bit_by_bit_as_the_original(quick, X, X_new, copied, dtype):
    autoencoder = quick().fit(X.astype(dtype))
    other = copied(autoencoder)
    X_new = X_new.astype(dtype)
    codes = autoencoder.transform(X_new)
    np.testing.assert_array_equal(other.transform(X_new), codes)
    np.testing.assert_array_equal(
        other.inverse_transform(codes), autoencoder.inverse_transform(codes)
    )
    pd.testing.assert_frame_equal(other.history_, autoencoder.history_)


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_copy_of_an_unfitted_estimator_fits_as_the_original(quick, X, copied):
    np.testing.assert_array_equal(copied(quick()).fit_transform(X), quick().fit_transform(X))


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_copy_goes_on_training_as_the_original_does(quick, X, X_new, copied):
    autoencoder = quick(warm_start=True).fit(X)
    other = copied(autoencoder)
    for _ in range(2):
        autoencoder.partial_fit(X_new)
        other.partial_fit(X_new)
    np.testing.assert_array_equal(other.transform(X), autoencoder.transform(X))
    autoencoder.fit(X)
    other.fit(X)
    np.testing.assert_array_equal(other.transform(X), autoencoder.transform(X))
    assert len(other.history_) == 3 + 2 + 3 + 1


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_copy_shares_nothing_with_the_original(quick, X, copied):
    autoencoder = quick().fit(X)
    codes, n_epochs = autoencoder.transform(X), len(autoencoder.history_)
    copied(autoencoder).partial_fit(X)
    np.testing.assert_array_equal(autoencoder.transform(X), codes)
    assert len(autoencoder.history_) == n_epochs


def test_a_stored_estimator_does_not_hold_its_training_data(quick):
    X = np.random.RandomState(0).standard_normal((20_000, 20))
    autoencoder = quick(max_epochs=1, hidden_layer_sizes=(4,)).fit(X)
    assert len(pickle.dumps(autoencoder)) < X.nbytes / 20


def test_a_pipeline_with_a_cache_fits_the_transformer_once(quick, X, tmp_path, monkeypatch):
    calls = []
    fit = AutoencoderTransformer.fit

    def counted(self, X, y=None, **params):
        calls.append(len(X))
        return fit(self, X, y, **params)

    monkeypatch.setattr(AutoencoderTransformer, "fit", counted)
    y = X[:, 0] > 0
    pipeline = make_pipeline(quick(), LogisticRegression(), memory=str(tmp_path))
    first = pipeline.fit(X, y).predict_proba(X)
    pipeline.set_params(logisticregression__C=0.1).fit(X, y)
    assert calls == [len(X)]
    again = pipeline.set_params(logisticregression__C=1.0).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(again, first)
