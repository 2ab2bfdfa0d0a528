"""Tables that are read a block at a time: what is taken for one, and what is refused."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet
import pytest
import zarr
from dask import array as da
from dask import dataframe as dd

from sk_autoencoder import Source
from sk_autoencoder._sources import table as tables
from sk_autoencoder._sources.find import find_source
from sk_autoencoder._sources.shuffling import shuffled
from sk_autoencoder._sources.table import Table

NAMES = [f"f{i}" for i in range(7)]


class Sines:
    """A source of a user's own, with nothing but what the protocol asks for."""

    n_rows, n_features = 10_007, 7

    def read(self, rows):
        return np.sin(np.arange(rows.start, rows.stop)[:, None] * np.arange(1.0, 8.0))


class Again:
    """Blocks that can be gone through again."""

    def __init__(self, blocks):
        self.blocks = blocks

    def __iter__(self):
        return iter(self.blocks)


def write_parquet(folder, X):
    folder.mkdir()
    for i, part in enumerate(np.array_split(X, 2)):
        frame = pa.table({name: part[:, j] for j, name in enumerate(NAMES)})
        pa.parquet.write_table(frame, folder / f"{i}.parquet", row_group_size=1300)
    return folder


def written(folder, X, kind):
    """Write X in some way, and return what is passed for it."""
    blocks = [X[i : i + 777] for i in range(0, len(X), 777)]
    if kind == "npy":
        np.save(folder / "X.npy", X)
        return folder / "X.npy"
    if kind == "mapped":
        np.save(folder / "X.npy", X)
        return np.load(folder / "X.npy", mmap_mode="r")
    if kind == "zarr":
        zarr.create_array(folder / "X.zarr", data=X, chunks=(900, 7))
        return str(folder / "X.zarr")
    if kind == "parquet":
        return write_parquet(folder / "X", X)
    if kind == "dataset":
        return pa.dataset.dataset(write_parquet(folder / "X", X), format="parquet")
    frame = pd.DataFrame(X, columns=NAMES)
    return {
        "dask": lambda: da.from_array(X, chunks=(1100, 7)),
        "dask frame": lambda: dd.from_pandas(frame, npartitions=4),
        "list": lambda: blocks,
        "iterable": lambda: Again(blocks),
    }[kind]()


KINDS = [
    *("npy", "mapped", "zarr", "parquet", "dataset"),
    *("dask", "dask frame", "list", "iterable"),
]


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(10_007, 7)).astype(np.float32)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(tables, "PIECE_BYTES", 2**14)
    monkeypatch.setattr("sk_autoencoder._sources.find.IN_MEMORY_BYTES", 0)
    monkeypatch.setattr("sk_autoencoder._sources.shuffling.BUFFER_BYTES", 2**16)


@pytest.mark.quick
@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_those_of_the_array(tmp_path, X, kind):
    table = Table.of(find_source(written(tmp_path, X, kind)))
    assert (table.shape, table.dtype) == (X.shape, X.dtype)
    np.testing.assert_array_equal(table.whole(), X)
    named = kind in ("parquet", "dataset", "dask frame")
    assert getattr(table.source, "feature_names", None) == (NAMES if named else None)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_may_be_left_out_and_shared(tmp_path, X, kind):
    table = Table.of(find_source(written(tmp_path, X, kind)))
    left_out = np.sort(np.random.default_rng(1).choice(len(X), 500, replace=False))
    rest, expected = table.without(left_out), np.delete(X, left_out, axis=0)
    slices = [rest[i : i + 333] for i in range(0, len(rest), 333)]
    np.testing.assert_array_equal(np.concatenate(slices), expected)
    for start, stop in ((5000, 5100), (100, 4000), (9000, 9507), (0, 3)):
        np.testing.assert_array_equal(rest[range(start, stop)], expected[start:stop])
    shares = [rest.share(rank, 3)[:] for rank in range(3)]
    np.testing.assert_array_equal(np.concatenate(shares), expected)
    fewer = rest.without(np.array([3, 7, 5000]))
    np.testing.assert_array_equal(fewer.whole(), np.delete(expected, [3, 7, 5000], axis=0))
    rest.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sizes", [[128] * 78 + [23], [5000, 5007]])
