"""Input that cannot be used is refused in words; input that is hard gives what is right."""

import datetime
import math
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy import sparse
from sklearn.decomposition import PCA
from torch.utils.data import DataLoader, TensorDataset

from sk_autoencoder import AutoencoderOutlierDetector

FITS = ("fit", "partial_fit", "fit_transform")


def with_cell(X, value):
    X = X.copy()
    X[3, 1] = value
    return X


def with_word(X):
    frame = pd.DataFrame(X).astype(object)
    frame.iloc[3, 1] = "word"
    return frame


REFUSED = {
    "infinity": (lambda X: with_cell(X, np.inf), "infinity"),
    "too large for float32": (lambda X: with_cell(X.astype(np.float32), -np.inf), "infinity"),
    "complex": (lambda X: X + 1j, "Complex data not supported"),
    "strings": (lambda X: np.full(X.shape, "word"), "could not convert string to float"),
    "objects": (lambda X: np.full(X.shape, "word", dtype=object), "could not convert string"),
    "a word in a column": (with_word, "could not convert string to float: 'word'"),
    "no rows": (lambda X: X[:0], "0 sample"),
    "one dimension": (lambda X: X[0], "Expected 2D array"),
    "three dimensions": (lambda X: X[None], "dim 3"),
    "a number": (lambda X: 1.0, "Expected 2D array"),
}

MIXED = "OneHotEncoder or OrdinalEncoder.*plot_mixed_table"


def with_column(X, values):
    """A table whose third column, "c", has two values in turn."""
    column = pd.Series(values).iloc[np.arange(len(X)) % 2].reset_index(drop=True)
    return pd.DataFrame(X, columns=list("abcdef")).assign(c=column)


def torch_data(X):
    return TensorDataset(torch.from_numpy(X))


def words(X):
    return [*X[:4].tolist(), [0.0, "word", 1.0, 1.0, 1.0, 1.0]]


NO_MATRIX = {
    "dataset": (torch_data, r"X is a Dataset of torch \(TensorDataset\).*dataset.tensors"),
    "loader": (lambda X: DataLoader(torch_data(X)), "X is a DataLoader of torch.*partial_fit"),
    "dict": (lambda X: {"a": [1.0, 2.0]}, r"X is a mapping \(dict\).*pandas.DataFrame\(X\)"),
    "dicts": (lambda X: pd.DataFrame(X).to_dict("records"), "X is a sequence of map.*DictVect"),
    "generator": (lambda X: (row for row in X), r"X is an iterator \(generator\).*list\(X\)"),
    "map": (lambda X: map(list, X), r"X is an iterator \(map\)"),
    "set": (lambda X: {1.0, 2.0}, "X is a set, which has no order"),
    "string": (lambda X: "table.csv", "X is a string or a path.*pandas.read_csv"),
    "path": (lambda X: Path("table.csv"), "X is a string or a path.*pandas.read_csv"),
    "lazy table": (lambda X: pl.LazyFrame(X), r"X is a lazy table.*X.collect\(\)"),
    "named fields": (lambda X: pd.DataFrame(X).to_records(), "X is an array with named fields"),
    "mask": (lambda X: np.ma.masked_less(X, 0), r"X is a masked array.*filled\(np.nan\)"),
    "words": (words, rf"Column 1 of X has 'word' in row 4, a str.*{MIXED}"),
    "strings": (lambda X: with_column(X, ["1", "x"]), rf"Column 'c' .*'x' in row 1.*{MIXED}"),
    "categories": (
        lambda X: with_column(X, pd.Categorical(["x", "y"])),
        rf"Column 'c' of X has 'x' in row 0.*{MIXED}",
    ),
    "dates": (
        lambda X: with_column(X, pd.to_datetime(["2020", "2021"])),
        r"Column 'c' of X has Timestamp.* in row 0.*days since the first one",
    ),
    "dates with a zone": (
        lambda X: with_column(X, pd.to_datetime(["2020", "2021"], utc=True)),
        r"Column 'c' of X has Timestamp.* in row 0.*days since the first one",
    ),
    "nothing but dates": (
        lambda X: X.astype("datetime64[s]"),
        "Column 0 of X has .*datetime64.* in row 0.*days since the first one",
    ),
    "a table of dates": (
        lambda X: pd.DataFrame(X.astype("datetime64[s]")),
        "Column 0 of X has Timestamp.*days since the first one",
    ),
    "dates of polars": (
        lambda X: pl.DataFrame({"a": [1.0] * 3, "b": [datetime.date(2020, 1, 1)] * 3}),
        r"Column 'b' of X has datetime.date\(2020, 1, 1\) in row 0",
    ),
    "durations": (
        lambda X: with_column(X, pd.to_timedelta([1, 2], unit="s")),
        r"Column 'c' of X has Timedelta.*column / pandas.Timedelta\(seconds=1\)",
    ),
    "nothing but durations": (
        lambda X: X.astype("timedelta64[s]"),
        "Column 0 of X has .*timedelta64.*column / pandas.Timedelta",
    ),
    "complex": (lambda X: with_column(X, [1j, 2]), r"Column 'c' .*1j.*\[X.real, X.imag\]"),
    "lists": (lambda X: with_column(X, [[1], [2]]), "Column 'c' of X has .1. in row 0.*items"),
    "NA": (lambda X: with_column(X, [1.0, pd.NA]), r"<NA> in row 1.*astype\('Float64'\)"),
    "ragged": (lambda X: [[1, 2], [1, 2], [1]], "Row 2 of X has 1 cells, but row 0 has 2"),
}


