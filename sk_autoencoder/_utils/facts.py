"""Facts read from a file that nobody vouches for: each is checked before it is used."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

# No width, size or count of a model exceeds it.
MAX_COUNT = 2**40


class FactError(ValueError):
    """What is read is not what a model is described by."""


def fact(facts: Any, name: str, kinds: type | tuple[type, ...]) -> Any:
    """Return a fact by name, where it is one of some kinds. A bool is no number."""
    if not isinstance(facts, dict) or name not in facts:
        raise FactError(f"{name!r} is missing")
    value = facts[name]
    allowed = kinds if isinstance(kinds, tuple) else (kinds,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in allowed):
        raise FactError(f"{name!r} is {_shortened(value)}")
    return value


def number(facts: Any, name: str, *, positive: bool = False) -> float:
    """Return a finite number by name."""
    value = fact(facts, name, (int, float))
    if abs(value) > np.finfo(np.float64).max or not math.isfinite(value):
        raise FactError(f"{name!r} is {_shortened(value)}")
    if positive and value <= 0:
        raise FactError(f"{name!r} is {_shortened(value)}, not positive")
    return float(value)


def number_or_none(facts: Any, name: str, *, positive: bool = False) -> float | None:
    """Return a finite number by name, or None."""
    if isinstance(facts, dict) and name in facts and facts[name] is None:
        return None
    return number(facts, name, positive=positive)


def count(facts: Any, name: str, *, least: int = 1) -> int:
    """Return a whole number by name that may be a width or a size."""
    value = fact(facts, name, int)
    if not least <= value <= MAX_COUNT:
        raise FactError(f"{name!r} is {_shortened(value)}")
    return value


def choice(facts: Any, name: str, choices: Any) -> Any:
    """Return a fact by name that is one of some texts, or None where None is one."""
    value = fact(facts, name, (str, type(None)))
    if value not in choices:
        raise FactError(f"{name!r} is {_shortened(value)}")
    return value


def array(
    arrays: Any, name: str, shape: tuple[int | None, ...], *dtypes: Any, finite: bool = True
) -> np.ndarray:
    """Return an array by name, where it has a shape, in which None is any, and one of some dtypes.

    Where it has to be finite, all of its numbers are looked at.
    """
    found = arrays.get(name)
    if not isinstance(found, np.ndarray):
        raise FactError(f"the array {name!r} is missing")
    suits = found.ndim == len(shape) and all(
        wanted in (None, size) for size, wanted in zip(found.shape, shape, strict=True)
    )
    if not suits:
        sizes = ", ".join("any" if size is None else str(size) for size in shape)
        raise FactError(f"the array {name!r} is of shape {found.shape}, not ({sizes})")
    if found.dtype not in dtypes:
        raise FactError(f"the array {name!r} is of dtype {found.dtype}")
    if finite and found.dtype.kind == "f" and not np.isfinite(found).all():
        raise FactError(f"the array {name!r} has numbers that are not finite")
    return found


def _shortened(value: Any) -> str:
    """Return a value as text that is short, whatever is read."""
    kind = type(value).__name__
    if isinstance(value, (list, dict)):
        return f"a {kind} of {len(value)} parts"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > MAX_COUNT:
        return "too large"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
