"""How far onnxruntime's answers are from the estimator's, on digits and on Fashion-MNIST.

    python -m benchmarks.quality.onnx

The largest difference of each method, as a share of the largest value. The bar is 1e-4.
"""

from __future__ import annotations

import numpy as np
import onnxruntime
from sklearn.datasets import load_digits

from benchmarks.machine import describe
from sk_autoencoder import AutoencoderTransformer, VariationalAutoencoderTransformer
from sk_autoencoder.datasets import load_fashion_mnist

BAR = 1e-4
CONFIGURATIONS = {
    "default": (AutoencoderTransformer, {}),
    "nested": (AutoencoderTransformer, {"nested": True}),
    "whitened": (AutoencoderTransformer, {"whiten": True}),
    "textbook": (AutoencoderTransformer, {"linear_shortcut": False}),
    "variational": (VariationalAutoencoderTransformer, {}),
    "poisson": (AutoencoderTransformer, {"loss": "poisson"}),
}
METHODS = ("transform", "inverse_transform", "reconstruct")


def difference(estimator, method: str, X: np.ndarray) -> float:
    """Return the largest difference as a share of the largest value."""
    asked = estimator.transform(X) if method == "inverse_transform" else X
    expected = getattr(estimator, method)(asked)
    session = onnxruntime.InferenceSession(estimator.to_onnx(method=method).SerializeToString())
    (found,) = session.run(None, {session.get_inputs()[0].name: asked})
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def main() -> int:
    print(describe())
    tables = {
        "digits": (load_digits().data.astype(np.float32) / 16, 8, "auto"),
        "Fashion-MNIST": (load_fashion_mnist("train")[0].astype(np.float32), 16, 3),
    }
    worst = 0.0
    for name, (X, n_components, max_epochs) in tables.items():
        for kind, (cls, params) in CONFIGURATIONS.items():
            estimator = cls(n_components, max_epochs=max_epochs, random_state=0, **params).fit(X)
            found = [difference(estimator, method, X[:10_000]) for method in METHODS]
            worst = max(worst, *found)
            print(f"{name:14s} {kind:12s}", *(f"{value:.1e}" for value in found))
    print(f"largest {worst:.1e}; bar {BAR:g}")
    return int(worst > BAR)


if __name__ == "__main__":
    raise SystemExit(main())
