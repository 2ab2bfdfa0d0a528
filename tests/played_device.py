"""A device without numbers of 64 bits, as GPUs of Apple are, played by the CPU.

Its tensors tell another device. As those of such a device they refuse to have 64 bits, and to be
computed with tensors of the CPU. Torch has one device in a process that may be made so.
"""

from __future__ import annotations

import torch
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "played"
REFUSED = (torch.float64, torch.complex128)
COPIES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
# Which take indices of the CPU.
INDEXING = (torch.ops.aten.index.Tensor, torch.ops.aten.index_put_.default)


class Module:
    """What torch asks of a device, which has one random source, as that of Apple has."""

    def __init__(self):
        self.seeds = []

    def is_available(self):
        return True

    def is_initialized(self):
        return True

    def _is_in_bad_fork(self):
        return False

    def current_device(self):
        return 0

    def device_count(self):
        return 1

    def manual_seed(self, seed):
        self.seeds.append(seed)

    def manual_seed_all(self, seed):
        pass

    def get_rng_state(self, device):
        return torch.zeros(2)

    def set_rng_state(self, state, device):
        pass


MODULE = Module()
_setup_privateuseone_for_python_backend(NAME, MODULE)
DEVICE = torch.device(NAME, 0)


class Played(torch.Tensor):
    """A tensor of the device, which holds one of the CPU."""

    @staticmethod
    def __new__(cls, held):
        if held.dtype in REFUSED:
            raise TypeError(f"Cannot convert a {NAME} Tensor to {held.dtype}")
        place = {"strides": held.stride(), "storage_offset": held.storage_offset()}
        return torch.Tensor._make_wrapper_subclass(
            cls, held.shape, **place, dtype=held.dtype, device=DEVICE
        )

    def __init__(self, held):
        self.held = held

    def __repr__(self):
        return f"Played({self.held})"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return compute(func, args, kwargs or {})


class There(TorchDispatchMode):
    """Within it, the device is there."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return compute(func, args, kwargs or {})


def compute(func, args, kwargs):
    """Call a function of torch with what the tensors hold."""
    leaves = tree_leaves((args, kwargs))
    is_played = any(isinstance(leaf, Played) for leaf in leaves)
    others = any(isinstance(x, torch.Tensor) and x.dim() and held_of(x) is x for x in leaves)
    if is_played and others and func not in (*COPIES, *INDEXING):
        raise RuntimeError(f"{func}: expected all tensors to be on the same device")
    devices = [leaf for leaf in leaves if isinstance(leaf, torch.device)]
    stays = devices[0].type == NAME if devices else is_played
    if func is torch.ops.aten.copy_.default:
        stays = isinstance(args[0], Played)
    found = func(*tree_map(held_of, args), **tree_map(held_of, kwargs))
    if not stays:
        return found
    played = tree_map(lambda x: Played(x) if isinstance(x, torch.Tensor) else x, found)
    return return_and_correct_aliasing(func, args, kwargs, played) if is_played else played


def held_of(value):
    """Return what a tensor of the device holds, the CPU for the device, and all else as it is."""
    if isinstance(value, torch.device) and value.type == NAME:
        return torch.device("cpu")
    return value.held if isinstance(value, Played) else value
