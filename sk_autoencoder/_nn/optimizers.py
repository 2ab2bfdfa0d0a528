"""Optimizers of torch that do not load torch's compiler.

torch keeps its compiler out of its optimizers by decorators that load it: 1 to 2 s in the first
call of each process. Here the same methods are called without these.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch


def _bare(method: Callable) -> Callable:
    """Return a method as it is called on an instance, without its decorators."""
    return inspect.unwrap(method).__get__(method.__self__)  # type: ignore[attr-defined]


class _Bare(torch.optim.Optimizer):
    """Calls the methods of the optimizer that it is mixed with, without their decorators."""

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        _bare(super().add_param_group)(param_group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        _bare(super().zero_grad)(set_to_none)

    def state_dict(self) -> dict[str, Any]:
        return _bare(super().state_dict)()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        _bare(super().load_state_dict)(state_dict)

    def step(self, closure: Callable | None = None) -> Any:
        with torch.set_grad_enabled(self.defaults["differentiable"]):
            return _bare(super().step)(closure)


class Adam(_Bare, torch.optim.Adam):
    """`torch.optim.Adam`."""


class AdamW(_Bare, torch.optim.AdamW):
    """`torch.optim.AdamW`."""


class RMSprop(_Bare, torch.optim.RMSprop):
    """`torch.optim.RMSprop`."""


class SGD(_Bare, torch.optim.SGD):
    """`torch.optim.SGD`."""


BARE: dict[Callable, Callable] = {
    torch.optim.Adam: Adam,
    torch.optim.AdamW: AdamW,
    torch.optim.RMSprop: RMSprop,
    torch.optim.SGD: SGD,
}
