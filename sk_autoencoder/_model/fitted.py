"""Codes, reconstructions and their errors: batches of rows in, bounded memory, no autograd."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from sk_autoencoder._nn.bottlenecks import first
from sk_autoencoder._nn.frames import Coordinates, as_tensor
from sk_autoencoder._nn.whitening import Whitening
from sk_autoencoder._training.batches import as_dense, rows_a_block
from sk_autoencoder._utils.sizes import check_result


@dataclass(frozen=True)
class Network:
    """A trained module between the frames of its input and of its output.

    Parameters
    ----------
    coordinates, output : Coordinates
        Lead from X to the module's input, and from its output to X or to what `activation`
        takes.
    module : torch.nn.Module
        Has `encode` and `decode`.
    width : int
        Width of the module's code.
    n_components : int
        How many of these, from the first on, are the code that is given.
    gaps : bool
        Whether rows may have gaps.
    activation : callable or None
        Behind the output.
    whitening : Whitening or None
        Behind the code.
    """

    coordinates: Coordinates
    output: Coordinates
    module: Any
    width: int
    n_components: int
    gaps: bool = False
    activation: Callable[[Tensor], Tensor] | None = None
    whitening: Whitening | None = None

    @torch.inference_mode()
    def encode(self, X) -> np.ndarray:
        """Codes of the rows of X, in its units, of shape (n_samples, n_components)."""
        codes = _by_blocks(self._encode, X, self.coordinates.n_features, self.n_components)
        check_result(codes, X, "codes", self.coordinates.scale)
        return codes

    def _encode(self, block) -> np.ndarray:
        z = self.module.encode(self.read(block)) * self.coordinates.scale
        z = z if self.whitening is None else self.whitening(z)
        return z[:, : self.n_components].contiguous().cpu().numpy()

    def read(self, block) -> Tensor:
        """Coordinates of rows of X."""
        if self.gaps or sparse.issparse(block):
            return self.coordinates.read(block)
        return self.coordinates(as_tensor(block, self.coordinates.mean.device))

    @torch.inference_mode()
    def decode(self, Z: np.ndarray) -> np.ndarray:
        """Rows of X with the codes Z, or with their beginnings."""
        x = _by_blocks(self._decode, Z, self.output.n_features, self.output.n_features)
        check_result(x, Z, "reconstructions", self.coordinates.scale)
        return x

    def _decode(self, block: np.ndarray) -> np.ndarray:
        z = as_tensor(block, self.coordinates.mean.device)
        z = z if self.whitening is None else self.whitening.inverse(z)
        if z.shape[1] < self.width:
            z = torch.nn.functional.pad(z, (0, self.width - z.shape[1]))
        return self.rows_of(z / self.coordinates.scale).cpu().numpy()

    def rows_of(self, z: Tensor) -> Tensor:
        """Rows of X that the module decodes codes to."""
        x = self.output.inverse(self.module.decode(z))
        return x if self.activation is None else self.activation(x)

    @torch.inference_mode()
    def reconstruct(self, X) -> np.ndarray:
        """Reconstructions of the rows of X, of their shape."""
        out = np.empty(X.shape, dtype=X.dtype)
        for rows, block in self.reconstructions(X):
            out[rows] = block
        return out

    @torch.inference_mode()
    def reconstructions(self, X) -> Iterator[tuple[slice, np.ndarray]]:
        """Give slices of X and their reconstructions."""
        for rows in _blocks(X, self.coordinates.n_features):
            z = self.module.encode(self.read(X[rows]))
            if self.n_components < self.width:
                z = first(z, self.n_components)
            x = self.rows_of(z).cpu().numpy()
            check_result(x, X[rows], "reconstructions", self.coordinates.scale)
            yield rows, x

    def squared_error(self, X) -> np.ndarray:
        """Squared error of each cell of X, float64; NaN where X has gaps."""
        out = np.empty(X.shape)
        for rows, error in self.squared_errors(X):
            out[rows] = error
        return out

    def mean_squared_error(self, X) -> np.ndarray:
        """Mean squared error of the known cells of each row of X, float64; 0 without any."""
        out = np.empty(X.shape[0])
        for rows, error in self.squared_errors(X):
            known = np.maximum((~np.isnan(error)).sum(axis=1), 1)
            out[rows] = np.nansum(error, axis=1) / known
        return out

    def squared_errors(self, X) -> Iterator[tuple[slice, np.ndarray]]:
        """Give slices of X and the squared error of their cells."""
        for rows, block in self.reconstructions(X):
            x = as_dense(X[rows])
            with np.errstate(over="ignore"):
                error = np.square(block - x, dtype=np.float64)
            check_result(np.where(np.isnan(x), 0.0, error), x, "errors", self.coordinates.scale)
            yield rows, error

    def local_linear_map(self, row: np.ndarray) -> np.ndarray:
        """Give the derivative of the reconstruction by each component, at the code of a row."""
        z = first(self.module.encode(self.read(row[None])).detach(), self.n_components)
        # One copy of the code a component, all in one batch. Gradients give vᵀJ, and their own
        # gradient by v gives columns of J: two steps back, however many features there are.
        codes = z.repeat(self.width, 1).requires_grad_()
        x = self.rows_of(codes)  # (width, n_features)
        v = torch.zeros_like(x, requires_grad=True)
        (products,) = torch.autograd.grad(x, codes, v, create_graph=True)
        (columns,) = torch.autograd.grad(products.diagonal().sum(), v)
        return columns[: self.n_components].cpu().numpy() / self.coordinates.scale


def _by_blocks(function, X, n_features: int, width: int) -> np.ndarray:
    """Results of a function of a few rows, for all rows of X; a single block's as they are."""
    if X.shape[0] <= rows_a_block(n_features):
        return function(X)
    out = np.empty((X.shape[0], width), dtype=X.dtype)
    for rows in _blocks(X, n_features):
        out[rows] = function(X[rows])
    return out


def _blocks(X, n_features: int) -> Iterator[slice]:
    """Give slices of a few rows; for a single row in less time than it takes to encode it."""
    n_rows, size = X.shape[0], rows_a_block(n_features)
    return (slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size))
