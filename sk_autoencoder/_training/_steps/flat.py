"""Tensors that lie one behind the other in one, as the gradients of a plain stack do."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

# Of the rows that such a tensor is summed by.
WIDTH = 1024

# Of the cells from which each of them begins, since products of others take longer.
ALIGNED = 16


def places(tensors: Sequence[Tensor]) -> list[slice]:
    """Return the cells that each of some tensors has in a flat one."""
    found, start = [], 0
    for tensor in tensors:
        found.append(slice(start, start + tensor.numel()))
        start += -(-tensor.numel() // ALIGNED) * ALIGNED
    return found


def padded_size(tensors: Sequence[Tensor]) -> int:
    """Return the number of cells of a flat tensor of others, a multiple of `WIDTH`."""
    return -(-places(tensors)[-1].stop // WIDTH) * WIDTH


def joined(tensors: Sequence[Tensor]) -> Tensor:
    """Return a flat tensor that holds what others do, and zeros between and behind them."""
    flat = tensors[0].new_zeros(padded_size(tensors))
    for part, tensor in zip(like(tensors, flat), tensors, strict=True):
        part.copy_(tensor.detach())
    return flat


def like(tensors: Sequence[Tensor], flat: Tensor) -> list[Tensor]:
    """Return views of a flat tensor, in the shapes of others."""
    pairs = zip(places(tensors), tensors, strict=True)
    return [flat[cells].view_as(tensor) for cells, tensor in pairs]