@pytest.mark.quick
@pytest.mark.parametrize("method", FITS)
@pytest.mark.parametrize(("spoil", "message"), NO_MATRIX.values(), ids=NO_MATRIX)
def test_what_is_no_matrix_of_numbers_is_named_by_each_fit(quick, X, method, spoil, message):
    with pytest.raises((ValueError, TypeError), match=f"(?s){message}"):
        getattr(quick(), method)(spoil(X))


@pytest.mark.filterwarnings("ignore:X has feature names")  # of the tables, fitted on an array
@pytest.mark.parametrize("method", ["transform", "reconstruct", "score_samples", "score"])
def test_what_is_no_matrix_of_numbers_is_named_after_the_fit(quick, X, method):
    autoencoder = quick().fit(X)
    for spoil, message in NO_MATRIX.values():
        with pytest.raises((ValueError, TypeError), match=f"(?s){message}"):
            getattr(autoencoder, method)(spoil(X))


def test_codes_that_are_no_matrix_of_numbers_are_named(quick, X):
    autoencoder = quick().fit(X)
    for name in ("loader", "dict", "words", "nothing but dates", "ragged"):
        spoil, message = NO_MATRIX[name]
        with pytest.raises((ValueError, TypeError), match=f"(?s){message}"):
            autoencoder.inverse_transform(spoil(X))


def test_what_is_no_matrix_of_numbers_is_named_by_the_detector(quick, X):
    detector = AutoencoderOutlierDetector(quick(), novelty=True)
    fitted = AutoencoderOutlierDetector(quick(), novelty=True).fit(X)
    for name in ("loader", "dict", "words", "nothing but dates"):
        spoil, message = NO_MATRIX[name]
        for method in (detector.fit, fitted.predict, fitted.explain):
            with pytest.raises((ValueError, TypeError), match=f"(?s){message}"):
                method(spoil(X))


NUMBERS = {
    "strings of numbers": lambda X: X.astype(str),
    "objects": lambda X: X.astype(object),
    "categories of numbers": lambda X: with_column(X, pd.Categorical([1, 2])),
    "missing whole numbers": lambda X: with_column(X, pd.array([1, None], dtype="Int64")),
    "None": lambda X: with_column(X, pd.Series([1.0, None], dtype=object)),
    "truth values": lambda X: X > 0,
    "memory": memoryview,
    "keys of cells": sparse.dok_matrix,
}


@pytest.mark.quick
@pytest.mark.parametrize("make", NUMBERS.values(), ids=NUMBERS)
def test_what_can_be_read_as_numbers_is(quick, X, make):
    assert quick(max_epochs=0).fit(make(X)).transform(make(X)).shape == (120, 2)


# What is sparse says of each cell what it is, so that NaN there is no gap.
REFUSED_ROWS = {
    "sparse NaN": (lambda X: sparse.csr_array(with_cell(X, np.nan)), "NaN"),
    "sparse infinity": (lambda X: sparse.csc_matrix(with_cell(X, -np.inf)), "infinity"),
    "sparse and complex": (lambda X: sparse.csr_array(X + 1j), "Complex data not supported"),
}
REFUSED_CODES = {
    "NaN": (lambda Z: with_cell(Z, np.nan), "NaN"),
    "sparse codes": (sparse.csr_array, "dense data is required"),
}


