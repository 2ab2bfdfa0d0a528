"""The network before its first step: its principal axes, its frame, its weights."""

from __future__ import annotations

import copy
import inspect
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from numbers import Integral, Real

import numpy as np
import torch
from scipy import sparse
from torch import nn

from sk_autoencoder._model import bound as _variational
from sk_autoencoder._nn import frames as _coordinates
from sk_autoencoder._nn.bottlenecks import Prefixes, validated_sizes
from sk_autoencoder._nn.frames import Coordinates
from sk_autoencoder._nn.losses import LEAST_MEAN, Criterion, find_objective
from sk_autoencoder._nn.penalties import penalties_of
from sk_autoencoder._nn.stack import StackedAutoencoder, auto_hidden_layer_sizes, check_module
from sk_autoencoder._pca.imputation import Filling, filling_of_axes, fit_axes
from sk_autoencoder._pca.principal_axes import PrincipalAxes
from sk_autoencoder._training import supervision as _supervised
from sk_autoencoder._training.baseline import best_slope
from sk_autoencoder._training.batches import Batches, rows_a_block
from sk_autoencoder._training.net import AutoencoderNet
from sk_autoencoder._training.own_parts import (
    check_functions,
    check_net_params,
    check_optimizer,
    parameters_of,
)
from sk_autoencoder._utils.sizes import SIZES_OF_LOSSES, check_deviation, largest_cell
from sk_autoencoder._validation import Data, check_callbacks, check_hidden_layer_sizes

OPTIMIZERS = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}

# What a fit that goes on from the last one has to leave as it was.
NETWORK_PARAMS = (
    "n_components",
    "hidden_layer_sizes",
    "activation",
    "linear_shortcut",
    "nested",
    "dropout",
    "normalization",
    "tied_weights",
    "pretrain",
    "module",
    "loss",
    "variational",
    "kl_weight",
    "supervised_weight",
    "corruption",
    "corruption_level",
    "sparsity_penalty",
    "sparsity",
    "sparsity_target",
    "contractive_penalty",
    "orthogonality_penalty",
    "optimizer",
    "weight_decay",
    "device",
    "net_params",
)

# What a capability adds to a new net, if the estimator asks for it: parts of the module, a bound,
# a penalty.
ADDITIONS = (_variational.add, _supervised.add)

# In the others weight decay is a penalty whose strength depends on the loss.
ADAMW_WEIGHT_DECAY = 0.1
# With torch's second one of 0.999 a rare large gradient is met by a step sized for small ones.
ADAMW_BETAS = (0.9, 0.97)

ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")

# Times the largest cell of X: as far as a mean of counts is an exponential.
STRAIGHT_FROM = math.e

LEAST_AXES = 256
AXES_PER_COMPONENT = 4


def starts_at_pca(estimator) -> bool:
    """Whether the network before its first step is PCA.

    An output activation can only follow PCA's reconstruction to first order, and variational
    codes start at probabilistic PCA, whose codes are a bit shorter.
    """
    if estimator.variational or find_objective(estimator.loss).link is not None:
        return False
    return estimator.linear_shortcut and estimator.module is None


def find_axes(estimator, data: Data, rows: np.ndarray, rng) -> tuple[PrincipalAxes, Filling]:
    """Principal axes of some rows, far more than the code has components; what fills gaps.

    All axes, where a share of the variance asks for an unknown number.
    """
    n_axes = min(len(rows), data.X.shape[1])
    n_components = given_n_components(estimator, data)
    if n_components is not None:
        n_axes = min(n_axes, _wanted_axes(n_components))
    weight = None if data.weight is None else data.weight[rows]
    if data.gaps and not sparse.issparse(data.X):
        return fit_axes(data.X, rows, n_axes, rng, weight)
    axes = PrincipalAxes.fit(data.X, rows, n_axes, rng, data.weight)
    return axes, filling_of_axes(axes, data.X, rows, weight)


def asks_for_share(estimator) -> bool:
    """Whether `n_components` is a share of the variance."""
    return not isinstance(estimator.n_components, Integral | None)


def given_n_components(estimator, data: Data) -> int | None:
    """Give the number of components asked for, or None where the variance decides.

    All that X allows are as many as PCA has, of all rows, whether or not some are set aside.
    """
    if asks_for_share(estimator):
        return None
    return int(min(data.X.shape) if estimator.n_components is None else estimator.n_components)


def choose_n_components(estimator, axes: PrincipalAxes, data: Data) -> int:
    """Give the number of components asked for, or how many PCA needs for a share of variance."""
    n_components = given_n_components(estimator, data)
    if n_components is not None:
        return n_components
    if axes.constant:
        return 1
    explained = np.cumsum(axes.explained_variance) / axes.total_variance
    return min(int(np.searchsorted(explained, estimator.n_components)) + 1, len(explained))


