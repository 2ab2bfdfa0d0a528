"""A row of weight two and a row twice are the same, also where cells are missing."""

import numpy as np
import pytest
from removing import with_missing
from scipy import sparse

from sk_autoencoder._pca.imputation import effective_number
from sk_autoencoder._utils.copies import find_copies, hash_rows, merge_copies

SHAPES = {"narrow": (120, 6), "wide": (60, 80)}


def low_rank(shape):
    rng = np.random.RandomState(0)
    plane = rng.standard_normal((shape[0], 3)) @ rng.standard_normal((3, shape[1]))
    return plane + 0.1 * rng.standard_normal(shape)


@pytest.mark.sampled(every=3)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("share", [0.0, 0.2], ids=["complete", "missing"])
@pytest.mark.parametrize("weights", ["two", "whole numbers", "shuffled"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_whole_weights_are_repeated_rows_where_cells_are_missing(
    quick, shape, share, weights, dtype
):
    X = with_missing(low_rank(shape), share).astype(dtype)
    new = with_missing(low_rank(shape), 0.4, seed=1)
    rng = np.random.RandomState(0)
    weight = np.full(shape[0], 2) if weights == "two" else rng.randint(0, 4, shape[0])
    repeated = np.repeat(X, weight, axis=0)
    if weights == "shuffled":
        rng.shuffle(repeated)
    weighted = quick(max_epochs=0).fit(X, sample_weight=weight)
    expected = quick(max_epochs=0).fit(repeated)
    np.testing.assert_allclose(weighted.mean_, expected.mean_, atol=1e-12)
    np.testing.assert_allclose(weighted.transform(new), expected.transform(new), atol=1e-9)
    np.testing.assert_allclose(weighted.reconstruct(new), expected.reconstruct(new), atol=1e-9)


@pytest.mark.quick
def test_the_size_of_all_weights_does_not_matter_where_cells_are_missing(quick):
    X = with_missing(low_rank((120, 6)))
    weight = np.random.RandomState(0).uniform(0.1, 2, 120)
    small, large = (
        quick(max_epochs=0).fit(X, sample_weight=weight * factor) for factor in (2**-20, 2**20)
    )
    np.testing.assert_allclose(small.transform(X), large.transform(X), atol=1e-12)


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e160, 1e300])
@pytest.mark.parametrize("share", [0.0, 0.1], ids=["complete", "missing"])
def test_weights_whose_squares_are_no_numbers_fill_as_others_do(quick, share, size):
    X, new = with_missing(low_rank((120, 6)), share), with_missing(low_rank((120, 6)), 0.2, seed=1)
    weight = np.random.RandomState(0).uniform(0.1, 2, 120)
    expected = quick(max_epochs=0).fit(X, sample_weight=weight)
    fitted = quick(max_epochs=0).fit(X, sample_weight=weight * size)
    np.testing.assert_allclose(fitted.reconstruct(new), expected.reconstruct(new), atol=1e-9)


@pytest.mark.quick
def test_copies_are_merged_in_the_order_of_the_first():
    X = np.array([[1.0, np.nan], [0.0, 2.0], [1.0, np.nan], [np.nan, 1.0], [-0.0, 2.0]])
    index, weight = merge_copies(X, np.array([4, 3, 2, 1, 0]), np.array([1.0, 2, 3, 4, 5]))
    np.testing.assert_array_equal(index, [4, 3, 2])
    np.testing.assert_array_equal(weight, [5, 2, 8])
    assert effective_number(weight) == pytest.approx(15**2 / (25 + 4 + 64))


def test_distinct_rows_stay_as_they_are():
    X = np.random.RandomState(0).randint(0, 30, (20_000, 5)).astype(float)
    n_distinct = len(np.unique(X, axis=0))
    assert len(np.unique(hash_rows(X, np.arange(20_000)))) == n_distinct
    index = np.arange(100)
    kept, _ = merge_copies(X, index, np.ones(100))
    assert kept is index


@pytest.mark.parametrize("missing", [False, True])
def test_rows_of_a_wide_table_that_differ_in_one_cell_alone_are_no_copies(missing):
    X = np.zeros((101, 100))
    X[range(100), range(100)] = 1.0
    if missing:
        X[:, ::3] = np.nan
    rows = np.vstack([X, -X, X[40:60]])  # among them 0.0 and -0.0
    numbers = find_copies(rows)
    cells = np.nan_to_num(rows, nan=2.0)
    same = (cells[:, None] == cells).all(axis=2)
    np.testing.assert_array_equal(numbers[:, None] == numbers, same)


@pytest.mark.quick
@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csr_matrix, np.asfortranarray])
def test_rows_have_the_same_hash_in_all_containers(kind):
    X = np.random.RandomState(0).randint(-2, 3, (200, 7)).astype(float)
    index = np.arange(50, 150)
    np.testing.assert_array_equal(hash_rows(kind(X), index), hash_rows(X, index))
