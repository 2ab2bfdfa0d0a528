"""Files of the command line's user: what is read from them, and what is refused."""

import gzip
import pickle
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sk_autoencoder._cli.numeric_table import dominant_column
from sk_autoencoder._cli.options import Options
from sk_autoencoder._cli.reading import find_data, read_data

nan = np.nan


def read(path, **options):
    options = Options(**options)
    return read_data(find_data(str(path), options), options)


@pytest.fixture
def csv(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "table.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def test_digits():
    digits = read("digits")
    assert digits.X.shape == (1797, 64)
    assert digits.image_shape == (8, 8)


@pytest.mark.quick
def test_first_line_has_the_names(csv):
    data = read(csv("a,2\n1,2.5\n3,4\n"))
    assert data.name == "table.csv"
    assert data.image_shape is None
    pd.testing.assert_frame_equal(data.X, pd.DataFrame({"a": [1, 3], "2": [2.5, 4]}))


def test_first_line_of_numbers_is_a_row(csv):
    np.testing.assert_array_equal(read(csv("1,2.5\n1,4\n")).X, [[1, 2.5], [1, 4]])


@pytest.mark.quick
def test_index_that_pandas_wrote_is_no_feature(tmp_path):
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    frame.to_csv(tmp_path / "table.csv")
    pd.testing.assert_frame_equal(read(tmp_path / "table.csv").X, frame)


@pytest.mark.quick
def test_bool_and_int_columns_are_numbers(tmp_path):
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"a": [True, False], "b": pd.array([1, 2], dtype="Int64"), "c": [1.5, 2]})
    frame.to_parquet(tmp_path / "table.parquet")
    pd.testing.assert_frame_equal(read(tmp_path / "table.parquet").X, frame)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("text", "match"),
    [
        (
            "a,b\n1,x\n2,y\n",
            "not numeric, 'b': its first cell that is no number is 'x' in row 0. .* Correct such "
            "cells or leave them empty, encode the column .* with --drop-non-numeric",
        ),
        ("a,b\n1,2\n3,n.a.\n5,x\n", "'b': its first cell that is no number is 'n.a.' in row 1"),
        (
            "a,b,c\n1,x,y\n2,5,y\n",
            r"has 2 columns that are not numeric, .*: 'b' \('x' in row 0\), 'c' \('y' in row 0\)\.",
        ),
        (
            "a" + ",b" * 8 + "\n" + ("1" + ",x" * 8 + "\n") * 2,
            r"has 8 columns .*: 'b' .*, 'b\.4' \('x' in row 0\) and 3 more\. Rows",
        ),
        ("a,b\n1,2\n3,inf\n", "has infinite cells: 1 in column 'b', the first in row 1"),
        ("1,2\n3,-Infinity\n", "1 in column number 1, the first in row 1"),
        ("a,b\n", "is empty: it has 0 rows and 2 columns"),
        ("a,b\n,NA\n,?\n", "is empty: none of its cells has a number"),
        ("a\nx\ny\n", "not numeric, 'a': its first cell that is no number is 'x' in row 0"),
        ("", "cannot be read: it has no rows"),
        ("\n\n", "cannot be read: it has no rows"),
        ('a,b\n1,"2\n', "cannot be read: a quotation mark that opens in row 1 is not closed"),
        ("a,b\n1,2\n\0,3\n", "cannot be read: it is no text"),
        (f"a,b\n1,{'x' * 90}\n2,3\n", f"'{'x' * 38}… in row 0"),
    ],
)
def test_csv_refused(csv, text, match):
    with pytest.raises(ValueError, match=match):
        read(csv(text))


def test_missing_cell_of_a_nullable_column(tmp_path):
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"a": [1.5, 2], "b": pd.array([1, None], dtype="Int64")})
    frame.to_parquet(tmp_path / "table.parquet")
    np.testing.assert_array_equal(read(tmp_path / "table.parquet").X, [[1.5, 1], [2, nan]])


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


