"""Seconds and memory of a fit on sparse rows that would not fit into memory as dense ones.

    python -m benchmarks.quality.sparse [--rows 100000] [--features 20000] [--density 0.001]

The rows and the fit are made in a fresh process, whose peak memory is measured. The exit
code is 1 where it is above 3 GB.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np
from scipy import sparse

from benchmarks.quality.arguments import parser_of
from sk_autoencoder import AutoencoderTransformer

BAR = 3e9


def random_rows(n_rows: int, n_features: int, density: float) -> sparse.csr_array:
    """Rows whose cells lie in groups of columns, as the words of topics do."""
    rng = np.random.default_rng(0)
    n_stored = round(n_features * density)
    topics = rng.integers(50, size=n_rows)
    columns = (rng.integers(n_features // 50, size=(n_rows, n_stored)) * 50 + topics[:, None]).T
    index = np.broadcast_to(np.arange(n_rows), columns.shape)
    cells = (rng.exponential(size=columns.size), (index.ravel(), columns.ravel()))
    return sparse.coo_array(cells, shape=(n_rows, n_features)).tocsr()


def peak_memory() -> float:
    """Bytes that this process has had in memory at most."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Fit in this process; give seconds, bytes before and at the peak, and the score."""
    X = random_rows(options.rows, options.features, options.density)
    before = peak_memory()
    began = time.perf_counter()
    autoencoder = AutoencoderTransformer(options.n_components, random_state=0)
    if options.max_epochs is not None:
        autoencoder.set_params(max_epochs=options.max_epochs)
    autoencoder.fit(X)
    seconds = time.perf_counter() - began
    return {
        "stored": X.nnz,
        "before": before,
        "seconds": seconds,
        "epochs": autoencoder.n_iter_,
        "peak": peak_memory(),
        "validation": autoencoder.validation_score_,
        "pca": autoencoder.pca_validation_score_,
    }


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--features", type=int, default=20_000)
    parser.add_argument("--density", type=float, default=0.001)
    parser.add_argument("--n-components", type=int, default=32)
    parser.add_argument("--max-epochs", type=int, help="of the estimator, its default if not set")
    parser.add_argument("--here", action="store_true", help="measure in this process, as JSON")
    options = parser.parse_args()
    if options.here:
        print(json.dumps(measure(options)))
        return 0

    command = [sys.executable, "-m", "benchmarks.quality.sparse", *sys.argv[1:], "--here"]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    dense = 8e-9 * options.rows * options.features
    print(f"{options.rows} rows, {options.features} features, {result['stored']} cells stored")
    print(f"as a dense array: {dense:.2f} GB")
    print(f"fit: {result['seconds']:.1f} s, {result['epochs']} epochs")
    print(f"explained, PCA: {result['pca']:.4f}, autoencoder: {result['validation']:.4f}")
    print(f"memory before the fit: {result['before'] / 1e9:.2f} GB")
    print(f"peak memory: {result['peak'] / 1e9:.2f} GB, bar {BAR / 1e9:.0f} GB")
    return int(result["peak"] > BAR)


if __name__ == "__main__":
    sys.exit(main())
