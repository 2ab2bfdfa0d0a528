"""The stacked autoencoder, in torch alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from sk_autoencoder._nn.layers import Behind, TiedLinear, linear, linears, pair_units, stack, zero_


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
        A key of `ACTIVATIONS` in `layers`, put behind each hidden layer.
    linear_shortcut : bool, default=True
        Lay a straight linear path beside each stack, and start as a projection onto the
        first `n_components` inputs: both paths are the identity on them, and each stack gives
        zero. On principal axes that start is PCA. The idea of a residual branch that starts
        at zero is that of Goyal et al. (2017) [1]_.
    generator : torch.Generator, default=None
        Draws the first weights and the units that are dropped; None draws them from torch's
        global generator.
    dropout : float, default=0.0
        Share of the hidden units that are zero in a step of the training.
    normalization : str, default=None
        A key of `NORMALIZATIONS`, put between each hidden layer and its activation.
    tied_weights : bool, default=False
        Whether the decoder's layers are the transposes of the encoder's, biases apart. Beside
        a shortcut the hidden units then start in pairs that cancel each other.

    Attributes
    ----------
    architecture : dict
        The parameters, but for `generator`: what makes a module of the same shape.

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
        dropout=0.0,
        normalization=None,
        tied_weights=False,
    ):
        super().__init__()
        self.architecture = {
            "n_inputs": int(n_inputs),
            "n_components": int(n_components),
            "hidden_layer_sizes": [int(width) for width in hidden_layer_sizes],
            "activation": activation,
            "linear_shortcut": bool(linear_shortcut),
            "dropout": float(dropout),
            "normalization": normalization,
            "tied_weights": bool(tied_weights),
        }
        self.tied_weights = tied_weights
        widths = [n_inputs, *hidden_layer_sizes, n_components]
        behind = Behind(activation, dropout, normalization, generator)
        layers = linears(widths, generator)
        self.encoder = stack(layers, widths[1:], behind)
        if tied_weights:
            mirrored = [TiedLinear(layer) for layer in reversed(layers)]
        else:
            mirrored = linears(widths[::-1], generator)
        self.decoder = stack(mirrored, widths[-2::-1], behind)
        self.encoder_shortcut = self.decoder_shortcut = None
        if linear_shortcut:
            self.encoder_shortcut = linear(n_inputs, n_components, generator, bias=False)
            if tied_weights:
                self.decoder_shortcut = TiedLinear(self.encoder_shortcut, bias=False)
            else:
                self.decoder_shortcut = linear(n_components, n_inputs, generator, bias=False)
            self.start_at_projection(generator)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        z = self.encoder(x)  # (batch, n_components)
        return z if self.encoder_shortcut is None else z + self.encoder_shortcut(x)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        x = self.decoder(z)  # (batch, n_inputs)
        return x if self.decoder_shortcut is None else x + self.decoder_shortcut(z)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decode(self.encode(x))

    @torch.no_grad()
    def start_at_projection(self, generator: torch.Generator | None = None) -> None:
        """Make the module the projection onto its first `n_components` inputs."""
        if self.encoder_shortcut.weight.is_meta:
            return  # without weights, which are to come
        nn.init.eye_(self.encoder_shortcut.weight)
        if self.tied_weights:
            pair_units(self.encoder, self.decoder, generator)
            return
        nn.init.eye_(self.decoder_shortcut.weight)
        zero_(self.encoder[-1])
        zero_(self.decoder[-1])


def auto_hidden_layer_sizes(n_inputs: int, n_components: int) -> tuple[int, int, int]:
    """Return three widths that halve, wide enough for curves in few dimensions and for the code."""
    middle = max(min(max(n_inputs, 64), 256), n_components)
    return 2 * middle, middle, max(middle // 2, n_components)


def check_module(module: Any, n_inputs: int, n_components: int, device) -> None:
    """Try a module on two rows of zeros, and say what is wrong with it."""
    name = type(module).__name__
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
