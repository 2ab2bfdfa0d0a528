"""Torch's global generators, from which a user's module draws."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from sk_autoencoder._utils import cuda


@contextmanager
def local_torch_generator(is_wanted: bool, seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global generator for a user's module, and put it back afterwards.

    Our own module draws from a generator of its own, which unlike this is safe in threads.
    """
    if not is_wanted:
        yield
        return
    with cuda.seeded(seed, device), _seeded_there(seed, device):
        yield


def generator_states(device: torch.device | str) -> dict[str, torch.Tensor]:
    """Return the states of torch's global generators, of the CPU and of a device."""
    states = cuda.generator_states(device)
    other = _other_generator(torch.device(device))
    return states if other is None else states | {torch.device(device).type: other.get()}


def set_generator_states(states: dict[str, torch.Tensor], device: torch.device | str) -> None:
    """Put torch's global generators into states, where there are some."""
    cuda.set_generator_states(states, device)
    other = _other_generator(torch.device(device))
    if other is not None and torch.device(device).type in states:
        other.set(states[torch.device(device).type])


@dataclass(frozen=True)
class _Generator:
    """The global generator of a device that is neither the CPU nor of CUDA."""

    module: Any
    arguments: tuple

    def get(self) -> torch.Tensor:
        return self.module.get_rng_state(*self.arguments)

    def set(self, state: torch.Tensor) -> None:
        self.module.set_rng_state(state, *self.arguments)

    def here(self, device: torch.device) -> AbstractContextManager[Any]:
        """Return a context in which the device is the present one, where there can be others."""
        choose = getattr(self.module, "device", None)
        return nullcontext() if choose is None else choose(device)


def _other_generator(device: torch.device) -> _Generator | None:
    """Return the generator of such a device; None of others."""
    if device.type == "cpu" or cuda.is_cuda(device):
        return None
    # Of "mps" there is one device, which its functions are not told.
    return _Generator(torch.get_device_module(device), () if device.type == "mps" else (device,))


@contextmanager
def _seeded_there(seed: int, device: torch.device) -> Iterator[None]:
    """Seed the generator of such a device, and put it back afterwards."""
    other = _other_generator(device)
    if other is None:
        yield
        return
    before = other.get()
    with other.here(device):
        other.module.manual_seed(seed)
    try:
        yield
    finally:
        other.set(before)
