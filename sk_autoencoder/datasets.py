"""Data sets of the examples and of the command line."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
from sklearn.datasets import fetch_openml

# A folder with the four files of the data set, where Debian's package dataset-fashion-mnist
# puts them unless the environment says otherwise.
LOCAL_FASHION_MNIST = Path(
    os.environ.get("SK_AUTOENCODER_FASHION_MNIST", "/usr/share/datasets/fashion-mnist")
)

N_TRAIN = 60_000


def load_fashion_mnist(subset: str = "train") -> tuple[np.ndarray, np.ndarray]:
    """Load Fashion-MNIST, from Debian's package where it is installed, else from OpenML.

    Files in another folder are read where the environment variable
    `SK_AUTOENCODER_FASHION_MNIST` names it.

    70,000 images of clothing of 28 x 28 pixels in ten classes (Xiao et al., 2017), under
    the MIT licence.

    Parameters
    ----------
    subset : {"train", "test"}, default="train"
        The first 60,000 or the last 10,000 images.

    Returns
    -------
    X : ndarray of shape (n_samples, 784)
        Pixels from 0 to 1, float32.
    y : ndarray of shape (n_samples,)
        Classes from 0 to 9, int64.

    Examples
    --------
    >>> from sk_autoencoder.datasets import load_fashion_mnist
    >>> X, y = load_fashion_mnist("test")
    >>> X.shape
    (10000, 784)
    """
    if subset not in ("train", "test"):
        raise ValueError(f"subset={subset!r} is unknown. Use 'train' or 'test'.")
    if LOCAL_FASHION_MNIST.is_dir():
        X, y = _read_local(subset)
    else:
        X, y = fetch_openml("Fashion-MNIST", version=1, return_X_y=True, as_frame=False)
        part = slice(N_TRAIN) if subset == "train" else slice(N_TRAIN, None)
        X, y = X[part], y[part]
    return X.astype(np.float32) / np.float32(255), y.astype(np.int64)


def _read_local(subset: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images as rows of bytes and their classes, from the IDX files."""
    stem = LOCAL_FASHION_MNIST / ("train" if subset == "train" else "t10k")
    y = _read_idx(Path(f"{stem}-labels-idx1-ubyte.gz"))
    return _read_idx(Path(f"{stem}-images-idx3-ubyte.gz")).reshape(len(y), -1), y


def _read_idx(path: Path) -> np.ndarray:
    """Return the array of bytes of an IDX file, whose fourth byte is the number of dimensions."""
    content = gzip.decompress(path.read_bytes())
    n_dimensions = content[3]
    shape = np.frombuffer(content, dtype=">i4", count=n_dimensions, offset=4)
    return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * n_dimensions).reshape(shape)