def axes_of_frame(estimator, axes: PrincipalAxes) -> PrincipalAxes:
    """Give as many of the axes as the network's frame has."""
    n_axes = _wanted_axes(estimator._width)
    return axes if len(axes.components) <= n_axes else axes.leading(n_axes)


def _wanted_axes(n_components: int) -> int:
    return max(LEAST_AXES, AXES_PER_COMPONENT * n_components)


def choose_coordinates(estimator, axes: PrincipalAxes, dtype: torch.dtype) -> Coordinates:
    """Give the frame that suits the network: rotated onto the axes for a start at PCA."""
    if estimator.module is not None:
        return _coordinates.raw(axes, dtype)
    if estimator.linear_shortcut:
        return _coordinates.principal(axes, dtype)
    return _coordinates.standard(axes, dtype)


def choose_output(
    estimator, axes: PrincipalAxes, coordinates: Coordinates, data: Data, rows: np.ndarray
) -> Coordinates:
    """Give the frame of the module's output: that of its input, or what a link needs.

    Around the mean the link turns a step in X into one that is greater the less a cell with
    that mean varies. Far from it the step is too great, so that it is made smaller where that
    lowers the loss of these rows at the start. A mean that has no limit of its own grows as a
    straight line from `STRAIGHT_FROM` times the largest cell of X on, not as an exponential.
    """
    objective = find_objective(estimator.loss)
    link = objective.link
    if link is None:
        return coordinates
    ceiling = None
    if not link.has_limit:
        ceiling = link.inverse(np.array(STRAIGHT_FROM * largest_cell(data.X))).item()
    if estimator.module is not None:
        return coordinates if ceiling is None else coordinates.bent(ceiling)
    slope = 1 / max(link.variance(axes.mean).mean(), LEAST_MEAN)
    pca = axes.leading(estimator._width)
    slope = best_slope(pca, data, rows, objective, slope, coordinates.fill)
    return Coordinates(
        link.inverse(axes.mean),
        coordinates.scale * slope,
        coordinates.components,
        dtype=coordinates.dtype,
        ceiling=ceiling,
    )


def _criterion_params(estimator, gaps: bool) -> dict:
    """Give the loss of a batch: in coordinates where that is the same, else cell by cell."""
    output = None
    if estimator.loss != "squared_error" or gaps:
        if isinstance(estimator.loss, str) and estimator.loss in SIZES_OF_LOSSES:
            sizes = SIZES_OF_LOSSES[estimator.loss]
            check_deviation(estimator._coordinates.scale, torch.float32, sizes)
        output = estimator._output.astype(torch.float32)
    return {
        "criterion": Criterion,
        "criterion__loss": estimator.loss,
        "criterion__output": output,
        "criterion__gaps": gaps,
    }


def with_gaps(estimator) -> AutoencoderNet:
    """Give the net, or where it takes no rows with gaps, one that does, with the same weights."""
    net = estimator.net_
    if net.criterion_.gaps:
        return net
    if net.criterion_.output is not None:
        return net.twin().set_params(**_criterion_params(estimator, gaps=True))
    # What was a loss of coordinates becomes one of cells.
    unit = estimator._coordinates.unit
    others = {"unit_loss": net.unit_loss * unit, "gradient_factor": 1 / unit}
    return net.twin(**others).set_params(**_criterion_params(estimator, gaps=True))


def build_net(estimator, gaps: bool, rng) -> AutoencoderNet:
    """Build the initialized skorch net that the estimator's parameters describe."""
    coordinates = estimator._coordinates
    net_params = estimator.net_params or {}
    seed = int(rng.randint(2**31))
    device = resolve_device(estimator.device)
    coordinates.to(device)
    estimator._output.to(device)
    with local_torch_generator(estimator, seed, device):
        net = AutoencoderNet(
            **{
                "module": _module(estimator, coordinates, seed),
                **_criterion_params(estimator, gaps),
                "lr": estimator.lr,
                "iterator_train": Batches,
                "iterator_train__rng": np.random.RandomState(seed),
                "iterator_valid": Batches,
                "iterator_valid__batch_size": rows_a_block(coordinates.n_features),
                "callbacks": [],
                "verbose": int(estimator.verbose),
                "device": device,
                **_optimizer_params(estimator, net_params, device),
                **net_params,
            }
        ).initialize()
    net.penalties = penalties_of(estimator, seed)
    net.sizes = (estimator._width,)
    if estimator.nested:
        net.sizes = validated_sizes(estimator._width)
        net.prefixes = Prefixes(estimator._width, torch.Generator().manual_seed(seed))
    check_module(net.module_, coordinates.n_axes, estimator._width, device)
    for add in ADDITIONS:
        add(estimator, net, seed)
    net.products_a_row = _products_a_row(estimator, net.module_)
    return net


