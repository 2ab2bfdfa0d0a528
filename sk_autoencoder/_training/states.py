"""The state of a training between two epochs, as plain values and tensors, and back."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Generator, nn

from sk_autoencoder._training.net import AutoencoderNet
from sk_autoencoder._training.setup import Setup
from sk_autoencoder._utils.generators import generator_states, set_generator_states
from sk_autoencoder._utils.values import UnknownValueError, from_values, to_values

# Callbacks that hold times of this process.
TIMERS = ("epoch_timer", "seconds_left")
BIT_GENERATORS = (
    np.random.MT19937,
    np.random.PCG64,
    np.random.PCG64DXSM,
    np.random.Philox,
    np.random.SFC64,
)


def state_of(setup: Setup, n_before: int) -> dict[str, Any]:
    """Return all that a training has changed that had so many epochs in its history before.

    It holds what a file of torch holds that runs no code when it is read.
    """
    net = setup.net
    average = net.average_
    return {
        "weights": [_values("a module", part.state_dict()) for part in net.parts()],
        "own": [_values("a loss or corruption", part.state_dict()) for part in _own(setup)],
        "trained": [parameter.requires_grad for parameter in net.parameters()],
        "optimizer": _values("the optimizer", net.optimizer_.state_dict()),
        "clip": None if net.clip_ is None or net.clip_.mean is None else float(net.clip_.mean),
        "average": None
        if average is None
        else {"n": average.n_steps, "others": to_values(average.others)},
        "epochs": _values("the history of skorch", list(net.history[n_before:])),
        "order": random_values(net.iterator_train__rng),
        "generators": [generator.get_state() for generator in _generators(setup)],
        "torch": _torch_states(setup),
        "callbacks": {
            name: _values_of(callback) for name, callback in net.callbacks_ if name not in TIMERS
        },
    }


def restore(setup: Setup, state: dict[str, Any], n_batches: int) -> int:
    """Put a training that begins into a state, and return how many epochs that has behind it.

    An epoch has `n_batches`.
    """
    net = setup.net
    net.load_weights([from_values(weights) for weights in state["weights"]])
    for part, values in zip(_own(setup), state["own"], strict=True):
        part.load_state_dict(from_values(values))
    for parameter, trained in zip(net.parameters(), state["trained"], strict=True):
        parameter.requires_grad_(trained)
    if state["optimizer"] is not None:
        net.optimizer_.load_state_dict(from_values(state["optimizer"]))
    _restore_average(net, state["average"])
    if net.clip_ is not None:
        net.clip_.mean = None if state["clip"] is None else float(state["clip"])
    epochs = from_values(state["epochs"])
    net.history.extend(epochs)
    if net.rates_ is not None:
        net.rates_ = islice(net.rates_, len(epochs) * n_batches, None)
    net.iterator_train__rng.set_state(state["order"])
    for generator, found in zip(_generators(setup), state["generators"], strict=True):
        generator.set_state(found)
    set_generator_states(state["torch"], net.device)
    for name, callback in net.callbacks_:
        if name in state["callbacks"]:
            _restore_callback(callback, state["callbacks"][name])
    return len(epochs)


def without_optimizer(state: dict[str, Any]) -> dict[str, Any]:
    """Return the state of a training that has ended, whose optimizer nobody asks for."""
    return state | {"optimizer": None, "average": None}


def random_values(rng: np.random.RandomState) -> dict[str, Any]:
    """Return the state of a random source as plain values, whatever generates its bits."""
    return _with_lists(rng.get_state(legacy=False))


def random_state_of(values: dict[str, Any]) -> np.random.RandomState:
    """Return a random source of a state."""
    generators = {cls.__name__: cls for cls in BIT_GENERATORS}
    rng = np.random.RandomState(generators[values["bit_generator"]]())
    rng.set_state(values)
    return rng


def _with_lists(value: Any) -> Any:
    """Return a dict whose arrays, at any depth, are lists."""
    if isinstance(value, dict):
        return {name: _with_lists(part) for name, part in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else value


def parameters_of_callback(callback: Any) -> set[str]:
    """Return the names of what a callback is made of, which is no state of it."""
    return set(inspect.signature(type(callback).__init__).parameters) - {"self"}


def _values(what: str, value: Any) -> Any:
    """Return a value as a file holds it, and say of what it is where that cannot be."""
    try:
        return to_values(value)
    except UnknownValueError as error:
        raise UnknownValueError(
            f"the state of {what}: {error}. Let it hold tensors, numbers and texts alone"
        ) from error


def _own(setup: Setup) -> list[nn.Module]:
    """Return what has a state beside the net: a loss and a corruption that are modules."""
    config = setup.config
    found = (config.objective.loss, config.corruption.corruption)
    return [each for each in found if isinstance(each, nn.Module)]


def _restore_average(net: AutoencoderNet, state: dict[str, Any] | None) -> None:
    """Put the average of the weights back, which is what the module shows between epochs."""
    average = net.average_
    if average is None or state is None:
        return
    average.n_steps, average.shown = state["n"], True
    for other, found in zip(average.others, state["others"], strict=True):
        other.copy_(found)


def _generators(setup: Setup) -> list[Generator]:
    """Return the generators that steps draw from, each once, always in the same order."""
    net = setup.net
    parts = [module for part in [*net.parts(), net.criterion_] for module in part.modules()]
    draws = getattr(setup.corruptor, "draws", None)
    found = [value for part in [*parts, draws] if part is not None for value in vars(part).values()]
    return list({id(each): each for each in found if isinstance(each, Generator)}.values())


def _torch_states(setup: Setup) -> dict[str, torch.Tensor]:
    """Return the states of torch's global generators, where a user's module draws from them."""
    return generator_states(setup.net.device) if setup.config.network.has_own_module else {}


def _values_of(callback: Any) -> dict[str, Any]:
    """Return what a callback holds: its `state_dict`, or those of its attributes that are values.

    Of an attribute that has a `state_dict`, such as a scheduler of torch, it is that.
    """
    if hasattr(callback, "state_dict"):
        return {"state": _values(type(callback).__name__, callback.state_dict())}
    return {"attributes": dict(_attributes(callback))}


def _attributes(callback: Any) -> Iterator[tuple[str, Any]]:
    parameters = parameters_of_callback(callback)
    for name, value in vars(callback).items():
        if name in parameters:
            continue
        kind = "value"
        if hasattr(value, "state_dict") and not isinstance(value, (nn.Module, type)):
            kind, value = "state", value.state_dict()
        with suppress(UnknownValueError):
            yield name, {kind: to_values(value)}


def _restore_callback(callback: Any, found: dict[str, Any]) -> None:
    if "state" in found:
        callback.load_state_dict(from_values(found["state"]))
        return
    for name, value in found["attributes"].items():
        if "value" in value:
            setattr(callback, name, from_values(value["value"]))
        elif hasattr(getattr(callback, name, None), "load_state_dict"):
            getattr(callback, name).load_state_dict(from_values(value["state"]))