def test_each_row_comes_once_in_a_pass_in_a_new_order(tmp_path, X, kind, sizes):
    table, rng = Table.of(find_source(written(tmp_path, X, kind))), np.random.RandomState(0)
    passes = [[*shuffled(table, rng, np.array(sizes))] for _ in range(2)]
    for batches in passes:
        assert [len(batch) for batch in batches] == sizes
        rows = np.concatenate(batches)
        np.testing.assert_array_equal(rows[np.lexsort(rows.T)], X[np.lexsort(X.T)])
    assert not np.array_equal(np.concatenate(passes[0]), np.concatenate(passes[1]))
    in_order = np.concatenate([*shuffled(table, None, np.array(sizes))])
    np.testing.assert_array_equal(in_order, X)


def test_parts_of_a_table_are_shuffled_and_rows_within_the_buffer(X, tmp_path):
    table = Table.of(find_source(written(tmp_path, X, "npy")))
    rows = np.concatenate([*shuffled(table, np.random.RandomState(0), np.array([len(X)]))])
    places = pd.Series(np.arange(len(X)), index=X[:, 0])[rows[:, 0]].to_numpy()
    steps = np.abs(np.diff(places))
    assert np.median(steps) > len(X) / 20  # neighbours come from all over the table


def test_a_source_of_ones_own_needs_three_names():
    assert isinstance(Sines(), Source)
    table = Table.of(find_source(Sines()))
    assert table.dtype == np.float64
    np.testing.assert_array_equal(table[5:9], Sines().read(slice(5, 9)))


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int64", "bool", "float16"])
def test_numbers_of_other_dtypes_become_float64(tmp_path, dtype):
    X = np.random.default_rng(0).integers(0, 2, size=(50, 3)).astype(dtype)
    np.save(tmp_path / "X.npy", X)
    table = Table.of(find_source(tmp_path / "X.npy"))
    assert table.whole().dtype == np.float64
    np.testing.assert_array_equal(table.whole(), X)


def test_columns_of_parquet_may_be_of_several_types(tmp_path):
    frame = pd.DataFrame({"a": [1, 2, 3], "b": [0.5, 1.5, 2.5], "c": [True, False, True]})
    frame.to_parquet(tmp_path / "X.parquet")
    table = Table.of(find_source(tmp_path / "X.parquet"))
    np.testing.assert_array_equal(table.whole(), frame.to_numpy(dtype=float))


def test_a_small_map_is_an_array_in_memory(tmp_path, X, monkeypatch):
    monkeypatch.setattr("sk_autoencoder._sources.find.IN_MEMORY_BYTES", 2**28)
    assert find_source(written(tmp_path, X, "mapped")) is None


@pytest.mark.parametrize(
    "X",
    [
        [[1.0, 2.0], [3.0, 4.0]],
        np.zeros((3, 2)),
        pd.DataFrame(np.zeros((3, 2))),
        "table.csv",
        (row for row in np.zeros((3, 2))),
        {1.0, 2.0},
        {"a": [1.0]},
        None,
        3.0,
    ],
    ids=lambda X: type(X).__name__,
)
def test_what_else_is_passed_is_no_source(X):
    assert find_source(X) is None


def cut_short(folder, X):
    np.save(folder / "X.npy", X)
    content = (folder / "X.npy").read_bytes()
    (folder / "X.npy").write_bytes(content[:-100])
    return folder / "X.npy"


def by_columns(folder, X):
    np.save(folder / "X.npy", np.asfortranarray(X))
    return folder / "X.npy"


def no_npy(folder, X):
    (folder / "X.npy").write_bytes(b"no array at all")
    return folder / "X.npy"


def objects(folder, X):
    np.save(folder / "X.npy", np.full((3, 2), None))
    return folder / "X.npy"


def other_columns(folder, X):
    write_parquet(folder / "X", X)
    pd.DataFrame({"f0": [1.0]}).to_parquet(folder / "X" / "2.parquet")
    return folder / "X"


def words(folder, X):
    pd.DataFrame({"a": [1.0], "b": ["word"]}).to_parquet(folder / "X.parquet")
    return folder / "X.parquet"


def damaged(folder, X):
    write_parquet(folder / "X", X)
    path = folder / "X" / "1.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    return folder / "X"


def empty_folder(folder, X):
    (folder / "X").mkdir()
    return folder / "X"


