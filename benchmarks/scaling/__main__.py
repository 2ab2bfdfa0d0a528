"""Time and memory of a fit against rows, features and processes, with fitted exponents and a plot.

    python -m benchmarks.scaling FOLDER [--json results.json] [--output scaling.png]

FOLDER is where tables are written, about 5 GB, unless they are there. All are read a block at a
time and trained on for two epochs of batches of 256 rows, with one thread a process. The exit code
is 1 where time grows with rows by an exponent of more than `MOST_OF_TIME`, or memory by one of more
than `MOST_OF_MEMORY`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from benchmarks.machine import describe
from benchmarks.scaling.running import run_case
from benchmarks.scaling.tables import write_npy

ROWS = (10**4, 10**5, 10**6, 2 * 10**6, 3 * 10**6, 10**7)
FEATURES, PROCESSES = (10, 100, 1000, 10_000), (1, 2)
# Of the other axis.
N_ROWS, N_FEATURES = 10**5, 50
MAX_CELLS = 5 * 10**8
MOST_OF_TIME, MOST_OF_MEMORY = 1.05, 0.05
# Of a process: fewer do not fill its buffers, and are kept as the network reads them.
FROM_ROWS = 10**6


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args(argv)
    print(describe(), flush=True)
    args.folder.mkdir(parents=True, exist_ok=True)
    found = []
    for axis, n_rows, n_features, n_processes in points():
        path = args.folder / f"{n_rows}x{n_features}.npy"
        table = write_npy(path, n_rows, n_features)
        told = run_case(table, n_processes=n_processes)
        row = {
            "axis": axis,
            "rows": n_rows,
            "features": n_features,
            "processes": n_processes,
            "seconds": max(one["seconds"] for one in told),
            "epoch": max(one["epoch"] for one in told),
            "megabytes": max(one["megabytes"] for one in told),
        }
        found.append(row)
        print(" ".join(f"{k} {v:.4g}" if k != "axis" else v for k, v in row.items()), flush=True)
    frame = pd.DataFrame(found)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1))
    if args.output:
        plot(frame, args.output)
    return report(frame)


def points():
    """Yield what is varied, and numbers of rows, features and processes."""
    for n_rows in ROWS:
        for n_processes in PROCESSES:
            yield "rows", n_rows, N_FEATURES, n_processes
    for n_features in FEATURES:
        yield "features", min(N_ROWS, MAX_CELLS // n_features), n_features, 1


def exponent(frame: pd.DataFrame, axis: str, what: str) -> float:
    """Return the slope of the logarithms of two columns."""
    return float(np.polyfit(np.log(frame[axis]), np.log(frame[what]), 1)[0])


def report(frame: pd.DataFrame) -> int:
    """Print the exponents; return 1 where one is too large."""
    fails = False
    streamed = frame["rows"] >= FROM_ROWS * frame["processes"]
    of_rows = frame[(frame["axis"] == "rows") & streamed]
    for n_processes, some in of_rows.groupby("processes"):
        time, memory = (exponent(some, "rows", what) for what in ("epoch", "megabytes"))
        missed = time > MOST_OF_TIME or memory > MOST_OF_MEMORY
        fails |= missed
        print(
            f"{n_processes} processes, from {FROM_ROWS} rows of each on: time of an epoch ~ rows^"
            f"{time:.3f}, memory ~ rows^{memory:.3f}: {'missed' if missed else 'holds'}"
        )
    wide = frame[frame["axis"] == "features"]
    wide = wide.assign(epoch=wide["epoch"] / wide["rows"])
    print(f"time of a row ~ features^{exponent(wide, 'features', 'epoch'):.2f}")
    print(f"memory ~ features^{exponent(wide, 'features', 'megabytes'):.2f}")
    return int(fails)


def plot(frame: pd.DataFrame, path: Path) -> None:
    """Write a picture of time and memory."""
    fig, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    of_rows = frame[frame["axis"] == "rows"]
    for ax, what, label in zip(
        axes, ("epoch", "megabytes"), ("seconds an epoch", "MB, at most"), strict=True
    ):
        for n_processes, some in of_rows.groupby("processes"):
            name = "1 process" if n_processes == 1 else f"{n_processes} processes, each"
            ax.loglog(some["rows"], some[what], marker="o", label=name)
        ax.set(xlabel=f"rows of {N_FEATURES} features", ylabel=label)
        ax.grid(alpha=0.3)
    axes[1].set_ylim(100, 10_000)
    axes[0].legend()
    fig.savefig(path, dpi=110)


if __name__ == "__main__":
    sys.exit(main())
