"""Codes, reconstructions and their errors: batches of rows in, bounded memory, no autograd."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from sklearn.utils import gen_batches

from sk_autoencoder._batches import BLOCK_ROWS, as_tensor
from sk_autoencoder._coordinates import Coordinates


class Autoencoder(Protocol):
    """What a module has to offer."""

    def encode(self, x: torch.Tensor) -> torch.Tensor: ...

    def decode(self, z: torch.Tensor) -> torch.Tensor: ...


def encode(coordinates: Coordinates, module: Autoencoder, X: np.ndarray, n_components: int):
    """Codes of the rows of X, in its units, of shape (n_samples, n_components)."""
    return _map_batches(
        lambda x: module.encode(coordinates(x)) * coordinates.scale, coordinates, X, n_components
    )


def decode(coordinates: Coordinates, module: Autoencoder, Z: np.ndarray):
    """Rows of X with the codes Z, of shape (n_samples, n_features)."""
    return _map_batches(
        lambda z: coordinates.inverse(module.decode(z / coordinates.scale)),
        coordinates,
        Z,
        coordinates.n_features,
    )


def reconstruct(coordinates: Coordinates, module: Autoencoder, X: np.ndarray):
    """Reconstructions of the rows of X, of their shape."""

    def round_trip(x):
        return coordinates.inverse(module.decode(module.encode(coordinates(x))))

    return _map_batches(round_trip, coordinates, X, coordinates.n_features)


def squared_error(coordinates: Coordinates, module: Autoencoder, X: np.ndarray):
    """Squared error of each cell of X, float64."""
    return np.square(reconstruct(coordinates, module, X) - X, dtype=np.float64)


def mean_squared_error(coordinates: Coordinates, module: Autoencoder, X: np.ndarray):
    """Mean squared error of each row of X, float64, one block of rows at a time."""
    blocks = gen_batches(len(X), BLOCK_ROWS)
    return np.concatenate(
        [squared_error(coordinates, module, X[rows]).mean(axis=1) for rows in blocks]
    )


@torch.inference_mode()
def _map_batches(
    function: Callable[[torch.Tensor], torch.Tensor],
    coordinates: Coordinates,
    X: np.ndarray,
    n_columns: int,
) -> np.ndarray:
    """Apply a function of a batch of rows to all rows of X."""
    device = coordinates.mean.device
    out = np.empty((len(X), n_columns), dtype=X.dtype)
    for rows in gen_batches(len(X), BLOCK_ROWS):
        out[rows] = function(as_tensor(X[rows], device)).cpu().numpy()
    return out
