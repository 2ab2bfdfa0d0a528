"""The layers of the stacked autoencoder, in torch alone."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import nn
from torch.nn import functional

ACTIVATIONS = {
    "celu": nn.CELU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "identity": nn.Identity,
    "leaky_relu": nn.LeakyReLU,
    "mish": nn.Mish,
    "relu": nn.ReLU,
    "selu": nn.SELU,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
}

NORMALIZATIONS = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}


class Dropout(nn.Module):
    """Dropout that draws from a generator of its own, None for torch's global one.

    Torch's has none, and so would move the global one in each step.
    """

    def __init__(self, share: float, generator: torch.Generator | None = None):
        super().__init__()
        self.share = share
        self.generator = generator

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return x
        kept = torch.rand(x.shape, dtype=torch.float32, generator=self.generator) >= self.share
        return x * kept.to(x.device) / (1 - self.share)


class TiedLinear(nn.Module):
    """The transpose of a linear layer, with a bias of its own or none."""

    def __init__(self, mirrored: nn.Linear, bias: bool = True):
        super().__init__()
        # In a tuple it is no submodule: its weights are trained and kept once, by its owner.
        self.mirrored = (mirrored,)
        zeros = torch.zeros(mirrored.in_features, dtype=torch.float32)
        self.bias = nn.Parameter(zeros) if bias else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(x, self.mirrored[0].weight.T, self.bias)


def stack(
    layers: list[Any], widths: list[int], activation: str, dropout: float, normalization, generator
) -> nn.Sequential:
    """Put what belongs behind a hidden layer behind each but the last, which has the width told."""
    parts: list[nn.Module] = []
    for layer, width in zip(layers, widths, strict=True):
        parts.append(layer)
        if normalization is not None:
            parts.append(NORMALIZATIONS[normalization](width, dtype=torch.float32))
        parts.append(ACTIVATIONS[activation]())
        if dropout > 0:
            parts.append(Dropout(dropout, generator))
    return nn.Sequential(*parts[: parts.index(layers[-1]) + 1])


def blocks(stacked: nn.Sequential) -> list[nn.Sequential]:
    """Cut a stack into its linear layers, each with what is behind it."""
    parts = list(stacked)
    begins = [i for i, part in enumerate(parts) if isinstance(part, (nn.Linear, TiedLinear))]
    ends = [*begins[1:], len(parts)]
    return [nn.Sequential(*parts[i:j]) for i, j in zip(begins, ends, strict=True)]


def linears(widths: list[int], generator) -> list[nn.Linear]:
    """Linear layers that lead from each width to the next."""
    return [linear(n_in, n_out, generator) for n_in, n_out in itertools.pairwise(widths)]


def linear(n_in: int, n_out: int, generator, bias: bool = True) -> nn.Linear:
    """Give a linear layer whose outputs start as large as its inputs (LeCun et al., 1998).

    Torch's own start makes them smaller from layer to layer: a deep stack then begins almost
    linear, and may never leave PCA behind.
    """
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, n_in, n_out, bias=bias, dtype=torch.float32)
    bound = (3 / n_in) ** 0.5
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -bound, bound, generator=generator)
    return layer
