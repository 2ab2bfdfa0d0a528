"""`n_components="auto"` on curved surfaces of known dimension, beside rules for PCA's shares.

    python -m benchmarks.quality.dimension [--seeds 0 1 2] [--rows 2000] [--json results.json]

For each seed ten surfaces of 1 to 8 dimensions in 20 to 50 features, with noise: of networks with
tanh or rectifiers, of sines, of squares, of bumps and of harmonics. Right is what is off by one at
most. The exit code is 1 where fewer than nine of ten are right.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from benchmarks.machine import describe
from benchmarks.quality.arguments import add_json, parser_of, write_rows
from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder._model.dimension import number_beyond_chance

N_SURFACES, BAR = 10, 0.9
NOISES = (0.02, 0.05, 0.1, 0.2)


def _of_tanh(z, width, rng):
    return np.tanh(2 * z @ _weights(rng, z, 64) + 0.5 * rng.normal(size=64)) @ rng.normal(
        size=(64, width)
    )


def _of_rectifiers(z, width, rng):
    hidden = np.maximum(2 * z @ _weights(rng, z, 100) + 0.3 * rng.normal(size=100), 0)
    return hidden @ rng.normal(size=(100, width))


def _of_sines(z, width, rng):
    return np.sin(1.5 * z @ _weights(rng, z, width) + rng.uniform(0, 2 * np.pi, width))


def _of_squares(z, width, rng):
    i, j = np.triu_indices(z.shape[1])
    products = z[:, i] * z[:, j]
    return z @ _weights(rng, z, width) + products @ _weights(rng, products, width)


def _of_bumps(z, width, rng):
    centres = rng.uniform(-1, 1, (30, z.shape[1]))
    distances = np.square(z[:, None] - centres).sum(axis=-1)
    return np.exp(-distances / z.shape[1]) @ rng.normal(size=(30, width))


def _of_harmonics(z, width, rng):
    waves = np.concatenate([z, np.sin(2 * z), np.cos(2 * z)], axis=1)
    return waves @ _weights(rng, waves, width)


SURFACES = (_of_tanh, _of_rectifiers, _of_sines, _of_squares, _of_bumps, _of_harmonics)


def _weights(rng, x, width) -> np.ndarray:
    return rng.normal(size=(x.shape[1], width)) / np.sqrt(x.shape[1])


def surface(number: int, seed: int, n_rows: int) -> tuple[np.ndarray, int]:
    """Return rows of a surface with noise, and its dimension."""
    rng = np.random.default_rng((seed, number))
    dimension, width = int(rng.integers(1, 9)), int(rng.integers(20, 51))
    shape = (n_rows, dimension)
    z = rng.uniform(-1, 1, shape) if number % 2 else 0.6 * rng.normal(size=shape)
    X = SURFACES[number % len(SURFACES)](z, width, rng)
    X = (X - X.mean(axis=0)) / X.std()
    return X + rng.choice(NOISES) * rng.normal(size=X.shape), dimension


def found_in(X, seed: int) -> dict[str, int]:
    """Return the number of components that each rule finds."""
    shares = PCA().fit(X).explained_variance_ratio_
    model = AutoencoderTransformer("auto", nested=True, random_state=seed).fit(X)
    return {
        "auto": model.n_components_,
        "PCA, same rule": number_beyond_chance(shares, X.shape[1]),
        "PCA, 95 %": int(np.searchsorted(np.cumsum(shares), 0.95)) + 1,
        "PCA, mle": PCA("mle").fit(X).n_components_,
    }


def main() -> int:
    parser = parser_of(__doc__, [0])
    parser.add_argument("--rows", type=int, default=2000)
    add_json(parser)
    options = parser.parse_args()
    print(describe(), flush=True)
    rows = []
    for seed in options.seeds:
        for number in range(N_SURFACES):
            X, dimension = surface(number, seed, options.rows)
            began = time.perf_counter()
            found = found_in(X, seed)
            kind = SURFACES[number % len(SURFACES)].__name__.removeprefix("_of_")
            rows.append({"seed": seed, "surface": kind, "dimension": dimension, **found})
            seconds = time.perf_counter() - began
            print(rows[-1], f"{X.shape} {seconds:.1f} s", flush=True)
    results = pd.DataFrame(rows)
    write_rows(results, options)
    rules = list(found)
    right = (results[rules].sub(results["dimension"], axis=0).abs() <= 1).mean()
    exact = results[rules].eq(results["dimension"], axis=0).mean()
    print(pd.DataFrame({"off by one at most": right, "exact": exact}).round(3).to_string())
    return int(right["auto"] < BAR)


if __name__ == "__main__":
    sys.exit(main())
