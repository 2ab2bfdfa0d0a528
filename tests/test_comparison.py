"""compare_with_pca: what it measures, and that it leaves everything else as it was."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline

from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder._comparison import compare_with_pca, run_comparison

COLUMNS = ["n_components", "method", "error", "explained_variance", "fit_time", "transform_time"]
RESULTS = COLUMNS[:4]


@pytest.fixture
def estimator(quick):
    return quick(max_epochs=2, random_state=None)


def run(X, n_components, estimator, **params):
    params = {"test_size": 0.25, "random_state": 0, **params}
    return run_comparison(X, n_components, estimator=estimator, **params)


@pytest.mark.quick
def test_a_row_for_each_size_and_method(X, estimator):
    table = compare_with_pca(X, (3, 1), estimator=estimator, random_state=0)

    assert list(table.columns) == COLUMNS
    assert table["n_components"].tolist() == [3, 3, 1, 1]
    assert table["method"].tolist() == ["PCA", "autoencoder"] * 2
    assert (table[["fit_time", "transform_time"]] > 0).all(axis=None)


@pytest.mark.quick
def test_figures_are_those_of_models_fitted_by_hand(X, estimator, quick):
    table = compare_with_pca(X, (2,), estimator=estimator, test_size=0.3, random_state=5)

    X_train, X_test = train_test_split(X, test_size=0.3, random_state=5)
    models = [PCA(2), quick(2, max_epochs=2, random_state=5)]
    variance = np.mean((X_test - X_train.mean(axis=0)) ** 2)
    for model, (_, row) in zip(models, table.iterrows(), strict=True):
        codes = model.fit(X_train).transform(X_test)
        error = np.mean((X_test - model.inverse_transform(codes)) ** 2)
        assert row["error"] == pytest.approx(error, rel=1e-12)
        assert row["explained_variance"] == pytest.approx(1 - error / variance, rel=1e-12)


@pytest.mark.quick
def test_without_an_estimator_the_defaults_are_compared(X, monkeypatch):
    monkeypatch.setitem(AutoencoderTransformer.__init__.__kwdefaults__, "max_epochs", 1)
    default = compare_with_pca(X, (2,), random_state=0)
    passed = compare_with_pca(X, (2,), estimator=AutoencoderTransformer(), random_state=0)
    pd.testing.assert_frame_equal(default[RESULTS], passed[RESULTS])


@pytest.mark.parametrize("make", [lambda: 3, lambda: np.random.RandomState(3)])
def test_random_state_repeats_it(X, estimator, make):
    first = compare_with_pca(X, (1, 2), estimator=estimator, random_state=make())
    second = compare_with_pca(X, (1, 2), estimator=estimator, random_state=make())
    pd.testing.assert_frame_equal(first[RESULTS], second[RESULTS])


def test_own_random_state_of_the_estimator_is_kept(X, quick):
    assert run(X, [2], quick(random_state=7)).models[1].random_state == 7


def test_global_generator_and_arguments_are_untouched(X, estimator):
    before, state = X.copy(), np.random.get_state()[1].copy()
    params = estimator.get_params()

    compare_with_pca(X, (1,), estimator=estimator)

    assert np.array_equal(X, before)
    assert np.array_equal(np.random.get_state()[1], state)
    assert estimator.get_params() == params
    assert not hasattr(estimator, "net_")


def test_a_dataframe_gives_the_same_and_its_names_reach_the_models(X, smooth):
    estimator = smooth(max_epochs=2, random_state=None)
    frame = pd.DataFrame(X, columns=list("abcdef"))
    table = compare_with_pca(X, (2,), estimator=estimator, random_state=0)
    comparison = run(frame, (2,), estimator)

    pd.testing.assert_frame_equal(comparison.table()[RESULTS], table[RESULTS])
    for model in comparison.models:
        assert list(model.feature_names_in_) == list("abcdef")


def test_lists_and_global_pandas_output_change_nothing(X, estimator):
    table = compare_with_pca(X, (2,), estimator=estimator, random_state=0)
    with config_context(transform_output="pandas"):
        other = compare_with_pca(X.tolist(), [2], estimator=estimator, random_state=0)
    pd.testing.assert_frame_equal(other[RESULTS], table[RESULTS])


@pytest.mark.quick
def test_float32_stays_float32(X, estimator):
    comparison = run(X.astype(np.float32), (2,), estimator)
    assert comparison.X_test.dtype == np.float32
    assert comparison.models[1].transform(comparison.X_test).dtype == np.float32


def test_constant_table(estimator):
    table = compare_with_pca(np.full((20, 3), 7.0), (1,), estimator=estimator, random_state=0)
    assert (table["error"] == 0).all()
    assert (table["explained_variance"] == 1).all()


@pytest.mark.quick
@pytest.mark.parametrize("columns", [None, list("abcdef")])
def test_standardize_scales_by_the_training_part(X, estimator, columns):
    data = X if columns is None else pd.DataFrame(X, columns=columns)
    comparison = run(data, (1, 2), estimator, standardize=True)

    X_train, X_test = train_test_split(X, test_size=0.25, random_state=0)
    np.testing.assert_allclose(comparison.scaler.mean_, X_train.mean(axis=0))
    expected = (X_test - X_train.mean(axis=0)) / X_train.std(axis=0)
    np.testing.assert_allclose(comparison.X_test, expected)

    model = comparison.largest_autoencoder()
    assert isinstance(model, Pipeline)
    assert model[-1].n_components_ == 2
    if columns is None:
        np.testing.assert_allclose(
            model.transform(X_test), comparison.models[3].transform(comparison.X_test)
        )


def test_the_largest_autoencoder_comes_without_callbacks(X, estimator):
    class Silent:
        def setup(self, estimator, context): ...
        def on_fit_task_begin(self, estimator, context): ...
        def on_fit_task_end(self, estimator, context): ...
        def teardown(self, estimator, context): ...

    model = run(X, (1, 3, 2), estimator.set_callbacks(Silent())).largest_autoencoder()

    assert model.n_components_ == 3
    assert "_skl_callbacks" not in vars(model)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"n_components": (2, 7)}, r"n_components has 7, .* at most 6: .* 90 rows of 6 features"),
        ({"n_components": (4,), "test_size": 117}, r"at most 3: .* 3 rows of 6 features"),
        ({"n_components": (0,)}, r"n_components has 0, but expects whole numbers from 1 on"),
        ({"n_components": (2.0,)}, r"n_components has 2\.0, but expects"),
        ({"n_components": (True,)}, r"n_components has True, but expects"),
        ({"n_components": ()}, r"n_components is empty\. Pass at least one"),
        ({"n_components": 0}, r"n_components has 0, but expects whole numbers from 1 on"),
        ({"n_components": 7}, r"n_components has 7, .* at most 6"),
        ({"n_components": True}, r"n_components has True, but expects"),
        ({"n_components": 2.5}, r"'n_components' .* must be a str among {'auto'}, .* or an array"),
        ({"n_components": "all"}, r"'n_components' .* must be a str among {'auto'}"),
        ({"test_size": 1.5}, r"'test_size' .* must be"),
        ({"estimator": PCA(2)}, r"'estimator' .* must be an instance of .*AutoencoderTransformer"),
        ({"random_state": "a"}, r"'random_state' .* must be"),
    ],
)
def test_wrong_parameters(X, params, match):
    with pytest.raises(ValueError, match=match):
        compare_with_pca(X, **params)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("X", "match"),
    [
        (np.ones(5), "Expected 2D array"),
        (np.ones((2, 3)), "minimum of 3 is required"),
        (np.array([[1.0, np.inf]] * 5), "X contains infinity"),
        (np.full((5, 2), np.nan), "The held-out rows have no known cell"),
    ],
)
def test_wrong_data(X, match):
    with pytest.raises(ValueError, match=match):
        compare_with_pca(X)


def test_sparse_rows_are_refused_with_a_remedy(X):
    with pytest.raises(TypeError, match=r"Use '.toarray\(\)' to convert"):
        compare_with_pca(sparse.csr_array(X))


def test_the_default_sizes_fit_a_narrow_table(monkeypatch):
    monkeypatch.setitem(AutoencoderTransformer.__init__.__kwdefaults__, "max_epochs", 1)
    table = compare_with_pca(load_iris().data, random_state=0)
    assert table["n_components"].tolist() == [2, 2]


@pytest.mark.quick
@pytest.mark.parametrize(
    ("shape", "sizes"),
    [
        ((40, 1), [1]),
        ((40, 2), [1]),
        ((40, 3), [2]),
        ((40, 5), [2, 4]),
        ((40, 8), [2, 4]),
        ((40, 9), [2, 4, 8]),
        ((8, 9), [2, 4]),
        ((3, 9), [2]),
    ],
)
def test_default_sizes(estimator, shape, sizes):
    X = np.random.RandomState(0).standard_normal(shape)
    table = compare_with_pca(X, estimator=estimator, random_state=0)
    assert table["n_components"].tolist()[::2] == sizes


@pytest.mark.parametrize("k", [2, np.int64(2)])
def test_one_size_may_be_an_int(X, estimator, k):
    table = compare_with_pca(X, k, estimator=estimator, random_state=0)
    expected = compare_with_pca(X, (2,), estimator=estimator, random_state=0)
    pd.testing.assert_frame_equal(table[RESULTS], expected[RESULTS])


@pytest.fixture
def X_missing(X):
    """X with a tenth of its cells missing."""
    return np.where(np.random.RandomState(1).uniform(size=X.shape) < 0.1, np.nan, X)


@pytest.mark.parametrize("standardize", [False, True])
def test_missing_cells_are_imputed_for_pca_and_left_out_of_the_errors(
    X_missing, estimator, quick, standardize
):
    comparison = run(X_missing, (2,), estimator, standardize=standardize)

    X_train, X_test = train_test_split(X_missing, test_size=0.25, random_state=0)
    if standardize:
        mean, std = np.nanmean(X_train, axis=0), np.nanstd(X_train, axis=0)
        X_train, X_test = (X_train - mean) / std, (X_test - mean) / std
    imputer = SimpleImputer()
    pca = PCA(2).fit(imputer.fit_transform(X_train))
    autoencoder = quick(2, max_epochs=2, random_state=0).fit(X_train)
    back = [
        pca.inverse_transform(pca.transform(imputer.transform(X_test))),
        autoencoder.inverse_transform(autoencoder.transform(X_test)),
    ]
    variance = np.nanmean((X_test - np.nanmean(X_train, axis=0)) ** 2)
    assert [result.method for result in comparison.results] == ["imputed PCA", "autoencoder"]
    for result, rows in zip(comparison.results, back, strict=True):
        error = np.nanmean((X_test - rows) ** 2)
        assert result.error == pytest.approx(error, rel=1e-9)
        assert result.explained_variance == pytest.approx(1 - error / variance, rel=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, "Float64", object])
def test_missing_cells_of_each_kind(X_missing, estimator, dtype):
    frame = pd.DataFrame(X_missing, columns=list("abcdef")).astype(dtype)
    comparison = run(frame, (2,), estimator)
    expected = run(X_missing, (2,), estimator)
    for result, other in zip(comparison.results, expected.results, strict=True):
        assert result.error == pytest.approx(other.error, rel=1e-3)


def test_rows_without_a_known_cell(X_missing, estimator):
    X_missing[::10] = np.nan
    table = compare_with_pca(X_missing, (2,), estimator=estimator, random_state=0)
    assert np.isfinite(table["error"]).all()
    assert (table["explained_variance"] > 0).all()


def test_a_column_without_a_known_cell_is_refused_by_the_autoencoder(X_missing, estimator):
    X_missing[:, 3] = np.nan
    with pytest.raises(ValueError, match="X has no value in column 3"):
        compare_with_pca(X_missing, (2,), estimator=estimator, random_state=0)


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("size", [1e150, 1e308])
@pytest.mark.parametrize("missing", [False, True])
def test_cells_too_large_to_be_squared_are_refused_before_pca_meets_them(
    X, estimator, size, missing, standardize
):
    X = X.copy()
    X[3, 1], X[7, 1] = size, -size
    if missing:
        X[5, 2] = np.nan
    with pytest.raises(ValueError, match="The largest cell of X has a size of 1e"):
        run(X, (2,), estimator, standardize=standardize)


def test_cells_too_small_to_be_squared_are_refused_unless_they_are_scaled(X, estimator):
    with pytest.raises(ValueError, match="Scale X up"):
        run(1e-145 * X, (2,), estimator)
    assert run(1e-145 * X, (2,), estimator, standardize=True).results
