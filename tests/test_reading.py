"""Files of the command line's user: what is read from them, and what is refused."""

import pickle
import sys

import numpy as np
import pandas as pd
import pytest

from sk_autoencoder._reading import find_data, read_data


def read(path):
    return read_data(find_data(str(path)))


@pytest.fixture
def csv(tmp_path):
    def write(text):
        path = tmp_path / "table.csv"
        path.write_text(text)
        return path

    return write


def test_digits():
    digits = read("digits")
    assert digits.X.shape == (1797, 64)
    assert digits.image_shape == (8, 8)


def test_first_line_has_the_names(csv):
    data = read(csv("a,2\n1,2.5\n3,4\n"))
    assert data.name == "table.csv"
    assert data.image_shape is None
    pd.testing.assert_frame_equal(data.X, pd.DataFrame({"a": [1, 3], "2": [2.5, 4]}))


def test_first_line_of_numbers_is_a_row(csv):
    np.testing.assert_array_equal(read(csv("1,2.5\n1,4\n")).X, [[1, 2.5], [1, 4]])


def test_index_that_pandas_wrote_is_no_feature(tmp_path):
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    frame.to_csv(tmp_path / "table.csv")
    pd.testing.assert_frame_equal(read(tmp_path / "table.csv").X, frame)


def test_bool_and_int_columns_are_numbers(tmp_path):
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"a": [True, False], "b": pd.array([1, 2], dtype="Int64"), "c": [1.5, 2]})
    frame.to_parquet(tmp_path / "table.parquet")
    pd.testing.assert_frame_equal(read(tmp_path / "table.parquet").X, frame)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a,b\n1,x\n2,y\n", "not numeric, 'b'; its first cell is 'x'. Remove it or encode"),
        ("a,b\n1,2\n3,\n5,\n", "has 2 cells .* in column 'b', the first, missing, in row 1"),
        ("a,b\n1,2\n3,inf\n", "has 1 cells .* in column 'b', the first, infinite, in row 1"),
        ("1,2\n3,\n", "in column number 1, the first, missing, in row 1"),
        ("a,b\n", "is empty: it has 0 rows and 2 columns"),
        ("", "cannot be read: No columns"),
        ('a,b\n1,"2\n', "cannot be read: "),
    ],
)
def test_csv_refused(csv, text, match):
    with pytest.raises(ValueError, match=match):
        read(csv(text))


def test_missing_cell_of_a_nullable_column(tmp_path):
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"a": [1.5, 2], "b": pd.array([1, None], dtype="Int64")})
    frame.to_parquet(tmp_path / "table.parquet")
    with pytest.raises(ValueError, match="in column 'b', the first, missing, in row 1"):
        read(tmp_path / "table.parquet")


def test_column_of_dates(tmp_path):
    pytest.importorskip("pyarrow")
    pd.DataFrame({"day": pd.to_datetime(["2020-01-01"])}).to_parquet(tmp_path / "table.parquet")
    with pytest.raises(ValueError, match="not numeric, 'day'"):
        read(tmp_path / "table.parquet")


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    (tmp_path / "table.parquet").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ValueError, match=r"needs pyarrow, .* pip install pyarrow"):
        read(tmp_path / "table.parquet")


def test_broken_parquet(tmp_path):
    pytest.importorskip("pyarrow")
    (tmp_path / "table.parquet").write_bytes(b"no parquet at all")
    with pytest.raises(ValueError, match=r"table\.parquet cannot be read: "):
        read(tmp_path / "table.parquet")


@pytest.mark.parametrize(
    ("array", "match"),
    [
        (np.ones(3), r"has an array of shape \(3,\); expected two dimensions"),
        (np.ones((2, 3, 4)), r"has an array of shape \(2, 3, 4\)"),
        (np.ones((0, 3)), "is empty: it has 0 rows and 3 columns"),
        (np.ones((3, 0)), "is empty: it has 3 rows and 0 columns"),
        (np.ones((2, 2), complex), "not numeric, number 0"),
        (np.array([["a", "b"]]), "not numeric, number 0; its first cell is .*'a'"),
        (np.array([[1, 2], [3, np.nan]]), "in column number 1, the first, missing, in row 1"),
    ],
)
def test_npy_refused(tmp_path, array, match):
    np.save(tmp_path / "table.npy", array)
    with pytest.raises(ValueError, match=match):
        read(tmp_path / "table.npy")


class Trap:
    """An object whose loading would leave a trace."""

    sprung = False

    @staticmethod
    def spring():
        Trap.sprung = True

    def __reduce__(self):
        return Trap.spring, ()


def test_pickled_npy_is_not_loaded(tmp_path):
    np.save(tmp_path / "table.npy", np.array([[Trap()]], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="cannot be read: Object arrays cannot be loaded when"):
        read(tmp_path / "table.npy")
    (tmp_path / "table.npy").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ValueError, match="cannot be read: "):
        read(tmp_path / "table.npy")
    assert not Trap.sprung


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY"])
def test_cut_npy(tmp_path, content):
    (tmp_path / "table.npy").write_bytes(content)
    with pytest.raises(ValueError, match=r"table\.npy cannot be read: "):
        read(tmp_path / "table.npy")


def test_a_header_of_counted_columns_is_no_row(csv):
    path = csv(pd.DataFrame(np.full((4, 3), 0.5)).to_csv(index=False))
    assert read(path).X.shape == (4, 3)
    path = csv(pd.DataFrame(np.full((4, 3), 0.5)).to_csv())
    assert read(path).X.shape == (4, 3)


@pytest.mark.parametrize("first", ["1.5,,3", ",2,3"])
def test_a_gap_in_the_first_row_of_numbers_is_found(csv, first):
    with pytest.raises(ValueError, match="in row 0"):
        read(csv(f"{first}\n4,5,6\n7,8,9\n"))