def _products_a_row(estimator, module: nn.Module) -> int:
    """Bound of the multiplications for a row on its way into the code and back.

    A module of one's own may slide each of its weights over all features, as convolutions do.
    """
    n_weights = sum(weight.numel() for weight in module.parameters())
    coordinates = estimator._coordinates
    if estimator.module is not None:
        return n_weights * coordinates.n_features
    rotation = 0 if coordinates.components is None else coordinates.components.numel()
    return n_weights + 2 * rotation


def network_params(estimator) -> dict[str, str]:
    """Give the parameters that make the net what it is, as text to compare."""
    return {name: _as_text(getattr(estimator, name)) for name in NETWORK_PARAMS}


def _as_text(value) -> str:
    """Give a parameter as text that a copy of it gives too: no addresses, no kind of sequence."""
    if isinstance(value, dict):
        return str({key: _as_text(part) for key, part in value.items()})
    if isinstance(value, (list, tuple, np.ndarray)):
        return str([_as_text(part) for part in value])
    if inspect.isfunction(value):
        code = value.__code__
        return str((value.__qualname__, code.co_code, code.co_names, _as_text(code.co_consts)))
    if isinstance(value, Real) and not isinstance(value, bool):
        return str(float(value))  # 1 is 1.0
    if isinstance(value, torch.device):
        return repr(str(value))  # which is its name
    return getattr(value, "__qualname__", None) or ADDRESS.sub("", repr(value))


def check_parts(estimator) -> None:
    """Refuse parts of the user's that cannot work, before anything is computed."""
    resolve_device(estimator.device)
    check_functions(estimator)
    check_optimizer(_optimizer(estimator))
    check_net_params(estimator, _optimizer(estimator))
    check_callbacks(estimator.callbacks)


def resolve_device(device: str | torch.device) -> torch.device:
    """Give the device asked for, or a GPU where "auto" finds one."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        # Some devices take no numbers of 64 bits, and "meta" takes none at all.
        torch.zeros(1, dtype=torch.float64, device=device).item()
    except (AssertionError, ImportError, RuntimeError, TypeError) as error:
        raise ValueError(
            f"device={str(device)!r} is not there: {_first_sentence(error)}. Use 'auto', or a "
            f"device of this machine: {', '.join(map(repr, _devices()))}."
        ) from error
    return torch.device(device)


def _devices() -> list[str]:
    """Return the names of the devices that torch can compute on."""
    return ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]


def _first_sentence(error: Exception) -> str:
    """Return what torch says first, of which it says a lot where it knows no kernels."""
    return re.split(r"\. |\n", str(error))[0].rstrip(".")


@contextmanager
def local_torch_generator(estimator, seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global generator for a user's module, and put it back afterwards.

    Our own module draws from a generator of its own, which unlike this is safe in threads.
    """
    if estimator.module is None:
        yield
        return
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.random.default_generator.manual_seed(seed)
        with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
            if device.type == "cuda":
                torch.cuda.manual_seed(seed)
            yield


def _module(estimator, coordinates: Coordinates, seed: int):
    """Give the module to train: a copy of the user's, or a stacked autoencoder."""
    if isinstance(estimator.module, nn.Module):
        return copy.deepcopy(estimator.module).float()
    if estimator.module is not None:
        return estimator.module
    hidden = check_hidden_layer_sizes(estimator.hidden_layer_sizes)
    if hidden == "auto":
        hidden = auto_hidden_layer_sizes(coordinates.n_axes, estimator._width)
    return StackedAutoencoder(
        coordinates.n_axes,
        estimator._width,
        hidden,
        activation=estimator.activation,
        linear_shortcut=estimator.linear_shortcut,
        generator=torch.Generator().manual_seed(seed),
        dropout=estimator.dropout,
        normalization=estimator.normalization,
        tied_weights=estimator.tied_weights,
    )


def _optimizer(estimator):
    """Return the class or function that makes the optimizer."""
    named = isinstance(estimator.optimizer, str)
    return OPTIMIZERS[estimator.optimizer] if named else estimator.optimizer


def _optimizer_params(estimator, net_params: dict, device: torch.device) -> dict:
    """Give the optimizer's class, its weight decay, and a fused step where it has one."""
    cls = _optimizer(estimator)
    takes = parameters_of(cls) or {}
    params = {"optimizer": cls}
    if estimator.weight_decay != "auto":
        params["optimizer__weight_decay"] = estimator.weight_decay
    elif cls is torch.optim.AdamW:
        params["optimizer__weight_decay"] = ADAMW_WEIGHT_DECAY
    if cls is torch.optim.AdamW:
        params["optimizer__betas"] = ADAMW_BETAS
    if cls is torch.optim.SGD:
        params |= {"optimizer__momentum": 0.9, "optimizer__nesterov": True}
    others = {"optimizer__foreach", "optimizer__differentiable"}  # of which only one can be
    if "fused" in takes and device.type in ("cpu", "cuda") and not others & set(net_params):
        params["optimizer__fused"] = True
    return params
