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


# Names or no names of columns: that both are mixed here is the point.
@pytest.mark.filterwarnings("ignore:X (does not have valid|has) feature names:UserWarning")
@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_every_container_gives_the_same_codes(quick, X, container):
    expected = quick().fit(X)
    autoencoder = quick().fit(container(X))
    codes = autoencoder.transform(container(X))
    assert codes.dtype == np.float64
    np.testing.assert_array_equal(codes, expected.transform(X))
    np.testing.assert_allclose(
        expected.inverse_transform(container(codes)), expected.reconstruct(X), rtol=1e-10
    )


@pytest.mark.filterwarnings("ignore:X (does not have valid|has) feature names:UserWarning")
@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_every_container_is_taken_by_partial_fit_and_the_errors(quick, X, container):
    expected, autoencoder = quick().partial_fit(X), quick().partial_fit(container(X))
    np.testing.assert_array_equal(
        autoencoder.reconstruction_error(container(X)), expected.reconstruction_error(X)
    )
    assert autoencoder.score(container(X)) == pytest.approx(expected.score(X), rel=1e-12)


@pytest.mark.parametrize("dtype", NUMBERS.values(), ids=NUMBERS)
def test_other_numbers_are_taken_as_float64(quick, X, dtype):
    numbers = np.abs(np.round(4 * X)).astype(dtype)
    codes = quick().fit_transform(numbers)
    assert codes.dtype == np.float64
    np.testing.assert_array_equal(codes, quick().fit_transform(numbers.astype(np.float64)))


def test_columns_of_mixed_dtypes_are_taken_as_float64(quick, X):
    frame = pd.DataFrame(X, columns=list("abcdef")).assign(
        b=lambda frame: frame["b"].round().astype(int),
        c=lambda frame: frame["c"] > 0,
        d=lambda frame: frame["d"].astype(np.float32),
        e=lambda frame: frame["e"].round().astype("Int64"),
    )
    codes = quick().fit_transform(frame)
    assert codes.dtype == np.float64
    np.testing.assert_array_equal(codes, quick().fit_transform(frame.astype(float).to_numpy()))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mode", ["r", "c"])
def test_a_memory_map_is_read_and_not_changed(quick, X, tmp_path, dtype, mode):
    np.save(tmp_path / "X.npy", X.astype(dtype))
    before = (tmp_path / "X.npy").read_bytes()
    mapped = np.load(tmp_path / "X.npy", mmap_mode=mode)
    codes = quick().fit(mapped).transform(mapped)
    np.testing.assert_array_equal(codes, quick().fit_transform(X.astype(dtype)))
    assert (tmp_path / "X.npy").read_bytes() == before


def test_rows_that_are_not_kept_in_memory_train_alike(quick, X, monkeypatch):
    kept = quick().fit(X)
    monkeypatch.setattr("sk_autoencoder._batches.KEPT_BYTES", 0)
    read = quick().fit(X)
    np.testing.assert_allclose(read.transform(X), kept.transform(X), atol=1e-5)


def test_blocks_of_few_rows_give_what_one_block_gives(quick, X, monkeypatch):
    whole = quick().fit(X)
    errors = whole.reconstruction_error(X)
    monkeypatch.setattr("sk_autoencoder._batches.BLOCK_ROWS", 7)
    monkeypatch.setattr("sk_autoencoder._centred_rows.BLOCK_BYTES", 8 * 6 * 7)
    np.testing.assert_allclose(whole.reconstruction_error(X), errors, rtol=1e-10)
    np.testing.assert_allclose(quick().fit(X).transform(X), whole.transform(X), atol=1e-4)
