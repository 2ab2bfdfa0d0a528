"""The fitted autoencoder: what stays of a training, and works by itself."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from sk_autoencoder._nn.bottlenecks import first
from sk_autoencoder._nn.frames import Frame, as_tensor, torch_dtype
from sk_autoencoder._nn.losses import Loss, find_loss
from sk_autoencoder._nn.stack import StackedAutoencoder
from sk_autoencoder._nn.whitening import Unwhitened, Whitening
from sk_autoencoder._utils.blocks import as_dense, batches, rows_a_block
from sk_autoencoder._utils.pickling import Portable
from sk_autoencoder._utils.random import check_random_source
from sk_autoencoder._utils.sizes import check_result, has_finite_sum
from sk_autoencoder._utils.threads import enough_threads


@dataclass(frozen=True, eq=False, repr=False)
class FittedAutoencoder(Portable):
    """A trained autoencoder: NumPy arrays in, NumPy arrays out.

    It is never changed: a fit makes a new one. It needs no estimator, and several threads may use
    it at the same time. Rows in float32 are computed in float32 and all others in float64; what
    the other of the two needs is made once, when it is first asked for.

    Parameters
    ----------
    frame, output : Frame
        Lead from X to the module's input, and from its output to what the link of `loss` takes.
    module : torch.nn.Module
        Has the methods `encode` and `decode`.
    bottleneck : torch.nn.Module
        What codes go through in training.
    loss : str or callable
        The loss of the training, whose link stands behind the output.
    n_components : int
        How many components of the module's code, from the first on, are the code.
    mean : ndarray of shape (n_features,)
        Mean of the training rows, float64.
    whitening : Whitening or Unwhitened
        What stands behind the code.
    sampler : CodeMixture, Prior or None
        What new codes are drawn from, before whitening.
    scorer : callable or None
        Returns the scores of rows; None takes minus the mean squared error.
    """

    frame: Frame
    output: Frame
    module: Any
    bottleneck: Any
    loss: Any
    n_components: int
    mean: np.ndarray
    whitening: Whitening | Unwhitened = field(default_factory=Unwhitened)
    sampler: Any = None
    scorer: Any = None
    _twins: dict = field(default_factory=dict)

    def __repr__(self) -> str:
        widths = f"n_features={self.n_features}, n_components={self.n_components}"
        return f"{type(self).__name__}({widths}, dtype={self.dtype})"

    def __getstate__(self) -> dict:
        return {f: value for f, value in vars(self).items() if f in self.__dataclass_fields__} | {
            "_twins": {}
        }

    @property
    def n_features(self) -> int:
        """Width of the rows."""
        return self.frame.n_features

    @property
    def width(self) -> int:
        """Width of the module's code, of which `n_components` are the code."""
        return self.bottleneck.width

    @property
    def dtype(self) -> np.dtype:
        """Floating dtype of the training rows."""
        return np.dtype(np.float32 if self.frame.dtype == torch.float32 else np.float64)

    @property
    def takes_beginnings(self) -> bool:
        """Whether the beginning of a code is a code too, as with nested components."""
        return len(self.bottleneck.sizes) > 1

    @property
    def found_loss(self) -> Loss:
        """The loss of a cell."""
        return find_loss(self.loss)

    def astype(self, dtype) -> FittedAutoencoder:
        """Return the same autoencoder for rows of a floating dtype, always the same object.

        Parameters
        ----------
        dtype : numpy.dtype
            float32 or float64.
        """
        if self.frame.dtype == torch_dtype(dtype):
            return self
        if dtype not in self._twins:
            self._twins.setdefault(dtype, self._converted(torch_dtype(dtype)))
        return self._twins[dtype]

    def _converted(self, dtype: torch.dtype) -> FittedAutoencoder:
        """Return a copy that computes in another dtype."""
        return replace(
            self,
            frame=self.frame.astype(dtype),
            output=self.output.astype(dtype),
            module=copy.deepcopy(self.module).to(dtype),
            bottleneck=copy.deepcopy(self.bottleneck).to(dtype),
            _twins={},
        )

    def encode(self, X, *, has_missing: bool | None = None) -> np.ndarray:
        """Return the codes of rows.

        Parameters
        ----------
        X : ndarray or CSR array of shape (n_samples, n_features)
            Rows, in which NaN is a missing cell.
        has_missing : bool, default=None
            Whether cells are missing; None looks for them.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Codes in the units and the floating dtype of X.
        """
        model, X, has_missing = self._suited(X, has_missing)
        with model.threads(X.shape[0]):
            return model._encode_rows(X, has_missing)

    def decode(self, Z) -> np.ndarray:
        """Return the rows with some codes.

        Parameters
        ----------
        Z : ndarray of shape (n_samples, n_components)
            Codes. With nested components their first columns alone will do.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            Rows in the floating dtype of the codes.
        """
        Z = _as_floats(Z)
        width = Z.shape[1]
        if width > self.n_components or (width < self.n_components and not self.takes_beginnings):
            raise ValueError(
                f"Codes have {width} columns, but n_components is {self.n_components}. Pass what "
                "encode returned."
            )
        model = self.astype(Z.dtype)
        with model.threads(len(Z)):
            return model._decode_codes(Z, self.whitening)

    def reconstruct(self, X, *, has_missing: bool | None = None) -> np.ndarray:
        """Return the reconstructions of rows: of their codes, decoded.

        Parameters
        ----------
        X : ndarray or CSR array of shape (n_samples, n_features)
            Rows, in which NaN is a missing cell.
        has_missing : bool, default=None
            Whether cells are missing; None looks for them.

        Returns
        -------
        X_reconstructed : ndarray of shape (n_samples, n_features)
            Rows in the floating dtype of X.
        """
        model, X, has_missing = self._suited(X, has_missing)
        out = np.empty(X.shape, dtype=X.dtype)
        with model.threads(X.shape[0]):
            for rows, block in model.reconstructions(X, has_missing):
                out[rows] = block
        return out

    def sample(self, n_samples: int = 1, random_state=None) -> np.ndarray:
        """Return new rows like those of the training.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState instance or None, default=None
            Determines the rows; None draws from the operating system.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            Rows in the floating dtype of the training rows.
        """
        with enough_threads(0):
            codes = self.sampler.sample(n_samples, check_random_source(random_state))
        codes = codes[:, : self.n_components].astype(self.dtype)
        with self.threads(n_samples):
            return self._decode_codes(codes, Unwhitened())

    def score_samples(self, X, *, has_missing: bool | None = None) -> np.ndarray:
        """Return how normal rows are.

        Parameters
        ----------
        X : ndarray or CSR array of shape (n_samples, n_features)
            Rows, in which NaN is a missing cell.
        has_missing : bool, default=None
            Whether cells are missing; None looks for them.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Minus the mean squared error of the reconstruction of each row, or of a variational
            autoencoder the evidence lower bound in nats; float64, higher is more normal.
        """
        model, X, has_missing = self._suited(X, has_missing)
        if self.scorer is not None:
            return self.scorer(model, X, has_missing)
        return -model.mean_squared_error(X, has_missing=has_missing)

    def squared_error(self, X, *, has_missing: bool | None = None) -> np.ndarray:
        """Return the squared error of each cell of X, float64; NaN where one is missing."""
        model, X, has_missing = self._suited(X, has_missing)
        out = np.empty(X.shape)
        for rows, error in model.squared_errors(X, has_missing):
            out[rows] = error
        return out

    def mean_squared_error(self, X, *, has_missing: bool | None = None) -> np.ndarray:
        """Return the mean squared error of the known cells of each row, float64; 0 without any."""
        model, X, has_missing = self._suited(X, has_missing)
        out = np.empty(X.shape[0])
        for rows, error in model.squared_errors(X, has_missing):
            known = np.maximum((~np.isnan(error)).sum(axis=1), 1)
            out[rows] = np.nansum(error, axis=1) / known
        return out

    def squared_errors(self, X, has_missing: bool) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield slices of rows in the dtype of the autoencoder, and the squared error of cells."""
        with self.threads(X.shape[0]):
            for rows, block in self.reconstructions(X, has_missing):
                x = as_dense(X[rows])
                with np.errstate(over="ignore"):
                    error = np.square(block - x, dtype=np.float64)
                check_result(np.where(np.isnan(x), 0.0, error), x, "errors", self.frame.scale)
                yield rows, error

    @torch.inference_mode()
    def reconstructions(self, X, has_missing: bool) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield slices of rows in the dtype of the autoencoder, and their reconstructions."""
        for rows in batches(X.shape[0], rows_a_block(self.n_features)):
            z = self.module.encode(self.read(X[rows], has_missing))
            if self.n_components < self.width:
                z = first(z, self.n_components)
            x = self.rows_of(z).cpu().numpy()
            check_result(x, X[rows], "reconstructions", self.frame.scale)
            yield rows, x

    def local_linear_map(self) -> np.ndarray:
        """Return the derivative of the reconstruction by each component, at the code of the mean.

        It is of shape (n_components, n_features), in the dtype of the autoencoder.
        """
        row = self.mean[None].astype(self.dtype)
        with self.threads(self.width):
            z = first(self.module.encode(self.read(row)).detach(), self.n_components)
            # One copy of the code a component, all in one batch. Gradients give vᵀJ, and their own
            # gradient by v gives columns of J: two steps back, however many features there are.
            codes = z.repeat(self.width, 1).requires_grad_()
            x = self.rows_of(codes)  # (width, n_features)
            v = torch.zeros_like(x, requires_grad=True)
            (products,) = torch.autograd.grad(x, codes, v, create_graph=True)
            (columns,) = torch.autograd.grad(products.diagonal().sum(), v)
        return columns[: self.n_components].cpu().numpy() / self.frame.scale

    def read(self, block, has_missing: bool = False) -> Tensor:
        """Return the coordinates of a few rows of X."""
        if has_missing or sparse.issparse(block):
            return self.frame.read(block)
        # Not by a call of the module, which looks for hooks: of a single row that would be seen.
        return self.frame.forward(as_tensor(block, self.frame.device))

    def rows_of(self, z: Tensor) -> Tensor:
        """Return the rows of X that the module decodes codes to."""
        return self.found_loss.link.activation(self.output.inverse(self.module.decode(z)))

    def threads(self, n_rows: int) -> AbstractContextManager[None]:
        """Return a context that takes the threads that suit so many rows."""
        return enough_threads(n_rows * self._products_a_row)

    @cached_property
    def _products_a_row(self) -> int:
        """Bound of the multiplications for a row on its way into the code and back.

        A module of one's own may slide each of its weights over all features, as convolutions do.
        """
        n_weights = sum(weight.numel() for weight in self.module.parameters())
        if type(self.module) is not StackedAutoencoder:
            return n_weights * self.n_features
        rotation = 0 if self.frame.components is None else self.frame.components.numel()
        return n_weights + 2 * rotation

    def _suited(self, X, has_missing: bool | None) -> tuple[FittedAutoencoder, Any, bool]:
        """Return the autoencoder in the dtype of X, X as floats, and whether cells are missing."""
        X = X if sparse.issparse(X) else _as_floats(X)
        if X.shape[1] != self.n_features:
            raise ValueError(
                f"X has {X.shape[1]} columns, but the autoencoder was fitted to rows of "
                f"{self.n_features}."
            )
        if has_missing is None:
            has_missing = not sparse.issparse(X) and not has_finite_sum(X)
        return self.astype(X.dtype), X, has_missing

    @torch.inference_mode()
    def _encode_rows(self, X, has_missing: bool) -> np.ndarray:
        def encode(block) -> np.ndarray:
            z = self.module.encode(self.read(block, has_missing)) * self.frame.scale
            return self.whitening.forward(z)[:, : self.n_components].contiguous().cpu().numpy()

        codes = _by_blocks(encode, X, self.n_features, self.n_components)
        check_result(codes, X, "codes", self.frame.scale)
        return codes

    @torch.inference_mode()
    def _decode_codes(self, Z: np.ndarray, whitening: Whitening | Unwhitened) -> np.ndarray:
        def decode(block: np.ndarray) -> np.ndarray:
            z = whitening.inverse(as_tensor(block, self.frame.device))
            if z.shape[1] < self.width:
                z = torch.nn.functional.pad(z, (0, self.width - z.shape[1]))
            return self.rows_of(z / self.frame.scale).cpu().numpy()

        x = _by_blocks(decode, Z, self.n_features, self.n_features)
        check_result(x, Z, "reconstructions", self.frame.scale)
        return x


def _as_floats(X) -> np.ndarray:
    """Return an array of float32 as it is, and all else as a matrix of float64."""
    X = np.asarray(X)
    if X.dtype != np.float32:
        X = np.asarray(X, dtype=np.float64)
    if X.ndim != 2:
        raise ValueError(f"An array of shape (n_samples, n) is expected, but got {X.shape}.")
    return X


def _by_blocks(function, X, n_features: int, width: int) -> np.ndarray:
    """Return what a function makes of a few rows, for all rows of X."""
    if X.shape[0] <= rows_a_block(n_features):
        return function(X)
    out = np.empty((X.shape[0], width), dtype=X.dtype)
    for rows in batches(X.shape[0], rows_a_block(n_features)):
        out[rows] = function(X[rows])
    return out
