"""load_fashion_mnist, from files in the format that it is published in and from OpenML."""

import gzip
import struct

import numpy as np
import pytest

from sk_autoencoder import datasets

pytestmark = pytest.mark.quick

IMAGES = {
    "train": np.arange(3 * 784).reshape(3, 28, 28) % 256,
    "t10k": 255 - np.arange(2 * 784).reshape(2, 28, 28) % 256,
}
LABELS = {"train": np.array([9, 0, 4]), "t10k": np.array([7, 1])}


def write_idx(path, array):
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}i", *array.shape)
    path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes()))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for part in ("train", "t10k"):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte.gz", IMAGES[part])
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte.gz", LABELS[part])
    monkeypatch.setattr(datasets, "LOCAL_FASHION_MNIST", tmp_path)
    monkeypatch.setattr(datasets, "fetch_openml", None)
    return tmp_path


@pytest.mark.parametrize(("subset", "part"), [("train", "train"), ("test", "t10k")])
def test_local_files(folder, subset, part):
    X, y = datasets.load_fashion_mnist(subset)

    assert X.dtype == np.float32
    assert y.dtype == np.int64
    np.testing.assert_allclose(X, IMAGES[part].reshape(-1, 784) / 255, rtol=1e-6)
    np.testing.assert_array_equal(y, LABELS[part])


@pytest.mark.parametrize(("subset", "expected"), [("train", [0, 1, 2]), ("test", [3, 4])])
def test_openml_where_there_are_no_local_files(tmp_path, monkeypatch, subset, expected):
    def fetch(name, *, version, return_X_y, as_frame):
        assert (name, version, return_X_y, as_frame) == ("Fashion-MNIST", 1, True, False)
        return np.arange(5)[:, None] * np.full(784, 51), np.array(list("01234"))

    monkeypatch.setattr(datasets, "LOCAL_FASHION_MNIST", tmp_path / "none")
    monkeypatch.setattr(datasets, "fetch_openml", fetch)
    monkeypatch.setattr(datasets, "N_TRAIN", 3)

    X, y = datasets.load_fashion_mnist(subset)

    assert X.dtype == np.float32
    assert y.dtype == np.int64
    np.testing.assert_allclose(X[:, 0], np.array(expected) / 5, rtol=1e-6)
    np.testing.assert_array_equal(y, expected)


def test_unknown_subset():
    with pytest.raises(ValueError, match=r"subset='all' is unknown\. Use 'train' or 'test'"):
        datasets.load_fashion_mnist("all")
