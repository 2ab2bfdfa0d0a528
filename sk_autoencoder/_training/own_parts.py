"""Parts that a user brings along: what is asked of them, said before time is lost."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from difflib import get_close_matches
from numbers import Integral
from typing import Any

import torch
from sklearn.base import BaseEstimator
from skorch import NeuralNet
from torch import nn

from sk_autoencoder._config import Config, ObjectiveConfig
from sk_autoencoder._training.own_callbacks import check_callbacks
from sk_autoencoder._utils.devices import resolve_device

# What net_params may set of skorch's net; all else is set from other parameters, or has no use.
FREE_NET_PARAMS = frozenset({"predict_nonlinearity", "torch_load_kwargs", "use_caching"})
NET_PARAMS = frozenset(inspect.signature(NeuralNet.__init__).parameters) - {"self", "kwargs"}

# What functions of the user's are called with, and one that takes it.
FUNCTIONS = {
    "loss": ("the reconstruction and X", "torch.nn.MSELoss(reduction='none')"),
    "corruption": (
        "rows and a torch.Generator",
        "lambda rows, generator: rows + torch.randn(rows.shape, generator=generator)",
    ),
}


def name_of(thing) -> str:
    """Return the name of a class, of a function, or of the class of an object."""
    return getattr(thing, "__qualname__", None) or type(thing).__qualname__


def refuse_estimators(estimator) -> None:
    """Refuse estimators as parameters, before an error prints them with all that they hold."""
    name = type(estimator).__name__
    for param, value in estimator.get_params(deep=False).items():
        if value is estimator:
            raise TypeError(f"{param} is the {name} itself. Pass one of the values that it takes.")
    module = estimator.module
    if isinstance(module, nn.Module) and any(p.is_meta for p in module.parameters()):
        raise ValueError(
            f"module={type(module).__name__} is on the device 'meta', where parameters have no "
            "values. Make it on another device."
        )
    kind = module if inspect.isclass(module) else type(module)
    if issubclass(kind, (BaseEstimator, NeuralNet)):
        raise TypeError(
            f"module is {kind.__name__}, an estimator, but a torch.nn.Module with the methods "
            "encode and decode is expected, or what makes one. Estimators follow one another in a "
            "Pipeline."
        )


def check_own_parts(config: Config) -> None:
    """Refuse parts of the user's that cannot work, before anything is computed."""
    resolve_device(config.runtime.device)
    check_functions(config)
    check_optimizer(config.optimizer.made_by)
    check_net_params(config)
    check_callbacks(config.runtime.callbacks)


def check_functions(config: Config) -> None:
    """Refuse what cannot be called as a loss or a corruption is: classes, and other arguments."""
    functions = {"loss": config.objective.loss, "corruption": config.corruption.corruption}
    for param, function in functions.items():
        arguments, example = FUNCTIONS[param]
        if inspect.isclass(function):
            raise TypeError(
                f"{param}={function.__qualname__} is a class, but a function of rows is expected. "
                f"Pass an instance of it that can be called with {arguments}, such as {example}."
            )
        if callable(function) and (fault := _cannot_be_called(function)):
            raise TypeError(
                f"{param}={name_of(function)} is called with {arguments}, which it does not take: "
                f"{fault}. Pass a function of these two, such as {example}."
            )


def _cannot_be_called(function: Callable) -> str | None:
    """Return why a function does not take two arguments; None where it does, or may."""
    try:
        signature = inspect.signature(getattr(function, "forward", function))
    except (TypeError, ValueError):  # some builtins have none
        return None
    try:
        signature.bind(None, None)
    except TypeError as error:
        return str(error)
    return None


def parameters_of(maker: Callable) -> Mapping[str, inspect.Parameter] | None:
    """Return the parameters of a class or function by name; None where any name may do."""
    try:
        parameters = inspect.signature(maker).parameters
    except (TypeError, ValueError):  # some builtins have none
        return None
    open_ended = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    return None if open_ended else parameters


def check_net_params(config: Config) -> None:
    """Refuse what skorch, the optimizer or the module does not take, with what is like it."""
    net_params = config.optimizer.params_of_net
    if reserved := [name for name in net_params if _is_reserved(name)]:
        raise ValueError(
            f"net_params sets {sorted(reserved)}, which {config.name} sets from "
            "its own parameters. Use the parameter of that name, or leave it out."
        )
    for name in net_params:
        if not isinstance(name, str):
            raise TypeError(f"net_params has the key {name!r}, but names are expected, as strings.")
        _check_net_param(name, config)


def _is_reserved(name) -> bool:
    """Return whether the net has a parameter of that name, which other parameters set."""
    of_criterion = {f"criterion__{field.name}" for field in fields(ObjectiveConfig)}
    return name in (NET_PARAMS - FREE_NET_PARAMS) | of_criterion | {"optimizer__lr"}


def _check_net_param(name: str, config: Config) -> None:
    """Refuse a parameter that nothing takes."""
    part, is_of_part, param = name.partition("__")
    if not is_of_part:
        _check_known(name, name, FREE_NET_PARAMS, "skorch's NeuralNet")
    elif part == "optimizer":
        _check_taken(name, param, config.optimizer.made_by, {"param_groups"})
    elif part == "module":
        _check_module_param(name, param, config.network.module)
    elif part in ("iterator_train", "iterator_valid"):
        # Rows come as whole slices, for which a DataLoader has no use.
        _check_known(name, param, {"batch_size"}, part)
    elif part == "callbacks":
        _check_callback_param(name, param.partition("__")[0], config.runtime.callbacks or ())
    else:
        parts = {"callbacks", "iterator_train", "iterator_valid", "module", "optimizer"}
        known = {each + "__" for each in parts}
        _check_known(name, part + "__", known, config.name)


