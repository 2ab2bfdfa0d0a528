"""Values of parameters as JSON, and back; what is code is told by its name alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any

import numpy as np
import torch

from sk_autoencoder._utils.facts import FactError, choice, fact, number

# Above it JSON of other languages has no whole numbers.
MAX_INTEGER = 2**63
OPTIMIZERS = {
    name: cls
    for name, cls in vars(torch.optim).items()
    if isinstance(cls, type) and issubclass(cls, torch.optim.Optimizer)
}
STATE_OF_MT19937 = 624
NUMBERS = "biuf"  # kinds of dtypes


class CodeError(TypeError):
    """A value is code, or holds some."""


def to_json(value: Any) -> Any:
    """Return a value as JSON holds it.

    Raises
    ------
    CodeError
        If the value is a function, a class, or an object of a class that is not known.
    """
    if value is None or isinstance(value, (bool, np.bool_)):
        return None if value is None else bool(value)
    if isinstance(value, (int, np.integer)):
        if abs(int(value)) >= MAX_INTEGER:
            return {"kind": "int", "value": str(int(value))}
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else {"kind": "float", "value": str(value)}
    if isinstance(value, (str, PurePath)):
        return str(value)
    if isinstance(value, list):
        return [to_json(part) for part in value]
    for kind, (cls, described, _) in KINDS.items():
        if isinstance(value, cls):
            return {"kind": kind, "value": described(value)}
    if isinstance(value, type) and value in OPTIMIZERS.values():
        return {"kind": "torch.optim", "value": value.__name__}
    raise CodeError(name_of_code(value))


def of_json(value: Any) -> Any:
    """Return the value that JSON holds; no more than a look at tables of names is done."""
    if isinstance(value, list):
        return [of_json(part) for part in value]
    if not isinstance(value, dict):
        return value
    kind = choice(value, "kind", {*KINDS, "int", "float", "torch.optim"})
    if kind == "torch.optim":
        return OPTIMIZERS[choice(value, "value", OPTIMIZERS)]
    if kind == "int":
        return _integer(fact(value, "value", str))
    if kind == "float":
        return float(choice(value, "value", ("inf", "-inf", "nan")))
    return KINDS[kind][2](value)


def name_of_code(value: Any) -> str:
    """Return the full name of a function or class, or of the class of an object."""
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise FactError("an int is no number") from error


def _describe_dict(value: Mapping) -> list:
    return [[to_json(key), to_json(part)] for key, part in value.items()]


def _dict(value: dict) -> dict:
    pairs = fact(value, "value", list)
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise FactError("a dict is not one of pairs")
    made = [(of_json(key), of_json(part)) for key, part in pairs]
    if not all(key is None or isinstance(key, (str, int, float, bool)) for key, _ in made):
        raise FactError("a dict has a key that is no text or number")
    return dict(made)


def _describe_array(value: np.ndarray) -> dict:
    if value.dtype.kind not in NUMBERS:
        raise CodeError(f"an array of dtype {value.dtype}")
    return {"dtype": value.dtype.str, "items": to_json(value.tolist())}


def _array(value: dict) -> np.ndarray:
    facts = fact(value, "value", dict)
    dtype = fact(facts, "dtype", str)
    try:
        if np.dtype(dtype).kind not in NUMBERS:
            raise TypeError
        items = np.asarray(of_json(fact(facts, "items", (list, int, float, bool))))
        return items.astype(np.dtype(dtype))
    except (TypeError, ValueError, OverflowError) as error:
        raise FactError("an array is none of numbers") from error


def _describe_random_state(value: np.random.RandomState) -> dict:
    state: Any = value.get_state(legacy=False)
    if state["bit_generator"] != "MT19937":
        raise CodeError(f"a RandomState of {state['bit_generator']}")
    inner = state["state"]
    return {
        "key": inner["key"].tolist(),
        "pos": int(inner["pos"]),
        "has_gauss": int(state["has_gauss"]),
        "gauss": float(state["gauss"]),
    }


def _random_state(value: dict) -> np.random.RandomState:
    facts = fact(value, "value", dict)
    key = np.asarray(fact(facts, "key", list))
    if key.dtype.kind != "i" or key.shape != (STATE_OF_MT19937,):
        raise FactError("'key' is no state of a RandomState")
    if (key < 0).any() or (key >= 2**32).any():
        raise FactError("'key' is no state of a RandomState")
    pos, has_gauss = fact(facts, "pos", int), fact(facts, "has_gauss", int)
    if not 0 <= pos <= STATE_OF_MT19937 or has_gauss not in (0, 1):
        raise FactError("'pos' is no state of a RandomState")
    made = np.random.RandomState()
    made.set_state(("MT19937", key.astype(np.uint32), pos, has_gauss, number(facts, "gauss")))
    return made


def _device(value: dict) -> torch.device:
    try:
        return torch.device(fact(value, "value", str))
    except RuntimeError as error:
        raise FactError("a device has no name that torch knows") from error


def _tuple(value: dict) -> tuple:
    return tuple(of_json(fact(value, "value", list)))


# Of each kind its class, what describes one, and what makes it from its description.
KINDS: dict[str, tuple[type, Callable[[Any], Any], Callable[[dict], Any]]] = {
    "tuple": (tuple, lambda value: [to_json(part) for part in value], _tuple),
    "dict": (dict, _describe_dict, _dict),
    "ndarray": (np.ndarray, _describe_array, _array),
    "RandomState": (np.random.RandomState, _describe_random_state, _random_state),
    "torch.device": (torch.device, str, _device),
}
