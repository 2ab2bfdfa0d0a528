"""A fitted autoencoder as arrays and facts alone, and back: what is saved runs no code."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from sk_autoencoder._model.bound import Bound
from sk_autoencoder._model.fitted import FittedAutoencoder
from sk_autoencoder._model.plain_parts import (
    FLOATS,
    as_narrow,
    bottleneck_of,
    frame_of,
    plain_bottleneck,
    plain_frame,
    plain_sampler,
    plain_whitening,
    sampler_of,
    whitening_of,
)
from sk_autoencoder._nn.layers import ACTIVATIONS, NORMALIZATIONS
from sk_autoencoder._nn.losses import LOSSES
from sk_autoencoder._nn.stack import StackedAutoencoder, check_module
from sk_autoencoder._utils.devices import home_of
from sk_autoencoder._utils.facts import (
    FactError,
    array,
    choice,
    count,
    fact,
    number,
    number_or_none,
)
from sk_autoencoder._utils.plain import Plain

DTYPES = {"float32": torch.float32, "float64": torch.float64}

# Names of what a description may leave to its reader: what is code.
OWN = {"own": True}


@dataclass(frozen=True)
class Own:
    """What of a fitted autoencoder is code of the user's, and no part of its description.

    `make_module` makes the module, and `loss` is the loss, where these are asked for.
    """

    make_module: Callable[[], nn.Module] | None = None
    loss: Any = None


def plain_model(model: FittedAutoencoder) -> Plain:
    """Return a fitted autoencoder as arrays and facts."""
    facts = {
        "dtype": str(model.dtype),
        "n_components": model.n_components,
        "loss": model.loss if isinstance(model.loss, str) else OWN,
    }
    plain = Plain(facts, {"mean": model.mean})
    plain.put("module", _plain_module(model.module))
    plain.put("bottleneck", plain_bottleneck(model.bottleneck))
    plain.put("input", plain_frame(model.frame))
    if model.output is not model.frame:
        plain.put("output", plain_frame(model.output))
    plain.put("whitening", plain_whitening(model.whitening))
    plain.put("sampler", plain_sampler(model.sampler))
    if model.scorer is not None:
        plain.put("scorer", Plain({"noise_variance": model.scorer.noise_variance}))
    return plain


def model_of(plain: Plain, own: Own, device: torch.device) -> FittedAutoencoder:
    """Return the fitted autoencoder that arrays and facts describe, for a device."""
    facts, dtype, home = plain.facts, DTYPES[choice(plain.facts, "dtype", DTYPES)], home_of(device)
    frame = frame_of(plain.part("input"), dtype)
    output = frame_of(plain.part("output"), dtype) if "output" in facts else frame
    if (output.n_features, output.n_axes) != (frame.n_features, frame.n_axes):
        raise FactError("'output' and 'input' are of different shapes")
    bottleneck = bottleneck_of(plain.part("bottleneck"), frame.n_axes, dtype)
    width = bottleneck.width
    n_components = count(facts, "n_components")
    if n_components > width:
        raise FactError(f"'n_components' is {n_components}, of a code of width {width}")
    module = _module_of(plain.part("module"), own, (frame.n_axes, width), dtype)
    model = FittedAutoencoder(
        frame.to(home),
        output.to(home),
        module.to(home),
        bottleneck.to(home),
        _loss_of(facts, own),
        n_components,
        array(plain.arrays, "mean", (frame.n_features,), np.float64),
        whitening_of(plain.part("whitening"), width).to(home),
        sampler_of(plain.part("sampler"), width),
        _scorer_of(plain),
    )
    if model.bottleneck.has_prior != (model.scorer is not None):
        raise FactError("'scorer' does not suit 'bottleneck'")
    return model


def asks_for(plain: Plain) -> list[str]:
    """Return the names of what a description leaves to its reader: "loss", "module"."""
    is_own = {
        "loss": fact(plain.facts, "loss", (str, dict)) == OWN,
        "module": fact(plain.part("module").facts, "kind", str) == "own",
    }
    return [name for name, asked in is_own.items() if asked]


def _loss_of(facts: dict[str, Any], own: Own) -> Any:
    if facts.get("loss") == OWN:
        return own.loss
    return choice(facts, "loss", LOSSES)


def _scorer_of(plain: Plain) -> Bound | None:
    if "scorer" not in plain.facts:
        return None
    return Bound(number_or_none(plain.part("scorer").facts, "noise_variance", positive=True))


def _plain_module(module: nn.Module) -> Plain:
    """Return a module as arrays, in float32 where that loses nothing, and its architecture."""
    arrays = {}
    for name, tensor in module.state_dict().items():
        if not isinstance(tensor, torch.Tensor) or tensor.dtype not in (
            *DTYPES.values(),
            torch.int64,
            torch.int32,
            torch.uint8,
            torch.bool,
        ):
            kind = getattr(tensor, "dtype", type(tensor).__name__)
            raise TypeError(
                f"{type(module).__name__} holds {name!r} of {kind}, which is not saved. Its "
                "state_dict may hold tensors of floats, integers and bools."
            )
        arrays[name] = as_narrow(tensor.detach().cpu().contiguous().numpy())
    if type(module) is StackedAutoencoder:
        return Plain({"kind": "stacked", "architecture": module.architecture}, arrays)
    return Plain({"kind": "own", "name": type(module).__qualname__}, arrays)


def _module_of(plain: Plain, own: Own, widths: tuple[int, int], dtype: torch.dtype) -> nn.Module:
    """Return the module, with its weights, in inference mode."""
    if choice(plain.facts, "kind", ("stacked", "own")) == "stacked":
        module: nn.Module = _stacked(plain, widths)
    else:
        if own.make_module is None:
            raise FactError("'module' is not given")
        module = own.make_module().to("cpu")
    expected = module.state_dict()
    _compare(expected, plain.arrays)
    state = {name: torch.from_numpy(plain.arrays[name]) for name in expected}
    module.load_state_dict(state, assign=plain.facts["kind"] == "stacked")
    module = module.eval().to(dtype)
    if plain.facts["kind"] == "own":
        check_module(copy.deepcopy(module).float(), *widths, torch.device("cpu"))
    return module


def _stacked(plain: Plain, widths: tuple[int, int]) -> StackedAutoencoder:
    """Return a stacked autoencoder, without weights, which the arrays are large enough for."""
    facts = fact(plain.facts, "architecture", dict)
    hidden = fact(facts, "hidden_layer_sizes", list)
    sizes = [count({"hidden_layer_sizes": size}, "hidden_layer_sizes") for size in hidden]
    architecture = {
        "n_inputs": count(facts, "n_inputs"),
        "n_components": count(facts, "n_components"),
        "hidden_layer_sizes": sizes,
        "activation": choice(facts, "activation", ACTIVATIONS),
        "linear_shortcut": fact(facts, "linear_shortcut", bool),
        "dropout": number(facts, "dropout"),
        "normalization": choice(facts, "normalization", {None, *NORMALIZATIONS}),
        "tied_weights": fact(facts, "tied_weights", bool),
    }
    if (architecture["n_inputs"], architecture["n_components"]) != widths:
        raise FactError("'architecture' is of other widths than the frame and the code")
    # Before anything is built: what the layers need has to be there.
    n_weights = sum(a * b for a, b in itertools.pairwise([widths[0], *sizes, widths[1]]))
    if n_weights > sum(value.size for value in plain.arrays.values()):
        raise FactError("'architecture' has more weights than the arrays hold")
    with torch.device("meta"):
        return StackedAutoencoder(**architecture)


def _compare(expected: dict[str, torch.Tensor], arrays: dict[str, np.ndarray]) -> None:
    """Refuse arrays that are not the weights of a module."""
    for name in sorted({*expected, *arrays}):
        if name not in expected:
            raise FactError(f"the module has no {name!r}")
        if name not in arrays:
            raise FactError(f"the array {name!r} of the module is missing")
        wanted = expected[name]
        dtypes = FLOATS if wanted.is_floating_point() else (_numpy_dtype(wanted),)
        array(arrays, name, tuple(wanted.shape), *dtypes, finite=False)


def _numpy_dtype(tensor: torch.Tensor) -> np.dtype:
    return torch.empty(0, dtype=tensor.dtype).numpy().dtype
