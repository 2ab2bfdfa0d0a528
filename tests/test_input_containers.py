"""Every container of the same numbers gives the same codes."""

import numpy as np
import pandas as pd
import polars as pl
import pytest


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def strided(X):
    return np.repeat(X, 3, axis=0)[::3]


CONTAINERS = {
    "read-only": read_only,
    "Fortran order": np.asfortranarray,
    "rows backwards": lambda X: X[::-1].copy()[::-1],
    "columns backwards": lambda X: X[:, ::-1].copy()[:, ::-1],
    "both backwards": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "every third row": strided,
    "big-endian": lambda X: X.astype(">f8"),
    "lists": lambda X: X.tolist(),
    "objects": lambda X: X.astype(object),
    "pandas": pd.DataFrame,
    "pandas, nullable": lambda X: pd.DataFrame(X, dtype="Float64"),
    "polars": pl.DataFrame,
    "longdouble": lambda X: X.astype(np.longdouble),
}

NUMBERS = {
    "int64": np.int64,
    "int8": np.int8,
    "uint8": np.uint8,
    "bool": bool,
    "float16": np.float16,
}


@pytest.mark.sampled(every=2)
# Names or no names of columns: that both are mixed here is the point.
@pytest.mark.filterwarnings("ignore:X (does not have valid|has) feature names:UserWarning")
@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_every_container_gives_the_same_codes(smooth, X, container):
    expected = smooth().fit(X)
    autoencoder = smooth().fit(container(X))
    codes = autoencoder.transform(container(X))
    assert codes.dtype == np.float64
    np.testing.assert_allclose(codes, autoencoder.transform(X), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(codes, expected.transform(X), atol=1e-5)
    np.testing.assert_allclose(
        autoencoder.inverse_transform(container(codes)), autoencoder.reconstruct(X), rtol=1e-10
    )


@pytest.mark.quick
@pytest.mark.filterwarnings("ignore:X (does not have valid|has) feature names:UserWarning")
@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_every_container_is_taken_by_partial_fit_and_the_errors(smooth, X, container):
    expected, autoencoder = smooth().partial_fit(X), smooth().partial_fit(container(X))
    errors = autoencoder.reconstruction_error(container(X))
    np.testing.assert_allclose(errors, autoencoder.reconstruction_error(X), rtol=1e-9)
    np.testing.assert_allclose(errors, expected.reconstruction_error(X), rtol=1e-4, atol=1e-6)
    assert autoencoder.score(container(X)) == pytest.approx(autoencoder.score(X), rel=1e-12)


@pytest.mark.parametrize("dtype", NUMBERS.values(), ids=NUMBERS)
def test_other_numbers_are_taken_as_float64(quick, X, dtype):
    numbers = np.abs(np.round(4 * X)).astype(dtype)
    codes = quick().fit_transform(numbers)
    assert codes.dtype == np.float64
    np.testing.assert_array_equal(codes, quick().fit_transform(numbers.astype(np.float64)))


def test_columns_of_mixed_dtypes_are_taken_as_float64(smooth, X):
    frame = pd.DataFrame(X, columns=list("abcdef")).assign(
        b=lambda frame: frame["b"].round().astype(int),
        c=lambda frame: frame["c"] > 0,
        d=lambda frame: frame["d"].astype(np.float32),
        e=lambda frame: frame["e"].round().astype("Int64"),
    )
    codes = smooth().fit_transform(frame)
    assert codes.dtype == np.float64
    expected = smooth().fit_transform(frame.astype(float).to_numpy())
    np.testing.assert_allclose(codes, expected, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mode", ["r", "c"])
def test_a_memory_map_is_read_and_not_changed(smooth, X, tmp_path, dtype, mode):
    np.save(tmp_path / "X.npy", X.astype(dtype))
    before = (tmp_path / "X.npy").read_bytes()
    mapped = np.load(tmp_path / "X.npy", mmap_mode=mode)
    codes = smooth().fit(mapped).transform(mapped)
    np.testing.assert_allclose(codes, smooth().fit_transform(X.astype(dtype)), atol=1e-5)
    assert (tmp_path / "X.npy").read_bytes() == before


def test_rows_that_are_not_kept_in_memory_train_alike(smooth, X, monkeypatch):
    kept = smooth().fit(X)
    monkeypatch.setattr("sk_autoencoder._training.rows.KEPT_BYTES", 0)
    read = smooth().fit(X)
    np.testing.assert_allclose(read.transform(X), kept.transform(X), atol=1e-5)


def test_blocks_of_few_rows_give_what_one_block_gives(smooth, X, monkeypatch):
    whole = smooth().fit(X)
    errors = whole.reconstruction_error(X)
    monkeypatch.setattr("sk_autoencoder._utils.blocks.BLOCK_ROWS", 7)
    monkeypatch.setattr("sk_autoencoder._pca.centred_rows.BLOCK_BYTES", 8 * 6 * 7)
    np.testing.assert_allclose(whole.reconstruction_error(X), errors, rtol=1e-10)
    np.testing.assert_allclose(smooth().fit(X).transform(X), whole.transform(X), atol=1e-5)


# NumPy calls these contiguous, although they have a negative stride.
BACKWARDS = {
    "one row": lambda X: X[::-1][-1:],
    "one column": lambda X: X[:, ::-1][:, -1:].copy()[::-1],
    "one cell": lambda X: X[::-1, ::-1][-1:, -1:],
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("container", BACKWARDS.values(), ids=BACKWARDS)
def test_rows_that_are_backwards_and_contiguous_are_read(quick, X, container, dtype):
    rows = container(X.astype(dtype))
    autoencoder = quick(1).fit(X[:, : rows.shape[1]].astype(dtype))
    codes = autoencoder.transform(rows)
    np.testing.assert_array_equal(codes, autoencoder.transform(rows.copy()))
    np.testing.assert_array_equal(
        autoencoder.inverse_transform(codes[::-1]),
        autoencoder.inverse_transform(codes[::-1].copy()),
    )
    assert np.isfinite(autoencoder.score(rows))
    autoencoder.partial_fit(rows)


@pytest.mark.parametrize("method", ["fit", "partial_fit", "score"])
def test_weights_that_are_backwards_are_read(quick, X, method):
    weight = np.arange(1.0, 121)
    autoencoder = quick(max_epochs=0).fit(X)
    given = getattr(autoencoder, method)(X, sample_weight=weight[::-1])
    expected = getattr(quick(max_epochs=0).fit(X), method)(X, sample_weight=weight[::-1].copy())
    if method == "score":
        assert given == expected
    else:
        np.testing.assert_array_equal(given.transform(X), expected.transform(X))
    autoencoder.partial_fit(X[:1], sample_weight=weight[::-1][-1:])
