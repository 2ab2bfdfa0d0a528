"""How long a saved file takes to load, beside safetensors' own time, and how large it is.

    python -m benchmarks.speed.loading

Medians of 9 rounds, in turn. The bars: twice the time of safetensors for the tensors and 50 ms, and
1.1 times the weights and 20 kB.
"""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import safetensors.numpy
from sklearn.datasets import load_digits

from benchmarks.machine import describe
from sk_autoencoder import AutoencoderTransformer, load

ROUNDS = 9


def seconds(function, *args) -> float:
    """Return how long a call takes."""
    began = time.perf_counter()
    function(*args)
    return time.perf_counter() - began


def n_bytes_of_weights(model) -> int:
    """Return the bytes of all weights in their dtype, the rotation among them."""
    weights = [*model.module.parameters(), *model.bottleneck.parameters(), model.frame.components]
    return sum(w.numel() * w.element_size() for w in weights if w is not None)


def main() -> int:
    print(describe())
    rng = np.random.RandomState(0)
    tables = {
        "digits": (load_digits().data, {"n_components": 8}),
        "digits, float32": (load_digits().data.astype(np.float32), {"n_components": 8}),
        "3000 x 784, float32": (rng.rand(3000, 784).astype(np.float32), {"n_components": 32}),
        "wide layers, float32": (
            rng.rand(1000, 1000).astype(np.float32),
            {"n_components": 64, "hidden_layer_sizes": (4096, 2048)},
        ),
    }
    missed = False
    for name, (X, params) in tables.items():
        estimator = AutoencoderTransformer(max_epochs=1, random_state=0, **params).fit(X)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "model.safetensors"
            saved = median(seconds(estimator.save, path) for _ in range(3))
            pairs = [
                (seconds(load, path), seconds(safetensors.numpy.load_file, path))
                for _ in range(ROUNDS)
            ]
            ours, theirs = (median(times) for times in zip(*pairs, strict=True))
            size, weights = path.stat().st_size, n_bytes_of_weights(estimator.model_)
        missed |= ours > 2 * theirs + 0.05 or size > 1.1 * weights + 20_000
        print(
            f"{name:22s} {size / 1e6:8.3f} MB, {size / weights:.3f} of the weights; save "
            f"{saved * 1e3:6.1f} ms, load {ours * 1e3:6.1f} ms, safetensors {theirs * 1e3:6.1f} ms"
        )
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
