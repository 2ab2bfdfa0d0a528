"""Properties that hold for every table, on tables that hypothesis draws."""

from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from sk_autoencoder import AutoencoderTransformer

few = settings(
    max_examples=15,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

Autoencoder = partial(
    AutoencoderTransformer, hidden_layer_sizes=(8, 4), max_epochs=2, random_state=0
)

DTYPES = [np.float32, np.float64]


@st.composite
def tables(draw, min_rows=4, dtypes=DTYPES):
    """A table of 4 to 40 rows and 1 to 12 columns, with offsets and sizes of their own."""
    n_samples, n_features = draw(st.integers(min_rows, 40)), draw(st.integers(1, 12))
    rng = np.random.RandomState(draw(st.integers(0, 2**16)))
    size = 10.0 ** draw(st.integers(-4, 4))
    offset = draw(st.sampled_from([0.0, 1.0, -100.0])) * size
    mixing = rng.standard_normal((n_features, n_features))
    X = size * np.tanh(rng.standard_normal((n_samples, n_features)) @ mixing) + offset
    return X.astype(draw(st.sampled_from(dtypes)))


@st.composite
def tables_and_estimators(draw, **params):
    """A table, and an estimator with a number of components that fits it."""
    X = draw(tables(**params))
    n_components = draw(st.integers(1, min(X.shape[1], len(X) // 2)))
    linear_shortcut, early_stopping = draw(st.booleans()), draw(st.booleans())
    return X, Autoencoder(
        n_components, linear_shortcut=linear_shortcut, early_stopping=early_stopping
    )


@few
@given(tables_and_estimators())
def test_shapes_and_dtypes_follow_from_the_table(case):
    X, autoencoder = case
    Z = autoencoder.fit_transform(X)
    assert Z.shape == (len(X), autoencoder.n_components)
    assert autoencoder.inverse_transform(Z).shape == X.shape
    assert Z.dtype == autoencoder.reconstruct(X).dtype == X.dtype
    assert autoencoder.reconstruction_error(X).shape == (len(X),)
    assert autoencoder.reconstruction_error(X, per_feature=True).shape == X.shape
    assert np.isfinite(Z).all()


@few
@given(tables_and_estimators())
def test_a_reconstruction_is_the_inverse_of_the_codes(case):
    X, autoencoder = case
    Z = autoencoder.fit_transform(X)
    tolerance = 1e-4 if X.dtype == np.float32 else 1e-10
    np.testing.assert_allclose(
        autoencoder.inverse_transform(Z),
        autoencoder.reconstruct(X),
        rtol=tolerance,
        atol=tolerance * np.abs(X).max(),
    )


@few
@given(tables_and_estimators(dtypes=[np.float64]), st.integers(0, 2**16))
def test_a_row_does_not_depend_on_the_rows_beside_it(case, seed):
    X, autoencoder = case
    autoencoder.fit(X)
    rows = np.random.RandomState(seed).permutation(len(X))[: len(X) // 2]
    scale = np.abs(X).max()
    for method, size in [("transform", scale), ("reconstruct", scale), ("score_samples", scale**2)]:
        apply = getattr(autoencoder, method)
        np.testing.assert_allclose(apply(X[rows]), apply(X)[rows], rtol=1e-7, atol=1e-12 * size)


@few
@given(tables_and_estimators())
def test_a_second_fit_gives_what_the_first_gave(case):
    X, autoencoder = case
    first = autoencoder.fit_transform(X)
    np.testing.assert_array_equal(autoencoder.fit_transform(X), first)


@few
@given(tables_and_estimators())
def test_the_table_stays_as_it_was(case):
    X, autoencoder = case
    before = X.copy()
    autoencoder.reconstruct(autoencoder.fit(X).reconstruct(X))
    np.testing.assert_array_equal(X, before)


@few
@given(tables_and_estimators(dtypes=[np.float64]), st.integers(-20, 20))
def test_errors_scale_with_the_square_of_the_table(case, exponent):
    X, autoencoder = case
    errors = autoencoder.fit(X).reconstruction_error(X)
    factor = 2.0**exponent
    scaled = autoencoder.fit(factor * X).reconstruction_error(factor * X)
    np.testing.assert_allclose(
        scaled / factor**2, errors, rtol=1e-6, atol=1e-20 * np.abs(X).max() ** 2
    )


@few
@given(tables(dtypes=[np.float64]), st.floats(-100, 100))
def test_errors_do_not_depend_on_the_offset(X, offset):
    autoencoder = Autoencoder(1, max_epochs=0)
    errors = autoencoder.fit(X).reconstruction_error(X)
    moved = autoencoder.fit(X + offset).reconstruction_error(X + offset)
    rounding = np.finfo(float).eps * (np.abs(X).max() + abs(offset))
    np.testing.assert_allclose(np.sqrt(moved), np.sqrt(errors), rtol=1e-6, atol=1e3 * rounding)


@few
@given(tables(), st.booleans())
def test_no_epochs_are_as_good_as_pca(X, early_stopping):
    n_components = min(2, *X.shape)
    autoencoder = Autoencoder(n_components, max_epochs=0, early_stopping=early_stopping).fit(X)
    X = X.astype(np.float64)
    pca = PCA(n_components, svd_solver="full").fit(X)
    expected = np.square(X - pca.inverse_transform(pca.transform(X))).mean()
    size = np.abs(X).max()
    error = autoencoder.reconstruction_error(X).mean()
    assert error == pytest.approx(expected, rel=1e-6, abs=1e-20 * size**2)


@few
@given(tables_and_estimators(min_rows=12))
def test_the_validation_score_is_never_below_that_of_pca(case):
    X, autoencoder = case
    autoencoder.set_params(linear_shortcut=True, early_stopping=True, max_epochs=4).fit(X)
    assert autoencoder.validation_score_ >= autoencoder.pca_validation_score_ - 1e-6


@few
@given(tables_and_estimators(dtypes=[np.float64]))
def test_score_agrees_with_score_samples(case):
    X, autoencoder = case
    autoencoder.fit(X)
    total = np.square(X - autoencoder.mean_).mean()
    expected = 1 + autoencoder.score_samples(X).mean() / total
    assert autoencoder.score(X) == pytest.approx(expected, rel=1e-9, abs=1e-9)