def pca_reconstruction(X, n_components=2):
    """What PCA gives in float64, on rows that are centred first."""
    X = X.astype(np.float64)
    mean = X.mean(axis=0)
    mean += (X - mean).mean(axis=0)
    pca = PCA(n_components, svd_solver="full").fit(X - mean)
    return pca.inverse_transform(pca.transform(X - mean)) + mean, mean


@pytest.mark.quick
@pytest.mark.parametrize("method", FITS)
@pytest.mark.parametrize(
    ("spoil", "message"), (REFUSED | REFUSED_ROWS).values(), ids=REFUSED | REFUSED_ROWS
)
def test_what_cannot_be_used_is_refused_by_each_fit(quick, X, method, spoil, message):
    with pytest.raises((ValueError, TypeError), match=message):
        getattr(quick(), method)(spoil(X))


@pytest.mark.sampled(every=3)
@pytest.mark.parametrize("method", ["transform", "reconstruct", "score"])
@pytest.mark.parametrize(
    ("spoil", "message"), (REFUSED | REFUSED_ROWS).values(), ids=REFUSED | REFUSED_ROWS
)
def test_what_cannot_be_used_is_refused_after_the_fit(quick, X, method, spoil, message):
    autoencoder = quick().fit(X)
    with pytest.raises((ValueError, TypeError), match=message):
        getattr(autoencoder, method)(spoil(X))


@pytest.mark.parametrize(
    ("spoil", "message"), (REFUSED | REFUSED_CODES).values(), ids=REFUSED | REFUSED_CODES
)
def test_codes_that_cannot_be_used_are_refused(quick, X, spoil, message):
    autoencoder = quick().fit(X)
    with pytest.raises((ValueError, TypeError), match=message):
        autoencoder.inverse_transform(spoil(X[:, :2]))


@pytest.mark.parametrize("method", FITS)
def test_a_table_without_columns_is_refused(quick, X, method):
    with pytest.raises(ValueError, match="0 feature"):
        getattr(quick(), method)(X[:, :0])


@pytest.mark.parametrize("method", FITS)
def test_one_row_is_not_enough_to_fit(quick, X, method):
    with pytest.raises(ValueError, match=r"1 sample.*minimum of 2"):
        getattr(quick(1), method)(X[:1])


def test_one_row_is_enough_to_transform(quick, X):
    autoencoder = quick().fit(X)
    np.testing.assert_allclose(autoencoder.transform(X[:1]), autoencoder.transform(X)[:1])


@pytest.mark.quick
@pytest.mark.parametrize("n_samples", [2, 3, 4, 5])
def test_very_few_rows_fit(quick, X, n_samples):
    rows = X[:n_samples]
    autoencoder = quick(1, max_epochs=0).fit(rows)
    np.testing.assert_allclose(autoencoder.reconstruct(rows), pca_reconstruction(rows, 1)[0])
    assert quick(1).fit(rows).transform(rows).shape == (n_samples, 1)


@pytest.mark.quick
@pytest.mark.parametrize("method", FITS)
@pytest.mark.parametrize("shape", [(120, 1), (1, 6), (2, 6)], ids=["features", "row", "rows"])
def test_more_components_than_the_table_allows_are_refused(quick, X, method, shape):
    X = X[: shape[0], : shape[1]]
    with pytest.raises(ValueError, match=r"n_components=4 must be at most|1 sample"):
        getattr(quick(4), method)(X)


def test_as_many_components_as_rows_reconstruct_the_rows(quick, X):
    autoencoder = quick(4).fit(X[:4])
    np.testing.assert_allclose(autoencoder.reconstruct(X[:4]), X[:4], atol=1e-12)


@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize("value", [0.0, 3.7, -1e8, 1e-30, 1e30])
def test_a_constant_table_is_reconstructed(quick, early_stopping, value):
    X = np.full((20, 3), value)
    autoencoder = quick(early_stopping=early_stopping).fit(X)
    np.testing.assert_allclose(autoencoder.reconstruct(X), X, rtol=1e-12)
    np.testing.assert_allclose(autoencoder.transform(X), 0, atol=1e-12 * max(1, abs(value)))
    assert autoencoder.score(X) == 1


def test_the_textbook_network_takes_a_constant_table(quick):
    autoencoder = quick(linear_shortcut=False).fit(np.full((20, 3), 3.7))
    assert np.isfinite(autoencoder.transform(np.full((20, 3), 3.7))).all()


