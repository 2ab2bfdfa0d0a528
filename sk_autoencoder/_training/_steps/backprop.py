"""Gradients of a plain stacked autoencoder, written out: no graph is recorded and walked.

For small nets, recording and walking takes longer than the arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from sk_autoencoder._nn.batch import Target
from sk_autoencoder._nn.stack import StackedAutoencoder
from sk_autoencoder._training._steps.clipping import WIDTH

aten: Any = torch.ops.aten


def _elu(alpha: float, scale: float) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    return lambda g, x, _: aten.elu_backward.default(g, alpha, scale, 1, False, x)


# Gradient by the input x of an activation, from that by its output and from both of these.
# The numbers are those of torch's defaults, which `ACTIVATIONS` has.
DERIVATIVES: dict[type[nn.Module], Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    nn.CELU: _elu(1, 1),
    nn.ELU: _elu(1, 1),
    nn.GELU: lambda g, x, _: aten.gelu_backward.default(g, x),
    nn.Identity: lambda g, *_: g,
    nn.LeakyReLU: lambda g, x, _: aten.leaky_relu_backward.default(g, x, 0.01, False),
    nn.Mish: lambda g, x, _: aten.mish_backward.default(g, x),
    nn.ReLU: lambda g, _, y: aten.threshold_backward.default(g, y, 0),
    nn.SELU: _elu(1.6732632423543772, 1.0507009873554805),
    nn.Sigmoid: lambda g, _, y: aten.sigmoid_backward.default(g, y),
    nn.SiLU: lambda g, x, _: aten.silu_backward.default(g, x),
    nn.Softplus: lambda g, x, _: aten.softplus_backward.default(g, x, 1, 20),
    nn.Tanh: lambda g, _, y: aten.tanh_backward.default(g, y),
}


def is_plain(module: nn.Module) -> bool:
    """Whether a module is a stacked autoencoder of linear layers and known activations."""
    return type(module) is StackedAutoencoder and all(
        all(type(layer) is nn.Linear for layer in [*stack][::2])
        and all(type(layer) in DERIVATIVES for layer in [*stack][1::2])
        for stack in (module.encoder, module.decoder)
    )


class Backprop:
    """Mean squared error of a stacked autoencoder on a batch, and its gradients.

    Calling it sets the `grad` of each parameter, as `backward` of the loss would after
    `zero_grad`. They are parts of one tensor, `gradient`, which stays the same; zeros after
    them make it a multiple of `WIDTH` long.

    Parameters
    ----------
    module : StackedAutoencoder
        One that `is_plain`.
    dtype : torch.dtype, default=None
        What matrices are multiplied in; None for the dtype of the weights. These, the loss and
        the gradients stay in theirs.
    """

    def __init__(self, module: StackedAutoencoder, dtype: torch.dtype | None = None):
        self.dtype = dtype
        self.encoder, self.decoder = _Layers(module.encoder), _Layers(module.decoder)
        self.shortcuts = module.encoder_shortcut, module.decoder_shortcut
        parameters = list(module.parameters())
        sizes = [parameter.numel() for parameter in parameters]
        n_rest = -sum(sizes) % WIDTH
        self.gradient = parameters[0].new_zeros(sum(sizes) + n_rest)
        *parts, _ = self.gradient.split([*sizes, n_rest])
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.grad = part.view_as(parameter)

    @torch.no_grad()
    def __call__(self, t: Tensor, target: Target) -> Tensor:
        into, out = self.shortcuts
        x = t.to(self.dtype)
        z = self.encoder.forward(x)  # (batch, n_components)
        if into is not None:
            a = into.weight.to(self.dtype)
            z = z.addmm_(x, a.t())
        y = self.decoder.forward(z)  # (batch, n_inputs)
        if out is not None:
            b = out.weight.to(self.dtype)
            y = y.addmm_(z, b.t())
        error = y.to(t.dtype).sub_(target.rows)
        squares = error.square()
        error.mul_(2 / error.numel())
        if target.weight is not None:
            weight = target.weight[:, None]
            squares.mul_(weight)
            error.mul_(weight)
        g = error.to(self.dtype)
        gz = self.decoder.backward(g)
        if out is not None:
            _product(g.t(), z, out.weight.grad)
            gz = gz.addmm_(g, b)
        self.encoder.backward(gz, for_input=False)
        if into is not None:
            _product(gz.t(), x, into.weight.grad)
        # Row by row, since threads share a sum of all in an order of their own.
        return squares.mean(dim=1).mean()


class _Layers:
    """A stack of linear layers with activations between them."""

    def __init__(self, stack: nn.Sequential):
        self.linear: list[Any] = [*stack][::2]
        self.activations = [*stack][1::2]
        self.derivatives = [DERIVATIVES[type(activation)] for activation in self.activations]

    def forward(self, x: Tensor) -> Tensor:
        """Return the output of the stack; what the way back needs is kept until then."""
        self.weights = [layer.weight.to(x.dtype) for layer in self.linear]
        self.inputs, self.sums = [x], []
        for layer, weight, activation in zip(
            self.linear, self.weights, [*self.activations, None], strict=True
        ):
            x = torch.addmm(layer.bias.to(x.dtype), x, weight.t())
            if activation is not None:
                self.sums.append(x)
                x = activation(x)
                self.inputs.append(x)
        return x

    def backward(self, g: Tensor, for_input: bool = True) -> Tensor:
        """Set the gradients of the stack; give that by its input, where it is asked for."""
        for i in reversed(range(len(self.linear))):
            layer, x = self.linear[i], self.inputs[i]
            _product(g.t(), x, layer.weight.grad)
            torch.sum(g, 0, out=layer.bias.grad)
            if i > 0:
                g = self.derivatives[i - 1](g @ self.weights[i], self.sums[i - 1], x)
            elif for_input:
                g = g @ self.weights[0]
        del self.weights, self.inputs, self.sums
        return g


def _product(a: Tensor, b: Tensor, out: Tensor) -> None:
    """Multiply two matrices into a third, which may have more digits."""
    if a.dtype == out.dtype:
        torch.mm(a, b, out=out)
    else:
        out.copy_(a @ b)
