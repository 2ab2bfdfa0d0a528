"""Gradients of a batch that memory does not suffice for: those of pieces of it, summed."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from sk_autoencoder._nn.batch import Target
from sk_autoencoder._utils import cuda

# What torch says where no memory is left: on a CPU in an error of no class of its own.
ON_CPU = ("not enough memory", "can't allocate memory")


class InPieces:
    """Computes gradients of batches, in halves of them, quarters and so on once memory runs out.

    The mean over a batch is that of its pieces, so that a step stays what it was but for rounding,
    and for penalties that compare the rows of a batch. What is found out once holds from then on.

    Parameters
    ----------
    compute : callable
        Sets the gradients of a batch. It is given rows and their `Target`, and returns their loss,
        or for `told` a pair of the loss and an output.
    parameters : iterable of Parameter
    """

    def __init__(self, compute: Callable[..., Any], parameters: Iterable[nn.Parameter]):
        self.compute = compute
        self.parameters = list(parameters)
        self.n_pieces = 1

    def __call__(self, t: Tensor, target: Target) -> Tensor:
        """Set the gradients of a batch, and return its mean loss."""
        results = self._results(t, target)
        if len(results) == 1:
            return results[0][1]
        return torch.stack([share * loss for share, loss in results]).sum()

    def told(self, t: Tensor, target: Target) -> tuple[Tensor, Tensor]:
        """Set the gradients of a batch, and return its mean loss and all that was computed."""
        results = self._results(t, target)
        if len(results) == 1:
            return results[0][1]
        loss = torch.stack([share * loss for share, (loss, _) in results]).sum()
        return loss, torch.cat([output for _, (_, output) in results])

    def _results(self, t: Tensor, target: Target) -> list[tuple[float, Any]]:
        """Set the gradients of a batch, and return the share of each piece and its result."""
        while True:
            try:
                return self._of_pieces(t, target)
            except (MemoryError, RuntimeError) as error:
                self._take_smaller(error, len(t))
            # The error has held what the failed attempt took.
            cuda.forget_unused()

    def _of_pieces(self, t: Tensor, target: Target) -> list[tuple[float, Any]]:
        n_pieces = min(self.n_pieces, len(t))
        if n_pieces == 1:
            return [(1.0, self.compute(t, target))]
        results: list[tuple[float, Any]] = []
        total: list[Tensor] = []
        for rows in torch.arange(len(t)).tensor_split(n_pieces):
            piece = slice(int(rows[0]), int(rows[-1]) + 1)
            share = len(rows) / len(t)
            results.append((share, self.compute(t[piece], _part(target, piece))))
            gradients = [p.grad for p in self.parameters if p.grad is not None]
            if not total:
                total = [gradient * share for gradient in gradients]
            else:
                torch._foreach_add_(total, gradients, alpha=share)
        with torch.no_grad():
            for gradient, mean in zip(gradients, total, strict=True):
                gradient.copy_(mean)
        return results

    def _take_smaller(self, error: MemoryError | RuntimeError, n_rows: int) -> None:
        """Halve the pieces, or raise the error where it is another one or they are single rows."""
        if not is_out_of_memory(error) or self.n_pieces >= n_rows:
            raise error
        self.n_pieces *= 2
        size = -(-n_rows // self.n_pieces)
        warnings.warn(
            f"The memory does not suffice for a batch of {n_rows} rows. Gradients are computed of "
            f"{size} rows at a time from now on, and summed. Set batch_size={size} for smaller "
            "steps.",
            UserWarning,
            stacklevel=2,
        )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that no memory is left, on any device."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return any(text in str(error) for text in ON_CPU)


def _part(target: Target, piece: slice) -> Target:
    """Return the target of some rows of a batch."""
    parts: Any = (None if part is None else part[piece] for part in target)
    return Target(*parts)
