"""A fit as a pickle: what torch holds as arrays, so that no device and no address is in it.

Torch pickles a tensor with its device, without which it is not loaded, and with an address. Here
the objects of a fit are pickled to bytes of their own, from which tensors, arrays, functions and
classes are taken out. These are left to whatever pickles the estimator: pickle, joblib, or
cloudpickle, which also takes functions that have no name.
"""

from __future__ import annotations

import copyreg
import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from types import BuiltinFunctionType, FunctionType
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

PROTOCOL = 4
# That of joblib.hash, whatever Python's own is. Two fits alike have one hash: no time is in it.
PROTOCOL_OF_HASHES = 3
SECONDS = "dur"  # as skorch names those of an epoch
CODE = (type, FunctionType, BuiltinFunctionType)


@dataclass(frozen=True)
class Pickled:
    """Objects as bytes, and what was taken out of them.

    Parameters
    ----------
    graph : bytes
        A pickle, in which numbers stand for what was taken out.
    taken : list of tuple
        Kind and value of each of these.
    """

    graph: bytes
    taken: list[tuple] = field(default_factory=list)


def pickled(objects: Any, shared: dict[str, Any], protocol: int) -> Pickled:
    """Return objects without tensors, for a pickle of some protocol.

    `shared` holds by name what they have in common with what is pickled beside them.
    """
    file = io.BytesIO()
    pickler = _Pickler(file, shared, protocol if protocol == PROTOCOL_OF_HASHES else PROTOCOL)
    pickler.dump(objects)
    return Pickled(file.getvalue(), pickler.taken)


def unpickled(found: Pickled, shared: dict[str, Any]) -> Any:
    """Return the objects, with all tensors on the CPU."""
    return _Unpickler(found, shared).load()


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, shared: dict[str, Any], protocol: int):
        super().__init__(file, protocol)
        self.has_times = protocol != PROTOCOL_OF_HASHES
        self.taken: list[tuple] = []
        self.shared = {id(value): name for name, value in shared.items() if not _is_plain(value)}
        self.numbers: dict[int, int] = {}
        self.kept: list[Any] = []  # so that no number is of two objects

    def persistent_id(self, obj: Any) -> int | str | None:
        """Return the number of what is taken out, the name of what is shared, else None."""
        if (name := self.shared.get(id(obj))) is not None:
            return name
        if (number := self.numbers.get(id(obj))) is not None:
            return number
        described = _described(obj, has_times=self.has_times)
        if described is None:
            return None
        self.kept.append(obj)
        self.taken.append(described)
        return self.numbers.setdefault(id(obj), len(self.taken) - 1)

    def reducer_override(self, obj: Any) -> Any:
        """Return how to make an object that else would be pickled by bytes of its own."""
        if isinstance(obj, Portable):
            return copyreg.__newobj__, (type(obj),), obj.__getstate__()  # type: ignore[attr-defined]
        return NotImplemented


class Portable:
    """An object that is pickled without a device, alone or inside of others."""

    def __reduce_ex__(self, protocol: Any) -> tuple:
        return _portable, (type(self), pickled(self.__getstate__(), {}, protocol))


def _portable(cls: type, found: Pickled) -> Any:
    made: Any = object.__new__(cls)
    vars(made).update(unpickled(found, {}))
    return made


class _Unpickler(pickle.Unpickler):
    def __init__(self, found: Pickled, shared: dict[str, Any]):
        super().__init__(io.BytesIO(found.graph))
        self.taken, self.shared = found.taken, shared
        self.made: dict[int, Any] = {}

    def persistent_load(self, pid: int | str) -> Any:
        """Return what stands for a number or a name, the same object each time."""
        if isinstance(pid, str):
            return self.shared[pid]
        if pid not in self.made:
            kind, *value = self.taken[pid]
            self.made[pid] = MAKERS[kind](*value)
        return self.made[pid]


def _is_plain(value: Any) -> bool:
    """Return whether a value is one of those of which there may be one for all."""
    return value is None or isinstance(value, (bool, int, float, str, tuple))


def _described(obj: Any, *, has_times: bool) -> tuple | None:
    """Return kind and value of what is taken out; None of what stays."""
    if type(obj) is pd.DataFrame:
        columns = {n: _column(c) for n, c in obj.items() if has_times or n != SECONDS}
        return "frame", columns, dict(obj.attrs)
    if _is_history(obj):
        return "history", [
            {name: value for name, value in row.items() if has_times or name != SECONDS}
            for row in obj
        ]
    if isinstance(obj, CODE):
        return "code", obj
    if type(obj) is np.ndarray and not obj.dtype.hasobject:
        return "array", obj
    if isinstance(obj, torch.Generator):
        return "generator", obj.get_state().numpy()
    if is_plain_tensor(obj):
        values, dtype = values_of(obj.detach().cpu())
        return "tensor", values, dtype, obj.requires_grad, type(obj) is nn.Parameter
    return None


def is_plain_tensor(obj: Any) -> bool:
    """Return whether an object is a tensor, or a parameter, that is no more than its values."""
    kind = type(obj) in (torch.Tensor, nn.Parameter)
    return kind and obj.layout is torch.strided and not obj.is_meta


def values_of(tensor: torch.Tensor) -> tuple[np.ndarray, str | None]:
    """Return a tensor as an array, and its dtype where NumPy has none like it."""
    tensor = tensor.resolve_conj().resolve_neg()
    try:
        return tensor.numpy(), None
    except TypeError:
        return tensor.contiguous().view(torch.uint8).numpy(), str(tensor.dtype)


def tensor_of(
    values: np.ndarray, dtype: str | None, requires_grad: bool, is_parameter: bool
) -> torch.Tensor:
    """Return the tensor, or parameter, of what `values_of` gave."""
    # A copy, since joblib may map what it reads, and an array may be read-only.
    tensor = torch.from_numpy(np.array(values))
    if dtype is not None:
        tensor = tensor.view(getattr(torch, dtype.removeprefix("torch.")))
    if is_parameter:
        return nn.Parameter(tensor, requires_grad)
    return tensor.requires_grad_(requires_grad)


def _generator(state: np.ndarray) -> torch.Generator:
    generator = torch.Generator()
    generator.set_state(torch.from_numpy(np.array(state)))
    return generator


def _column(column: pd.Series) -> Any:
    values = column.to_numpy()
    return column.tolist() if values.dtype.hasobject else values


def _frame(columns: dict[str, Any], attrs: dict) -> pd.DataFrame:
    frame = pd.DataFrame(columns)
    frame.attrs.update(attrs)
    return frame


def _is_history(obj: Any) -> bool:
    """Return whether an object is a history of skorch, which need not be there without one."""
    return (type(obj).__module__, type(obj).__name__) == ("skorch.history", "History")


def _history(rows: list[dict]) -> Any:
    from skorch.history import History

    return History(rows)


def _as_it_is(value: Any) -> Any:
    return value


MAKERS: dict[str, Callable[..., Any]] = {
    "code": _as_it_is,
    "array": _as_it_is,
    "frame": _frame,
    "history": _history,
    "generator": _generator,
    "tensor": tensor_of,
}
