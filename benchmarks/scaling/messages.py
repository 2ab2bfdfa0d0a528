"""How long two processes take to add up a gradient: by gloo, and in memory that they share.

python -m torch.distributed.run --standalone --nproc-per-node=2 -m benchmarks.scaling.messages
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
import torch.distributed as dist

from benchmarks.machine import describe
from sk_autoencoder._utils.processes import find_processes

N_CALLS = 200
SIZES = {"10 numbers": 10, "a net of 35,098 weights": 35_098, "one of 598,024": 598_024}


def milliseconds(call: Callable[[], object]) -> float:
    """Return the median of many calls."""
    times = []
    for _ in range(N_CALLS):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return 1e3 * statistics.median(times)


def main() -> None:
    torch.set_num_threads(1)
    processes = find_processes(True)
    if processes.rank == 0:
        print(describe(), flush=True)
    for name, size in SIZES.items():
        gradient = torch.ones(size)
        by_gloo = milliseconds(lambda gradient=gradient: dist.all_reduce(gradient))
        shared = milliseconds(lambda gradient=gradient: processes.sum_(gradient, 0.5))
        if processes.rank == 0:
            print(f"{name}: {by_gloo:.2f} ms by gloo, {shared:.2f} ms in shared memory", flush=True)


if __name__ == "__main__":
    main()
