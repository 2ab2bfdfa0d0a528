"""Modules of the user's own, as types, arrays and attributes: for formats that run no code."""

from __future__ import annotations

import sys
from typing import Any

from torch import Tensor, nn

from sk_autoencoder._utils.pickling import is_plain_tensor, tensor_of, values_of

# The key of a description, which no other value has.
DESCRIPTION = "_module_of_torch"
# What `nn.Module` itself keeps.
KEPT_BY_TORCH = frozenset(vars(nn.Module()))
HOOKS = frozenset(name for name in KEPT_BY_TORCH if "hooks" in name)


def plain_module(value: Any) -> Any:
    """Return a module as types, arrays and attributes, and anything else as it is.

    Modules and tensors that stand in several places are written once.

    Raises
    ------
    TypeError
        If a module could not be made again from these: of a class that is not found by its name,
        or that has a state of its own, with hooks, or with tensors of other kinds or in containers.
    """
    if not isinstance(value, nn.Module):
        return value
    modules = list(value.modules())
    for module in modules:
        if (why := _why_not(module)) is not None:
            raise TypeError(
                f"A {type(module).__name__} {why}, which a file without code cannot hold. Use "
                "joblib, or save the weights of the module by torch."
            )
    tensors = list({id(t): t for module in modules for t in _tensors_of(module)}.values())
    number = {id(module): k for k, module in enumerate(modules)}
    number |= {id(tensor): k for k, tensor in enumerate(tensors)}

    def numbers(slots: dict[str, Any]) -> dict[str, int | None]:
        return {name: None if held is None else number[id(held)] for name, held in slots.items()}

    facts = []
    for module in modules:
        own = _without_torchs(vars(module))
        of_module = {
            "class": type(module),
            "training": module.training,
            "attributes": {k: v for k, v in own.items() if not isinstance(v, Tensor)},
            "tensors": numbers({k: v for k, v in own.items() if isinstance(v, Tensor)}),
            "parameters": numbers(module._parameters),
            "buffers": numbers(module._buffers),
            "unsaved": sorted(module._non_persistent_buffers_set),
            "children": numbers(module._modules),
        }
        facts.append(of_module)
    written = [
        [*values_of(t.detach().cpu()), t.requires_grad, isinstance(t, nn.Parameter)]
        for t in tensors
    ]
    return {DESCRIPTION: {"modules": facts, "tensors": written}}


def module_of(value: Any) -> Any:
    """Return the module that was described, and anything else as it is."""
    if not isinstance(value, dict) or DESCRIPTION not in value:
        return value
    facts = value[DESCRIPTION]["modules"]
    tensors = [tensor_of(*written) for written in value[DESCRIPTION]["tensors"]]
    modules = [of_module["class"].__new__(of_module["class"]) for of_module in facts]

    def held(slots: dict[str, int | None], among: list) -> dict[str, Any]:
        return {name: None if number is None else among[number] for name, number in slots.items()}

    for module, of_module in zip(modules, facts, strict=True):
        nn.Module.__init__(module)
        own = of_module["attributes"] | held(of_module["tensors"], tensors)
        vars(module).update(_without_torchs(own))
        # By itself a module would ask its `__getattr__`, which may need what is not there yet.
        module._parameters.update(held(of_module["parameters"], tensors))
        module._buffers.update(held(of_module["buffers"], tensors))
        module._non_persistent_buffers_set.update(of_module["unsaved"])
        module._modules.update(held(of_module["children"], modules))
        module.training = of_module["training"]
    return modules[0]


def _why_not(module: nn.Module) -> str | None:
    """Return why a module cannot be made again from types, arrays and attributes, or None."""
    cls, own = type(module), vars(module)
    if getattr(sys.modules.get(cls.__module__), cls.__name__, None) is not cls:
        return f"is of a class that {cls.__module__} does not have by that name"
    if cls.__getstate__ is not nn.Module.__getstate__:
        return "has a state of its own (__getstate__)"
    if any(own[name] for name in HOOKS):
        return "has hooks"
    if not all(is_plain_tensor(tensor) for tensor in _tensors_of(module)):
        return "has tensors of another kind than plain ones"
    if any(_has_inside(held) for held in _without_torchs(own).values()):
        return "keeps tensors or modules in a list, a tuple or a dict"
    return None


def _without_torchs(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes that `nn.Module` does not keep itself."""
    return {name: held for name, held in attributes.items() if name not in KEPT_BY_TORCH}


def _tensors_of(module: nn.Module) -> list[Tensor]:
    """Return the tensors that stand in a module itself, as parameters, buffers, or attributes."""
    slots: list[dict[str, Any]] = [module._parameters, module._buffers, vars(module)]
    return [held for each in slots for held in each.values() if isinstance(held, Tensor)]


def _has_inside(value: Any) -> bool:
    """Return whether a container has tensors or modules, however deep."""
    if isinstance(value, dict):
        value = [*value.values()]
    if not isinstance(value, (list, tuple, set, frozenset)):
        return False
    return any(isinstance(held, (Tensor, nn.Module)) or _has_inside(held) for held in value)
