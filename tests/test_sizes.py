"""Very large and very small numbers: right results, or an error that names their size."""

import contextlib

import numpy as np
import pytest
import torch
from scipy import sparse

RESULTS = ("transform", "reconstruct", "reconstruction_error", "score_samples", "score")
FITTING = {
    np.float64: (1e-130, 1e-20, 1e20, 1e130),
    np.float32: (1e-25, 1e-20, 1e20, 1e28),
}
REFUSED = {np.float64: (1e-320, 1e-160, 1e150, 1e200, 1e307), np.float32: (1e-40, 1e-33, 1e35)}
CASES = [(dtype, size) for dtype, sizes in FITTING.items() for size in sizes]
REFUSED_CASES = [(dtype, size) for dtype, sizes in REFUSED.items() for size in sizes]
VARIANTS = {
    "defaults": {},
    "textbook": {"linear_shortcut": False},
    "variational": {"variational": True},
    "whitened": {"whiten": True},
    "masking": {"corruption": "masking"},
    "nested": {"nested": True},
}


@pytest.mark.sampled(every=3)
@pytest.mark.parametrize("params", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize(("dtype", "size"), CASES)
def test_sizes_that_a_dtype_can_square_give_the_same_result(quick, X, dtype, size, params):
    plain, scaled = X.astype(dtype), (X * size).astype(dtype)
    expected, autoencoder = quick(**params).fit(plain), quick(**params).fit(scaled)
    for method in RESULTS:
        assert np.isfinite(getattr(autoencoder, method)(scaled)).all()
    assert autoencoder.score(scaled) == pytest.approx(expected.score(plain), abs=0.05)
    assert np.isfinite(autoencoder.sample(20, random_state=0)).all()
    assert np.isfinite(autoencoder.components_).all()
    back = autoencoder.inverse_transform(autoencoder.transform(scaled))
    np.testing.assert_allclose(back, autoencoder.reconstruct(scaled), rtol=1e-4, atol=1e-4 * size)
    autoencoder.partial_fit(scaled)


@pytest.mark.quick
@pytest.mark.parametrize("method", ["fit", "partial_fit", "fit_transform"])
@pytest.mark.parametrize("kind", ["dense", "sparse", "missing"])
@pytest.mark.parametrize(("dtype", "size"), REFUSED_CASES)
def test_a_size_that_a_dtype_cannot_square_is_named(quick, X, dtype, size, kind, method):
    X = (X * size).astype(dtype)
    X = sparse.csr_matrix(X) if kind == "sparse" else X
    if kind == "missing":
        X[::5, 1] = np.nan
    with pytest.raises(ValueError, match=rf"largest cell of X has a size of .*in {dtype.__name__}"):
        getattr(quick(), method)(X)


@pytest.mark.parametrize(
    ("loss", "size"), [("squared_error", 1e-20), ("squared_error", 1e20), ("huber", 1e-20)]
)
def test_a_size_that_a_loss_of_cells_cannot_square_is_named(quick, X, loss, size):
    X = X * size
    X[::5, 1] = np.nan
    with pytest.raises(ValueError, match=r"standard deviation of X is .* between 1e-15 and 1e\+"):
        quick(loss=loss).fit(X)


@pytest.mark.parametrize(
    ("loss", "size"), [("absolute_error", 1e-25), ("absolute_error", 1e25), ("huber", 1e25)]
)
def test_a_loss_of_cells_that_squares_nothing_takes_any_size(quick, X, loss, size):
    autoencoder = quick(loss=loss).fit(X * size)
    assert autoencoder.history_.notna().all(axis=None)
    assert 0 < autoencoder.score(X * size) <= 1


@pytest.mark.quick
@pytest.mark.parametrize("size", [1e-33, 1e36, 1e100])
def test_counts_that_float32_cannot_hold_are_named(quick, X, size):
    with pytest.raises(ValueError, match=r"standard deviation of X is .* between 1e-30 and 1e\+30"):
        quick(loss="poisson").fit(np.square(X) * size)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("size", [1e10, 1e18, 1e38, 1e160, 1e308])
def test_a_huge_cell_of_a_later_row_gives_numbers_or_an_error(quick, X, dtype, whiten, size):
    size = min(size, float(np.finfo(dtype).max))
    autoencoder = quick(whiten=whiten).fit(X.astype(dtype))
    rows = X[:2].astype(dtype)
    rows[0, 1] = size
    for method in (*RESULTS, "partial_fit", "inverse_transform"):
        given = rows[:, :2] if method == "inverse_transform" else rows
        result = None
        with contextlib.suppress(ValueError):
            result = getattr(autoencoder, method)(given)
        assert result is None or method == "partial_fit" or np.isfinite(result).all()


@pytest.mark.quick
def test_errors_that_overflow_are_named(quick, X):
    autoencoder = quick().fit(X)
    X[0, 1] = 1e308
    for method in ("reconstruction_error", "score_samples"):
        with pytest.raises(ValueError, match=r"of rows with cells as large as 1e\+308"):
            getattr(autoencoder, method)(X)
    with pytest.raises(ValueError, match=r"largest cell of X has a size of 1e\+308"):
        autoencoder.score(X)


@pytest.mark.parametrize(
    ("size", "message"),
    [(1e20, "diverged.*pass rows in the units of that"), (1e100, "standard deviations from the")],
)
def test_a_later_row_that_training_cannot_square_is_named(quick, X, size, message):
    autoencoder = quick().fit(X)
    before = autoencoder.transform(X)
    with pytest.raises(ValueError, match=message):
        autoencoder.partial_fit(X * size)
    np.testing.assert_array_equal(autoencoder.transform(X), before)


def test_rows_of_another_dtype_than_that_of_a_tiny_fit_are_refused(quick, X):
    autoencoder = quick().fit(X * 1e-130)
    assert np.isfinite(autoencoder.transform(X)).all()
    with pytest.raises(ValueError, match=r"standard deviation of X is .*float32"):
        autoencoder.transform(X.astype(np.float32))


def test_a_score_of_tiny_rows_is_a_number(quick, X):
    assert np.isfinite(quick().fit(X).score(X * 1e-200))


class Exploding(torch.nn.Module):
    """A user's module whose codes are no numbers once it was trained."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = torch.nn.Linear(6, 2), torch.nn.Linear(2, 6)

    def encode(self, x):
        z = self.encoder(x)
        return z if self.training or not x.any() else z * np.inf

    def decode(self, z):
        return self.decoder(z)


def test_a_fit_whose_codes_are_no_numbers_has_diverged(quick, X):
    with pytest.raises(ValueError, match="The fit diverged"):
        quick(module=Exploding, early_stopping=False).fit(X)


def counts(n_rows=300, seed=0):
    """Counts whose means are exponentials of two hidden numbers: (n_rows, 8)."""
    rng = np.random.RandomState(seed)
    codes, mixing = rng.uniform(-1, 1, (n_rows, 2)), rng.standard_normal((2, 8))
    return rng.poisson(np.exp(1 + codes @ mixing)).astype(float)


class Wide(torch.nn.Module):
    """A user's module of two linear maps, for 8 features."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = torch.nn.Linear(8, 2), torch.nn.Linear(2, 8)

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)


