"""The layers of the stacked autoencoder, in torch alone."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
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

# Klambauer et al. (2017). Self-normalizing neural networks. NeurIPS 30.
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805

NORMALIZATIONS = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}


class Dropout(nn.Module):
    """Dropout that draws from a generator of its own, None for torch's global one.

    Torch's has none, and so would move the global one in each step.
    """

    def __init__(self, share: float, generator: torch.Generator | None = None):
        super().__init__()
        self.share = share
        self.generator = generator

    def forward(self, x: Tensor) -> Tensor:
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

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.mirrored[0].weight.T, self.bias)


class Behind(NamedTuple):
    """What stands behind each hidden layer: normalization, activation and dropout."""

    activation: str
    dropout: float
    normalization: str | None
    generator: torch.Generator | None


def stack(layers: list[Any], widths: list[int], behind: Behind) -> nn.Sequential:
    """Put what belongs behind a hidden layer behind each but the last, which has the width told."""
    parts: list[nn.Module] = []
    for layer, width in zip(layers, widths, strict=True):
        parts.append(layer)
        if behind.normalization is not None:
            parts.append(NORMALIZATIONS[behind.normalization](width, dtype=torch.float32))
        parts.append(ACTIVATIONS[behind.activation]())
        if behind.dropout > 0:
            parts.append(Dropout(behind.dropout, behind.generator))
    return nn.Sequential(*parts[: parts.index(layers[-1]) + 1])


def blocks(stacked: nn.Sequential) -> list[nn.Sequential]:
    """Cut a stack into its linear layers, each with what is behind it."""
    parts = list(stacked)
    begins = [i for i, part in enumerate(parts) if isinstance(part, (nn.Linear, TiedLinear))]
    ends = [*begins[1:], len(parts)]
    return [nn.Sequential(*parts[i:j]) for i, j in zip(begins, ends, strict=True)]


@torch.no_grad()
def pair_units(encoder: nn.Sequential, decoder: nn.Sequential, generator) -> None:
    """Make hidden units cancel each other in pairs, so that both of two tied stacks give zero.

    A last layer of zeros would not do: it is the other stack's first, which then is constant,
    and near PCA no gradient reaches any layer. Of two units that are the same but for opposite
    weights on the way out, each has gradients of its own (Chizat, Oyallon and Bach, 2019, On
    lazy training in differentiable programming, NeurIPS). In the encoder these are
    neighbours in the last hidden layer, in the decoder halves of its own last one.
    """
    layers = [part for part in encoder if isinstance(part, nn.Linear)]
    first, last = layers[0], layers[-1]
    zero_(last)
    if last is first:
        return
    mirrored: list[Any] = [part for part in decoder if isinstance(part, TiedLinear)]
    # As an untied decoder's first layer, whatever the width of the encoder's last one.
    drawn = linear(last.out_features, last.in_features, generator)
    last.weight.copy_(drawn.weight.T)
    mirrored[0].bias.copy_(drawn.bias)
    group = 4 if len(layers) == 2 else 2  # a layer that is the last hidden one of both
    n = first.out_features // group * group
    halves = slice(0, n // 2), slice(n // 2, n)
    _oppose(first.weight, [layers[1].weight.T, mirrored[-2].bias], *halves)
    first.weight[n:] = 0
    n = last.in_features // group * group
    _oppose(last.weight.T, [*layers[-2].parameters()], slice(0, n, 2), slice(1, n, 2))
    last.weight[:, n:] = 0


def _oppose(outgoing: Tensor, incoming: list[Any], units: slice, others: slice) -> None:
    """Return other units what enters these, and the opposite of what leaves them."""
    outgoing[others] = -outgoing[units]
    for parameter in incoming:
        parameter[others] = parameter[units]


@torch.no_grad()
def zero_(layer: nn.Linear) -> None:
    """Fill a layer with zeros."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


def linears(widths: list[int], generator) -> list[nn.Linear]:
    """Return linear layers that lead from each width to the next."""
    return [linear(n_in, n_out, generator) for n_in, n_out in itertools.pairwise(widths)]


def linear(n_in: int, n_out: int, generator, bias: bool = True) -> nn.Linear:
    """Return a linear layer whose outputs start as large as its inputs (LeCun et al., 1998).

    Torch's own start makes them smaller from layer to layer: a deep stack then begins almost
    linear, and may never leave PCA behind.
    """
    bound = (3 / n_in) ** 0.5
    # Without weights, on "meta", where others are to come.
    device = "meta" if torch.get_default_device().type == "meta" else "cpu"

    def drawn(*shape: int) -> nn.Parameter:
        values = torch.empty(shape, dtype=torch.float32, device=device)
        if not values.is_meta:
            nn.init.uniform_(values, -bound, bound, generator=generator)
        return nn.Parameter(values)

    # Without torch's own start, which draws from its global generator. To skip that by
    # torch.nn.utils.skip_init loads sympy in the first call: half a second.
    layer = nn.Linear.__new__(nn.Linear)
    nn.Module.__init__(layer)
    layer.in_features, layer.out_features = n_in, n_out
    layer.weight = drawn(n_out, n_in)
    layer.register_parameter("bias", drawn(n_out) if bias else None)
    return layer
