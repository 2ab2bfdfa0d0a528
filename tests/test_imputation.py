"""Rows with missing cells: their axes and their imputation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from removing import with_missing
from sklearn.decomposition import PCA

from sk_autoencoder._pca.imputation import fit_axes
from sk_autoencoder._pca.principal_axes import PrincipalAxes


def low_rank(n_samples=400, n_features=12, rank=2, noise=0.0, seed=0):
    rng = np.random.RandomState(seed)
    codes, mixing = rng.standard_normal((n_samples, rank)), rng.standard_normal((rank, n_features))
    return codes @ mixing + noise * rng.standard_normal((n_samples, n_features)) + 5.0


def fit(X, n_axes=2, weight=None):
    return fit_axes(X, np.arange(len(X)), n_axes, np.random.RandomState(0), weight)


@pytest.mark.quick
@pytest.mark.parametrize("shape", [(300, 8), (40, 90), (20, 12)])
def test_nothing_missing_is_pca(shape):
    X = low_rank(*shape, rank=4, noise=0.3)
    axes, imputation = fit(X, 3)
    pca = PCA(3, svd_solver="full").fit(X)
    np.testing.assert_allclose(axes.mean, pca.mean_, atol=1e-8)
    np.testing.assert_allclose(axes.components, pca.components_, atol=1e-8)
    np.testing.assert_array_equal(imputation.impute(X), X)


@pytest.mark.quick
def test_equal_weights_and_nothing_missing_is_pca():
    X = low_rank(rank=4, noise=0.3)
    axes, _ = fit(X, 3, np.full(len(X), 2.5))
    expected = PrincipalAxes.fit(X, np.arange(len(X)), 3, None)
    np.testing.assert_allclose(axes.components, expected.components, atol=1e-8)
    np.testing.assert_allclose(axes.explained_variance, expected.explained_variance, rtol=1e-8)
    assert axes.total_variance == pytest.approx(expected.total_variance)


@pytest.mark.parametrize("n_features", [12, 100])
def test_what_is_of_low_rank_is_recovered(n_features):
    X = low_rank(3000, n_features)
    incomplete = with_missing(X)
    axes, imputation = fit(incomplete)
    filled = imputation.impute(incomplete)
    missing = np.isnan(incomplete)
    assert np.square(filled - X)[missing].mean() < 0.02 * X.var()
    np.testing.assert_array_equal(filled[~missing], X[~missing])
    pca = PCA(2, svd_solver="full").fit(X)
    overlap = np.linalg.svd(axes.components @ pca.components_.T, compute_uv=False)
    assert overlap.min() > 0.999
    assert axes.total_variance == pytest.approx(X.var(axis=0).sum(), rel=0.02)


@pytest.mark.quick
def test_variances_are_those_of_whole_rows():
    X = low_rank(4000, rank=3, noise=1.0)
    axes, _ = fit(with_missing(X, 0.3), 3)
    expected = PrincipalAxes.fit(X, np.arange(len(X)), 3, None)
    np.testing.assert_allclose(axes.explained_variance, expected.explained_variance, rtol=0.05)


@pytest.mark.quick
def test_compensation_brings_the_projection_to_the_expectation():
    X = with_missing(low_rank(rank=4, noise=0.5))
    axes, imputation = fit(X, 2)
    missing, expected = np.isnan(X), imputation.impute(X)

    def distance(filled):
        centred = filled - axes.mean
        projected = centred @ axes.components.T @ axes.components + axes.mean
        return np.square(projected - expected)[missing].mean()

    compensated = imputation.impute(X, axes.components)
    np.testing.assert_array_equal(compensated[~missing], X[~missing])
    assert distance(compensated) < 0.7 * distance(expected)


@settings(max_examples=25, derandomize=True, deadline=None)
@given(
    st.integers(8, 40),
    st.integers(1, 80),
    st.floats(0.0, 0.6),
    st.integers(0, 2**16),
    st.sampled_from([1e-4, 1.0, 1e4]),
    st.booleans(),
)
def test_a_row_does_not_depend_on_the_rows_beside_it(rows, columns, share, seed, size, compensate):
    X = size * low_rank(rows, columns, 3, 0.1, seed)
    incomplete = with_missing(X, share, seed)
    incomplete[0] = X[0]
    before = incomplete.copy()
    axes, imputation = fit(incomplete, 1)
    components = axes.components if compensate else None
    whole = imputation.impute(incomplete, components)
    some = np.random.RandomState(seed).permutation(rows)[: rows // 2]
    np.testing.assert_allclose(
        imputation.impute(incomplete[some], components), whole[some], rtol=1e-7, atol=1e-9 * size
    )
    np.testing.assert_array_equal(incomplete, before)
    assert np.isfinite(whole).all()


def test_a_row_without_a_cell_is_the_mean_and_carries_nothing():
    X = with_missing(low_rank(noise=0.3))
    empty = np.full((5, X.shape[1]), np.nan)
    axes, imputation = fit(X)
    more, _ = fit(np.vstack([X, empty]))
    np.testing.assert_allclose(more.components, axes.components, atol=1e-10)
    np.testing.assert_allclose(
        imputation.impute(empty, axes.components), np.tile(axes.mean, (5, 1)), rtol=1e-12
    )


@pytest.mark.quick
def test_a_column_without_a_cell_is_an_error():
    X = low_rank()
    X[:, [3, 7]] = np.nan
    with pytest.raises(ValueError, match="no value in column 3, 7, and nothing"):
        fit(X)


def test_a_constant_column_stays_constant():
    X = low_rank(noise=0.3)
    X[:, 4] = 7.0
    incomplete = with_missing(X)
    _, imputation = fit(incomplete)
    np.testing.assert_array_equal(imputation.impute(incomplete)[:, 4], 7.0)


def test_a_single_extreme_cell_does_not_carry_the_others_away():
    X = low_rank(rank=1, noise=0.3)
    _, imputation = fit(X, 1)
    row = X[:1].copy()
    row[0, :2] = np.nan, 1e6
    assert X[:, 0].min() < imputation.impute(row)[0, 0] < X[:, 0].max()


@pytest.mark.quick
def test_no_gap_is_filled_beyond_the_range_of_the_training_rows():
    X = with_missing(low_rank(rank=1, noise=0.1))
    _, imputation = fit(X, 1)
    row = np.full((1, X.shape[1]), np.nan)
    row[0, 1] = 1e6
    filled = imputation.impute(row)[0, 2:]
    lowest, highest = np.nanmin(X, axis=0)[2:], np.nanmax(X, axis=0)[2:]
    assert ((filled == lowest) | (filled == highest)).all()


def test_a_weight_of_zero_leaves_a_row_out():
    X = with_missing(low_rank(noise=0.3))
    weight = np.r_[np.ones(300), np.zeros(100)]
    X[300:] *= 50
    axes, imputation = fit(X, weight=weight)
    alone, imputation_alone = fit(X[:300])
    np.testing.assert_allclose(axes.components, alone.components, atol=1e-10)
    np.testing.assert_allclose(imputation.impute(X), imputation_alone.impute(X), rtol=1e-10)


@pytest.mark.quick
@pytest.mark.parametrize(("share", "tolerance"), [(0.0, 1e-8), (0.2, 0.02)])
def test_a_weight_counts_as_often_as_it_says(share, tolerance):
    X = np.vstack([low_rank(400, noise=0.3), low_rank(400, noise=0.3, seed=3)])
    X = with_missing(X, share)
    weight = np.r_[np.full(400, 5.0), np.ones(400)]
    axes, _ = fit(X, weight=weight)
    expected, _ = fit(np.vstack([X, *[X[:400]] * 4]))
    # With missing cells the prior, which knows no repetitions, makes a difference.
    np.testing.assert_allclose(axes.mean, expected.mean, atol=tolerance)
    np.testing.assert_allclose(axes.components, expected.components, atol=tolerance)
    variances = axes.explained_variance / expected.explained_variance
    np.testing.assert_allclose(variances, 1.0, atol=tolerance)


def test_a_second_fit_gives_what_the_first_gave():
    X = with_missing(low_rank(noise=0.3))
    (first, imputation), (second, again) = fit(X), fit(X)
    np.testing.assert_array_equal(first.components, second.components)
    np.testing.assert_array_equal(imputation.impute(X), again.impute(X))


def test_only_the_rows_asked_for_are_read():
    X = with_missing(low_rank(noise=0.3))
    index = np.arange(0, len(X), 2)
    axes, _ = fit_axes(X, index, 2, None)
    expected, _ = fit(X[::2])
    np.testing.assert_allclose(axes.components, expected.components, atol=1e-10)


def test_float32_stays_float32():
    X = with_missing(low_rank(noise=0.3)).astype(np.float32)
    axes, imputation = fit(X)
    assert imputation.impute(X, axes.components).dtype == np.float32
    assert axes.components.dtype == np.float64


def test_a_column_without_a_cell_in_some_rows_stays_in_the_middle_of_its_range():
    X = with_missing(low_rank())
    X[:-2, 3], X[-2:, 3] = np.nan, [1.0, 4.0]
    axes, imputation = fit_axes(X, np.arange(len(X) - 2), 3, np.random.RandomState(0))
    assert axes.mean[3] == 2.5
    np.testing.assert_allclose(axes.components[:, 3], 0, atol=1e-12)
    np.testing.assert_allclose(imputation.impute(X[:5])[:, 3], 2.5)
