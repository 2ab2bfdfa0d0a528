"""Test error on Fashion-MNIST: PCA and the autoencoder, fitted on all 60,000 images.

    python -m benchmarks.fashion_mnist [--n-components 2 8 16 32] [--seeds 0]

Pixels from 0 to 1, mean squared error of the 10,000 test images, default parameters. The
exit code is 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
from sklearn.decomposition import PCA

from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder.datasets import load_fashion_mnist

BARS = {8: 0.0128, 32: 0.0090}


def measure(model, train: np.ndarray, test: np.ndarray) -> tuple[float, float]:
    """Test error and seconds of a fit."""
    began = time.perf_counter()
    model.fit(train)
    seconds = time.perf_counter() - began
    reconstruction = model.inverse_transform(model.transform(test))
    return float(np.square(reconstruction - test).mean()), seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n-components", type=int, nargs="+", default=[2, 8, 16, 32])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()

    (train, _), (test, _) = load_fashion_mnist("train"), load_fashion_mnist("test")
    missed = False
    print(f"{'k':>3} {'method':<12} {'seed':>4} {'test MSE':>9} {'fit':>8}")
    for k in options.n_components:
        error, seconds = measure(PCA(k, random_state=0), train, test)
        print(f"{k:3} {'PCA':<12} {0:4} {error:9.5f} {seconds:6.1f} s", flush=True)
        for seed in options.seeds:
            model = AutoencoderTransformer(k, random_state=seed)
            error, seconds = measure(model, train, test)
            print(f"{k:3} {'autoencoder':<12} {seed:4} {error:9.5f} {seconds:6.1f} s", flush=True)
            missed |= error > BARS.get(k, np.inf)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
