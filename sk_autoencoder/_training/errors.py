"""The error of a reconstruction: each kind knows its target, its units and its baseline."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sk_autoencoder._data import Data
from sk_autoencoder._nn.batch import Target, mean_of_rows
from sk_autoencoder._nn.frames import Frame, as_tensor
from sk_autoencoder._nn.losses import cell_losses, find_loss
from sk_autoencoder._pca.principal_axes import PrincipalAxes
from sk_autoencoder._training import baseline
from sk_autoencoder._utils.blocks import as_dense

# Of the mean of X. Of others the gradients vanish beside Adam's epsilon, or have squares that
# float32 does not hold.
ORDINARY_LOSSES = (1e-4, 1e4)


class FrameError(nn.Module):
    """Squared error in the frame, which is that in X up to a factor.

    Parameters
    ----------
    frame : Frame
        The frame of the module's input and output.

    Attributes
    ----------
    target_is_input : bool
        Whether the coordinates that are read are the target too.
    takes_missing : bool
        Whether cells of the target may be NaN, which then do not count.
    unit_loss : float
        Loss of the mean of X, in which the weights of penalties count.
    unit : float
        Mean squared error in X, for an error of 1.
    gradient_factor : float
        Power of two by which a loss is multiplied before its gradient is taken.
    """

    target_is_input = True
    takes_missing = False
    gradient_factor = 1.0
    unit_loss = 1.0

    def __init__(self, frame: Frame):
        super().__init__()
        self.unit = frame.unit
        # In a tuple it is no submodule.
        self._frame = (frame,)

    def forward(self, reconstruction: Tensor, target: Target) -> Tensor:
        if target.weight is None:
            return functional.mse_loss(reconstruction, target.rows)
        return mean_of_rows(self.rows(reconstruction, target), target.weight)

    def rows(self, reconstruction: Tensor, target: Target) -> Tensor:
        """Return the mean loss of the cells of each row, of shape (batch,)."""
        return (reconstruction - target.rows).square().mean(dim=1)

    def clean_rows(self, frame: Frame, target: Target) -> Tensor:
        """Return the rows of X that a target stands for, float64."""
        return frame.inverse(target.rows.to(frame.device).double())

    def in_units_of_X(self, loss: float, tail: float) -> float:
        """Return the mean loss in X for one in the frame, outside of which `tail` is lost."""
        return loss * self.unit + tail

    def set_unit(self, mean_loss: float) -> None:
        """Take in the loss of the mean of X, in the units of X."""
        self.unit_loss = mean_loss / self.unit

    def baseline(self, axes: PrincipalAxes, data: Data, sizes, impute) -> tuple[float, float]:
        """Return the mean loss of rows with PCA, averaged over sizes, and with the mean of X."""
        return baseline.of_projection(axes, data, sizes)

    def baseline_of_training(self, axes, data: Data, sizes, impute) -> tuple[float, float]:
        """Return the same of the rows that the axes were fitted on."""
        return baseline.of_training_rows(axes, sizes)

    def with_missing(self) -> CellError:
        """Return an equal error that takes targets with missing cells."""
        error = CellError("squared_error", self._frame[0], takes_missing=True)
        error.unit_loss = self.unit_loss * self.unit
        error.gradient_factor = 1 / self.unit
        return error


class CellError(nn.Module):
    """Loss of each cell, of what the decoder returns and of X.

    It has the attributes of `FrameError`.

    Parameters
    ----------
    loss : str or callable
        A key of `LOSSES`, or a function of reconstruction and X.
    output : Frame
        Leads from the module's output to what the loss takes.
    takes_missing : bool
        Whether cells of the target may be NaN, which then do not count.
    """

    target_is_input = False
    gradient_factor = 1.0
    unit_loss = 1.0
    unit = 1.0

    def __init__(self, loss: str | Callable, output: Frame, takes_missing: bool = False):
        super().__init__()
        self.loss = loss
        self.output = output.astype(torch.float32)
        self.takes_missing = takes_missing

    def forward(self, reconstruction: Tensor, target: Target) -> Tensor:
        return mean_of_rows(self.rows(reconstruction, target), target.weight)

    def rows(self, reconstruction: Tensor, target: Target) -> Tensor:
        """Return the mean loss of the cells of each row, of shape (batch,); 0 of missing ones."""
        x, loss = target.rows, find_loss(self.loss)
        output = (self.output.deviation if loss.shift_free else self.output.inverse)(reconstruction)
        if not self.takes_missing:
            return cell_losses(loss, output, x).mean(dim=1)
        known = ~x.isnan()
        # What a missing cell is compared with does not count, but a loss may have no slope at 0.
        filled = torch.where(known, x, output.detach() + 1)
        cells = cell_losses(loss, output, filled)
        cells = cells if target.emphasis is None else cells * target.emphasis
        return torch.where(known, cells, 0.0).mean(dim=1)

    def target(self, block: Any, frame: Frame) -> Tensor:
        """Return the target of some rows of X, (batch, n_features)."""
        x = as_tensor(as_dense(block), frame.device)
        return (frame.centre(x) if find_loss(self.loss).shift_free else x).float()

    def clean_rows(self, frame: Frame, target: Target) -> Tensor:
        """Return the rows of X that a target stands for, float64."""
        x = target.rows.cpu().double()
        return x + torch.from_numpy(frame.mean) if find_loss(self.loss).shift_free else x

    def in_units_of_X(self, loss: float, tail: float) -> float:
        """Return the loss as it is: it is one of cells of X."""
        return loss

    def set_unit(self, mean_loss: float) -> None:
        """Take in the loss of the mean of X, and make gradients ordinary without rounding them."""
        self.unit_loss = mean_loss
        least, most = ORDINARY_LOSSES
        if 0 < mean_loss < math.inf and not least <= mean_loss <= most:
            self.gradient_factor = 2.0 ** -round(math.log2(mean_loss))

    def baseline(self, axes: PrincipalAxes, data: Data, sizes, impute) -> tuple[float, float]:
        """Return the mean loss of rows with PCA, averaged over sizes, and with the mean of X."""
        return baseline.of_cells(axes, data, sizes, baseline.Cells(find_loss(self.loss), impute))

    def baseline_of_training(self, axes, data: Data, sizes, impute) -> tuple[float, float]:
        """Return the same of the rows that the axes were fitted on."""
        return self.baseline(axes, data, sizes, impute)

    def with_missing(self) -> CellError:
        """Return an equal error that takes targets with missing cells."""
        if self.takes_missing:
            return self
        error = CellError(self.loss, self.output, takes_missing=True)
        error.unit_loss = self.unit_loss
        error.gradient_factor = self.gradient_factor
        return error
