"""DataFrames in and out, with their names and index."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn import config_context

pytestmark = pytest.mark.quick

NAMES = ["a", "b", "c", "d", "e", "f"]
CODES = ["autoencodertransformer0", "autoencodertransformer1"]


@pytest.fixture
def frame(X):
    return pd.DataFrame(X, columns=NAMES, index=[f"row {i}" for i in range(len(X))])


def test_names_of_the_codes_carry_the_name_of_the_class(quick, frame):
    autoencoder = quick().fit(frame)
    assert list(autoencoder.get_feature_names_out()) == CODES
    assert list(autoencoder.feature_names_in_) == NAMES


def test_codes_in_pandas_have_names_and_the_index(quick, frame):
    codes = quick().set_output(transform="pandas").fit_transform(frame)
    assert isinstance(codes, pd.DataFrame)
    assert list(codes.columns) == CODES
    pd.testing.assert_index_equal(codes.index, frame.index)


@pytest.mark.parametrize("method", ["inverse_transform", "reconstruct"])
def test_rows_in_pandas_have_the_names_and_the_index_of_the_input(quick, frame, method):
    plain = quick().fit(frame)
    autoencoder = quick().set_output(transform="pandas").fit(frame)
    argument = autoencoder.transform(frame) if method == "inverse_transform" else frame
    rows = getattr(autoencoder, method)(argument[5:9])
    assert isinstance(rows, pd.DataFrame)
    assert list(rows.columns) == NAMES
    pd.testing.assert_index_equal(rows.index, frame.index[5:9])
    np.testing.assert_allclose(rows, plain.reconstruct(frame[5:9]), rtol=1e-12)


@pytest.mark.parametrize("method", ["inverse_transform", "reconstruct"])
def test_rows_in_polars_have_the_names_of_the_input(smooth, X, method):
    frame = pl.DataFrame(X, schema=NAMES)
    autoencoder = smooth().set_output(transform="polars").fit(frame)
    codes = autoencoder.transform(frame)
    assert isinstance(codes, pl.DataFrame)
    assert codes.columns == CODES
    rows = getattr(autoencoder, method)(codes if method == "inverse_transform" else frame)
    assert isinstance(rows, pl.DataFrame)
    assert rows.columns == NAMES
    np.testing.assert_allclose(rows.to_numpy(), smooth().fit(X).reconstruct(X), atol=1e-5)


def test_the_global_setting_reaches_the_inverse(quick, frame):
    autoencoder = quick().fit(frame)
    with config_context(transform_output="pandas"):
        rows = autoencoder.inverse_transform(autoencoder.transform(frame))
    assert list(rows.columns) == NAMES
    assert isinstance(autoencoder.reconstruct(frame), np.ndarray)


def test_a_frame_of_codes_is_taken_without_set_output(quick, frame):
    autoencoder = quick().fit(frame)
    codes = autoencoder.transform(frame)
    rows = autoencoder.inverse_transform(pd.DataFrame(codes, columns=CODES))
    assert isinstance(rows, np.ndarray)
    np.testing.assert_allclose(rows, autoencoder.inverse_transform(codes), rtol=1e-12)


def test_arrays_in_and_frames_out_get_numbered_names(quick, X):
    autoencoder = quick().set_output(transform="pandas").fit(X)
    rows = autoencoder.inverse_transform(autoencoder.transform(X))
    assert list(rows.columns) == ["x0", "x1", "x2", "x3", "x4", "x5"]


def test_float32_stays_float32_in_a_frame(quick, frame):
    frame = frame.astype(np.float32)
    autoencoder = quick().set_output(transform="pandas").fit(frame)
    assert set(autoencoder.transform(frame).dtypes) == {np.dtype(np.float32)}
    assert set(autoencoder.reconstruct(frame).dtypes) == {np.dtype(np.float32)}


def test_columns_in_another_order_are_refused(quick, frame):
    autoencoder = quick().fit(frame)
    for method in ("transform", "reconstruct", "reconstruction_error", "score"):
        with pytest.raises(ValueError, match="same order as they were in fit"):
            getattr(autoencoder, method)(frame[NAMES[::-1]])


def test_columns_that_were_not_there_are_refused(quick, frame):
    autoencoder = quick().fit(frame)
    with pytest.raises(ValueError, match="unseen at fit time"):
        autoencoder.transform(frame.rename(columns={"a": "z"}))