REFUSED = {
    "a file cut short": (cut_short, "cut short: it has 10003 whole rows of 10007"),
    "a file by columns": (by_columns, "column by column.*ascontiguousarray"),
    "another file": (no_npy, "no array of NumPy"),
    "objects": (objects, "holds objects"),
    "one dimension": (lambda f, X: written(f, X[:, 0], "npy"), r"shape \(10007,\)"),
    "a file that is not there": (lambda f, X: f / "X.npy", "is not there"),
    "other columns": (other_columns, "2.parquet' has the columns f0.*0.parquet' has f0"),
    "a column of words": (words, "column 'b' holds .*string"),
    "damaged Parquet": (damaged, "cannot be read as Parquet"),
    "an empty folder": (empty_folder, "holds no Parquet file"),
    "other widths": (lambda f, X: [X, X[:, :3]], "Block 1 has 3 columns.*have 7"),
    "other widths again": (lambda f, X: Again([X, X[:, :3]]), "Block 1 has 3 columns.*have 7"),
    "other dtypes": (lambda f, X: [X, X, X.astype(float)], "Block 2 is of dtype float64"),
    "blocks of one dimension": (lambda f, X: Again([X, X[0]]), r"Block 1 has the shape \(7,\)"),
    "no blocks": (lambda f, X: Again([]), "yielded no rows"),
    "three dimensions": (lambda f, X: da.zeros((3, 4, 5)), "3 dimensions"),
    "unknown chunks": (
        lambda f, X: da.from_array(X)[da.from_array(X)[:, 0] > 0],
        "compute_chunk_sizes",
    ),
    "words in a file": (lambda f, X: [np.full((3, 2), "x")], "dtype <U1.*real numbers"),
    "complex": (lambda f, X: [X * 1j], "dtype complex64.*real numbers"),
}


@pytest.mark.parametrize(("make", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_table_is_refused_with_the_reason(tmp_path, X, make, message):
    with pytest.raises((ValueError, OSError), match=f"(?s){message}"):
        Table.of(find_source(make(tmp_path, X)))


class Failing(Sines):
    """A source that goes wrong from a row on."""

    def __init__(self, spoil):
        self.spoil = spoil

    def read(self, rows):
        found = super().read(rows)
        return self.spoil(found) if rows.stop > 5000 else found


def spoilt(value):
    def spoil(rows):
        rows[7, 2] = value
        return rows

    return spoil


def raising(rows):
    raise OSError("the disk is gone")


AT_READING = {
    "a missing cell": (spoilt(np.nan), r"Rows \d+ to \d+ of X have missing cells.*in row \d+"),
    "an infinite cell": (spoilt(np.inf), r"Rows \d+ to \d+ of X have infinite cells"),
    "another width": (lambda rows: rows[:, :3], r"Rows \d+ to \d+ of X are of shape \(\d+, 3\)"),
    "fewer rows": (lambda rows: rows[:-1], r"Rows \d+ to \d+ of X are of shape"),
    "another dtype": (lambda rows: rows.astype(np.float32), r"Rows \d+ to \d+ .*dtype float32"),
    "an error": (raising, r"Rows \d+ to \d+ of X cannot be read: the disk is gone"),
}


@pytest.mark.parametrize(("spoil", "message"), AT_READING.values(), ids=AT_READING)
def test_a_block_that_is_wrong_is_named(spoil, message):
    table = Table.of(find_source(Failing(spoil)))
    with pytest.raises(ValueError, match=message):
        table.whole()


def test_the_number_of_the_block_is_told(X):
    blocks = [X[:100].copy(), X[100:150].copy(), X[150:200].copy()]
    blocks[2][3, 1] = np.nan
    with pytest.raises(ValueError, match=r"Rows 150 to 199 \(block 2\).*first of them in row 153"):
        Table.of(find_source(blocks)).whole()


def test_a_file_that_is_cut_while_it_is_read_is_told(tmp_path, X):
    table = Table.of(find_source(written(tmp_path, X, "npy")))
    (tmp_path / "X.npy").write_bytes((tmp_path / "X.npy").read_bytes()[:5000])
    with pytest.raises(ValueError, match="cut short since it was opened"):
        table.whole()


def test_a_pass_that_is_left_ends_its_thread(tmp_path, X):
    import threading

    before = threading.active_count()
    for _ in range(5):
        table = Table.of(find_source(written(tmp_path, X, "npy")))
        next(table.scan())
        table[10:20]
        table.close()
    assert threading.active_count() <= before + 1
