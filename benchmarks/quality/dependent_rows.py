"""Rows that depend on each other: the error of new rows, the autoencoder's against PCA's.

    python -m benchmarks.quality.dependent_rows [--seeds 0] [--only near] [--json results.json]

Twenty tables of random kinds, each with its rows repeated ten times, drawn again with
replacement three times as often, and with a fifth of its rows oversampled nine times; and near
copies, of which `groups` or `X_val` tell: overlapping windows of series, and repeated measures of
subjects. Both methods are fitted on the same rows, with a quarter as many components as features
and otherwise default parameters, and are judged by new rows. The exit code is 1 where the
autoencoder's error is above 1.01 times PCA's.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.datasets import make_blobs, make_s_curve, make_swiss_roll
from sklearn.decomposition import PCA

from benchmarks.quality.arguments import add_json, parser_of, write_rows
from sk_autoencoder import AutoencoderTransformer

BAR = 1.01
N_NEW = 3000
N_ROWS = 300


def _low_rank(rng, n, latent):
    directions = np.random.RandomState(1).standard_normal((latent.shape[1], 15))
    return np.tanh(latent @ directions) + 0.3 * rng.standard_normal((n, 15))


def _circle(rng, n):
    angle = rng.uniform(0, 2 * np.pi, n)
    waves = [np.cos(angle), np.sin(angle), np.cos(2 * angle), np.sin(2 * angle)]
    return np.column_stack(waves) + 0.1 * rng.standard_normal((n, 4))


def _mixed(rng, n, n_features=12, correlation=0.7):
    factor = np.random.RandomState(2).standard_normal((n_features, n_features))
    spread = np.exp(-correlation * np.arange(n_features))
    return rng.standard_normal((n, n_features)) * spread @ factor


# The kinds of tables: rows from a generator of random numbers.
TABLES = {
    "normal, 20 features": lambda rng, n: rng.standard_normal((n, 20)),
    "normal, 5 features": lambda rng, n: rng.standard_normal((n, 5)),
    "normal, 60 features": lambda rng, n: rng.standard_normal((n, 60)),
    "correlated normal": _mixed,
    "normal with an offset": lambda rng, n: 1e5 + rng.standard_normal((n, 8)),
    "heavy tails": lambda rng, n: rng.standard_t(3, (n, 10)),
    "lognormal": lambda rng, n: rng.lognormal(0, 1, (n, 8)),
    "uniform": lambda rng, n: rng.uniform(-1, 1, (n, 10)),
    "exponential": lambda rng, n: rng.exponential(1, (n, 6)),
    "counts": lambda rng, n: rng.poisson(2.0, (n, 10)).astype(float),
    "rare counts": lambda rng, n: rng.poisson(0.05, (n, 12)).astype(float),
    "binary": lambda rng, n: (rng.uniform(size=(n, 16)) < 0.3).astype(float),
    "whole numbers": lambda rng, n: rng.randint(0, 5, (n, 8)).astype(float),
    "clusters": lambda rng, n: make_blobs(n, 10, centers=6, random_state=rng)[0],
    "few clusters": lambda rng, n: make_blobs(n, 4, centers=2, random_state=rng)[0],
    "bent plane": lambda rng, n: _low_rank(rng, n, rng.standard_normal((n, 2))),
    "bent space": lambda rng, n: _low_rank(rng, n, rng.standard_normal((n, 5))),
    "circle": _circle,
    "S curve": lambda rng, n: make_s_curve(n, noise=0.1, random_state=rng)[0],
    "Swiss roll": lambda rng, n: make_swiss_roll(n, noise=0.5, random_state=rng)[0],
}
# make_blobs draws its centres anew in each call, so that all rows come from one call.

COPIES = {
    "repeated": lambda rng, X: np.repeat(X, 10, axis=0),
    "bootstrap": lambda rng, X: X[rng.randint(len(X), size=3 * len(X))],
    "oversampled": lambda rng, X: np.vstack([X, np.repeat(X[: len(X) // 5], 9, axis=0)]),
}


def windows(rng, n_series, length=100, width=20, smoothing=15):
    """Return overlapping windows of smoothed noise, and the number of the series of each."""
    kernel = np.hanning(smoothing + 2)[1:-1]
    noise = rng.standard_normal((n_series, length + smoothing - 1))
    series = np.stack([np.convolve(steps, kernel, "valid") for steps in noise])
    rows = np.lib.stride_tricks.sliding_window_view(series, width, axis=1)
    return rows.reshape(-1, width), np.repeat(np.arange(n_series), rows.shape[1])


def measures(rng, n_subjects, n_each=30, n_features=20):
    """Return repeated measures of subjects, which hardly differ, and the subject of each."""
    subjects = rng.standard_normal((n_subjects, n_features))
    rows = np.repeat(subjects, n_each, axis=0)
    rows += 0.05 * rng.standard_normal(rows.shape)
    return rows, np.repeat(np.arange(n_subjects), n_each)


NEAR_COPIES = {"windows": windows, "measures": measures}
NUMBERS_OF_GROUPS = (8, 20, 60)


def compare(X, X_new, seed, **given) -> dict:
    """Return the errors of new rows of both methods, and what the validation rows said."""
    k = max(X.shape[1] // 4, 1)
    pca = PCA(k, svd_solver="full").fit(X)
    model = AutoencoderTransformer(k, random_state=seed).fit(X, **given)
    error = np.square(model.reconstruct(X_new) - X_new).mean()
    baseline = np.square(pca.inverse_transform(pca.transform(X_new)) - X_new).mean()
    return {
        "k": k,
        "pca": baseline,
        "autoencoder": error,
        "ratio": error / baseline,
        "is_pca": model.is_pca_,
        "validation": model.validation_score_,
        "new": model.score(X_new),
    }


def of_copies(table: str, how: str, seed: int) -> dict:
    """Compare on a table with copies of its rows."""
    rng = np.random.RandomState(seed)
    rows = TABLES[table](rng, N_ROWS + N_NEW)
    X = COPIES[how](rng, rows[:N_ROWS])
    return {"rows": table, "how": how, "seed": seed} | compare(X, rows[N_ROWS:], seed)


def of_near_copies(kind: str, n_groups: int, how: str, seed: int) -> dict:
    """Compare on near copies, of which the fit is told."""
    rng = np.random.RandomState(seed)
    X, groups = NEAR_COPIES[kind](rng, n_groups)
    X_new, _ = NEAR_COPIES[kind](rng, 100)
    given = {"groups": groups}
    if how == "X_val":
        X_val, groups_val = NEAR_COPIES[kind](rng, max(n_groups // 3, 2))
        given = {"X_val": X_val, "groups_val": groups_val}
    name = {"rows": f"{kind}, {n_groups} groups", "how": how, "seed": seed}
    return name | compare(X, X_new, seed, **given)


def main() -> int:
    parser = parser_of(__doc__, [0])
    parser.add_argument("--only", choices=("copies", "near"), help="leave the other kind out")
    add_json(parser)
    options = parser.parse_args()

    cases = []
    if options.only != "near":
        cases += [(of_copies, table, how) for table in TABLES for how in COPIES]
    if options.only != "copies":
        cases += [
            (of_near_copies, kind, n_groups, how)
            for kind in NEAR_COPIES
            for n_groups in NUMBERS_OF_GROUPS
            for how in ("groups", "X_val")
        ]
    rows = Parallel(n_jobs=2)(
        delayed(function)(*case, seed) for function, *case in cases for seed in options.seeds
    )
    results = pd.DataFrame(rows)
    write_rows(results, options)
    print(results.to_string(index=False, float_format=lambda value: f"{value:.4f}"))
    worse = results["ratio"] > BAR
    print(
        f"\ncases: {len(results)}, of which {results['is_pca'].sum()} stay at PCA; error over "
        f"PCA's: geometric mean {np.exp(np.log(results['ratio']).mean()):.4f}, most "
        f"{results['ratio'].max():.4f}, above {BAR} in {worse.sum()}"
    )
    return int(worse.any())


if __name__ == "__main__":
    sys.exit(main())
