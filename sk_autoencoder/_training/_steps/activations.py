"""Activations and their gradients, written into tensors that are at hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from sk_autoencoder._nn.layers import SELU_ALPHA, SELU_SCALE

aten: Any = torch.ops.aten

# To be called at each step, without anything to be given.
Call = Callable[[], Any]


class Activation(NamedTuple):
    """What to call for an activation y of x, and for its gradient.

    Attributes
    ----------
    forward : callable
        Given x and y, it returns the call that writes y.
    backward : callable
        Given g and either x or y, it returns the call that multiplies g, a gradient by y, with the
        derivative, so that it is the gradient by x.
    of_x : bool
        Whether the derivative is computed from x, and not from y.
    """

    forward: Callable[[Tensor, Tensor], Call]
    backward: Callable[[Tensor, Tensor], Call]
    of_x: bool = True


def _nothing() -> None: ...


def _elu(alpha: float, scale: float) -> Activation:
    backward, numbers = aten.elu_backward.grad_input, (alpha, scale, 1, True)
    return Activation(
        lambda x, y: partial(aten.elu.out, x, alpha, scale, 1, out=y),
        lambda g, y: partial(backward, g, *numbers, y, grad_input=g),
        of_x=False,
    )


def _activation(forward: Any, backward: Any, *numbers: float, of_x: bool = True) -> Activation:
    """Return one whose value and whose gradient take the same numbers."""
    return Activation(
        lambda x, y: partial(forward, x, *numbers, out=y),
        lambda g, kept: partial(backward, g, kept, *numbers, grad_input=g),
        of_x,
    )


# The numbers are those of torch's defaults, which `ACTIVATIONS` has.
WRITTEN_OUT: dict[type[nn.Module], Activation] = {
    nn.CELU: _elu(1, 1),
    nn.ELU: _elu(1, 1),
    nn.GELU: _activation(aten.gelu.out, aten.gelu_backward.grad_input),
    nn.Identity: Activation(
        lambda x, y: partial(y.copy_, x),
        lambda g, x: _nothing,
    ),
    nn.LeakyReLU: Activation(
        lambda x, y: partial(aten.leaky_relu.out, x, 0.01, out=y),
        lambda g, x: partial(aten.leaky_relu_backward.grad_input, g, x, 0.01, False, grad_input=g),
    ),
    nn.Mish: Activation(
        lambda x, y: partial(aten.mish.out, x, out=y),
        lambda g, x: lambda: g.copy_(aten.mish_backward.default(g, x)),
    ),
    nn.ReLU: Activation(
        lambda x, y: partial(torch.clamp_min, x, 0, out=y),
        lambda g, y: partial(aten.threshold_backward.grad_input, g, y, 0, grad_input=g),
        of_x=False,
    ),
    nn.SELU: _elu(SELU_ALPHA, SELU_SCALE),
    nn.Sigmoid: _activation(torch.sigmoid, aten.sigmoid_backward.grad_input, of_x=False),
    nn.SiLU: _activation(aten.silu.out, aten.silu_backward.grad_input),
    nn.Softplus: _activation(aten.softplus.out, aten.softplus_backward.grad_input, 1, 20),
    nn.Tanh: _activation(torch.tanh, aten.tanh_backward.grad_input, of_x=False),
}
