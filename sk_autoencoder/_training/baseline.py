"""What PCA and the mean alone would lose: the baseline of a fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from sk_autoencoder._data import Data
from sk_autoencoder._nn.bottlenecks import first
from sk_autoencoder._nn.losses import Loss, cell_losses
from sk_autoencoder._pca.principal_axes import PrincipalAxes, pca_reconstructions
from sk_autoencoder._utils.blocks import as_dense, batches, rows_a_block

MAX_HALVINGS = 20


@dataclass(frozen=True)
class Baseline:
    """Mean losses of some rows with PCA, and with the mean of X alone, in the units of X."""

    pca: float
    mean: float


@dataclass(frozen=True)
class Cells:
    """How the cells of a block are compared: by which loss, and with missing ones imputed."""

    loss: Loss
    impute: Callable[[np.ndarray], np.ndarray]


def of_projection(axes: PrincipalAxes, data: Data, sizes) -> tuple[float, float]:
    """Return the mean squared error of rows with PCA, averaged over sizes, and with the mean."""
    pairs = [axes.leading(size).loss_and_variance(data.X, data.rows, data.weight) for size in sizes]
    return float(np.mean([loss for loss, _ in pairs])), pairs[-1][1]


def of_training_rows(axes: PrincipalAxes, sizes) -> tuple[float, float]:
    """Return the same of the rows that the axes were fitted on, at once."""
    pca = float(np.mean([axes.leading(size).training_loss() for size in sizes]))
    return pca, axes.total_variance / axes.n_features


def of_cells(axes: PrincipalAxes, data: Data, sizes, cells: Cells) -> tuple[float, float]:
    """Return the mean loss of rows with PCA, averaged over sizes, and with the mean."""
    totals = np.zeros(2)
    n_cells = 0.0
    for x, weight in _blocks(data):
        share = ~np.isnan(x) * weight
        mean, *reconstructions = pca_reconstructions(axes, cells.impute(x), sizes)
        losses = [_losses(cells.loss, back, x) for back in reconstructions]
        # A loss of the user's may be infinite: whether that matters is seen before the first step.
        with np.errstate(invalid="ignore"):
            totals[0] += (np.mean(losses, axis=0) * share).sum()
            totals[1] += (_losses(cells.loss, mean, x) * share).sum()
        n_cells += share.sum()
    totals, n_cells = data.processes.sum(totals, n_cells)
    pca, mean = totals / max(n_cells, np.finfo(float).tiny)
    return float(pca), float(mean)


def of_corrupted(axes: PrincipalAxes, rows, loss: Loss, sizes) -> float:
    """Return the mean loss of PCA of corrupted rows against clean ones, averaged over sizes.

    `rows` is a `CorruptedRows`.
    """
    frame, error = rows.frame, rows.error
    # On its own axes PCA is a projection; else it is computed in X.
    on_axes = error.target_is_input and frame.components is not None
    total, n_batches = 0.0, -(-len(rows) // rows_a_block(frame.n_features))
    for _, (t, target) in rows.batches(None, n_batches):
        if on_axes:
            losses = [error.rows(first(t, size), target) for size in sizes]
        else:
            x = error.clean_rows(frame, target).cpu().numpy()
            corrupted = frame.rows_of(t).cpu().double().numpy()
            _, *backs = pca_reconstructions(axes, corrupted, sizes)
            emphasis = 1.0 if target.emphasis is None else target.emphasis.cpu().numpy()
            cells = [emphasis * _losses(loss, back, x) for back in backs]
            losses = [torch.from_numpy(losses).mean(dim=1) for losses in cells]
        of_rows = torch.stack(losses).mean(dim=0).cpu().double()
        total += (of_rows if target.weight is None else of_rows * target.weight.cpu()).sum().item()
    total, n_rows = rows.data.processes.sum(total, len(rows))
    mean = float(total / n_rows)
    return rows.in_units_of_X(mean) if on_axes else mean


def best_slope(axes: PrincipalAxes, data: Data, cells: Cells, slope: float) -> float:
    """Return the slope at which PCA's steps from the mean, before a link, lose least on rows.

    It is the one given, or that halved until the loss, which is convex in it, falls no more: a
    step that an exponential takes far from the mean would lose more than it gains.
    """
    loss = _loss_with_slope(axes, data, cells, slope)
    for _ in range(MAX_HALVINGS):
        smaller = _loss_with_slope(axes, data, cells, slope / 2)
        if loss <= smaller:
            break
        loss, slope = smaller, slope / 2
    return slope


def _loss_with_slope(axes: PrincipalAxes, data: Data, cells: Cells, slope: float) -> float:
    """Return the sum of the weighted losses of the cells, infinite where one is not finite."""
    total, sizes, inverse = 0.0, [len(axes.components)], cells.loss.link.inverse
    for x, weight in _blocks(data):
        mean, pca = pca_reconstructions(axes, cells.impute(x), sizes)
        losses = _losses_of_output(cells.loss, inverse(mean) + slope * (pca - mean), x)
        total += (losses * weight).sum()
    return float(np.nan_to_num(data.processes.sum(total), nan=np.inf))


def _blocks(data: Data) -> Iterator[tuple[np.ndarray, np.ndarray | float]]:
    """Yield rows in float64, a few at a time, and their weights as a column."""
    for block in batches(len(data), rows_a_block(data.n_features)):
        rows = data.rows[block]
        weight = 1.0 if data.weight is None else data.weight[rows, None]
        yield as_dense(data.X[rows]).astype(np.float64), weight


def _losses(loss: Loss, reconstruction: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the loss of each cell of a reconstruction in the units of X; 0 of missing ones."""
    return _losses_of_output(loss, loss.link.inverse(reconstruction), x)


def _losses_of_output(loss: Loss, output: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the loss of each cell of what is behind no link yet; 0 of missing ones."""
    known = ~np.isnan(x)
    x = np.where(known, x, output)
    cells = cell_losses(loss, torch.from_numpy(output), torch.from_numpy(x))
    return np.where(known, cells.numpy(), 0.0)
