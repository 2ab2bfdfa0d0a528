"""Explained variance of held-out rows: PCA, the textbook stack and the autoencoder.

    python -m benchmarks.quality.adbench TABLES [--seeds 0 1 2] [--json results.json]

TABLES is a folder of the classical data sets of ADBench (Han et al., NeurIPS 2022), each an
`.npz` file with an `X`. Each table is cut to at most 4000 rows, standardised with the mean
and deviation of its training part, and a quarter of it is held out; n_components is a
quarter and a half of the number of features. Two fits run side by side, each with one thread. The
exit code is 1 where a bar is missed.

With several seeds it also tells how often the autoencoder is as far below itself with another seed:
two equal methods differ as often by chance.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.decomposition import PCA

from benchmarks.quality.arguments import add_tables, parser_of, write_rows
from benchmarks.quality.tables import load, pairs_of
from sk_autoencoder import AutoencoderTransformer

LARGEST_LOSS = 0.005
LARGEST_LOSS_TO_TEXTBOOK = 0.01
LARGEST_RATIO = 0.30
FEW = 2000


def compare(path: Path, n_components: int, seed: int, params: dict) -> dict:
    """Explained variance of the held-out rows of one table at one size of the code."""
    train, test = load(path)
    variance = np.square(test - train.mean(axis=0)).sum()
    pca = PCA(n_components).fit(train)
    error = np.square(test - pca.inverse_transform(pca.transform(test))).sum()
    row = {
        "table": path.stem,
        "rows": len(train),
        "features": train.shape[1],
        "k": n_components,
        "seed": seed,
        "pca": 1 - error / variance,
    }
    for name, own in {"textbook": {"linear_shortcut": False}, "autoencoder": {}}.items():
        model = AutoencoderTransformer(n_components, random_state=seed, **own, **params)
        began = time.perf_counter()
        model.fit(train)
        row[f"{name}_s"] = time.perf_counter() - began
        row[name] = model.score(test)
        row[f"{name}_epochs"] = model.n_iter_
    return row


def main() -> int:
    parser = parser_of(__doc__, [0])
    add_tables(parser)
    parser.add_argument("--params", default="{}", help="parameters of both networks, as JSON")
    options = parser.parse_args()

    pairs = pairs_of(options.tables, options.only)
    cases = [(*pair, seed) for pair in pairs for seed in options.seeds]
    params = json.loads(options.params)
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes to come
    rows = Parallel(n_jobs=2)(delayed(compare)(*case, params) for case in cases)

    results = pd.DataFrame(rows)
    write_rows(results, options)
    print(results.to_string(index=False, float_format=lambda value: f"{value:.4f}"))
    return report(results)


def report(results: pd.DataFrame) -> int:
    """Print the summary, and give 1 where a bar is missed by any seed."""
    below_pca = results["pca"] - results["autoencoder"]
    below_textbook = results["textbook"] - results["autoencoder"]
    left = (1 - results[["pca", "textbook", "autoencoder"]]).clip(lower=1e-9)
    ratios = np.exp(np.log(left["autoencoder"] / left["pca"]).groupby(results["seed"]).mean())
    print(f"\ncases: {len(results)}, of {results['table'].nunique()} tables")
    for name in left:
        print(f"mean explained variance, {name}: {results[name].mean():.4f}")
    print(f"below PCA by more than {LARGEST_LOSS}: {(below_pca > LARGEST_LOSS).sum()}")
    n_below = (below_textbook > LARGEST_LOSS_TO_TEXTBOOK).sum()
    print(f"below textbook by more than {LARGEST_LOSS_TO_TEXTBOOK}: {n_below}")
    if len(ratios) > 1:
        print(f"below itself with another seed by as much: {n_below_itself(results)}")
    print(f"most below PCA: {below_pca.max():.4f}, most below textbook: {below_textbook.max():.4f}")
    for name in ("textbook", "autoencoder"):
        seconds = results[f"{name}_s"]
        few = seconds[results["rows"] <= FEW]
        print(f"seconds, {name}: {seconds.sum():.0f}, median of few rows {few.median():.2f}")
    print(f"unexplained variance over PCA's, geometric mean: {math.exp(np.log(ratios).mean()):.4f}")
    for seed, ratio in ratios.items():
        print(f"unexplained variance over PCA's, geometric mean, seed {seed}: {ratio:.4f}")
    missed = n_below > 0 or (below_pca > LARGEST_LOSS).any() or (ratios > LARGEST_RATIO).any()
    return int(missed)


def n_below_itself(results: pd.DataFrame) -> int:
    """Return in how many cases the autoencoder is clearly below that of the seed before."""
    scores = results.pivot(index=["table", "k"], columns="seed", values="autoencoder").to_numpy()
    return int((np.roll(scores, 1, axis=1) - scores > LARGEST_LOSS_TO_TEXTBOOK).sum())


if __name__ == "__main__":
    sys.exit(main())