@pytest.mark.quick
@pytest.mark.parametrize(
    ("array", "match"),
    [
        (np.ones(3), r"has an array of shape \(3,\); expected two dimensions"),
        (np.ones((2, 3, 4)), r"has an array of shape \(2, 3, 4\)"),
        (np.ones((0, 3)), "is empty: it has 0 rows and 3 columns"),
        (np.ones((3, 0)), "is empty: it has 3 rows and 0 columns"),
        (np.ones((2, 2), complex), r"not numeric: its dtype is complex128, its first cell \(1"),
        (np.array([["a", "b"]]), "not numeric: its dtype is <U1, its first cell 'a'"),
        (np.array([[1, 2], [3, np.inf]]), "1 in column number 1, the first in row 1"),
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
    with pytest.raises(ValueError, match=r"Python objects, which are not read.*astype\(float\)"):
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
def test_a_missing_cell_in_the_first_row_of_numbers_is_found(csv, first):
    X = read(csv(f"{first}\n4,5,6\n7,8,9\n")).X.to_numpy()
    assert X.shape == (3, 3)
    assert np.isnan(X[0]).sum() == 1


@pytest.mark.quick
@pytest.mark.parametrize(
    ("text", "X", "notes"),
    [
        ("a;b\n1,5;2,5\n3;4\n", [[1.5, 2.5], [3, 4]], ["--sep ';' --decimal ','"]),
        ("a;b;c\n1,5;2,5;1\n3;4;5,0\n", [[1.5, 2.5, 1], [3, 4, 5]], ["--sep ';' --decimal ','"]),
        ("1,5;2,5\n3;4,5\n", [[1.5, 2.5], [3, 4.5]], ["--sep ';' --decimal ',' --no-header"]),
        ("a;b\n1,234;2,345\n3,1;4\n", [[1.234, 2.345], [3.1, 4]], ["--sep ';' --decimal ','"]),
        ("a;b\n1,234;2,345\n3,111;4\n", [[1.234, 2.345], [3.111, 4]], ["--sep ';' --decimal ','"]),
        ("a;b\n1.234;2.345\n3.111;4\n", [[1.234, 2.345], [3.111, 4]], ["--sep ';'"]),
        ("a;b\n1.234,5;2\n3.111;4\n", [[1234.5, 2], [3111, 4]], ["--sep ';' --decimal ','"]),
        ("a;b\n1 234,5;2\n3\u202f111,5;4\n", [[1234.5, 2], [3111.5, 4]], ["--sep ';' --dec"]),
        ("a;b\n1'234.5;2\n3'111.2;4\n", [[1234.5, 2], [3111.2, 4]], ["--sep ';'"]),
        ('a,b\n"1,234",2\n"3,111,222.5",4\n', [[1234, 2], [3111222.5, 4]], []),
        ("a,b\n\u22121.5,2\n\u22123e\u22122,4\n", [[-1.5, 2], [-0.03, 4]], []),
        ("a;b\n\u22121,5;2\n3,5;4\n", [[-1.5, 2], [3.5, 4]], ["--sep ';' --decimal ','"]),
        ('a,b\n"1,5",2\n"3,5",4\n', [[1.5, 2], [3.5, 4]], ["--decimal ','"]),
        ("a\tb\n1,5\t2\n3\t4\n", [[1.5, 2], [3, 4]], ["--decimal ','"]),
        ("a|b\n1|2\n3|4\n", [[1, 2], [3, 4]], ["--sep '|'"]),
        ("  a  b\n 1.0   2 \n 3  4\n", [[1, 2], [3, 4]], ["--sep 'space'"]),
        ("a,b\n1, 2\n 3, NA\n", [[1, 2], [3, nan]], []),
        ("a,b\n1,\n2,\n,3\n", [[1, nan], [2, nan], [nan, 3]], []),
        ("a,b\n1,?\n?,2\n", [[1, nan], [nan, 2]], []),
        ("x\n1,5\n2,5\n3,5\n", [[1.5], [2.5], [3.5]], ["--decimal ','"]),
        ("x\n1\n2\n", [[1], [2]], []),
        ("a,b\r\n1,2\r\n3,4\r\n\r\n\r\n", [[1, 2], [3, 4]], []),
        ("a,b\r1,2\r3,4\r", [[1, 2], [3, 4]], []),
        ("sep=;\na;b\n1;2\n3;4\n", [[1, 2], [3, 4]], ["--sep ';'"]),
        ("# by hand, in May\n\n#\na,b\n1,2\n# so far\n3,4\n", [[1, 2], [3, 4]], []),
        ("a,b\n1,2\n# so far\n3,4\n", [[1, 2], [3, 4]], []),
        ("# a b\n1.0 2.0\n3.0 4.5\n", [[1, 2], [3, 4.5]], ["--sep 'space' --no-header"]),
        ("#,hp\n1,2\n3,4\n", [[1, 2], [3, 4]], []),
        ("#x\ty\n1\t2\n3\t4\n", [[1, 2], [3, 4]], []),
        ("2019,2020,2021\n5,6,9\n1,9,2\n", [[5, 6, 9], [1, 9, 2]], []),
        ("400.5,401,401.5\n5,6,9\n1,9,2\n", [[5, 6, 9], [1, 9, 2]], []),
        ("1,2,3\n4,5,6\n", [[1, 2, 3], [4, 5, 6]], ["--no-header"]),
        ("1;9;;3;\n4;5;6;9;1\n", [[1, 9, nan, 3, nan], [4, 5, 6, 9, 1]], ["--sep ';' --no-header"]),
        ("r,1,-2\ns,1,2\n", [[1, -2], [1, 2]], ["--no-header", "column number 0 is taken"]),
        ("country,2019,2020\nA,1,2\nB,3,4\n", [[1, 2], [3, 4]], ["column 'country' is taken"]),
        ("a,b,c,\n1,,2,\n3,,4,\n,,,\n", [[1, 2], [3, 4]], ["empty: 'b', 'Unnamed", "empty: 1 row"]),
        ("a,b\nTrue,2\nFalse,3\n,4\n", [[1, 2], [0, 3], [nan, 4]], []),
        ("a,b\n12345678901234567890123,2\n1,3\n", [[12345678901234567890123, 2], [1, 3]], []),
    ],
)
def test_how_a_text_is_written_is_found_out(csv, text, X, notes):
    data = read(csv(text))
    np.testing.assert_array_equal(data.X.to_numpy(dtype=float), np.array(X, dtype=float))
    assert len(data.notes) == len(notes)
    for note, told in zip(data.notes, notes, strict=True):
        assert told in note


@pytest.mark.parametrize(
    ("text", "options", "X"),
    [
        ("a\tb\n1,234\t2\n3,111\t4\n", {"decimal": ","}, [[1.234, 2], [3.111, 4]]),
        ("a\tb\n1,234\t2\n3,111\t4\n", {"decimal": "."}, [[1234, 2], [3111, 4]]),
        ("1,5\n2,5\n", {"decimal": ","}, [[1.5], [2.5]]),
        ("1,5\n2,5\n", {"sep": ";"}, [[1.5], [2.5]]),
        ("1,5\n2,5\n", {"sep": ","}, [[1, 5], [2, 5]]),
        ("1 2\n2 5\n", {"sep": r"\s+"}, [[1, 2], [2, 5]]),
        ("1~2\n2~5\n", {"sep": "~"}, [[1, 2], [2, 5]]),
        ("3,1\n2,5\n", {"header": True}, [[2, 5]]),
        ("2019,2020,2021\n5,6,9\n", {"header": False}, [[2019, 2020, 2021], [5, 6, 9]]),
    ],
)
def test_how_a_text_is_written_may_be_said(csv, text, options, X):
    data = read(csv(text), **options)
    np.testing.assert_array_equal(data.X, X)


def test_a_comma_that_may_be_either_is_asked_for(csv):
    with pytest.raises(ValueError, match=r"cell 1,234 can be 1234 and 1\.234\. Say .* --decimal"):
        read(csv("a\tb\n1,234\t2\n3,111\t4\n"))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a,b\n1,2,3\n4,5,6\n", "line 2 has 3 fields, but the header has 2. .* give these a name"),
        ("a,b\n1,2\n\n4,5,6\n", "line 4 has 3 fields, but the header has 2"),
        ("a,b\n" + "1,2\n" * 999 + "4,5,6\n", "line 1001 has 3 fields, but the header has 2"),
        ("1,2.5\n4,5,6\n", "line 2 has 3 fields, but the first line has 2. Correct the line; or"),
        ("a b\nr1 1 2\nr2 3 4\n", "line 2 has 3 fields, but the header has 2"),
        (",a\n0,1,5\n1,2,3\n", "line 2 has 3 fields, but the header has 2"),
        ("# no\n# no\na;b\n1,5;2;3\n", "line 4 has 3 fields, but the header has 2"),
        ("A title\n\na;b\n1;2\n3;4\n", "line 3 has 2 fields, but the header has 1"),
    ],
)
def test_surplus_fields_are_refused_with_their_line(csv, text, match):
    with pytest.raises(ValueError, match=match):
        read(csv(text))


