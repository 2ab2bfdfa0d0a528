"""A fit of one table in a process of its own, told as a line of JSON.

    python -m benchmarks.scaling.case TABLE [--epochs 2] [--rows N] [--features K]

TABLE is a `.npy` file or a folder of Parquet files, which is read a block at a time. With `--rows`
its first rows are fitted as an array in memory. Under `python -m torch.distributed.run` each
process tells what it took.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import time
from pathlib import Path

import numpy as np
import torch

from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder._sources import find


def most_megabytes() -> float:
    """Return the most memory that this process had, without what it was forked from."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("table")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--components", type=int, default=8)
    args = parser.parse_args(argv)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))
    find.IN_MEMORY_BYTES = 0
    X = args.table
    if args.rows:
        X = np.array(np.load(args.table, mmap_mode="r")[: args.rows])
    autoencoder = AutoencoderTransformer(
        args.components, max_epochs=args.epochs, random_state=0, batch_size=256
    )
    began = time.perf_counter()
    autoencoder.fit(X)
    seconds = time.perf_counter() - began
    durations = autoencoder.history_["dur"]
    told = {
        "rank": int(os.environ.get("RANK", 0)),
        "seconds": seconds,
        "start": float(durations.iloc[0]),
        "epoch": float(durations.iloc[1:].median()),
        "megabytes": most_megabytes(),
        "validation_score": autoencoder.validation_score_,
    }
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
