"""Activations as compositions: onnxruntime has operators for them, but of float32 alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from sk_autoencoder._nn.layers import SELU_ALPHA, SELU_SCALE
from sk_autoencoder._nn.stack import StackedAutoencoder


class Composed(nn.Module):
    """A function of tensors, as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]):
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def _elu(x: Tensor, alpha: float = 1.0, scale: float = 1.0) -> Tensor:
    return scale * torch.where(x > 0, x, alpha * (x.clamp(max=0).exp() - 1))


def _leaky_relu(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.01 * x)


def _softplus(x: Tensor) -> Tensor:
    # As torch's: the identity above its threshold.
    return torch.where(x > 20, x, (1 + x.clamp(max=20).exp()).log())


def _mish(x: Tensor) -> Tensor:
    return x * _softplus(x).tanh()


COMPOSED: dict[type[nn.Module], Callable[[Tensor], Tensor]] = {
    nn.ELU: _elu,
    nn.LeakyReLU: _leaky_relu,
    nn.Mish: _mish,
    nn.SELU: partial(_elu, alpha=SELU_ALPHA, scale=SELU_SCALE),
    nn.Softplus: _softplus,
}


def compose_activations(module: nn.Module) -> None:
    """Put compositions in the place of activations of stacks; modules of the user's own stay."""
    for stack in [part for part in module.modules() if isinstance(part, StackedAutoencoder)]:
        for half in (stack.encoder, stack.decoder):
            for name, part in half.named_children():
                if type(part) in COMPOSED:
                    setattr(half, name, Composed(COMPOSED[type(part)]))