@pytest.mark.quick
@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"]
)
def test_encodings(csv, encoding):
    data = read(csv("größe;breite\n1,5;2\n3;4\n", encoding))
    pd.testing.assert_frame_equal(data.X, pd.DataFrame({"größe": [1.5, 3], "breite": [2, 4]}))


def test_an_encoding_that_tells_itself_late(csv):
    text = "a,b,c\n" + "1,2,x\n" * 10**6 + "3,4,é\n"
    assert read(csv(text, "latin-1"), drop_non_numeric=True).X.shape == (10**6 + 1, 2)


@pytest.mark.parametrize("name", ["t.tsv", "t.csv.gz", "t.tsv.gz", "t.CSV.GZ"])
def test_other_names_of_texts(tmp_path, name):
    text = b"a\tb\n1\t2\n3\t\n"
    (tmp_path / name).write_bytes(gzip.compress(text) if name.lower().endswith("gz") else text)
    np.testing.assert_array_equal(read(tmp_path / name).X, [[1, 2], [3, nan]])


@pytest.mark.quick
@pytest.mark.parametrize("name", ["t.csv.gz", "t.xlsx", "t.feather", "t.parquet", "t.npy"])
@pytest.mark.parametrize("content", [b"", b"something else", b"\x1f\x8b\x08cut", b"PK\x03\x04cut"])
def test_damaged_files(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name} cannot be read: \w"):
        read(tmp_path / name)