def _check_callback_param(name: str, called: str, callbacks: Iterable) -> None:
    """Refuse a parameter of a callback that is not there, or that the fit needs as it is."""
    known = {"epoch_timer", "print_log"}
    for item in callbacks:
        is_named = isinstance(item, (tuple, list)) and len(item) == 2
        kind = item if inspect.isclass(item) else type(item)
        known.add(str(item[0]) if is_named else kind.__name__)
    # skorch counts those that have no name of their own.
    if re.sub(r"_\d+$", "", called) not in known:
        _check_known(name, called + "__", {each + "__" for each in known}, "callbacks")


def _check_module_param(name: str, param: str, module) -> None:
    if module is None:
        raise ValueError(
            f"net_params has {name!r}, but module is None. Use the parameters that shape the "
            "stacked autoencoder, such as hidden_layer_sizes, activation and dropout."
        )
    if not isinstance(module, nn.Module):
        _check_taken(name, param, module)


def _check_taken(name: str, param: str, maker: Callable, others: Any = frozenset()) -> None:
    """Refuse a parameter that a class or function does not take."""
    taken = parameters_of(maker)
    if taken is not None:
        # Of an optimizer, what is trained and the rate are passed by the net.
        passed = {next(iter(taken)), "lr"} if others else set()
        _check_known(name, param, set(taken) - passed | others, name_of(maker))


def _check_known(name: str, param: str, known, owner: str) -> None:
    """Refuse a parameter that is not among those known, and name the closest of these."""
    if param in known:
        return
    close = get_close_matches(param, known, n=1)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    raise ValueError(
        f"net_params has {name!r}, but {owner} takes no {param!r}. {hint}It takes "
        f"{', '.join(sorted(known))}."
    )


def check_optimizer(optimizer: Callable) -> None:
    """Refuse an optimizer that cannot be given a learning rate."""
    taken = parameters_of(optimizer)
    if taken is not None and "lr" not in taken:
        raise TypeError(
            f"optimizer={name_of(optimizer)} takes no 'lr', but is called with the parameters of "
            "the network and lr=lr. Let it take that, or **params."
        )


@contextmanager
def making(param: str, maker: Callable, given: Iterable[str]) -> Iterator[None]:
    """Say in errors of the block which part cannot be made, and with what it was called."""
    try:
        yield
    except TypeError as error:
        names = ", ".join(sorted(given)) or "nothing else"
        raise TypeError(
            f"{param}={name_of(maker)} cannot be made: {error}. It was called with {names}. Pass "
            f"what it needs in net_params, as '{param}__name', or a function that makes it."
        ) from error


def check_made_optimizer(optimizer, maker: Callable, parameters: Iterable) -> None:
    """Refuse what is no optimizer, trains nothing, or steps otherwise than from gradients."""
    name = name_of(maker)
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError(
            f"optimizer={name} gave {type(optimizer).__name__}, but a torch.optim.Optimizer is "
            "expected. Pass a class of torch.optim, or return an instance of one."
        )
    trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
    if trained.isdisjoint(map(id, parameters)):
        raise ValueError(
            f"optimizer={name} has none of the parameters of the network, so that nothing would be "
            "trained. Give it those that it is called with, or some of them."
        )
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    if closure is not None and closure.default is inspect.Parameter.empty:
        raise ValueError(
            f"optimizer={name} needs a closure that computes the loss anew in each step, but steps "
            "are taken from the gradients of a batch. Use one that needs none, such as 'adamw'."
        )


def check_made_module(module, maker) -> None:
    """Refuse what is no module, lacks a method, or has nothing to train."""
    name = name_of(maker)
    if not isinstance(module, nn.Module):
        raise TypeError(
            f"module={name} gave {type(module).__name__}, but a torch.nn.Module is expected. "
            "Return one, or pass a class or an instance of it."
        )
    for method in ("encode", "decode"):
        if not callable(getattr(module, method, None)):
            raise TypeError(
                f"module={type(module).__name__} has no method {method!r}. A module needs encode, "
                "from rows of X to codes, and decode, from codes to rows of X."
            )
    if not any(p.requires_grad for p in module.parameters()):
        raise ValueError(
            f"module={type(module).__name__} has no parameters that require a gradient, so that "
            "nothing can be trained. Build it of layers that have some, or call "
            "requires_grad_(True)."
        )


def check_hidden_layer_sizes(hidden_layer_sizes):
    """Return "auto", or the widths as a tuple of int, each of them at least 1."""
    if isinstance(hidden_layer_sizes, str):
        return hidden_layer_sizes
    widths = tuple(hidden_layer_sizes)
    if not all(isinstance(width, Integral) and width >= 1 for width in widths):
        raise ValueError(
            f"hidden_layer_sizes={hidden_layer_sizes!r} must be 'auto' or a sequence of whole "
            "numbers from 1 on, the widths of the encoder's hidden layers, such as (128, 64)."
        )
    return tuple(int(width) for width in widths)