COUNTING = {
    "defaults": {},
    "all rows": {"early_stopping": False},
    "textbook": {"linear_shortcut": False},
    "no epochs": {"max_epochs": 0},
    "own module": {"module": Wide},
}


@pytest.mark.parametrize("params", COUNTING.values(), ids=COUNTING)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_means_of_larger_counts_grow_as_these_do(quick, dtype, params):
    X = counts().astype(dtype)
    autoencoder = quick(loss="poisson", batch_size=32, **params).fit(X)
    assert autoencoder.reconstruct(X).max() < 10 * X.max()
    for factor in (100, 1e4, 1e8):
        rows = (factor * X[:50]).astype(dtype)
        back = autoencoder.reconstruct(rows)
        assert np.isfinite(back).all()
        # Within two orders of magnitude, where an exponential is infinite.
        assert back.max() < 100 * rows.max()
        assert np.isfinite(autoencoder.score(rows))
    codes = np.full((1, 2), 1e20, dtype=dtype)
    assert np.isfinite(autoencoder.inverse_transform(codes)).all()
    assert np.isfinite(autoencoder.sample(500, random_state=0)).all()
    assert np.isfinite(autoencoder.components_).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_chances_of_huge_codes_are_chances(quick, X, dtype):
    autoencoder = quick(loss="binary_crossentropy").fit((X > 0).astype(dtype))
    chances = autoencoder.inverse_transform(np.array([[1e30, -1e30], [0, 0]], dtype=dtype))
    assert np.isfinite(chances).all()
    assert chances.min() >= 0
    assert chances.max() <= 1
