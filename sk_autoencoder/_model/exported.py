"""A fitted autoencoder as one module of torch, in the units of X, that leaves this package."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from sk_autoencoder._model.fitted import FittedAutoencoder
from sk_autoencoder._nn.frames import Frame
from sk_autoencoder._nn.losses import EXPONENTIAL, IDENTITY, LOGISTIC, Link
from sk_autoencoder._nn.whitening import Unwhitened, Whitening
from sk_autoencoder._pca.imputation import COMPENSATION_STEPS, MAX_DEVIATION, Imputer


class TorchAutoencoder(nn.Module):
    """A fitted autoencoder as a module of torch: rows of X in, codes or rows of X out.

    Parameters
    ----------
    model : FittedAutoencoder
        In the dtype of the rows to come. It stays as it is.
    allow_nan : bool
        Whether missing values are imputed. Else a row with one has a code of NaN.
    """

    def __init__(self, model: FittedAutoencoder, allow_nan: bool):
        super().__init__()
        self.n_features_in, self.n_components = model.n_features, model.n_components
        self.imputer: nn.Module = nn.Identity()
        if allow_nan:
            self.imputer = TorchImputer(model.frame)
        self.input, self.output = Affine(model.frame), Affine(model.output)
        self.module = copy.deepcopy(model.module)
        self.whitening = Whitened(model)
        self.activation = LINKS[model.found_loss.link]()
        self.eval()

    def encode(self, x: Tensor) -> Tensor:
        """Return the codes of rows, of shape (batch, n_components)."""
        # Past the hooks of explainers, which know no such modules; both are linear.
        t = self.input.forward(self.imputer(x))
        return self.whitening.forward(self.module.encode(t))

    def decode(self, z: Tensor) -> Tensor:
        """Return the rows with some codes, of shape (batch, n_features)."""
        return self.activation(self.output.inverse(self.module.decode(self.whitening.inverse(z))))

    def forward(self, x: Tensor) -> Tensor:
        """Return the reconstructions of rows, of shape (batch, n_features)."""
        return self.decode(self.encode(x))


class Exp(nn.Module):
    """The exponential, as a module for those that watch modules."""

    def forward(self, x: Tensor) -> Tensor:
        return x.exp()


LINKS: dict[Link, type[nn.Module]] = {
    IDENTITY: nn.Identity,
    LOGISTIC: nn.Sigmoid,
    EXPONENTIAL: Exp,
}


class Affine(nn.Module):
    """What a frame does to complete rows, without a look at their values."""

    origin: Tensor
    remainder: Tensor
    components: Tensor | None

    def __init__(self, frame: Frame):
        super().__init__()
        self.scale, self.ceiling = float(frame.scale), frame.ceiling
        mean = torch.from_numpy(frame.mean).to(frame.device)
        origin = mean.to(frame.dtype)
        # In two parts, as in the frame, so that an offset costs no digits.
        self.register_buffer("origin", origin.clone())
        self.register_buffer("remainder", (mean - origin.double()).to(frame.dtype))
        components = frame.components
        self.register_buffer("components", None if components is None else components.clone())

    def forward(self, x: Tensor) -> Tensor:
        """Return the coordinates of the rows of X."""
        t = (x - self.origin - self.remainder) / self.scale
        return t if self.components is None else t @ self.components.T

    def inverse(self, t: Tensor) -> Tensor:
        """Return the rows of X with some coordinates."""
        x = (t if self.components is None else t @ self.components) * self.scale
        x = x + self.remainder + self.origin
        if self.ceiling is None:
            return x
        return x.clamp(max=self.ceiling) + (x - self.ceiling).clamp(min=0.0).log1p()


class Whitened(nn.Module):
    """From the codes of a module to those of the autoencoder: their units, size and whitening."""

    mean: Tensor
    mixing: Tensor
    unmixing: Tensor

    def __init__(self, model: FittedAutoencoder):
        super().__init__()
        self.scale, self.width, self.n_components = (
            model.frame.scale,
            model.width,
            model.n_components,
        )
        whitening, dtype = model.whitening, model.frame.dtype
        self.is_plain = isinstance(whitening, Unwhitened)
        if isinstance(whitening, Whitening):
            eye = torch.eye(self.width, dtype=torch.float64, device=whitening.factor.device)
            unmixing = torch.linalg.solve_triangular(whitening.factor, eye, upper=False)
            for name, value in {
                "mean": whitening.mean,
                "mixing": whitening.factor.T,
                "unmixing": unmixing.T,
            }.items():
                self.register_buffer(name, value.to(dtype))

    def forward(self, z: Tensor) -> Tensor:
        """Return codes of a module as those of the autoencoder."""
        z = z * self.scale
        return (z if self.is_plain else (z - self.mean) @ self.unmixing)[:, : self.n_components]

    def inverse(self, z: Tensor) -> Tensor:
        """Return codes of the autoencoder, or their beginnings, as those of a module."""
        size = z.shape[1]
        if not self.is_plain:
            z = z @ self.mixing[:size, :size] + self.mean[:size]
        return functional.pad(z / self.scale, (0, self.width - size))


class TorchImputer(nn.Module):
    """What `Imputer` does, in torch: see there. It computes in float64."""

    mean: Tensor
    scale: Tensor
    loadings: Tensor
    components: Tensor
    limit: Tensor
    lowest: Tensor
    highest: Tensor
    eye: Tensor

    def __init__(self, frame: Frame):
        super().__init__()
        imputer: Any = frame.imputer
        imputation, components = imputer.along(frame.axes)
        self.noise = float(imputation.noise)
        arrays = {
            "mean": imputation.mean,
            "scale": imputation.scale,
            "loadings": imputation.loadings,
            "components": components,
            "limit": MAX_DEVIATION * imputation.deviation,
            "lowest": imputation.lowest - imputation.mean,
            "highest": imputation.highest - imputation.mean,
            "eye": np.eye(len(imputation.loadings)),
        }
        for name, value in arrays.items():
            tensor = torch.from_numpy(np.array(value, dtype=np.float64))
            self.register_buffer(name, tensor.to(frame.device))
        # ONNX has no solver: there each of the few factors is eliminated in turn.
        self.eliminates = False

    def forward(self, x: Tensor) -> Tensor:
        """Return rows with missing values imputed."""
        missing = x.isnan()
        centred = torch.where(missing, 0.0, x.double() - self.mean)
        told = torch.maximum(torch.minimum(centred, self.limit), -self.limit)
        expected = self.expect(told, missing)
        expected = torch.maximum(torch.minimum(expected, self.highest), self.lowest)
        filled = torch.where(missing, expected, centred)
        for _ in range(COMPENSATION_STEPS):
            projected = filled @ self.components.T @ self.components
            filled = torch.where(missing, filled + expected - projected, filled)
        return torch.where(missing, (filled + self.mean).to(x.dtype), x)

    def expect(self, told: Tensor, missing: Tensor) -> Tensor:
        """Return the conditional expectation of all cells."""
        known = (~missing).double()[:, None, :] * self.loadings  # (batch, n_factors, n_features)
        precision = self.eye + known @ self.loadings.T / self.noise
        evidence = told / self.scale @ self.loadings.T / self.noise
        solve = eliminate if self.eliminates else torch.linalg.solve
        return solve(precision, evidence[:, :, None])[:, :, 0] @ self.loadings * self.scale


def eliminate(matrix: Tensor, right: Tensor) -> Tensor:
    """Solve equations of positive definite matrices by Gauss-Jordan elimination.

    `matrix` is of shape (batch, n, n), `right` and what is returned of shape (batch, n, 1).
    """
    rows = torch.cat([matrix, right], dim=2)
    n = matrix.shape[1]
    eye = torch.eye(n, dtype=matrix.dtype, device=matrix.device)[:, :, None]
    for i in range(n):
        pivot = rows[:, i : i + 1] / rows[:, i : i + 1, i : i + 1]
        # Of the row itself this leaves the pivot.
        rows = rows - (rows[:, :, i : i + 1] - eye[i]) * pivot
    return rows[:, :, n:]


def torch_autoencoder(
    model: FittedAutoencoder, dtype: Any = None, allow_nan: Any = "auto"
) -> TorchAutoencoder:
    """Return a fitted autoencoder as a module of torch.

    Parameters
    ----------
    model : FittedAutoencoder
    dtype : torch.dtype, numpy dtype or None
        float32 or float64; None takes that of the fit.
    allow_nan : bool or "auto"
        "auto" imputes missing values where rows of the fit missed some.
    """
    suited = model if dtype is None else model.astype(floating(dtype))
    imputer = suited.frame.imputer
    if not isinstance(imputer, Imputer):
        return TorchAutoencoder(suited, allow_nan=False)
    missed = imputer.imputation.strength is None
    return TorchAutoencoder(suited, missed if isinstance(allow_nan, str) else bool(allow_nan))


def floating(dtype: Any) -> np.dtype:
    """Return float32 or float64 of NumPy, for a dtype of torch or what NumPy takes for one."""
    name = str(dtype).removeprefix("torch.") if isinstance(dtype, torch.dtype) else dtype
    try:
        found = np.dtype(name)
    except TypeError:
        found = np.dtype(object)
    if found not in (np.float32, np.float64):
        raise ValueError(f"dtype={dtype!r} is neither float32 nor float64.")
    return found
