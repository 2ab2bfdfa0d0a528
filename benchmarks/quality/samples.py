"""Accuracy of a classifier that has seen generated digits alone, on real ones.

    python -m benchmarks.quality.samples [--seeds 0 1 2] [--n-components 8]

A quarter of scikit-learn's digits is held out. On the others one autoencoder a class is fitted
with default parameters, and generates 200 images of its class; a support vector classifier with
its own defaults learns from these, and is asked for the classes of the real images held out. Once
without and once with `variational`. The exit code is 1 where the mean over the seeds is below
the bar.
"""

from __future__ import annotations

import sys

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC

from benchmarks.quality.arguments import parser_of
from sk_autoencoder import AutoencoderTransformer, VariationalAutoencoderTransformer

BAR = 0.88
N_SAMPLES = 200  # of each class


def accuracies(n_components: int, variational: bool, seed: int) -> tuple[float, float]:
    """Accuracy on held-out digits, learned from generated ones and from the real ones."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=seed)
    classes = np.unique(y)
    kind = VariationalAutoencoderTransformer if variational else AutoencoderTransformer
    generated = [
        kind(n_components, random_state=seed)
        .fit(X_train[y_train == label])
        .sample(N_SAMPLES, random_state=seed)
        for label in classes
    ]
    learned = SVC().fit(np.concatenate(generated), np.repeat(classes, N_SAMPLES))
    return learned.score(X_test, y_test), SVC().fit(X_train, y_train).score(X_test, y_test)


def main() -> int:
    parser = parser_of(__doc__, [0, 1, 2])
    parser.add_argument("--n-components", type=int, default=8)
    options = parser.parse_args()
    missed = False
    print(f"{'variational':<12} {'seed':>5} {'generated':>10} {'real':>7}")
    for variational in (False, True):
        rows = []
        for seed in options.seeds:
            rows.append(accuracies(options.n_components, variational, seed))
            show(variational, str(seed), rows[-1])
        mean = np.mean(rows, axis=0)
        show(variational, "mean", mean)
        missed |= bool(mean[0] < BAR)
    print(f"bar: {BAR}")
    return int(missed)


def show(variational: bool, name: str, row) -> None:
    print(f"{variational!s:<12} {name:>5} {row[0]:10.4f} {row[1]:7.4f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
