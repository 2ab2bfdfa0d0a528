"""Where to compute, and in which numbers."""

from __future__ import annotations

import re
from functools import cache

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
    return torch.device(device)


@cache
def has_float64(device: torch.device) -> bool:
    """Whether a device computes in numbers of 64 bits, which GPUs of Apple and some others lack."""
    if takes_written_out_steps(device):
        return True
    try:
        torch.zeros(1, dtype=torch.float64, device=device)
    except (RuntimeError, TypeError):
        return False
    return True


def home_of(device: torch.device) -> torch.device:
    """Return where a model that is trained on a device stays: there, or on the CPU.

    Means, axes and what rows of float64 are computed in have 64 bits.
    """
    return device if has_float64(device) else torch.device("cpu")


def as_wide(x: torch.Tensor) -> torch.Tensor:
    """Return a tensor in float64, or in float32 on a device that has nothing wider."""
    return x.double() if has_float64(x.device) else x.float()


def takes_written_out_steps(device: torch.device | str) -> bool:
    """Whether gradients and steps by torch's inner functions have been compared with its own."""
    return torch.device(device).type == "cpu" or cuda.is_cuda(device)


def _devices() -> list[str]:
    """Return the names of the devices that torch can compute on."""
    found = ["cpu", *cuda.device_names(), *(f"xpu:{i}" for i in range(torch.xpu.device_count()))]
    return [*found, "mps"] if torch.backends.mps.is_available() else found


def _first_sentence(error: Exception) -> str:
    """Return what torch says first, of which it says a lot where it knows no kernels."""
    return re.split(r"\. |\n", str(error))[0].rstrip(".")
