"""The principal axes: every solver, of weighted rows and of sparse ones, in bounded memory."""

import tracemalloc

import numpy as np
import pytest
from scipy import sparse
from sklearn.decomposition import PCA

from sk_autoencoder._pca.principal_axes import PrincipalAxes

pytestmark = pytest.mark.quick

# A solver is chosen by the shape, where `solver` lowers the bound of the exact ones.
SHAPES = {"covariance": (60, 8), "row products": (9, 30), "iterations": (60, 30)}


@pytest.fixture(params=SHAPES)
def solver(request, monkeypatch):
    monkeypatch.setattr("sk_autoencoder._pca.principal_axes.MAX_EXACT", 10)
    return request.param


@pytest.fixture(params=["dense", "sparse", "dense blocks of sparse"])
def container(request, monkeypatch):
    if request.param == "dense":
        return np.asarray
    densest = 1.0 if request.param == "sparse" else 0.0
    monkeypatch.setattr("sk_autoencoder._pca.centred_rows.DENSEST_SPARSE", densest)
    return sparse.csr_array


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr("sk_autoencoder._pca.centred_rows.BLOCK_BYTES", 500)
    monkeypatch.setattr("sk_autoencoder._pca.principal_axes.WIDE_BLOCK_BYTES", 2000)


def table(shape, seed=0):
    """A few columns' worth of directions, of falling variance; two cells of three are zero."""
    rng = np.random.RandomState(seed)
    X = rng.standard_normal(shape) * 0.8 ** np.arange(shape[1])
    X[rng.uniform(size=shape) < 2 / 3] = 0
    return X


def fit(X, weight=None, index=None, n_axes=4):
    index = np.arange(X.shape[0]) if index is None else index
    return PrincipalAxes.fit(X, index, n_axes, np.random.RandomState(0), weight)


def assert_same_axes(first, second, tolerance=1e-10):
    size = tolerance * second.total_variance
    np.testing.assert_allclose(first.mean, second.mean, atol=tolerance * np.ptp(second.mean))
    np.testing.assert_allclose(first.explained_variance, second.explained_variance, atol=size)
    np.testing.assert_allclose(first.components, second.components, atol=100 * tolerance)
    assert first.total_variance == pytest.approx(second.total_variance, rel=tolerance)


def full_pca(X, n_axes=4):
    pca = PCA(n_axes, svd_solver="full").fit(X)
    biased = (len(X) - 1) / len(X)
    total = X.var(axis=0).sum()
    return PrincipalAxes(pca.mean_, pca.components_, biased * pca.explained_variance_, total)


def test_every_solver_gives_what_pca_gives(solver, container, small_blocks):
    X = table(SHAPES[solver])
    if solver == "iterations":  # exact where there are no more directions than it looks for
        X = X[:, :12] @ np.random.RandomState(1).standard_normal((12, X.shape[1]))
    assert_same_axes(fit(container(X)), full_pca(X))


def test_whole_weights_count_as_repeated_rows(solver, container, small_blocks):
    X = table(SHAPES[solver])
    weight = np.random.RandomState(1).randint(1, 4, len(X))
    repeated = container(np.repeat(X, weight, axis=0))
    axes = fit(container(X), weight.astype(np.float64))
    assert_same_axes(axes, fit(repeated))
    np.testing.assert_allclose(
        axes.loss_and_variance(container(X), np.arange(len(X)), weight.astype(np.float64)),
        axes.loss_and_variance(repeated, np.arange(weight.sum())),
        rtol=1e-10,
    )


def test_rows_of_no_weight_count_as_removed(solver, container):
    X = table(SHAPES[solver])
    weight = np.ones(len(X))
    weight[::4] = 0.0
    X[::4] = 1e3
    kept = np.flatnonzero(weight)
    assert_same_axes(fit(container(X), weight), fit(container(X[kept])))
    assert_same_axes(fit(container(X), weight), fit(container(X), index=kept))


def test_a_factor_of_all_weights_changes_nothing(solver, container):
    X = table(SHAPES[solver])
    weight = np.random.RandomState(1).uniform(size=len(X))
    assert_same_axes(fit(container(X), 1e6 * weight), fit(container(X), weight))


def test_weights_belong_to_the_rows_of_X_and_not_to_the_index(solver, container):
    X = table(SHAPES[solver])
    weight = np.random.RandomState(1).uniform(size=len(X))
    index = np.random.RandomState(2).permutation(len(X))[2:]
    chosen = container(X[index])
    axes = fit(container(X), weight, index)
    assert_same_axes(axes, fit(chosen, weight[index]))
    np.testing.assert_allclose(
        axes.loss_and_variance(container(X), index, weight),
        axes.loss_and_variance(chosen, np.arange(len(index)), weight[index]),
        rtol=1e-10,
    )


def test_no_weight_at_all_is_refused(container):
    with pytest.raises(ValueError, match="weights of the rows sum to 0"):
        fit(container(table((20, 5))), np.zeros(20))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csr_matrix])
