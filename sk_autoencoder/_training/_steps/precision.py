"""How exactly matrices are multiplied in training: 32 bits, or fewer where these are quicker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from sk_autoencoder._training.net_state import StatefulNet
from sk_autoencoder._utils import cuda
from sk_autoencoder._utils.threads import CallersThreads, OneThread, is_worth_threads

# For "auto": the least share of the variance that PCA leaves, and multiplications in a batch.
# Rounding to 8 bits leaves some 1e-5 of the variance, and pays where matrices are large.
MIN_LEFT = 0.01
LARGE_BATCH = 2**25


@contextmanager
def quick_products(net: StatefulNet, wanted: str, left: float, size: int) -> Iterator[None]:
    """Multiply in the precision and with the threads that suit the batches of a training.

    Parameters
    ----------
    net : StatefulNet
        One that is trained.
    wanted : str
        The precision that is asked for, or "auto".
    left : float
        The share of the variance that PCA leaves.
    size : int
        Number of rows of a batch.
    """
    n_products = size * sum(weight.numel() for weight in net.parameters())
    precision = choose_precision(wanted, torch.device(net.device), left, n_products)
    net.autocast_dtype = torch.bfloat16 if precision == "bfloat16" else None
    threads = CallersThreads() if is_worth_threads(n_products) else OneThread()
    with cuda.tf32(precision == "tf32"), threads:
        yield


def choose_precision(name: str, device: torch.device, left: float, n_products: int) -> str:
    """Return the precision asked for, or the quickest that leaves the result what it is.

    `left` is the share of the variance that PCA leaves, and `n_products` the number of
    multiplications in the forward pass of a batch.
    """
    on_cuda = cuda.is_cuda(device)
    if name == "tf32" and not on_cuda:
        raise ValueError(
            f"precision='tf32' is for CUDA GPUs, but the device is {str(device)!r}. Use "
            "'bfloat16', 'float32' or 'auto'."
        )
    if name != "auto":
        return name
    if left < MIN_LEFT or n_products < LARGE_BATCH:
        return "float32"
    if on_cuda:
        return "bfloat16" if cuda.multiplies_bfloat16() else "tf32"
    return "bfloat16" if device.type == "cpu" and _multiplies_bfloat16() else "float32"


def _multiplies_bfloat16() -> bool:
    """Whether the processor multiplies in bfloat16 itself, instead of converting each number."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
