"""Tensors that lie one behind the other in one, as the gradients of a plain stack do."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

# Of the rows that such a tensor is summed by.
WIDTH = 1024


def padded_size(tensors: Sequence[Tensor]) -> int:
    """Return the number of cells of tensors, as a multiple of `WIDTH`."""
    return -(-sum(tensor.numel() for tensor in tensors) // WIDTH) * WIDTH


def like(tensors: Sequence[Tensor], flat: Tensor) -> list[Tensor]:
    """Return views of a flat tensor, in the shapes of others."""
    sizes = [tensor.numel() for tensor in tensors]
    parts = flat[: sum(sizes)].split(sizes)
    return [part.view_as(tensor) for part, tensor in zip(parts, tensors, strict=True)]