def test_a_cut_gzip_file(tmp_path):
    packed = gzip.compress(("a,b\n" + "1,2\n" * 100).encode())
    (tmp_path / "t.csv.gz").write_bytes(packed[:-20])
    with pytest.raises(ValueError, match="cannot be read: "):
        read(tmp_path / "t.csv.gz")


FRAME = pd.DataFrame(
    {
        "id": ["x1", "x2", "x3"],
        "a": [1.5, None, 3],
        "b": [True, False, True],
        "day": pd.to_datetime(["2020-01-01"] * 3),
        "kind": ["u", "u", "v"],
        "text": ["1.5", "?", "1,234.5"],
    }
)


@pytest.mark.parametrize("suffix", ["feather", "parquet", "xlsx"])
def test_tables_of_mixed_columns(tmp_path, suffix):
    pytest.importorskip("openpyxl" if suffix == "xlsx" else "pyarrow")
    path = tmp_path / f"t.{suffix}"
    if suffix == "xlsx":
        FRAME.to_excel(path, index=False)
    else:
        getattr(FRAME, f"to_{suffix}")(path)

    data = read(path, drop_non_numeric=True)

    assert list(data.X.columns) == ["a", "b", "text"]
    np.testing.assert_array_equal(
        data.X.to_numpy(dtype=float), [[1.5, 1, 1.5], [nan, 0, nan], [3, 1, 1234.5]]
    )
    assert data.notes == (
        "column 'id' is taken for the names of the rows, no feature",
        "left out as not numeric: 'day', 'kind'",
    )
    with pytest.raises(ValueError, match=r"'day' \(2020-01-01 00:00:00 in row 0\), 'kind' \('u'"):
        read(path)


@pytest.mark.parametrize("package", ["pyarrow", "openpyxl"])
def test_an_optional_package_that_is_missing(tmp_path, monkeypatch, package):
    path = tmp_path / {"pyarrow": "t.feather", "openpyxl": "t.xlsx"}[package]
    path.write_bytes(b"")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ValueError, match=rf"needs {package}, .* pip install {package}"):
        read(path)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("cells", "options", "X"),
    [
        ([["a", "b"], [1, 2.5], [3, None]], {}, [[1, 2.5], [3, nan]]),
        ([[1, 2.5], [3, 4]], {}, [[1, 2.5], [3, 4]]),
        ([[2019, 2020, 2021], [5, 6, 9]], {}, [[5, 6, 9]]),
        ([[2019, 2020, 2021], [5, 6, 9]], {"header": False}, [[2019, 2020, 2021], [5, 6, 9]]),
        ([[None, "a", "a"], [0, 1, 2], [1, 3, 4]], {}, [[1, 2], [3, 4]]),
        ([[None, None], ["a", "b"], [1, 2], [None, None], [3, 4]], {}, [[1, 2], [3, 4]]),
    ],
)
def test_sheets(tmp_path, cells, options, X):
    pytest.importorskip("openpyxl")
    pd.DataFrame(cells, dtype=object).to_excel(tmp_path / "t.xlsx", header=False, index=False)
    np.testing.assert_array_equal(read(tmp_path / "t.xlsx", **options).X, X)


