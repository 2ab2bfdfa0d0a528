"""Gradients of a plain stacked autoencoder, written out: no graph is recorded and walked.

For small nets, recording and walking takes longer than the arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from sk_autoencoder._nn.batch import Target
from sk_autoencoder._nn.stack import StackedAutoencoder
from sk_autoencoder._training._steps.activations import WRITTEN_OUT
from sk_autoencoder._training._steps.calls import Calls, Stack
from sk_autoencoder._training._steps.flat import like, padded_size


def is_plain(module: nn.Module) -> bool:
    """Whether a module is a stacked autoencoder of linear layers and known activations."""
    return type(module) is StackedAutoencoder and all(
        all(type(layer) is nn.Linear for layer in [*stack][::2])
        and all(type(layer) in WRITTEN_OUT for layer in [*stack][1::2])
        for stack in (module.encoder, module.decoder)
    )


class Backprop:
    """Mean squared error of a stacked autoencoder on a batch, and its gradients.

    Calling it sets the `grad` of each parameter, as `backward` of the loss would after
    `zero_grad`. They are parts of one tensor, `gradient`, which stays the same; zeros after
    them make it a multiple of `WIDTH` long. What is computed on the way stays in memory, to be
    written over by the next batch.

    Parameters
    ----------
    module : StackedAutoencoder
        One that `is_plain`.
    dtype : torch.dtype, default=None
        What matrices are multiplied in; None for the dtype of the weights. These, the loss and
        the gradients stay in theirs.
    gradient : Tensor, default=None
        Where gradients are written, of a `padded_size`; None for memory of its own.
    mask : callable, default=None
        Returns what codes are multiplied by before they are decoded; None where they stay.

    Attributes
    ----------
    share : float
        What gradients are multiplied by: 1, or the share of the batch in that of all processes.
    """

    def __init__(
        self,
        module: StackedAutoencoder,
        dtype: torch.dtype | None = None,
        gradient: Tensor | None = None,
        mask: Callable[[Tensor], Tensor] | None = None,
    ):
        self.share = 1.0
        parameters = list(module.parameters())
        size = padded_size(parameters)
        self.gradient = parameters[0].new_zeros(size) if gradient is None else gradient.zero_()
        parts = like(parameters, self.gradient)
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.grad = part
        self.encoder = Stack.of(module.encoder, module.encoder_shortcut, dtype)
        self.decoder = Stack.of(module.decoder, module.decoder_shortcut, dtype)
        self.mask = mask
        self.calls: dict[int, Calls] = {}

    def __call__(self, t: Tensor, target: Target) -> Tensor:
        calls = self.calls.get(len(t)) or self._calls_of(len(t))
        calls.x.copy_(t)
        for call in calls.forward:
            call()
        error = torch.sub(calls.y, target.rows, out=calls.error)
        squares = torch.square(error, out=calls.squares)
        error.mul_(2 / error.numel() * self.share)
        if target.weight is not None:
            weight = target.weight[:, None]
            squares.mul_(weight)
            error.mul_(weight)
        for call in calls.backward:
            call()
        # Row by row, since threads share a sum of all in an order of their own.
        return squares.sum(dim=1).sum().div_(squares.numel())

    def _calls_of(self, n_rows: int) -> Calls:
        """Make the calls for so many rows, in the memory of those for one more.

        Batches differ by a row at most. Where they are smaller, what was taken is given back.
        """
        most = max(self.calls, default=0)
        if n_rows > most or n_rows < most - 1:
            self.calls.clear()
        calls = Calls(self.encoder, self.decoder, n_rows, self.calls.get(most), self.mask)
        self.calls[n_rows] = calls
        return calls
