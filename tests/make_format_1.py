"""Write the files of format 1 that all later versions read; run once, with the first of them.

python tests/make_format_1.py
"""

from pathlib import Path

import numpy as np

from sk_autoencoder import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    VariationalAutoencoderTransformer,
)

ASSETS = Path(__file__).parent / "assets"


def rows():
    """Rows with exact numbers, of which no generator is asked."""
    i, j = np.indices((40, 5))
    return ((i * (j + 3)) % 17 - 8.0) / 8 + (i % 5) * j / 4


def rows_for(name):
    """Rows that an estimator of a name is asked."""
    return np.floor(np.exp(rows())) if name == "counts" else rows()


def main():
    X = rows()
    small = {"hidden_layer_sizes": (6, 4), "max_epochs": 3, "random_state": 0}
    holed = np.where((np.indices(X.shape).sum(axis=0) % 7) == 0, np.nan, X)
    inside = AutoencoderTransformer(2, **small)
    made = {
        "default": AutoencoderTransformer(2, **small).fit(X),
        "nested": AutoencoderTransformer(3, nested=True, whiten=True, **small).fit(
            X.astype(np.float32)
        ),
        "missing": AutoencoderTransformer(2, linear_shortcut=False, **small).fit(holed),
        "counts": AutoencoderTransformer(2, loss="poisson", **small).fit(rows_for("counts")),
        "variational": VariationalAutoencoderTransformer(2, **small).fit(X),
        "detector": AutoencoderOutlierDetector(inside, random_state=0).fit(X),
    }
    answers = {}
    for name, estimator in made.items():
        estimator.save(ASSETS / f"format_1_{name}.safetensors")
        X = rows_for(name)
        answers[f"{name} scores"] = estimator.score_samples(X)
        if hasattr(estimator, "transform"):
            answers[f"{name} codes"] = estimator.transform(X)
            answers[f"{name} rows"] = estimator.reconstruct(X)
    np.savez(ASSETS / "format_1.npz", **answers)


if __name__ == "__main__":
    main()