def test_an_empty_sheet(tmp_path):
    pytest.importorskip("openpyxl")
    pd.DataFrame().to_excel(tmp_path / "t.xlsx", header=False, index=False)
    with pytest.raises(ValueError, match="its first sheet is empty"):
        read(tmp_path / "t.xlsx")


@pytest.mark.quick
@pytest.mark.parametrize(
    ("column", "cell"),
    [
        (pd.Categorical([1, 2, 2]), "category 1"),
        (pd.to_datetime(["2020-01-01"] * 3), "2020-01-01 00:00:00"),
        (pd.to_timedelta([1, 1, 2], unit="s"), "0 days 00:00:01"),
        (["x", "y", "x"], "'x'"),
        ([b"x", b"y", b"x"], "b'x'"),
    ],
)
def test_columns_of_other_kinds_are_not_numeric(tmp_path, column, cell):
    pytest.importorskip("pyarrow")
    path = tmp_path / "t.feather"  # parquet makes numbers of categories of numbers
    pd.DataFrame({"a": [1, 2, 3], "b": column}).to_feather(path)
    with pytest.raises(ValueError, match=f"'b': its first cell that is no number is {cell} in row"):
        read(path)
    assert list(read(path, drop_non_numeric=True).X.columns) == ["a"]


def test_decimal_and_mixed_objects_are_numbers(tmp_path):
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame(
        {"a": [Decimal("1.5"), None], "b": pd.array([True, None], dtype="boolean")}
    )
    frame.to_parquet(tmp_path / "t.parquet")
    np.testing.assert_array_equal(read(tmp_path / "t.parquet").X, [[1.5, 1], [nan, nan]][:1])


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("id,x\na1,1\na1,2\n", "'a1' in row 0"),
        ("id,x\na1,1\n7,2\n", "'a1' in row 0"),
        ("id,x\n5,1\nn.a.,2\n", "'n.a.' in row 1"),
        ("rate,x\n5 %,1\n6 %,2\n", "'5 %' in row 0"),
        ("price,x\n$5,1\n$6,2\n", r"'\$5' in row 0"),
        ("a;x\n0,5;1.5\n1,5;2.5\n2,5;3.5\n", "'0,5' in row 0"),
        ("a;x;y\n0.5;1,5;1,5\n1.5;2,5;2,5\n2.5;3,5;1,5\n", "'0.5' in row 0"),
    ],
)
def test_a_first_column_that_is_no_index(csv, text, cell):
    with pytest.raises(ValueError, match=f"its first cell that is no number is {cell}"):
        read(csv(text))


def test_only_the_first_column_is_an_index(csv):
    with pytest.raises(ValueError, match="not numeric, 'id'"):
        read(csv("x,id\n1,a1\n2,a2\n"))
    data = read(csv("id,x,name\na1,1,b1\na2,2,b2\n"), drop_non_numeric=True)
    assert list(data.X.columns) == ["x"]


def test_nothing_numeric_is_left(csv):
    with pytest.raises(ValueError, match="has no numeric column"):
        read(csv("a,b\nx,y\nz,y\n"), drop_non_numeric=True)


def test_columns_without_names_are_told_by_their_place_in_the_file(csv):
    data = read(csv("5.1,Iris-a,1e9\n4.9,Iris-a,2\n"), drop_non_numeric=True)
    assert data.notes == ("read with --no-header", "left out as not numeric: number 1")
    assert dominant_column(data.X)[0] == "number 2"


@pytest.mark.parametrize(
    ("name", "options", "match"),
    [
        ("digits", {"sep": ";"}, "--sep cannot be said of digits"),
        ("t.npy", {"sep": ";", "decimal": ","}, "--sep and --decimal cannot be said of .*t.npy"),
        ("t.xlsx", {"decimal": ","}, "--decimal cannot be said of .*t.xlsx"),
        ("t.parquet", {"header": False}, "--no-header cannot be said of .*t.parquet"),
    ],
)
def test_options_of_other_files(tmp_path, name, options, match):
    if "." in name:
        name = tmp_path / name
        name.write_bytes(b"")
    with pytest.raises(ValueError, match=match):
        read(name, **options)


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
@pytest.mark.parametrize("shape", [(10**14, 1), (10**10, 3), (3, 2)])
def test_a_header_of_more_cells_than_there_are(tmp_path, version, shape):
    with (tmp_path / "t.npy").open("wb") as file:
        header = {"descr": "<f8", "fortran_order": False, "shape": shape}
        {
            (1, 0): np.lib.format.write_array_header_1_0,
            (2, 0): np.lib.format.write_array_header_2_0,
        }[version](file, header)
        file.write(bytes(40))
    began = time.perf_counter()
    with pytest.raises(ValueError, match=r"an array of shape .* bytes, but only 40 follow"):
        read(tmp_path / "t.npy")
    assert time.perf_counter() - began < 5


