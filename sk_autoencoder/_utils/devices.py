"""Where to compute, and torch's global generator while a user's module draws from it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from sk_autoencoder._utils import cuda


def resolve_device(device: str | torch.device) -> torch.device:
    """Return the device asked for, or a GPU where "auto" finds one."""
    if device == "auto":
        return cuda.default_device()
    try:
        torch.zeros(1, device=device).item()  # "meta" has none
    except (AssertionError, ImportError, NotImplementedError, RuntimeError, TypeError) as error:
        raise ValueError(
            f"device={str(device)!r} is not there: {_first_sentence(error)}. Use 'auto', or a "
            f"device of this machine: {', '.join(map(repr, _devices()))}."
        ) from error
    try:
        torch.zeros(1, dtype=torch.float64, device=device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"device={str(device)!r} has no numbers of 64 bits, which means, axes and sums of "
            f"losses are computed in. Use 'auto', or one of {', '.join(map(repr, _devices()))}."
        ) from error
    return torch.device(device)


def _devices() -> list[str]:
    """Return the names of the devices that torch can compute on."""
    return ["cpu", *cuda.device_names()]


def _first_sentence(error: Exception) -> str:
    """Return what torch says first, of which it says a lot where it knows no kernels."""
    return re.split(r"\. |\n", str(error))[0].rstrip(".")


@contextmanager
def local_torch_generator(is_wanted: bool, seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global generator for a user's module, and put it back afterwards.

    Our own module draws from a generator of its own, which unlike this is safe in threads.
    """
    if not is_wanted:
        yield
        return
    with cuda.seeded(seed, device):
        yield
