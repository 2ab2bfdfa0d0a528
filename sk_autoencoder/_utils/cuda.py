"""Everything that is done on CUDA alone; on other devices it does nothing, or says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor


def is_cuda(device: torch.device | str) -> bool:
    """Whether a device is a CUDA GPU."""
    return torch.device(device).type == "cuda"


def device_names() -> list[str]:
    """Return the names of the GPUs that are there."""
    return [f"cuda:{i}" for i in range(torch.cuda.device_count())]


def take_own(rank: int) -> None:
    """Make the GPU with a number the default of this process, where there is one."""
    if torch.cuda.is_available() and rank < torch.cuda.device_count():
        torch.cuda.set_device(rank)


def default_device() -> torch.device:
    """Return a GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def sent(x: Tensor, device: torch.device) -> Tensor:
    """Return a tensor of the CPU on a device; to a GPU it is sent while that computes."""
    on_cuda = is_cuda(device)
    return (x.pin_memory() if on_cuda else x).to(device, non_blocking=on_cuda)


def free_bytes(device: torch.device) -> int:
    """Return the memory of a GPU that nobody has taken; 0 for other devices."""
    return torch.cuda.mem_get_info(device)[0] if is_cuda(device) else 0


def forget_unused() -> None:
    """Give back what is kept of a GPU's memory for tensors to come."""
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def multiplies_bfloat16() -> bool:
    """Whether the GPU multiplies in bfloat16 itself, instead of converting each number."""
    return torch.cuda.is_bf16_supported(including_emulation=False)


@contextmanager
def tf32(wanted: bool) -> Iterator[None]:
    """Let the GPU multiply in TF32, and put its setting back afterwards."""
    if not wanted:
        yield
        return
    matmul = torch.backends.cuda.matmul
    before, matmul.fp32_precision = matmul.fp32_precision, "tf32"
    try:
        yield
    finally:
        matmul.fp32_precision = before


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global generators, of the CPU and of a GPU, and put them back afterwards."""
    on_cuda = is_cuda(device)
    with torch.random.fork_rng(devices=[device] if on_cuda else []):
        torch.random.default_generator.manual_seed(seed)
        with torch.cuda.device(device) if on_cuda else nullcontext():
            if on_cuda:
                torch.cuda.manual_seed(seed)
            yield


def generator_states(device: torch.device | str) -> dict[str, Tensor]:
    """Return the states of torch's global generators, of the CPU and of a GPU."""
    states = {"cpu": torch.get_rng_state()}
    if is_cuda(device):
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def set_generator_states(states: dict[str, Tensor], device: torch.device | str) -> None:
    """Put torch's global generators into states, where there are some."""
    if "cpu" in states:
        torch.set_rng_state(states["cpu"])
    if "cuda" in states and is_cuda(device):
        torch.cuda.set_rng_state(states["cuda"], device)
