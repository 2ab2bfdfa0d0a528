"""Rows with missing cells: left out of the loss, filled by the way there and back."""

import pickle

import numpy as np
import pandas as pd
import pytest
from removing import with_missing
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_autoencoder import AutoencoderTransformer


@pytest.fixture(scope="module")
def digits():
    train, X = train_test_split(load_digits().data[:900, 18:46], random_state=0)
    return with_missing(train), with_missing(X, seed=1), X


@pytest.fixture(scope="module")
def fitted(digits):
    return AutoencoderTransformer(5, max_epochs=40, random_state=0).fit(digits[0])


def filled_in_error(model, incomplete, X):
    filled = model.inverse_transform(model.transform(incomplete))
    return np.square(filled - X)[np.isnan(incomplete)].mean()


def error_of_means(model, incomplete, X):
    return np.square(X - model.mean_)[np.isnan(incomplete)].mean()


@pytest.mark.slow
def test_missing_cells_are_filled_better_than_by_pca_of_imputed_means(digits, fitted):
    train, incomplete, X = digits
    baseline = make_pipeline(SimpleImputer(), PCA(5)).fit(train)
    codes = baseline.transform(incomplete)
    of_pca = np.square(baseline[-1].inverse_transform(codes) - X)[np.isnan(incomplete)].mean()
    start = AutoencoderTransformer(5, max_epochs=0).fit(train)
    assert filled_in_error(fitted, incomplete, X) < filled_in_error(start, incomplete, X) < of_pca