LIMITED = """
import sys, time
import pandas
from sk_autoencoder._cli.reading import find_data, read_data
began = time.perf_counter()
try:
    read_data(find_data(sys.argv[1]))
except ValueError as error:
    print(error)
seconds = time.perf_counter() - began
# Not getrusage, which counts the process that this one was started from.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(seconds, int(peak.split()[1]) / 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is not told there")
@pytest.mark.parametrize(
    ("line", "match"),
    [
        (",".join(["1"] * 2_000_000), "has 2000000 columns; at most 100000 are read"),
        (",".join(f"x{i}" for i in range(2_000_000)), "line is longer than 4 MiB"),
        ("\t".join(["1"] * 2_000_000), "has 2000000 columns"),
        ("1;" * 2_000_000, "has 2000001 columns"),
    ],
)
def test_two_million_columns_are_refused_at_once(csv, line, match):
    path = csv(f"{line}\n" * 2)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, path], capture_output=True, text=True, timeout=120
    )
    message, figures = done.stdout.splitlines()
    assert match in message
    seconds, mebibytes = map(float, figures.split())
    assert seconds < 10
    assert mebibytes < 1000


def test_many_columns_are_read_in_some_seconds(csv):
    n = 30_000
    line = ",".join(["1.5"] * n)
    began = time.perf_counter()
    assert read(csv(",".join(f"x{i}" for i in range(n)) + f"\n{line}\n{line}\n")).X.shape == (2, n)
    assert time.perf_counter() - began < 30


def random_table(rng, header):
    """Columns of numbers of several kinds, with missing cells, beside columns of texts."""
    n_rows, n_columns = rng.integers(3, 40), rng.integers(2, 7)
    kinds = (
        lambda: rng.integers(0, 100, n_rows),
        lambda: rng.standard_normal(n_rows),
        lambda: rng.uniform(0, 100, n_rows).round(3),
        lambda: rng.integers(10**6, 10**9, n_rows),
        lambda: rng.standard_normal(n_rows) * 10.0 ** rng.integers(-20, 20, n_rows),
        lambda: -rng.integers(1, 10, n_rows) / 2,
    )
    X = pd.DataFrame({f"größe {i}": kinds[rng.integers(6)]() for i in range(n_columns)})
    if rng.integers(2):
        X = X.astype(float).where(rng.uniform(size=X.shape) > 0.2)
    X = X.loc[X.notna().any(axis=1), X.notna().any()]
    texts = ["red", "blue, dark", "a;b", "x y", "1. of May, 3 o'clock"] if header else ["u", "v"]
    table = X.copy()
    for i in range(rng.integers(3 if header else 1)):
        place = rng.integers(0, table.shape[1] + 1)
        table.insert(int(place), f"t{i}", rng.choice(texts, len(table)))
    return X, table


@pytest.mark.parametrize("header", [True, False])
def test_what_pandas_writes_is_read_as_it_was(tmp_path, header):
    rng = np.random.default_rng(0)
    path = tmp_path / "t.csv"
    for _ in range(100):
        X, table = random_table(rng, header)
        sep = str(rng.choice([",", ";", "\t", "|"]))
        table.to_csv(
            path,
            sep=sep,
            decimal="," if sep != "," and rng.integers(2) else ".",
            encoding=str(rng.choice(["utf-8", "latin-1", "utf-16", "utf-8-sig"])),
            index=header and bool(rng.integers(2)),
            header=header,
            lineterminator=str(rng.choice(["\n", "\r\n"])),
            na_rep=str(rng.choice(["", "NA", "?"])),
        )
        read_back = read(path, drop_non_numeric=True).X
        np.testing.assert_allclose(
            read_back.to_numpy(float),
            X.to_numpy(float),
            rtol=1e-12,
            err_msg=path.read_bytes()[:200],
        )
        assert not header or list(read_back.columns) == list(X.columns)
