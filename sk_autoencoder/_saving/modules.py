"""Modules of the user's own, as types, arrays and attributes: for formats that run no code."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from sk_autoencoder._utils.pickling import tensor_of, values_of

# The key of a description, which no other value has.
DESCRIBED = "_module_of_torch"
# What `nn.Module` itself keeps.
KEPT_BY_TORCH = frozenset(vars(nn.Module()))


def described(value: Any) -> Any:
    """Return a module as types, arrays and attributes, and anything else as it is.

    Modules and tensors that stand in several places are written once. Hooks are left out.
    """
    if not isinstance(value, nn.Module):
        return value
    modules = list(value.modules())
    tensors = list({id(t): t for module in modules for t in _tensors_of(module)}.values())
    place = {id(part): number for parts in (modules, tensors) for number, part in enumerate(parts)}

    def places(slots: dict[str, Any]) -> dict[str, int | None]:
        return {name: place.get(id(part)) for name, part in slots.items()}

    parts = []
    for module in modules:
        own = {name: part for name, part in vars(module).items() if name not in KEPT_BY_TORCH}
        part = {
            "class": type(module),
            "training": module.training,
            "attributes": {k: v for k, v in own.items() if not isinstance(v, Tensor)},
            "tensors": places({k: v for k, v in own.items() if isinstance(v, Tensor)}),
            "parameters": places(module._parameters),
            "buffers": places(module._buffers),
            "unsaved": sorted(module._non_persistent_buffers_set),
            "children": places(module._modules),
        }
        parts.append(part)
    facts = [(t.requires_grad, isinstance(t, nn.Parameter)) for t in tensors]
    values = [values_of(t.detach().cpu()) for t in tensors]
    told = [[*value, *fact] for value, fact in zip(values, facts, strict=True)]
    return {DESCRIBED: {"modules": parts, "tensors": told}}


def undescribed(value: Any) -> Any:
    """Return the module that a description is of, and anything else as it is."""
    if not isinstance(value, dict) or DESCRIBED not in value:
        return value
    parts = value[DESCRIBED]["modules"]
    tensors = [tensor_of(*told) for told in value[DESCRIBED]["tensors"]]
    modules = [part["class"].__new__(part["class"]) for part in parts]

    def found(slots: dict[str, int | None], among: list) -> dict[str, Any]:
        return {name: None if k is None else among[k] for name, k in slots.items()}

    for module, part in zip(modules, parts, strict=True):
        nn.Module.__init__(module)
        vars(module).update(part["attributes"] | found(part["tensors"], tensors))
        for name, tensor in found(part["parameters"], tensors).items():
            module.register_parameter(name, tensor)
        for name, tensor in found(part["buffers"], tensors).items():
            module.register_buffer(name, tensor, persistent=name not in part["unsaved"])
        module.training = part["training"]
    for module, part in zip(modules, parts, strict=True):
        for name, child in found(part["children"], modules).items():
            module.add_module(name, child)
    return modules[0]


def _tensors_of(module: nn.Module) -> list[Tensor]:
    """Return the tensors that stand in a module itself, as parameters, buffers, or attributes."""
    slots: list[dict[str, Any]] = [module._parameters, module._buffers, vars(module)]
    return [part for each in slots for part in each.values() if isinstance(part, Tensor)]