@pytest.mark.parametrize("densest", [0.0, 1.0])
def test_sparse_rows_give_what_dense_ones_give(
    solver, small_blocks, monkeypatch, dtype, kind, densest
):
    monkeypatch.setattr("sk_autoencoder._pca.centred_rows.DENSEST_SPARSE", densest)
    X, X_new = table(SHAPES[solver]).astype(dtype), table(SHAPES[solver], seed=1).astype(dtype)
    X[:, 2] += 5  # a column that is stored in full
    weight = np.random.RandomState(1).uniform(size=len(X))
    axes = fit(X, weight)
    assert_same_axes(fit(kind(X), weight), axes)
    rows = np.arange(1, len(X))
    np.testing.assert_allclose(
        axes.loss_and_variance(kind(X_new), rows, weight),
        axes.loss_and_variance(X_new, rows, weight),
        rtol=1e-10,
    )


def test_float32_is_computed_in_float64(solver, container):
    X = table(SHAPES[solver]).astype(np.float32)
    axes = fit(container(X))
    assert axes.components.dtype == axes.mean.dtype == np.float64
    assert_same_axes(axes, fit(container(X.astype(np.float64))))


def test_a_large_offset_costs_no_digits(solver, container, small_blocks):
    X = np.round(table(SHAPES[solver]), 3)
    far = X + 2.0**24
    axes, moved = fit(X), fit(container(far))
    np.testing.assert_allclose(moved.explained_variance, axes.explained_variance, rtol=1e-6)
    assert moved.total_variance == pytest.approx(axes.total_variance, rel=1e-6)
    rows = np.arange(len(X))
    np.testing.assert_allclose(
        moved.loss_and_variance(container(far), rows), axes.loss_and_variance(X, rows), rtol=1e-6
    )


def test_sparse_rows_with_one_large_column_lose_no_digits(solver, small_blocks, monkeypatch):
    monkeypatch.setattr("sk_autoencoder._pca.centred_rows.DENSEST_SPARSE", 1.0)
    X = table(SHAPES[solver])
    X[:, 1] = 2.0**24 + np.random.RandomState(1).standard_normal(len(X)).round(2)
    assert_same_axes(fit(sparse.csr_array(X)), fit(X), tolerance=1e-8)


def test_constant_rows_have_no_variance(solver, container):
    n_samples, n_features = SHAPES[solver]
    axes = fit(container(np.tile(0.1 + np.arange(n_features), (n_samples, 1))))
    assert axes.constant
    assert np.isfinite(axes.components).all()


def test_axes_are_orthonormal_where_the_rows_have_fewer_directions(solver, container):
    n_samples, n_features = SHAPES[solver]
    X = table((n_samples, 2)) @ np.random.RandomState(1).standard_normal((2, n_features))
    axes = fit(container(X), n_axes=6)
    np.testing.assert_allclose(axes.components @ axes.components.T, np.eye(6), atol=1e-10)
    assert axes.training_loss() == pytest.approx(0, abs=1e-12 * axes.total_variance)


@pytest.mark.parametrize("n_features", [50, 400])
def test_sparse_rows_are_never_dense_at_once(monkeypatch, n_features):
    monkeypatch.setattr("sk_autoencoder._pca.principal_axes.MAX_EXACT", 100)
    monkeypatch.setattr("sk_autoencoder._pca.centred_rows.BLOCK_BYTES", 2**15)
    monkeypatch.setattr("sk_autoencoder._pca.principal_axes.WIDE_BLOCK_BYTES", 2**16)
    sizes = []

    def counted(self, *args, **kwargs):
        sizes.append(np.prod(self.shape))
        return sparse.csr_matrix(self).toarray(*args, **kwargs)

    for kind in (sparse.csr_array, sparse.csc_array):
        monkeypatch.setattr(kind, "toarray", counted)
        monkeypatch.setattr(kind, "todense", counted)
    for density in (0.02, 0.5):
        X = sparse.random_array((2000, n_features), density=density, format="csr", rng=0)
        fit(X).loss_and_variance(X, np.arange(2000))
    assert max(sizes) <= 2**16 / 8


@pytest.mark.parametrize("n_samples", [300, 4000])
def test_memory_for_sparse_rows_is_far_below_that_of_a_dense_copy(n_samples):
    X = sparse.random_array((n_samples, 5000), density=0.002, format="csr", rng=0)
    with_dense_copy = 8 * np.prod(X.shape)
    assert peak_bytes(X) < min(with_dense_copy, 32 * 2**20)


@pytest.mark.parametrize("shape", [(20_000, 100), (200, 10_000), (4000, 2500)])
def test_a_memory_map_is_never_copied_whole(tmp_path, monkeypatch, shape):
    monkeypatch.setattr("sk_autoencoder._pca.centred_rows.BLOCK_BYTES", 2**19)
    monkeypatch.setattr("sk_autoencoder._pca.principal_axes.WIDE_BLOCK_BYTES", 2**21)
    np.save(tmp_path / "X.npy", np.random.RandomState(0).standard_normal(shape).astype(np.float32))
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert peak_bytes(X) < X.nbytes


def peak_bytes(X):
    """Most memory that a fit and its loss take at once."""
    tracemalloc.start()
    try:
        fit(X, n_axes=8).loss_and_variance(X, np.arange(X.shape[0]))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
