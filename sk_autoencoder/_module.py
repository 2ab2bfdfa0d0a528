"""The stacked autoencoder, in torch alone."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import nn

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


class StackedAutoencoder(nn.Module):
    """An encoder of layers that get narrower, a linear code, and the mirrored decoder.

    Parameters
    ----------
    n_inputs : int
        Width of the input and of the reconstruction.
    n_components : int
        Width of the code.
    hidden_layer_sizes : sequence of int
        Widths of the encoder's hidden layers; the decoder has them in reverse.
    activation : str, default="silu"
        A key of `ACTIVATIONS`, put behind each hidden layer.
    linear_shortcut : bool, default=True
        Lay a straight linear path beside each stack, and start as a projection onto the
        first `n_components` inputs: both paths are the identity on them, and the last layer
        of each stack is zero. On principal axes that start is PCA. The idea of a residual
        branch that starts at zero is that of Goyal et al. (2017) [1]_.
    generator : torch.Generator, default=None
        Draws the first weights; None draws them from torch's global generator.

    References
    ----------
    .. [1] Goyal et al. (2017). Accurate, large minibatch SGD: training ImageNet in 1 hour.
       arXiv:1706.02677.
    """

    def __init__(
        self,
        n_inputs,
        n_components,
        hidden_layer_sizes,
        activation="silu",
        linear_shortcut=True,
        generator=None,
    ):
        super().__init__()
        widths = [n_inputs, *hidden_layer_sizes, n_components]
        self.encoder = _stack(widths, activation, generator)
        self.decoder = _stack(widths[::-1], activation, generator)
        self.encoder_shortcut = self.decoder_shortcut = None
        if linear_shortcut:
            self.encoder_shortcut = _linear(n_inputs, n_components, generator, bias=False)
            self.decoder_shortcut = _linear(n_components, n_inputs, generator, bias=False)
            self.start_at_projection()

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        z = self.encoder(x)  # (batch, n_components)
        return z if self.encoder_shortcut is None else z + self.encoder_shortcut(x)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        x = self.decoder(z)  # (batch, n_inputs)
        return x if self.decoder_shortcut is None else x + self.decoder_shortcut(z)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decode(self.encode(x))

    @torch.no_grad()
    def start_at_projection(self) -> None:
        """Make the module the projection onto its first `n_components` inputs."""
        for shortcut in (self.encoder_shortcut, self.decoder_shortcut):
            nn.init.eye_(shortcut.weight)
        for stack in (self.encoder, self.decoder):
            nn.init.zeros_(stack[-1].weight)
            nn.init.zeros_(stack[-1].bias)


def auto_hidden_layer_sizes(n_inputs: int, n_components: int) -> tuple[int, int, int]:
    """Three widths that halve, wide enough for curves in few dimensions and for the code."""
    middle = max(min(max(n_inputs, 64), 256), n_components)
    return 2 * middle, middle, max(middle // 2, n_components)


def check_module(module: Any, n_inputs: int, n_components: int, device) -> None:
    """Try a module on two rows of zeros, and say what is wrong with it."""
    name = type(module).__name__
    for method in ("encode", "decode"):
        if not callable(getattr(module, method, None)):
            raise TypeError(
                f"module={name} has no method {method!r}. A module needs encode, from rows of X "
                "to codes, and decode, from codes to rows of X."
            )
    was_training = module.training
    module.eval()
    x = torch.zeros(2, n_inputs, device=device, dtype=torch.float32)
    z = _try(module.encode, x, f"{name}.encode")
    _check_shape(z, (2, n_components), f"{name}.encode", "n_components")
    _check_shape(
        _try(module.decode, z, f"{name}.decode"), (2, n_inputs), f"{name}.decode", "n_features"
    )
    module.train(was_training)


@torch.no_grad()
def _try(function, argument: torch.Tensor, method: str) -> torch.Tensor:
    """Call a module's method, and name it where torch refuses what it does."""
    try:
        return function(argument)
    except RuntimeError as error:
        raise ValueError(
            f"{method} cannot take a batch of shape {tuple(argument.shape)}: {error}. Change the "
            "module to take rows of that width."
        ) from error


def _check_shape(output: torch.Tensor, expected: tuple[int, int], method: str, width: str) -> None:
    """Raise where the output of a module's method has another shape than expected."""
    shape = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
    if shape != expected:
        raise ValueError(
            f"{method} gave an output of shape {shape} for 2 rows, but "
            f"(n_samples, {width}) is {expected}. Change the module, or {width}."
        )


def _stack(widths: list[int], activation: str, generator) -> nn.Sequential:
    """Linear layers of the given widths, with the activation between them."""
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(widths):
        layers += [_linear(n_in, n_out, generator), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers[:-1])


def _linear(n_in: int, n_out: int, generator, bias: bool = True) -> nn.Linear:
    """Give a linear layer whose outputs start as large as its inputs (LeCun et al., 1998).

    Torch's own start makes them smaller from layer to layer: a deep stack then begins almost
    linear, and may never leave PCA behind.
    """
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, n_in, n_out, bias=bias, dtype=torch.float32)
    bound = (3 / n_in) ** 0.5
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -bound, bound, generator=generator)
    return layer
