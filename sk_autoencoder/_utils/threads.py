"""How many threads a computation takes: one where there is little to do, or in a forked child."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import ThreadpoolController

# Multiplications below which a second thread costs more than it gives.
THREADED_PRODUCTS = 2**25

# Of the axes of a table. Fewer take some seconds in one thread, which then gives the same bits on
# a busy machine and in the same time.
THREADED_PRODUCTS_OF_AXES = 2**36

# Each cell is multiplied on the way into the code and on the way back, once or more: rows that a
# single thread encodes are not read by more.
PRODUCTS_A_CELL = 2

PROCESS = os.getpid()


def enough_threads(n_products: float) -> AbstractContextManager[None]:
    """Leave little work to one thread: waiting for a second would take most of the time.

    In a forked child one thread does all the work. The others of OpenMP, which torch and
    scikit-learn run on, are not there after a fork, and to wait for them would take forever.
    """
    return nullcontext() if is_worth_threads(n_products) else OneThread()


def is_worth_threads(n_products: float, least: float = THREADED_PRODUCTS) -> bool:
    """Whether so many multiplications are worth more than one thread, which a fork has not."""
    return n_products >= least and not in_forked_child()


@contextmanager
def enough_threads_for_axes(n_rows: int, n_features: int) -> Iterator[None]:
    """Leave the axes of all but large tables to one thread, and what is done beside training.

    So do NumPy and SciPy in the meantime, in all threads of the process.
    """
    n_products = n_rows * n_features * min(n_rows, n_features)
    if is_worth_threads(n_products, THREADED_PRODUCTS_OF_AXES):
        yield
        return
    of_numpy = nullcontext() if in_forked_child() else _one_of_numpy
    with OneThread(), of_numpy:
        yield


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
        _limited.before.append(self.before)

    def __exit__(self, *error) -> None:
        _limited.before.pop()
        _set_all(self.before)


class _OneThreadOfNumPy:
    """A context in which NumPy and SciPy compute in one thread, as long as somebody is in it.

    The number of threads of OpenBLAS is that of the process, and the last one to leave sets it
    back. In between no thread of Python is in control of it, as threadpoolctl has it, since the
    last one is seldom the first.
    """

    def __init__(self):
        self.lock, self.n_inside = threading.Lock(), 0

    def __enter__(self) -> None:
        with self.lock:
            if self.n_inside == 0:
                self.pools = _controller().select(user_api="blas")
                self.limits = self.pools.limit(limits=1)
                self._give_up_control()
            self.n_inside += 1

    def __exit__(self, *error) -> None:
        with self.lock:
            self.n_inside -= 1
            if self.n_inside == 0:
                self.limits.restore_original_limits()
                self._give_up_control()

    def _give_up_control(self) -> None:
        with self.pools.limit(limits=None):
            pass


_one_of_numpy = _OneThreadOfNumPy()


class CallersThreads:
    """A context with as many threads as there were outside of all contexts of `OneThread`."""

    def __enter__(self) -> None:
        self.is_limited = len(_limited.before) > 0
        if self.is_limited:
            self.before = [limit(n) for limit, n in zip(_pools(), _limited.before[0], strict=True)]

    def __exit__(self, *error) -> None:
        if self.is_limited:
            _set_all(self.before)


class _Limited(threading.local):
    """The numbers of threads before each `OneThread` that a thread is in."""

    def __init__(self):
        self.before: list[list[int]] = []


_limited = _Limited()


def _set_all(numbers: list[int]) -> None:
    for limit, n_threads in zip(_pools(), numbers, strict=True):
        limit(n_threads)


def in_forked_child() -> bool:
    """Whether this process is a fork of the one that has imported this module."""
    return os.getpid() != PROCESS


@cache
def _controller() -> ThreadpoolController:
    """Find the pools of threads of the process once, since that takes milliseconds."""
    return ThreadpoolController()


@cache
def _pools() -> tuple[Callable[[int], int], ...]:
    """Return the pools of threads that are limited for each calling thread apart.

    Each is a function that sets how many threads the calling thread may use and gives how
    many they were before.
    """
    controller = _controller()
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