@pytest.mark.quick
@pytest.mark.parametrize("max_epochs", [0, 4])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_columns_stay_constant(quick, X, dtype, max_epochs):
    X = X.astype(dtype)
    X[:, [1, 4]] = [7.5, 0]
    rows = quick(early_stopping=False, max_epochs=max_epochs).fit(X).reconstruct(X)
    tolerance = 0.1 if max_epochs else 10 * np.finfo(dtype).eps
    np.testing.assert_allclose(rows[:, 1], 7.5, atol=tolerance)
    np.testing.assert_allclose(rows[:, 4], 0, atol=tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_columns_of_very_different_size_are_reconstructed_as_by_pca(quick, X, dtype):
    X = (X * np.logspace(-8, 8, 6)).astype(dtype)
    expected, mean = pca_reconstruction(X)
    rows = quick(max_epochs=0).fit(X).reconstruct(X)
    tolerance = 10 * np.finfo(dtype).eps
    assert np.linalg.norm(rows - expected) <= tolerance * np.linalg.norm(X - mean)
    spread = X.std(axis=0, dtype=np.float64)
    error = np.sqrt(np.square(rows - X.astype(np.float64)).mean(axis=0))
    assert (error[4:] <= max(1e-7, tolerance) * spread[4:]).all()
    assert (error[:4] <= 1.01 * spread[:4]).all()


@pytest.mark.parametrize("size", [1e-8, 1e8])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_size_of_all_columns_does_not_matter(smooth, X, dtype, size):
    plain = smooth(max_epochs=5).fit(X)
    autoencoder = smooth(max_epochs=5).fit((X * size).astype(dtype))
    assert plain.best_epoch_ > 0
    assert autoencoder.score((X * size).astype(dtype)) == pytest.approx(plain.score(X), abs=1e-5)


@pytest.mark.parametrize("max_epochs", [0, 4])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_large_offset_costs_no_digits(quick, X, dtype, max_epochs):
    X = (1000 * X + 1e8).astype(dtype)
    expected, mean = pca_reconstruction(X)
    left_by_pca = np.square(expected - X).sum() / np.square(X - mean).sum()
    autoencoder = quick(max_epochs=max_epochs, early_stopping=False).fit(X)
    np.testing.assert_allclose(autoencoder.mean_, mean, rtol=1e-15)
    assert 1 - autoencoder.score(X) <= left_by_pca * 1.03
    if max_epochs == 0:
        # One rounding of the result; in float64 those of what is expected too, and of both means,
        # each of which may be one off: how sums are rounded depends on the processor.
        atol = {np.float32: 0.51, np.float64: 3.01}[dtype] * np.spacing(dtype(1e8))
        np.testing.assert_allclose(autoencoder.reconstruct(X), expected, rtol=0, atol=atol)
        assert 1 - autoencoder.score(X) == pytest.approx(left_by_pca, rel=1e-3)


def test_the_mean_of_many_rows_far_from_zero_is_exact_to_the_last_digit(quick):
    X = 1e8 + 1000 * np.random.RandomState(0).standard_normal((5000, 6))
    exact = [math.fsum(column) / 5000 for column in X.T]
    np.testing.assert_array_max_ulp(quick(max_epochs=0).fit(X).mean_, np.array(exact), maxulp=1)


@pytest.mark.quick
@pytest.mark.parametrize("params", [{}, {"linear_shortcut": False}, {"early_stopping": False}])
@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd", "rmsprop"])
def test_a_fit_that_diverges_says_what_to_change(quick, X, optimizer, params):
    autoencoder = quick(lr=1e6, optimizer=optimizer, max_epochs=20, **params)
    with pytest.raises(ValueError, match=r"diverged in epoch \d+.*Lower lr, which is 1e\+06"):
        autoencoder.fit(X)


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd", "rmsprop"])
def test_every_optimizer_learns(quick, X, optimizer):
    autoencoder = quick(early_stopping=False, optimizer=optimizer, max_epochs=20).fit(X)
    loss = autoencoder.history_["train_loss"]
    assert loss.iloc[-1] < loss[0]


@pytest.mark.quick
@pytest.mark.parametrize(
    ("params", "error", "match"),
    [
        ({"device": "gpu"}, ValueError, "device='gpu'"),
        ({"validation_fraction": 0.999}, ValueError, "validation_fraction"),
        ({"n_components": True}, TypeError, "n_components"),
    ],
    ids=str,
)
def test_a_wrong_parameter_is_named(quick, X, params, error, match):
    with pytest.raises(error, match=match):
        quick(**params).fit(X)


def test_a_variance_beyond_float64_is_refused(quick, X):
    with np.errstate(over="ignore"), pytest.raises(ValueError, match="Scale X down"):
        quick().fit(X * 1e160)
