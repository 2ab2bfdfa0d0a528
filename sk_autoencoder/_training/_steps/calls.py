"""Calls of torch that send a batch through a plain stack and back, on tensors that stay the same.

To make tensors anew at each step, and views of them, takes as long as small products.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import zip_longest
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from sk_autoencoder._training._steps.activations import WRITTEN_OUT, Activation, Call


class Linear:
    """What to call for a linear layer whose parameters have their gradients.

    Parameters
    ----------
    layer : torch.nn.Linear
    dtype : torch.dtype or None
        What matrices are multiplied in; None for the dtype of the weights.
    """

    def __init__(self, layer: nn.Linear, dtype: torch.dtype | None):
        # Without a conversion these are the parameters themselves, and change with them.
        self.weight = layer.weight.detach().to(dtype)
        self.bias: Any = None if layer.bias is None else layer.bias.detach().to(dtype)
        self.transposed = self.weight.t()
        self.weight_gradient: Any = layer.weight.grad
        self.bias_gradient: Any = None if layer.bias is None else layer.bias.grad
        self.conversions: list[Call] = [
            partial(taken.copy_, parameter.detach())
            for taken, parameter in ((self.weight, layer.weight), (self.bias, layer.bias))
            if taken is not None and taken.dtype != parameter.dtype
        ]

    def forward(self, x: Tensor, y: Tensor) -> Call:
        """Return what writes the output for x into y."""
        return partial(torch.addmm, self.bias, x, self.transposed, out=y)

    def backward(self, g: Tensor, x: Tensor) -> list[Call]:
        """Return what writes the gradients of the parameters, given that by the output for x."""
        if g.dtype == self.weight_gradient.dtype:
            calls: list[Call] = [partial(torch.mm, g.t(), x, out=self.weight_gradient)]
        else:
            calls = [lambda: self.weight_gradient.copy_(g.t() @ x)]
        if self.bias_gradient is not None:
            calls.append(partial(torch.sum, g, 0, out=self.bias_gradient))
        return calls


class Stack(NamedTuple):
    """Linear layers with activations between them, and a linear shortcut past them all."""

    layers: list[Linear]
    activations: list[Activation]
    shortcut: Linear | None

    @classmethod
    def of(
        cls, stack: nn.Sequential, shortcut: nn.Linear | None, dtype: torch.dtype | None
    ) -> Stack:
        """Return what there is to call for modules."""
        return cls(
            [Linear(layer, dtype) for layer in [*stack][::2]],
            [WRITTEN_OUT[type(activation)] for activation in [*stack][1::2]],
            None if shortcut is None else Linear(shortcut, dtype),
        )

    @property
    def conversions(self) -> list[Call]:
        """What takes the weights of now into the dtype of products."""
        every = [*self.layers] if self.shortcut is None else [*self.layers, self.shortcut]
        return [call for layer in every for call in layer.conversions]


class Calls:
    """What is called for a batch of so many rows.

    Parameters
    ----------
    encoder, decoder : Stack
    n_rows : int
    larger : Calls or None
        Those of the same stacks for more rows, in whose memory these compute; None for memory of
        its own.
    mask : callable or None
        Returns what codes are multiplied by before they are decoded; None where they stay.

    Attributes
    ----------
    x : Tensor of shape (n_rows, n_inputs)
        What is encoded by `forward`.
    y : Tensor of shape (n_rows, n_inputs)
        What it is decoded to; the error is written over it where both are of one dtype.
    error : Tensor of shape (n_rows, n_inputs)
        The gradient by y, from which `backward` begins, in the dtype of the gradients.
    squares : Tensor of shape (n_rows, n_inputs)
        Room for the squares of the error.
    forward, backward : list of callable
    """

    def __init__(
        self,
        encoder: Stack,
        decoder: Stack,
        n_rows: int,
        larger: Calls | None,
        mask: Callable[[Tensor], Tensor] | None,
    ):
        self.n_rows = n_rows
        self.tensors: list[Tensor] = []
        self.lent = iter([] if larger is None else larger.tensors)
        self.forward: list[Call] = [*encoder.conversions, *decoder.conversions]
        self.backward: list[Call] = []
        weight, gradient = encoder.layers[0].weight, encoder.layers[0].weight_gradient
        width = weight.shape[1]
        self.x = self._rows(width, weight)
        z, encoded = self._forward(encoder, self.x)
        if mask is not None:
            kept = self._rows(z.shape[1], z)
            self.forward += [lambda: kept.copy_(mask(z)), partial(z.mul_, kept)]
        self.y, decoded = self._forward(decoder, z)
        self.squares = self._rows(width, gradient)
        g = self.error = self.y  # which is not needed any more when the error is written
        if weight.dtype != gradient.dtype:
            self.error, g = (self._rows(width, of) for of in (gradient, weight))
            self.backward.append(partial(g.copy_, self.error))
        g = self._backward(decoder, decoded, g)
        if mask is not None:
            self.backward.append(partial(g.mul_, kept))
        self._backward(encoder, encoded, g, for_input=False)

    def _rows(self, width: int, like: Tensor) -> Tensor:
        """Return a tensor of rows, in the dtype of another."""
        tensor = next(self.lent, None)
        if tensor is None:
            tensor = like.new_empty(self.n_rows, width)
        self.tensors.append(tensor)
        return tensor[: self.n_rows]

    def _forward(self, stack: Stack, x: Tensor) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Send x through a stack; return its output, and for each layer what goes in and out."""
        passed = []
        for layer, activation in zip_longest(stack.layers, stack.activations):
            y = self._rows(len(layer.weight), x)
            self.forward.append(layer.forward(x, y))
            passed.append((x, y))
            if activation is not None:
                x = self._rows(len(layer.weight), y)
                self.forward.append(activation.forward(y, x))
        if stack.shortcut is not None:
            self.forward.append(partial(y.addmm_, passed[0][0], stack.shortcut.transposed))
        return y, passed

    def _backward(
        self,
        stack: Stack,
        passed: list[tuple[Tensor, Tensor]],
        of_output: Tensor,
        for_input: bool = True,
    ) -> Tensor:
        """Send the gradient by the output back; give that by the input, where it is asked for."""
        g, x = of_output, passed[0][0]
        for i in reversed(range(1, len(stack.layers))):
            layer, activation = stack.layers[i], stack.activations[i - 1]
            before, behind = passed[i - 1][1], passed[i][0]
            # What the derivative is not computed from makes room for the gradient.
            kept, room = (before, behind) if activation.of_x else (behind, before)
            self.backward += [
                *layer.backward(g, behind),
                partial(torch.mm, g, layer.weight, out=room),
                activation.backward(room, kept),
            ]
            g = room
        first, shortcut = stack.layers[0], stack.shortcut
        self.backward += first.backward(g, x)
        if shortcut is not None:
            self.backward += shortcut.backward(of_output, x)
        if for_input:
            of_input = self._rows(x.shape[1], g)
            self.backward.append(partial(torch.mm, g, first.weight, out=of_input))
            if shortcut is not None:
                self.backward.append(partial(of_input.addmm_, of_output, shortcut.weight))
            g = of_input
        return g