def test_the_loss_is_that_of_the_known_cells_half_of_it_of_those_hidden(digits):
    train, _, _ = digits
    start = AutoencoderTransformer(5, max_epochs=0, early_stopping=False).fit(train)
    halves = []
    for seed in range(20):
        rng = np.random.RandomState(seed)
        hidden = np.isnan(rng.permutation(train)) & ~np.isnan(train)
        hidden[rng.permutation(len(train))[: len(train) // 2]] = False
        error = np.square(start.reconstruct(np.where(hidden, np.nan, train)) - train)
        halves.append([error[hidden].mean(), np.nanmean(error[~hidden])])
    of_hidden, of_others = np.mean(halves, axis=0)
    assert of_hidden > 1.3 * of_others
    # In the fit cells are hidden once.
    loss = start.history_["train_loss"][0]
    assert loss == pytest.approx((of_hidden + of_others) / 2, rel=0.1)


@pytest.mark.quick
def test_a_gap_in_the_target_moves_nothing(digits):
    """Cells of a row that are unknown have no loss, so that a row without any trains nothing."""
    train, _, _ = digits
    params = {"max_epochs": 0, "early_stopping": False, "random_state": 0}
    empty = np.vstack([train, np.full((50, train.shape[1]), np.nan)])
    with_empty, without = (
        AutoencoderTransformer(5, **params).fit(rows).partial_fit(rows) for rows in (empty, train)
    )
    np.testing.assert_allclose(with_empty.mean_, without.mean_, rtol=1e-9)
    losses = [model.history_["train_loss"][0] for model in (with_empty, without)]
    assert losses[0] == pytest.approx(losses[1], rel=0.1)


def test_errors_are_those_of_the_known_cells(digits, fitted):
    _, incomplete, _ = digits
    cells = fitted.reconstruction_error(incomplete, per_feature=True)
    np.testing.assert_array_equal(np.isnan(cells), np.isnan(incomplete))
    np.testing.assert_allclose(fitted.reconstruction_error(incomplete), np.nanmean(cells, axis=1))
    variance = np.nansum(np.square(incomplete - fitted.mean_))
    assert fitted.score(incomplete) == pytest.approx(1 - np.nansum(cells) / variance)


def test_known_cells_count_whatever_the_others_are(digits, fitted):
    _, incomplete, X = digits
    assert not np.allclose(fitted.transform(incomplete), fitted.transform(X))
    # Seven rows are multiplied otherwise than 225: some units in the last place of cells up to 16.
    codes = fitted.transform(incomplete)[:7]
    np.testing.assert_allclose(fitted.transform(incomplete[:7]), codes, rtol=1e-9, atol=1e-11)


@pytest.mark.quick
def test_a_row_of_missing_cells_is_filled_with_the_mean_where_the_net_is_pca(digits):
    train, _, _ = digits
    model = AutoencoderTransformer(5, max_epochs=0).fit(train)
    empty = np.full((2, train.shape[1]), np.nan)
    np.testing.assert_allclose(model.transform(empty), 0, atol=1e-9)
    np.testing.assert_allclose(model.reconstruct(empty), [model.mean_] * 2)
    np.testing.assert_array_equal(model.reconstruction_error(empty), [0, 0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_and_the_callers_array_stay(digits, dtype):
    train = digits[0].astype(dtype)
    before = train.copy()
    model = AutoencoderTransformer(5, max_epochs=2, random_state=0).fit(train)
    assert model.transform(train).dtype == model.reconstruct(train).dtype == dtype
    np.testing.assert_array_equal(train, before)


@pytest.mark.quick
def test_without_missing_cells_nothing_changes(digits):
    _, incomplete, X = digits
    plain = AutoencoderTransformer(5, max_epochs=3, random_state=0).fit(X)
    codes = plain.transform(X)
    plain.transform(incomplete)
    np.testing.assert_array_equal(plain.transform(X), codes)
    assert plain.net_.error.target_is_input  # the quick loss, in coordinates


def test_missing_cells_may_come_after_a_fit_without(digits):
    _, incomplete, X = digits
    model = AutoencoderTransformer(5, max_epochs=20, random_state=0).fit(X)
    assert filled_in_error(model, incomplete, X) < error_of_means(model, incomplete, X)
    before = model.score(incomplete)
    for _ in range(10):
        model.partial_fit(incomplete)
    assert np.isfinite(model.history_["train_loss"]).all()
    assert model.score(incomplete) > before - 0.05


@pytest.mark.quick
def test_a_feature_without_any_known_cell_is_named(digits):
    train = digits[0].copy()
    train[:, 3] = np.nan
    with pytest.raises(ValueError, match=r"no value in column 3,.* Drop it, or fill it"):
        AutoencoderTransformer(5).fit(train)


@pytest.mark.quick
def test_infinity_is_still_refused(digits):
    train = digits[0].copy()
    train[0, 0] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        AutoencoderTransformer(5).fit(train)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["absolute_error", "huber", "poisson"])
def test_other_losses_leave_missing_cells_out_too(digits, loss):
    train, incomplete, X = digits
    model = AutoencoderTransformer(5, loss=loss, max_epochs=30, random_state=0).fit(train)
    assert filled_in_error(model, incomplete, X) < error_of_means(model, incomplete, X)


@pytest.mark.slow
@pytest.mark.parametrize(
    "params", [{"nested": True}, {"linear_shortcut": False}, {"whiten": True}], ids=str
)
def test_missing_cells_go_with_other_options(digits, params):
    train, incomplete, X = digits
    model = AutoencoderTransformer(5, max_epochs=30, random_state=0, **params).fit(train)
    assert filled_in_error(model, incomplete, X) < error_of_means(model, incomplete, X)


@pytest.mark.quick
def test_weights_count(digits):
    train, _, _ = digits
    weight = np.where(train[:, 0] > np.nanmedian(train[:, 0]), 3.0, 0.5)
    model = AutoencoderTransformer(5, max_epochs=0, early_stopping=False)
    assert not np.allclose(model.fit(train).mean_, model.fit(train, sample_weight=weight).mean_)


def test_pandas_and_a_pipeline(digits):
    train = pd.DataFrame(digits[0]).astype("Float64")
    pipeline = make_pipeline(StandardScaler(), AutoencoderTransformer(3, max_epochs=2))
    codes = pipeline.set_output(transform="pandas").fit_transform(train)
    assert codes.notna().all(axis=None)


def test_it_survives_a_pickle(digits, fitted):
    copy = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copy.transform(digits[1]), fitted.transform(digits[1]))


@pytest.mark.parametrize("seed", range(4))
def test_a_feature_with_a_single_known_cell_is_taken_wherever_it_is(digits, seed):
    train = digits[0].copy()
    train[1:, 3], train[0, 3] = np.nan, 5.0
    model = AutoencoderTransformer(5, max_epochs=1, random_state=seed).fit(train)
    np.testing.assert_allclose(model.reconstruct(train)[:, 3], 5, atol=0.5)


def test_a_loss_without_a_slope_at_zero_goes_with_missing():
    def distance(reconstruction, x):
        return (reconstruction - x).square().sqrt()

    incomplete = with_missing(np.random.RandomState(0).standard_normal((200, 6)))
    model = AutoencoderTransformer(3, loss=distance, max_epochs=5, random_state=0).fit(incomplete)
    assert np.isfinite(model.history_["train_loss"]).all()


@pytest.mark.parametrize("size", [1.0, 1e-6])
def test_a_constant_feature_takes_no_part_of_the_variance_where_its_cells_are_missing(X, size):
    X = size * np.column_stack([np.ones(len(X)), X])
    X[30:, 0] = np.nan
    autoencoder = AutoencoderTransformer(2, max_epochs=0, random_state=0).fit(X)
    without = AutoencoderTransformer(2, max_epochs=0, random_state=0).fit(X[:, 1:])
    np.testing.assert_allclose(autoencoder.mean_[0], size)
    np.testing.assert_allclose(autoencoder.components_[:, 0], 0, atol=1e-6)
    variance = autoencoder.explained_variance_
    np.testing.assert_allclose(variance, without.explained_variance_, rtol=0.01)


@pytest.mark.quick
@pytest.mark.parametrize("value", [0.0, 0.1, 1.0, 1e6])
@pytest.mark.parametrize("n_features", [3, 80])
def test_constant_rows_with_missing_values_have_no_variance(value, n_features):
    X = np.full((20, n_features), value)
    X[np.random.RandomState(0).uniform(size=X.shape) < 0.3] = np.nan
    X[0] = value
    autoencoder = AutoencoderTransformer(1, max_epochs=5, random_state=0).fit(X)
    assert autoencoder.n_iter_ == 0  # nothing is there to learn
    np.testing.assert_allclose(autoencoder.reconstruct(X), value, rtol=1e-12, atol=0)
