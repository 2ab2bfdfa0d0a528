"""Explained variance of curved surfaces in space: PCA and the autoencoder in two dimensions.

    python -m benchmarks.quality.manifolds [--seeds 0 1 2]

500, 1000 and 2000 rows of `make_s_curve` with a noise of .05, and of `make_swiss_roll` without;
default parameters. The exit code is 1 where a bar is missed, on the rows fitted or on 2000 others.
"""

from __future__ import annotations

import sys
import time
from itertools import product

from sklearn.datasets import make_s_curve, make_swiss_roll
from sklearn.decomposition import PCA

from benchmarks.quality.arguments import parser_of
from sk_autoencoder import AutoencoderTransformer

N_NEW = 2000
# How a surface is made, and the bars by the number of rows.
MANIFOLDS = {
    "s_curve": (make_s_curve, {"noise": 0.05}, {500: 0.95, 1000: 0.98, 2000: 0.995}),
    "swiss_roll": (make_swiss_roll, {}, {500: 0.9, 1000: 0.94, 2000: 0.985}),
}


def main() -> int:
    parser = parser_of(__doc__, [0])
    options = parser.parse_args()
    missed = False
    print("surface       rows seed     PCA     bar  fitted     new      fit")
    for name, (make, params, bars) in MANIFOLDS.items():
        for (n_rows, bar), seed in product(bars.items(), options.seeds):
            X, _ = make(n_rows, random_state=seed, **params)
            X_new, _ = make(N_NEW, random_state=seed + 1000, **params)
            pca = PCA(2).fit(X).explained_variance_ratio_.sum()
            began = time.perf_counter()
            model = AutoencoderTransformer(2, random_state=seed).fit(X)
            seconds = time.perf_counter() - began
            fitted, new = model.score(X), model.score(X_new)
            missed |= min(fitted, new) < bar
            print(
                f"{name:<12} {n_rows:5} {seed:4} {pca:7.4f} {bar:7.4f} {fitted:7.4f} {new:7.4f} "
                f"{seconds:6.1f} s",
                flush=True,
            )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
