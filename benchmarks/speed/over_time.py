"""Error of new rows against seconds of training: ours, loops by hand, MLPRegressor and PCA.

    python -m benchmarks.speed.over_time [--only fashion-mnist 1000000x50] [--seconds 300]
        [--json results.json] [--output error_over_time.png]

Ours is fitted anew for 1, 2, 4 epochs and so on, each a whole schedule, until a fit takes longer;
all else is by default. Of the others, whose learning rate is constant, one training is asked after
each epoch. They have the network of the benchmarks of the speed. Seconds are those of training
alone. The exit code is 1 where another is ahead of ours at a time that both have reached.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.decomposition import PCA

from benchmarks.machine import describe
from benchmarks.quality.fashion_mnist import error
from benchmarks.speed.data import CASES, Case, curved_surface
from benchmarks.speed.rivals import dataloader_epochs, mlp
from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder.datasets import load_fashion_mnist

N_NEW = 10_000
TIMES = (1, 3, 10, 30, 60, 100, 300)
OURS = "AutoencoderTransformer"

Reconstruct = Callable[[np.ndarray], np.ndarray]


def tables(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows to fit and new ones of a case."""
    if name == "fashion-mnist":
        return load_fashion_mnist("train")[0], load_fashion_mnist("test")[0]
    case = CASES[name]
    rows = curved_surface(int(name.split("x")[0]) + N_NEW, case.n_features)
    return rows[:-N_NEW], rows[-N_NEW:]


def ours(X: np.ndarray, case: Case) -> Iterator[Reconstruct]:
    n_epochs = 1
    while True:
        yield (
            AutoencoderTransformer(case.code, max_epochs=n_epochs, random_state=0)
            .fit(X)
            .reconstruct
        )
        n_epochs *= 2


def by_hand(X: np.ndarray, case: Case) -> Iterator[Reconstruct]:
    for module in dataloader_epochs(X, case):

        @torch.inference_mode()
        def reconstruct(rows, module=module):
            return module(torch.from_numpy(rows)).numpy()

        yield reconstruct


def mlp_regressor(X: np.ndarray, case: Case) -> Iterator[Reconstruct]:
    model = mlp(case)
    while True:
        yield model.partial_fit(X, X).predict


def pca(X: np.ndarray, case: Case) -> Iterator[Reconstruct]:
    model = PCA(case.code).fit(X)
    yield lambda rows: model.inverse_transform(model.transform(rows))


# Whether the seconds of each model are those of all before as well.
METHODS = {
    OURS: (ours, False),
    "DataLoader loop by hand": (by_hand, True),
    "MLPRegressor": (mlp_regressor, True),
    "PCA": (pca, False),
}


def measure(name: str, most: float) -> Iterator[dict]:
    """Yield the error of each method on new rows, and the seconds it has trained for."""
    X, new = tables(name)
    for method, (models, goes_on) in METHODS.items():
        fits, seconds = models(X, CASES[name]), 0.0
        while seconds < most:
            began = time.perf_counter()
            reconstruct = next(fits, None)
            spent = time.perf_counter() - began
            if reconstruct is None:
                break
            seconds = seconds + spent if goes_on else spent
            left = error(reconstruct(new), new)
            yield {"table": name, "method": method, "seconds": seconds, "error": left}


def best_by(results: pd.DataFrame, seconds: float) -> pd.Series:
    """Return the least error that each method has reached by a time."""
    return results[results["seconds"] <= seconds].groupby("method")["error"].min()


def report(results: pd.DataFrame) -> bool:
    """Print the errors by some times, and return whether ours is ahead at all of these."""
    is_ahead = True
    for name, of_table in results.groupby("table"):
        by_time = pd.DataFrame({f"{t} s": best_by(of_table, t) for t in TIMES})
        print(f"{name}, mean squared error of new rows by so many seconds")
        print(by_time.to_string(float_format=lambda value: f"{value:.5f}", na_rep=""), "\n")
        reached = by_time.loc[:, by_time.loc[OURS].notna()]
        is_ahead &= bool((reached.loc[OURS] <= reached.min()).all())
    return is_ahead


def plot(results: pd.DataFrame, path: Path) -> None:
    """Draw errors against seconds, a picture for each table."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys(results["table"]))
    figure, axes = plt.subplots(1, len(names), figsize=(6 * len(names), 4), squeeze=False)
    for ax, name in zip(axes[0], names, strict=True):
        of_table = results[results["table"] == name]
        for method in METHODS:
            found = of_table[of_table["method"] == method]
            if method == "PCA":
                ax.axhline(found["error"].iloc[0], color="gray", linestyle=":", label=method)
            else:
                ax.loglog(found["seconds"], found["error"], marker=".", label=method)
        ax.set(title=name, xlabel="seconds of training", ylabel="mean squared error of new rows")
        ax.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    names = ("fashion-mnist", "1000000x50")
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()

    warnings.simplefilter("ignore")
    torch.optim.SGD([torch.zeros(1)])  # with the first, torch loads modules for some seconds
    results = pd.DataFrame(row for name in options.only for row in measure(name, options.seconds))
    if options.json:
        results.to_json(options.json, orient="records", indent=1)
    if options.output:
        plot(results, options.output)
    is_ahead = report(results)
    print(describe())
    print("passed" if is_ahead else "MISSED: another is ahead at a time")
    return int(not is_ahead)


if __name__ == "__main__":
    sys.exit(main())
