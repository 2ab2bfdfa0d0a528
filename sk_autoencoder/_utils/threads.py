"""How many threads a computation takes: one where there is little to do, or in a forked child."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import ThreadpoolController

# Multiplications below which a second thread costs more than it gives.
THREADED_PRODUCTS = 2**25

# Each cell is multiplied on the way into the code and on the way back, once or more: rows that a
# single thread encodes are not read by more.
PRODUCTS_A_CELL = 2

PROCESS = os.getpid()


def enough_threads(n_products: float) -> AbstractContextManager[None]:
    """Leave little work to one thread: waiting for a second would take most of the time.

    In a forked child one thread does all the work. The others of OpenMP, which torch and
    scikit-learn run on, are not there after a fork, and to wait for them would take forever.
    """
    if n_products >= THREADED_PRODUCTS and not in_forked_child():
        return nullcontext()
    return OneThread()


def enough_threads_to_read(X: np.ndarray) -> AbstractContextManager[None]:
    """Leave a look at few cells to one thread, as `enough_threads` does what comes after it."""
    return enough_threads(PRODUCTS_A_CELL * X.size)


class OneThread:
    """A context in which the calling thread computes alone.

    OpenMP and MKL count their threads for each calling thread apart, so that computations in
    other threads and the pools of NumPy stay as they are. It takes microseconds, since a
    single row is encoded within a hundred of them.
    """

    def __enter__(self) -> None:
        torch.get_num_threads()  # In a new thread torch first sets its own number.
        self.before = [limit(1) for limit in _pools()]

    def __exit__(self, *error) -> None:
        for limit, n_threads in zip(_pools(), self.before, strict=True):
            limit(n_threads)


def in_forked_child() -> bool:
    """Whether this process is a fork of the one that has imported this module."""
    return os.getpid() != PROCESS


@cache
def _pools() -> tuple[Callable[[int], int], ...]:
    """Find the pools of threads of the process once, since that takes milliseconds.

    Each is a function that sets how many threads the calling thread may use and gives how
    many they were before.
    """
    controller = ThreadpoolController()
    openmp = [lib.dynlib for lib in controller.select(user_api="openmp").lib_controllers]
    mkl = [lib.dynlib for lib in controller.select(internal_api="mkl").lib_controllers]
    of_mkl = [lib.MKL_Set_Num_Threads_Local for lib in [*mkl, *_mkl_of_torch()]]
    return (*(_limit_of(lib) for lib in openmp), *of_mkl)


def _limit_of(openmp: ctypes.CDLL) -> Callable[[int], int]:
    """Return a function of a library of OpenMP that sets its number of threads."""
    get, set_ = openmp.omp_get_max_threads, openmp.omp_set_num_threads

    def limit(n_threads: int) -> int:
        before = get()
        set_(n_threads)
        return before

    return limit


def _mkl_of_torch() -> list[ctypes.CDLL]:
    """Return the library of torch, where it has MKL in itself.

    That keeps its own number of threads once `torch.set_num_threads` has been called.
    """
    folder = Path(torch.__file__).parent / "lib"
    paths = [folder / f"libtorch_cpu.{ending}" for ending in ("so", "dylib")]
    libraries = [ctypes.CDLL(str(path)) for path in paths if path.exists()]
    return [library for library in libraries if hasattr(library, "MKL_Set_Num_Threads_Local")]
