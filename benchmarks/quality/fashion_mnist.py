"""Test error on Fashion-MNIST: PCA and the autoencoder, fitted on all 60,000 images.

    python -m benchmarks.quality.fashion_mnist [--n-components 2 4 8 16 32] [--seeds 0 1 2]
        [--nested]

Pixels from 0 to 1, mean squared error of the 10,000 test images, default parameters. Times
are told in seconds, and in epochs of a loop by hand over a `DataLoader` (784-512-256-128-32
and back, ReLU, Adam, batches of 128), measured in the same run; beside them stands how many
components PCA needs for the same error. With --nested one nested fit of the largest size is
compared with PCA at each size up to it. The exit code is 1 where a bar is missed.
"""

from __future__ import annotations

import statistics
import sys
import time

import numpy as np
from sklearn.decomposition import PCA

from benchmarks.machine import describe
from benchmarks.quality.arguments import parser_of
from benchmarks.speed.data import CASES
from benchmarks.speed.rivals import dataloader_loop
from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder.datasets import load_fashion_mnist

BARS = {2: 0.0242, 4: 0.0168, 8: 0.0122, 16: 0.0098, 32: 0.0078}
MOST_EPOCHS_BY_HAND = 6
DEAREST_NESTING = 1.15


def measure(model, train: np.ndarray, test: np.ndarray) -> tuple[float, float]:
    """Test error and seconds of a fit."""
    began = time.perf_counter()
    model.fit(train)
    seconds = time.perf_counter() - began
    return error(model.inverse_transform(model.transform(test)), test), seconds


def error(reconstruction: np.ndarray, test: np.ndarray) -> float:
    return float(np.square(reconstruction - test, dtype=np.float64).mean())


def epoch_by_hand(train: np.ndarray, n_epochs: int = 3) -> float:
    """Median seconds of an epoch of the loop that one would write with torch alone."""
    seconds = []
    for _ in range(n_epochs):
        began = time.perf_counter()
        dataloader_loop(train, CASES["fashion-mnist"], 1)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def errors_of_pca(train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Test errors of PCA with one component, with two, and so on."""
    pca = PCA().fit(train)
    explained = np.square(pca.transform(test), dtype=np.float64).sum(axis=0)
    total = np.square(test - pca.mean_, dtype=np.float64).sum()
    return (total - np.cumsum(explained)) / test.size


def compare(sizes: list[int], seeds: list[int], train, test) -> bool:
    """Print a line a fit; True where a bar is missed."""
    by_hand = epoch_by_hand(train)
    print(f"an epoch by hand: {by_hand:.2f} s")
    print(
        f"{'k':>3} {'method':<12} {'seed':>4} {'test MSE':>9} {'bar':>7} {'fit':>8} {'epochs':>7} "
        f"{'PCA needs':>9}"
    )
    missed = False
    of_pca = errors_of_pca(train, test)
    for k in sizes:
        print(f"{k:3} {'PCA':<12} {'':4} {of_pca[k - 1]:9.5f}", flush=True)
        for seed in seeds:
            model = AutoencoderTransformer(k, random_state=seed)
            of_model, seconds = measure(model, train, test)
            bar = BARS.get(k, np.inf)
            missed |= of_model > bar or seconds > MOST_EPOCHS_BY_HAND * by_hand
            print(
                f"{k:3} {'autoencoder':<12} {seed:4} {of_model:9.5f} {bar:7.4f} {seconds:6.1f} s "
                f"{seconds / by_hand:7.2f} {np.argmax(of_pca <= of_model) + 1:9}",
                flush=True,
            )
    return missed


def compare_nested(k: int, seeds: list[int], train, test) -> bool:
    """Print the errors at each size of a nested fit; True where a bar is missed."""
    of_pca = errors_of_pca(train, test)
    missed = False
    for seed in seeds:
        plain, _ = measure(AutoencoderTransformer(k, random_state=seed), train, test)
        model = AutoencoderTransformer(k, nested=True, random_state=seed)
        whole, seconds = measure(model, train, test)
        print(f"nested, k={k}, seed {seed}: {seconds:.1f} s, {whole / plain:.3f} of the plain fit")
        Z = model.transform(test)
        for j in range(1, k + 1):
            of_model = error(model.inverse_transform(Z[:, :j]), test)
            missed |= of_model >= of_pca[j - 1]
            print(f"{j:3} PCA {of_pca[j - 1]:.5f}, autoencoder {of_model:.5f}", flush=True)
        missed |= whole > DEAREST_NESTING * plain
    return missed


def main() -> int:
    parser = parser_of(__doc__, [0])
    parser.add_argument("--n-components", type=int, nargs="+", default=[2, 4, 8, 16, 32])
    parser.add_argument("--nested", action="store_true", help="one nested fit, at every size")
    options = parser.parse_args()

    (train, _), (test, _) = load_fashion_mnist("train"), load_fashion_mnist("test")
    print(describe())
    if options.nested:
        return int(compare_nested(max(options.n_components), options.seeds, train, test))
    return int(compare(options.n_components, options.seeds, train, test))


if __name__ == "__main__":
    sys.exit(main())
