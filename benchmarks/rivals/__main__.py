"""Explained variance of held-out rows, wins and seconds: ours by default, and its rivals.

    python -m benchmarks.rivals TABLES [--seeds 0] [--json results.json]

TABLES is a folder of the classical data sets of ADBench (Han et al., NeurIPS 2022), each an
`.npz` file with an `X`. Tables are cut, standardised and split, and numbers of components chosen,
as in `benchmarks.quality.adbench`. Two cases run side by side, each with one thread. The exit
code is 1 where ours is not ahead of the tuned textbook in a tenth of its time.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from benchmarks.quality.arguments import add_tables, parser_of, write_rows
from benchmarks.quality.tables import load, pairs_of
from benchmarks.rivals.methods import OURS, TUNED, installed, missing, squared_error

SHARE_OF_TIME = 0.1
A_WIN = 0.01  # of explained variance
LEAST_ERROR = 1e-9  # of the variance, for logarithms


def measure(path: Path, n_components: int, seed: int) -> list[dict]:
    """Return what each method explains of the held-out rows of a table, and its seconds."""
    warnings.simplefilter("ignore")  # rivals warn of much
    train, test = load(path)
    variance = np.square(test - train.mean(axis=0)).sum()
    rows = []
    for name, method in installed().items():
        began = time.perf_counter()
        reconstruct = method(train, n_components, seed)
        row = {"method": name, "seconds": time.perf_counter() - began}
        row["left"] = squared_error(reconstruct, test) / variance
        rows.append(row | {"table": path.stem, "k": n_components, "seed": seed})
    return rows


def main() -> int:
    parser = parser_of(__doc__, [0])
    add_tables(parser)
    options = parser.parse_args()

    pairs = pairs_of(options.tables, options.only)
    cases = [(*pair, seed) for pair in pairs for seed in options.seeds]
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes to come
    found = Parallel(n_jobs=2)(delayed(measure)(*case) for case in cases)
    results = pd.DataFrame([row for rows in found for row in rows])
    write_rows(results, options)
    return report(results)


def report(results: pd.DataFrame) -> int:
    """Print the errors of each case and a summary, and give 1 where a bar is missed."""
    case = ["table", "k", "seed"]
    methods = list(dict.fromkeys(results["method"]))
    left = results.pivot_table(index=case, columns="method", values="left")[methods]
    print("unexplained variance of held-out rows")
    print(left.to_string(float_format=lambda value: f"{value:.4f}"), "\n")
    ratios = left.clip(lower=LEAST_ERROR).div(left["PCA"].clip(lower=LEAST_ERROR), axis=0)
    summary = pd.DataFrame(
        {
            "mean explained": 1 - left.mean(),
            "of PCA's error": np.exp(np.log(ratios).mean()),
            "best of all": left.idxmin(axis=1).value_counts().reindex(methods, fill_value=0),
            "ours ahead": left.sub(left[OURS], axis=0).gt(A_WIN).sum(),
            "ours behind": left.sub(left[OURS], axis=0).lt(-A_WIN).sum(),
            "seconds": results.groupby("method")["seconds"].sum().loc[methods],
        }
    )
    print(summary.to_string(float_format=lambda value: f"{value:.3f}"), "\n")
    if missing():
        print(f"NOT COMPARED, as not installed: {', '.join(missing())}")
    error, seconds = (summary[column][[OURS, TUNED]] for column in ("of PCA's error", "seconds"))
    share = seconds[OURS] / seconds[TUNED]
    passed = bool(error[OURS] < error[TUNED] and share <= SHARE_OF_TIME)
    print(
        f"{len(left)} cases; {OURS} beside {TUNED}: {error[OURS]:.3f} and {error[TUNED]:.3f} of "
        f"PCA's error, in {share:.3f} of its time: {'passed' if passed else 'MISSED'}"
    )
    return int(not passed)


if __name__ == "__main__":
    sys.exit(main())
