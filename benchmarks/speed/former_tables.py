"""How long default fits of tables take, and what they explain, beside a former commit.

    git worktree add FOLDER COMMIT
    python -m benchmarks.speed.former_tables FOLDER TABLES [--only 14_ 45_] [--seeds 0]

The cases are those of `benchmarks.quality.adbench`. Two processes with one thread each, one with
the package of each tree, fit a case at the same time. The figure is the sum of the times here over
that of the times there; the exit code is 1 where it is above `--most`.
"""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.machine import describe
from benchmarks.quality.arguments import add_tables, parser_of, write_rows
from benchmarks.quality.tables import load, pairs_of
from benchmarks.speed.former import HERE, take_tree


def fit(path: Path, n_components: int, seed: int) -> tuple[float, float]:
    """Return the seconds of a default fit, and the share of the variance of new rows."""
    from sk_autoencoder import AutoencoderTransformer

    train, test = load(path)
    model = AutoencoderTransformer(n_components, random_state=seed)
    began = time.perf_counter()
    model.fit(train)
    return time.perf_counter() - began, model.score(test)


def compare(trees: dict[str, Path], cases: list[tuple]) -> pd.DataFrame:
    """Return a row a case, with seconds and scores of each tree."""
    context, rows = get_context("spawn"), []
    pools = {
        name: ProcessPoolExecutor(1, context, initializer=take_tree, initargs=(tree, 1))
        for name, tree in trees.items()
    }
    for path, n_components, seed in cases:
        told = {name: pool.submit(fit, path, n_components, seed) for name, pool in pools.items()}
        row = {"table": path.stem, "k": n_components, "seed": seed}
        for name, future in told.items():
            row[f"{name}_s"], row[name] = future.result()
        print(*(f"{v:.4g}" if isinstance(v, float) else v for v in row.values()), flush=True)
        rows.append(row)
    for pool in pools.values():
        pool.shutdown()
    return pd.DataFrame(rows)


def main() -> int:
    parser = parser_of(__doc__, [0])
    parser.add_argument("folder", type=Path, help="a work tree of the former commit")
    add_tables(parser)
    parser.add_argument("--most", type=float, default=1 / 3, help="the largest ratio that holds")
    options = parser.parse_args()
    print(describe(), flush=True)
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes to come
    pairs = pairs_of(options.tables, options.only)
    cases = [(*pair, seed) for seed in options.seeds for pair in pairs]
    results = compare({"now": HERE, "former": options.folder.resolve()}, cases)
    write_rows(results, options)
    now, former = results["now_s"].sum(), results["former_s"].sum()
    left = np.log(1 - results["now"]) - np.log(1 - results["former"])
    verdict = "holds" if now / former <= options.most else "missed"
    print(f"seconds: {now:.1f} of {former:.1f}, {now / former:.3f}: {verdict}")
    print(f"median ratio of a case: {(results['now_s'] / results['former_s']).median():.3f}")
    print(f"unexplained variance over the former, geometric mean: {np.exp(left.mean()):.4f}")
    return int(verdict == "missed")


if __name__ == "__main__":
    sys.exit(main())
