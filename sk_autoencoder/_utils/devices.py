"""Where to compute, and torch's global generator while a user's module draws from it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch


def resolve_device(device: str | torch.device) -> torch.device:
    """Return the device asked for, or a GPU where "auto" finds one."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        # Some devices take no numbers of 64 bits, and "meta" takes none at all.
        torch.zeros(1, dtype=torch.float64, device=device).item()
    except (AssertionError, ImportError, RuntimeError, TypeError) as error:
        raise ValueError(
            f"device={str(device)!r} is not there: {_first_sentence(error)}. Use 'auto', or a "
            f"device of this machine: {', '.join(map(repr, _devices()))}."
        ) from error
    return torch.device(device)


def _devices() -> list[str]:
    """Return the names of the devices that torch can compute on."""
    return ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]


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
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.random.default_generator.manual_seed(seed)
        with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
            if device.type == "cuda":
                torch.cuda.manual_seed(seed)
            yield
