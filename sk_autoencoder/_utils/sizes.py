"""How large and how small numbers may be, so that their squares and their inverses are numbers."""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse

from sk_autoencoder._utils.blocks import can_be_shared
from sk_autoencoder._utils.threads import enough_threads_to_read

# Of cells of X and of their deviation: float64 holds squares of these, summed over many rows.
# Of float32 only the numbers themselves have to be held, since squares are summed in float64.
SIZES = {torch.float64: (1e-140, 1e140), torch.float32: (1e-30, 1e30)}
# Of the deviation of X where a loss of cells, which is computed in float32, squares it, or where
# the network gives logarithms, whose size says nothing of the cells.
SIZES_OF_LOSSES = {
    "squared_error": (1e-15, 1e15),
    "huber": (1e-15, 1e30),
    "poisson": (1e-30, 1e30),
}
# Torch gives a thread at least so many (at::internal::GRAIN_SIZE).
CELLS_A_THREAD = 2**15
# From here on a sum is less work than a look at each cell.
MANY_CELLS = 2**15


class NotFiniteError(ValueError):
    """A result that the dtype cannot hold."""


def check_cells(X, *, reset: bool, dtype: np.dtype | None = None) -> None:
    """Refuse rows whose cells are too large, or in a first fit all too small, to be squared.

    `dtype` is the one in which that is done, by default that of X.
    """
    dtype = X.dtype if dtype is None else dtype
    largest, (low, high) = largest_cell(X), SIZES[_torch_dtype(dtype)]
    if largest > high or (reset and 0 < largest < low):
        raise ValueError(
            f"The largest cell of X has a size of {largest:.3g}, but in {dtype} it has to lie "
            f"between {low:g} and {high:g}. {_remedy(largest > high)}"
        )


def check_deviation(scale: float, dtype: torch.dtype, sizes=None) -> None:
    """Refuse a frame whose unit, the deviation of X, is no number to divide by in a dtype."""
    low, high = sizes or SIZES[dtype]
    if not low <= scale <= high:
        name = str(dtype).removeprefix("torch.")
        raise ValueError(
            f"The standard deviation of X is {scale:.3g}, but in {name} it has to lie between "
            f"{low:g} and {high:g}. {_remedy(scale > high)}"
        )


def check_inputs(t: torch.Tensor) -> None:
    """Refuse coordinates of rows to learn from that a training cannot hold."""
    if not t.abs().max().isfinite():
        raise ValueError(
            f"Rows of X lie more than {torch.finfo(t.dtype).max:.3g} standard deviations from the "
            "mean of the fit, which float32, in which networks are trained, cannot hold. Pass rows "
            "in the units of the first call, and leave out cells that are wrong."
        )


def check_result(result: np.ndarray, X, name: str, scale: float) -> None:
    """Refuse a result that is not finite, for what X is the reason."""
    if is_finite(result):
        return
    raise NotFiniteError(
        f"The {name} of rows with cells as large as {largest_cell(X):.3g} are not finite in "
        f"{result.dtype}. The rows of the fit have a standard deviation of {scale:.3g}. Pass "
        "rows in the same units, and leave out cells that are wrong."
    )


def is_finite(X: np.ndarray) -> bool:
    """Whether all cells are finite, in the time of a look at few, or of a sum of many."""
    if X.size > MANY_CELLS:
        # A sum takes less time than a look at each cell, and is finite only if all cells are.
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(X.sum()):
                return True
    return bool(np.isfinite(X).all())


def has_finite_sum(X: np.ndarray) -> bool:
    """Return whether the sum of all cells is finite: then so is each; the converse is not true.

    Of few cells each is looked at, in less time than a call of torch takes.
    """
    if X.size <= CELLS_A_THREAD:
        return bool(np.isfinite(X).all())
    if can_be_shared(X):
        with enough_threads_to_read(X):
            return bool(torch.from_numpy(X).sum().isfinite())
    with np.errstate(invalid="ignore", over="ignore"):
        return bool(np.isfinite(X.sum()))


def largest_cell(X) -> float:
    """Return the largest absolute value of the known cells."""
    values = X.data if sparse.issparse(X) else X
    if values.size == 0:
        return 0.0
    low, high = _range(values)
    return float(max(-low, high, 0.0))


def _remedy(too_large: bool) -> str:
    """Return what to do with X."""
    return "Scale X down, or leave out cells that are wrong." if too_large else "Scale X up."


def _range(values: np.ndarray) -> tuple[float, float]:
    """Return the least and the greatest known value, NaN where none is known."""
    if can_be_shared(values):
        with enough_threads_to_read(values):
            low, high = (value.item() for value in torch.from_numpy(values).aminmax())
        if not np.isnan(low):
            return low, high
    return np.fmin.reduce(values, axis=None), np.fmax.reduce(values, axis=None)


def _torch_dtype(dtype: np.dtype) -> torch.dtype:
    return torch.float32 if dtype == np.float32 else torch.float64
