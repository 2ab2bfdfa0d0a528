"""Values that a file of torch holds without code: numbers, texts, tensors, and what holds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

ATOMS = (type(None), bool, int, float, str)


class UnknownValueError(TypeError):
    """A value is none that a file holds without code."""


def to_values(value: Any) -> Any:
    """Return a value as such a file holds it.

    Raises
    ------
    UnknownValueError
        If the value is, or holds, an object of another class.
    """
    if type(value) in ATOMS:
        return value
    if isinstance(value, torch.Tensor):
        return value.detach().cpu()
    if isinstance(value, np.generic):
        return {"array": _tensor(np.asarray(value)), "is_scalar": True}
    if isinstance(value, np.ndarray):
        return {"array": _tensor(value), "is_scalar": False}
    if isinstance(value, Mapping):
        return {"pairs": [(to_values(key), to_values(part)) for key, part in value.items()]}
    if type(value) in (list, tuple):
        return type(value)(to_values(part) for part in value)
    raise UnknownValueError(f"{type(value).__name__} is no plain value")


def from_values(value: Any) -> Any:
    """Return the value that `to_values` has described."""
    if isinstance(value, dict):
        if "pairs" in value:
            return {from_values(key): from_values(part) for key, part in value["pairs"]}
        array = value["array"].numpy()
        return array[()] if value["is_scalar"] else array
    if isinstance(value, (list, tuple)):
        return type(value)(from_values(part) for part in value)
    return value


def _tensor(array: np.ndarray) -> torch.Tensor:
    try:
        return torch.from_numpy(np.array(array))
    except TypeError as error:
        raise UnknownValueError(f"an array of dtype {array.dtype} is none of numbers") from error
