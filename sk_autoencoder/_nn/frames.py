"""The frame in which the network is trained: an affine map of X that it undoes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy import sparse
from torch import nn

from sk_autoencoder._utils import cuda
from sk_autoencoder._utils.blocks import can_be_shared
from sk_autoencoder._utils.sizes import check_deviation


class Frame(nn.Module):
    """Centre the rows of X, scale them by one number and, if asked, rotate them.

    One scale for all features and an orthonormal rotation leave the squared error what it
    was, up to the factor `unit`. Where the rotation keeps fewer axes than X has features,
    what lies outside of them is lost, as the tail of PCA is.

    Parameters
    ----------
    mean : ndarray of shape (n_features,)
        The origin, float64.
    scale : float
        The length in X of one unit of the coordinates.
    components : ndarray of shape (n_axes, n_features) or None
        Orthonormal rows, the axes; None leaves the features as they are.
    mean_square : float
        Mean square of the coordinates of the training rows, the size of a normal value.
    dtype : torch.dtype, default=torch.float64
        Floating dtype of the rows to come, and so of the rotation.
    ceiling : float, default=None
        Above it what `inverse` gives grows as a logarithm, so that its exponential grows as a
        straight line, of the same slope there. None bends nothing.

    Attributes
    ----------
    mean : ndarray of shape (n_features,)
        The origin, float64.
    imputer : callable or None
        Fills in the missing values of a few rows, which it is given with the axes. None leaves
        them missing.
    """

    mean: np.ndarray
    components: torch.Tensor | None
    _origin: torch.Tensor
    _remainder: torch.Tensor | None
    _shift: torch.Tensor
    imputer: Callable[[np.ndarray, np.ndarray | None], np.ndarray] | None

    def __init__(
        self,
        mean,
        scale,
        components=None,
        *,
        mean_square=1.0,
        dtype=torch.float64,
        ceiling=None,
    ):
        super().__init__()
        check_deviation(scale, dtype)
        self.ceiling = ceiling
        self.scale = scale
        self.mean_square = mean_square
        self.dtype = dtype
        self.n_features = len(mean)
        self.n_axes = self.n_features if components is None else len(components)
        self.mean = np.array(mean, dtype=np.float64)
        # In two parts that sum to it, so that rows of 32 bits lose no digits to a large offset
        # although nothing is computed in 64: the first difference is exact near the mean.
        mean = torch.from_numpy(self.mean)
        self.register_buffer("_origin", mean.to(dtype, copy=True))
        remainder = (mean - self._origin.double()).to(dtype)
        matters = remainder.abs().max() > torch.finfo(dtype).eps * scale
        self.register_buffer("_remainder", remainder if matters else None)
        self.register_buffer("_shift", (-mean / scale).to(dtype))
        if components is not None:
            components = torch.as_tensor(components).to(dtype, copy=True)
        self.register_buffer("components", components)
        self.imputer = None
        # In a tuple it is no submodule. The axes are those of the frame that this one is like.
        self._first: tuple[Frame, ...] = ()
        self._axes: np.ndarray | None = None

    @property
    def device(self) -> torch.device:
        """Where rows and coordinates are computed."""
        return self._origin.device

    @property
    def unit(self) -> float:
        """Mean squared error in X, for one of 1 in the coordinates."""
        return self.scale**2 * self.n_axes / self.n_features

    def __getstate__(self) -> dict:
        return vars(self) | {"_axes": None}

    @property
    def axes(self) -> np.ndarray | None:
        """The components in float64, made when they are first asked for."""
        if self._first:
            return self._first[0].axes
        if self._axes is None and self.components is not None:
            self._axes = self.components.cpu().double().numpy()
        return self._axes

    def impute(self, block: np.ndarray) -> np.ndarray:
        """Return a few rows of X with missing values imputed."""
        return block if self.imputer is None else self.imputer(block, self.axes)

    def read(self, block) -> torch.Tensor:
        """Return the coordinates of rows of X with missing values, or sparse."""
        if not sparse.issparse(block):
            return self(as_tensor(self.impute(block), self.device))
        if self.components is None:
            return self(as_tensor(block.toarray(), self.device))
        # Rotated while still sparse: there are far fewer axes than features.
        components = self.components.cpu().numpy()
        rotated = block @ components.T - self.mean @ components.T
        return as_tensor((rotated / self.scale).astype(block.dtype), self.device)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the coordinates of the rows of X."""
        if self._remainder is None:
            t = torch.add(self._shift, x, alpha=1 / self.scale)  # (batch, n_features)
        else:
            t = self.centre(x).mul_(1 / self.scale)
        components = self.components
        return t if components is None else t @ components.T  # (batch, n_axes)

    def centre(self, x: torch.Tensor) -> torch.Tensor:
        """Return rows of X less their mean."""
        centred = x - self._origin
        return centred if self._remainder is None else centred.sub_(self._remainder)

    def inverse(self, t: torch.Tensor) -> torch.Tensor:
        """Return the rows of X with the coordinates t."""
        x = self.deviation(t)  # (batch, n_features)
        x = (x if self._remainder is None else x.add_(self._remainder)).add_(self._origin)
        if self.ceiling is None or self._lies_below(x, self.ceiling):
            return x
        return x.clamp(max=self.ceiling) + (x - self.ceiling).clamp(min=0.0).log1p()

    def rows_of(self, t: torch.Tensor) -> torch.Tensor:
        """Return the same of coordinates on any device and in any dtype."""
        return self.inverse(t.to(self.device, self.dtype))

    @staticmethod
    def _lies_below(x: torch.Tensor, ceiling: float) -> bool:
        """Whether nothing is to bend, which in each step of a training takes a tenth of it.

        To ask a GPU would take longer, as it is waited for.
        """
        return x.device.type == "cpu" and bool((x <= ceiling).all())

    def deviation(self, t: torch.Tensor) -> torch.Tensor:
        """Return the same without the mean."""
        if self.components is None:
            return t * self.scale
        return (t @ self.components).mul_(self.scale)

    def outside(self, block) -> torch.Tensor:
        """Return the squared distance of each row to the axes, of shape (batch,), float64."""
        if sparse.issparse(block):
            # By Pythagoras, in float64: the rows themselves are never dense.
            t = self.read(block.astype(np.float64)).double() * self.scale
            distance = as_tensor(_squared_distance(block, self.mean), self.device)
            return (distance - t.square().sum(dim=1)).clamp(min=0.0)
        x = as_tensor(block, self.device)
        return (x - self.inverse(self(x))).double().square().sum(dim=1)

    def astype(self, dtype: torch.dtype) -> Frame:
        """Return the same frame for rows of another dtype."""
        return self._like(dtype, self.ceiling)

    def bent(self, ceiling: float) -> Frame:
        """Return the same frame with a ceiling."""
        return self._like(self.dtype, ceiling)

    def _like(self, dtype: torch.dtype, ceiling: float | None) -> Frame:
        """Return the same frame for rows of a dtype and with a ceiling, or without."""
        frame = Frame(
            self.mean,
            self.scale,
            self.components,
            mean_square=self.mean_square,
            dtype=dtype,
            ceiling=ceiling,
        )
        frame.imputer, frame._first = self.imputer, (self,)
        return frame


def _squared_distance(block, origin: np.ndarray) -> np.ndarray:
    """Return the squared distance of sparse rows to an origin, of shape (batch,), float64."""
    block = block.astype(np.float64)
    distance = block.multiply(block).sum(axis=1) - 2 * (block @ origin) + origin @ origin
    return np.asarray(distance).reshape(-1)


def as_tensor(block: np.ndarray, device: torch.device) -> torch.Tensor:
    """Return rows as a tensor that shares their memory where torch can take it."""
    if not can_be_shared(block):
        block = block.copy(order="C")
    return cuda.sent(torch.from_numpy(block), device)


def torch_dtype(dtype: np.dtype) -> torch.dtype:
    """Return torch's name for the dtype of a checked X."""
    return torch.float32 if dtype == np.float32 else torch.float64
