"""The processes that train together: what they sum, and what they agree on.

`ALONE` stands where there is one process, so that nobody asks how many there are.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from sk_autoencoder._utils import cuda
from sk_autoencoder._utils.shared_memory import SharedMemory, SharedSums, shared_memory

# What launchers such as torchrun tell each process.
LAUNCHED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")

# Names of processes that a launcher starts; workers of pools have others.
STARTED = re.compile(r"MainProcess|(Spawn|Fork|ForkServer)?Process-\d+")

# Tells processes that are started later which one has joined the others.
JOINED = "SK_AUTOENCODER_JOINED"

# How long to wait for a process that does not answer. One that has ended is found out at once.
TIMEOUT = timedelta(minutes=10)


class Alone:
    """A process that trains by itself."""

    rank, size = 0, 1

    def sum(self, *arrays):
        """Return the sums of arrays over all processes, float64."""
        return arrays[0] if len(arrays) == 1 else arrays

    def sum_(self, tensor: Tensor, weight: float = 1.0) -> None:
        """Put the sum over all processes, each weighted, in place of a tensor of each."""

    def memory(self, tensor: Tensor, n_cells: int) -> SharedMemory | None:
        """Return memory for numbers of a tensor's kind that all share; None where there is none."""
        return None

    def meet(self, memory: SharedMemory) -> None:
        """Wait until all processes have come here."""

    def of_all(self, value: Any) -> list:
        """Return what each process has, in the order of their ranks."""
        return [value]

    def of_first(self, value: Any) -> Any:
        """Return what the first process has."""
        return value

    def equalize(self, tensors: Iterable[Tensor]) -> None:
        """Put the tensors of the first process in place of those of all others."""

    def named(self) -> AbstractContextManager[None]:
        """Return a context that names the process in what goes wrong, where there are several."""
        return nullcontext()


ALONE = Alone()


class Processes(Alone):
    """All processes of the default group of torch.distributed."""

    def __init__(self):
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        on_cuda = dist.get_backend() == "nccl"
        self.device = cuda.default_device() if on_cuda else torch.device("cpu")
        self._sums: tuple[int, SharedSums | None] | None = None

    def sum(self, *arrays):
        values = [np.asarray(array, dtype=np.float64) for array in arrays]
        flat = torch.from_numpy(np.concatenate([value.reshape(-1) for value in values]))
        flat = flat.to(self.device)
        with others_answer(self):
            dist.all_reduce(flat)
        parts = np.split(flat.cpu().numpy(), np.cumsum([value.size for value in values[:-1]]))
        sums = [part.reshape(v.shape)[()] for part, v in zip(parts, values, strict=True)]
        return sums[0] if len(sums) == 1 else tuple(sums)

    def sum_(self, tensor: Tensor, weight: float = 1.0) -> None:
        with others_answer(self):
            if self._sums is None or self._sums[0] != tensor.numel():
                memory = self.memory(tensor, 2 * self.size * tensor.numel())
                sums = None if memory is None else SharedSums(memory, tensor.numel())
                self._sums = tensor.numel(), sums
            shared = self._sums[1]
            if shared is not None:
                shared.sum_(tensor, weight, TIMEOUT.total_seconds())
                return
            sent = tensor.mul_(weight).to(self.device)
            dist.all_reduce(sent)
            tensor.copy_(sent)

    def memory(self, tensor: Tensor, n_cells: int) -> SharedMemory | None:
        return shared_memory(self.rank, self.of_all, tensor, n_cells)

    def meet(self, memory: SharedMemory) -> None:
        with others_answer(self):
            memory.meet(TIMEOUT.total_seconds())

    def of_all(self, value: Any) -> list:
        found: list = [None] * self.size
        with others_answer(self):
            dist.all_gather_object(found, value)
        return found

    def of_first(self, value: Any) -> Any:
        found = [value]
        with others_answer(self):
            dist.broadcast_object_list(found, src=0)
        return found[0]

    def equalize(self, tensors: Iterable[Tensor]) -> None:
        with others_answer(self), torch.no_grad():
            for tensor in tensors:
                sent = tensor.detach().to(self.device).contiguous()
                dist.broadcast(sent, src=0)
                tensor.copy_(sent)

    @contextmanager
    def named(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            error.add_note(f"In process {self.rank} of {self.size}.")
            raise


@contextmanager
def others_answer(processes: Processes) -> Iterator[None]:
    """Say which process was left alone, where others have ended or do not answer."""
    try:
        yield
    except RuntimeError as error:
        raise ConnectionError(
            f"Process {processes.rank} of {processes.size} has lost the others: one of them has "
            "ended, or has not answered in time. What happened there stands in its own output."
        ) from error


def find_processes(distributed: bool | str) -> Alone:
    """Return the processes that a launcher has started, or this one alone.

    Parameters
    ----------
    distributed : bool or "auto"
        False never looks for others, and True needs some.
    """
    if not distributed:
        return ALONE
    started = _launched_size() if dist.is_available() else 0
    if started and not dist.is_initialized():
        cuda.take_own(int(os.environ.get("LOCAL_RANK", 0)))
        dist.init_process_group("nccl" if _has_gpu_each() else "gloo", timeout=TIMEOUT)
        os.environ[JOINED] = str(os.getpid())
        atexit.register(_leave)
    if dist.is_available() and dist.is_initialized():
        _check_size(started)
        return Processes() if dist.get_world_size() > 1 else ALONE
    if distributed is True:
        raise ValueError(
            "distributed=True, but no launcher has started this process beside others. Run the "
            "script by torchrun --nproc-per-node=2, or set distributed='auto'."
        )
    return ALONE


def _launched_size() -> int:
    """Return how many processes a launcher has started, 0 where none has.

    A worker that one of them starts, as in a search by joblib, is none of these.
    """
    if not all(name in os.environ for name in LAUNCHED):
        return 0
    is_worker = not STARTED.fullmatch(multiprocessing.current_process().name)
    if is_worker or os.environ.get(JOINED, str(os.getpid())) != str(os.getpid()):
        return 0
    size = int(os.environ["WORLD_SIZE"])
    return size if size > 1 else 0


def _check_size(started: int) -> None:
    """Refuse two launchers at once, of which each tells another number of processes."""
    found = dist.get_world_size()
    if started not in (0, found):
        raise ValueError(
            f"A launcher tells of {started} processes, but torch.distributed was initialized for "
            f"{found}. Start the script by one launcher alone."
        )


def _has_gpu_each() -> bool:
    """Whether each process on this machine has a GPU for itself."""
    n_here = int(os.environ.get("LOCAL_WORLD_SIZE", os.environ["WORLD_SIZE"]))
    return len(cuda.device_names()) >= n_here and dist.is_nccl_available()


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()
