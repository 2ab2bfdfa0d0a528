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
from sk_autoencoder._training._steps.flat import like, padded_size

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
    gradient : Tensor, default=None
        Where gradients are written, of a `padded_size`; None for memory of its own.

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
    ):
        self.dtype, self.share = dtype, 1.0
        parameters = list(module.parameters())
        size = padded_size(parameters)
        self.gradient = parameters[0].new_zeros(size) if gradient is None else gradient.zero_()
        parts = like(parameters, self.gradient)
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.grad = part
        self.encoder, self.decoder = _Layers(module.encoder), _Layers(module.decoder)
        shortcuts = module.encoder_shortcut, module.decoder_shortcut
        self.shortcuts = [None if layer is None else _Linear(layer) for layer in shortcuts]

    def __call__(self, t: Tensor, target: Target) -> Tensor:
        into, out = self.shortcuts
        self._take_weights()
        x = t.to(self.dtype)
        z = self.encoder.forward(x)  # (batch, n_components)
        if into is not None:
            z = z.addmm_(x, into.transposed)
        y = self.decoder.forward(z)  # (batch, n_inputs)
        if out is not None:
            y = y.addmm_(z, out.transposed)
        error = y.to(t.dtype).sub_(target.rows)
        squares = error.square()
        error.mul_(2 / error.numel() * self.share)
        if target.weight is not None:
            weight = target.weight[:, None]
            squares.mul_(weight)
            error.mul_(weight)
        g = error.to(self.dtype)
        gz = self.decoder.backward(g)
        if out is not None:
            out.set_gradient(g, z)
            gz = gz.addmm_(g, out.weight)
        self.encoder.backward(gz, for_input=False)
        if into is not None:
            into.set_gradient(gz, x)
        # Row by row, since threads share a sum of all in an order of their own.
        return squares.sum(dim=1).sum().div_(squares.numel())

    def _take_weights(self) -> None:
        """Take the weights of now in the dtype of products, where that is another than theirs."""
        if self.dtype is None:
            return
        for layer in [*self.encoder.linear, *self.decoder.linear, *self.shortcuts]:
            if layer is not None:
                layer.take_weights(self.dtype)


class _Linear:
    """The tensors of a linear layer, which to ask a module for takes as long as small products."""

    def __init__(self, layer: nn.Linear):
        self.parameters = [None if p is None else p.detach() for p in (layer.weight, layer.bias)]
        self.weight_gradient: Any = layer.weight.grad
        self.bias_gradient = None if layer.bias is None else layer.bias.grad
        self.take_weights(None)

    def take_weights(self, dtype: torch.dtype | None) -> None:
        """Take the weights in a dtype; those in their own one, None, change as they do."""
        self.weight, self.bias = [None if p is None else p.to(dtype) for p in self.parameters]
        self.transposed = self.weight.t()

    def forward(self, x: Tensor) -> Tensor:
        return torch.addmm(self.bias, x, self.transposed)

    def set_gradient(self, g: Tensor, x: Tensor) -> None:
        """Set the gradient, from those by the outputs and from the inputs."""
        if g.dtype == self.weight_gradient.dtype:
            torch.mm(g.t(), x, out=self.weight_gradient)
        else:
            self.weight_gradient.copy_(g.t() @ x)
        if self.bias_gradient is not None:
            torch.sum(g, 0, out=self.bias_gradient)


class _Layers:
    """A stack of linear layers with activations between them."""

    def __init__(self, stack: nn.Sequential):
        self.linear = [_Linear(layer) for layer in [*stack][::2]]
        activations = [*stack][1::2]
        self.activations = [activation.forward for activation in activations]
        self.derivatives = [DERIVATIVES[type(activation)] for activation in activations]

    def forward(self, x: Tensor) -> Tensor:
        """Return the output of the stack; what the way back needs is kept until then."""
        *before, last = self.linear
        self.inputs, self.sums = [x], []
        for layer, activation in zip(before, self.activations, strict=True):
            x = layer.forward(x)
            self.sums.append(x)
            x = activation(x)
            self.inputs.append(x)
        return last.forward(x)

    def backward(self, g: Tensor, for_input: bool = True) -> Tensor:
        """Set the gradients of the stack; give that by its input, where it is asked for."""
        for i in reversed(range(len(self.linear))):
            layer, x = self.linear[i], self.inputs[i]
            layer.set_gradient(g, x)
            if i > 0:
                g = self.derivatives[i - 1](g @ layer.weight, self.sums[i - 1], x)
            elif for_input:
                g = g @ layer.weight
        del self.inputs, self.sums
        return g
