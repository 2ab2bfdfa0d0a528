"""The tables to fit, and the network, batch size and epochs of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from sklearn.datasets import load_digits

from sk_autoencoder.datasets import load_fashion_mnist

BLOCK_ROWS = 10_000


@dataclass(frozen=True)
class Case:
    """A table, the textbook network for it, and how long to train.

    `bars` holds, for a rival, the largest ratio of the time of our fit to that of the rival's.
    """

    name: str
    load: Callable[[], np.ndarray]
    n_features: int
    hidden: tuple[int, ...]
    code: int
    batch_size: int
    epochs: int
    bars: dict[str, float]

    @property
    def widths(self) -> list[int]:
        """Widths from the input to the code and back."""
        half = [self.n_features, *self.hidden, self.code]
        return half + half[-2::-1]

    @property
    def n_weights(self) -> int:
        """Number of weights of the matrices, without biases."""
        return sum(n_in * n_out for n_in, n_out in pairwise(self.widths))


def curved_surface(n_rows: int, n_features: int) -> np.ndarray:
    """Rows near a curved surface of four dimensions, with noise; float32, always the same."""
    rng = np.random.default_rng(0)
    bend = rng.standard_normal((4, 16), dtype=np.float32)
    spread = rng.standard_normal((16, n_features), dtype=np.float32) / 4
    X = np.empty((n_rows, n_features), dtype=np.float32)
    # In blocks, so that a large table takes no more memory than itself.
    for start in range(0, n_rows, BLOCK_ROWS):
        block = X[start : start + BLOCK_ROWS]
        position = rng.standard_normal((len(block), 4), dtype=np.float32)
        noise = rng.standard_normal(block.shape, dtype=np.float32) / 20
        block[:] = np.sin(position @ bend) @ spread + noise
    return X


def digits() -> np.ndarray:
    """Digits of scikit-learn, with pixels from 0 to 1."""
    return (load_digits().data / 16).astype(np.float32)


def fashion_mnist() -> np.ndarray:
    return load_fashion_mnist("train")[0]


def _by_name(*cases: Case) -> dict[str, Case]:
    return {case.name: case for case in cases}


CASES = _by_name(
    Case(
        "1000x20",
        lambda: curved_surface(1000, 20),
        n_features=20,
        hidden=(32, 16),
        code=4,
        batch_size=64,
        epochs=20,
        bars={},
    ),
    Case(
        "digits",
        digits,
        n_features=64,
        hidden=(64, 32),
        code=8,
        batch_size=64,
        epochs=20,
        bars={"dataloader": 0.65, "skorch": 0.45, "mlp": 0.9},
    ),
    Case(
        "fashion-mnist",
        fashion_mnist,
        n_features=784,
        hidden=(512, 256, 128),
        code=32,
        batch_size=128,
        epochs=5,
        bars={"dataloader": 1.0, "skorch": 0.6, "mlp": 0.9},
    ),
    Case(
        "1000000x50",
        lambda: curved_surface(1_000_000, 50),
        n_features=50,
        hidden=(64, 32),
        code=8,
        batch_size=256,
        epochs=1,
        bars={"dataloader": 0.6},
    ),
)
