"""Two processes of one thread each against one: Fashion-MNIST under torchrun, and on dask.

    python -m benchmarks.scaling.processes [--rounds 3] [--only torchrun]

Times are those of `fit` by default with 8 components, in turns; a ratio is the median of the
rounds. The exit code is 1 where torchrun is less than `TORCHRUN` times as fast as one process, dask
less than `DASK` times, or the test error more than `MOST_ERROR` times that of one process.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import sys
import time

import numpy as np
import torch

from benchmarks.machine import describe
from benchmarks.scaling.running import run_case

TORCHRUN, DASK, MOST_ERROR = 1.6, 1.5, 1.02
PARAMS = {"n_components": 8, "random_state": 0}
CHUNK = 7500
# Of dask, as docs/scaling.md has them. By default a worker looks at itself a hundred times a
# second, and gives memory back to the system that the next step takes again.
MEMORY = {"MALLOC_TRIM_THRESHOLD_": 2**30, "MALLOC_MMAP_THRESHOLD_": 2**30}
SETTINGS = {
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.worker.profile.enabled": False,
    **{f"distributed.nanny.pre-spawn-environ.{name}": size for name, size in MEMORY.items()},
}


def fit_here() -> None:
    """Fit in this process, which may be one of several, and tell the seconds and the error."""
    from sk_autoencoder import AutoencoderTransformer
    from sk_autoencoder.datasets import load_fashion_mnist

    torch.set_num_threads(1)
    X, _ = load_fashion_mnist()
    autoencoder = AutoencoderTransformer(**PARAMS)
    began = time.perf_counter()
    autoencoder.fit(X)
    tell(time.perf_counter() - began, autoencoder)


def fit_on_dask() -> None:
    """Fit on two workers, and tell the seconds and the error."""
    import dask
    from dask import array as da
    from distributed import Client, LocalCluster, wait

    from sk_autoencoder.dask import DaskAutoencoderTransformer
    from sk_autoencoder.datasets import load_fashion_mnist

    X, _ = load_fashion_mnist()
    dask.config.set(SETTINGS)
    settings = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**settings) as cluster, Client(cluster) as client:
        client.run(importlib.import_module, "sk_autoencoder.dask")  # as in one process before
        rows = client.persist(da.from_array(X, chunks=(CHUNK, X.shape[1])))
        wait(rows)  # until the workers hold them, as rows are in memory elsewhere
        autoencoder = DaskAutoencoderTransformer(**PARAMS)
        began = time.perf_counter()
        autoencoder.fit(rows)
        tell(time.perf_counter() - began, autoencoder)


def tell(seconds: float, autoencoder) -> None:
    """Print the seconds of a fit, and the mean squared error of test images."""
    from sk_autoencoder.datasets import load_fashion_mnist

    error = float(np.mean(autoencoder.reconstruction_error(load_fashion_mnist("test")[0])))
    rank = int(os.environ.get("RANK", 0))
    print(json.dumps({"rank": rank, "seconds": seconds, "error": error}), flush=True)


def compare(name: str, n_rounds: int, least: float) -> bool:
    """Print how fast two processes are beside one; return whether that is enough."""
    module, ratios, errors = "benchmarks.scaling.processes", [], []
    for _ in range(n_rounds):
        (one,) = run_case("--here", "alone", module=module)
        n_processes = 2 if name == "torchrun" else 1
        where = "alone" if name == "torchrun" else "dask"
        two = run_case("--here", where, n_processes=n_processes, module=module)
        seconds = max(told["seconds"] for told in two)
        ratios.append(one["seconds"] / seconds)
        errors.append(two[0]["error"] / one["error"])
        print(f"{name}: {one['seconds']:.1f} s alone, {seconds:.1f} s for two", flush=True)
    ratio, error = statistics.median(ratios), max(errors)
    holds = ratio >= least and error <= MOST_ERROR
    print(
        f"{name}: {ratio:.3f} times as fast (bar {least}), error {error:.4f} times that of one "
        f"process (bar {MOST_ERROR}): {'holds' if holds else 'missed'}",
        flush=True,
    )
    return holds


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["torchrun", "dask"])
    parser.add_argument("--here", choices=["alone", "dask"], help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.here:
        (fit_here if args.here == "alone" else fit_on_dask)()
        return 0
    print(describe(), flush=True)
    bars = {"torchrun": TORCHRUN, "dask": DASK}
    names = [args.only] if args.only else list(bars)
    held = [compare(name, args.rounds, bars[name]) for name in names]
    return int(not all(held))


if __name__ == "__main__":
    sys.exit(main())
