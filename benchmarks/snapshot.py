"""What some forty configurations compute, kept in a file, to compare bit by bit.

    python -m benchmarks.snapshot write before.npz
    python -m benchmarks.snapshot compare before.npz

Two machines round differently: compare on the one that wrote.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.datasets import load_digits, load_iris
from torch import nn

import sk_autoencoder
from sk_autoencoder import AutoencoderOutlierDetector, AutoencoderTransformer

X, Y = load_digits(return_X_y=True)
X = X[:300] / 16
Y = Y[:300]
SHORT = {"max_epochs": 12, "random_state": 0}
RNG = np.random.RandomState(0)
WEIGHT = RNG.uniform(0.0, 2.0, len(X))
HOLES = np.where(RNG.uniform(size=X.shape) < 0.1, np.nan, X)
CURVE = np.column_stack([np.linspace(-1, 1, 260) ** power for power in (1, 2, 3, 4)])


class Own(nn.Module):
    """A network of the user's, which draws numbers."""

    def __init__(self, n_inputs=64, width=3):
        super().__init__()
        self.into = nn.Sequential(nn.Linear(n_inputs, 16), nn.Dropout(0.1), nn.Linear(16, width))
        self.out = nn.Linear(width, n_inputs)

    def encode(self, x):
        """Return codes."""
        return self.into(x)

    def decode(self, z):
        """Return rows."""
        return self.out(z)


def _variational(**params):
    """Return a variational autoencoder, from before or after it had a class of its own."""
    if hasattr(sk_autoencoder, "VariationalAutoencoderTransformer"):
        return sk_autoencoder.VariationalAutoencoderTransformer(4, **(SHORT | params))
    return AutoencoderTransformer(4, **(SHORT | {"variational": True} | params))


def _own() -> Own:
    """Return a network whose first weights are always the same."""
    torch.manual_seed(0)
    return Own()


def _fit(X=X, y=None, **params) -> Callable[[], Any]:
    beside = {
        name: params.pop(name) for name in ("sample_weight", "groups", "X_val") & params.keys()
    }
    return lambda: AutoencoderTransformer(**({"n_components": 4} | SHORT | params)).fit(
        X, y, **beside
    )


def _partial(**params):
    autoencoder = AutoencoderTransformer(**({"n_components": 4} | SHORT | params))
    for rows in np.array_split(np.arange(len(X)), 3):
        autoencoder.partial_fit(X[rows], Y[rows])
    return autoencoder


def _warm(X=X, **params):
    autoencoder = AutoencoderTransformer(**({"n_components": 4} | SHORT | params), warm_start=True)
    return autoencoder.fit(X).fit(X)


def _warm_with_holes():
    autoencoder = AutoencoderTransformer(4, **SHORT, warm_start=True)
    return autoencoder.fit(X).fit(HOLES).fit(HOLES)


def _fit_then_partial():
    return _fit()().partial_fit(X[:100])


CASES: dict[str, Callable[[], Any]] = {
    "default": _fit(CURVE, n_components=1, max_epochs=60),
    "default, digits": _fit(),
    "default, iris": _fit(load_iris().data, n_components=2, max_epochs=40),
    "float32": _fit(X.astype(np.float32)),
    "textbook": _fit(linear_shortcut=False, pretrain="layerwise"),
    "nested": _fit(nested=True, n_components=8),
    "nested, whitened, share": _fit(nested=True, whiten=True, n_components=0.8),
    "share": _fit(n_components=0.6),
    "whitened": _fit(whiten=True),
    "gaussian noise": _fit(corruption="gaussian"),
    "masking noise": _fit(corruption="masking", loss="huber"),
    "salt and pepper": _fit(corruption="salt_and_pepper", nested=True),
    "swap, wide": _fit(CURVE, corruption="swap", n_components=6),
    "sparsity": _fit(sparsity_penalty=0.1, n_components=8),
    "penalties": _fit(
        sparsity_penalty=0.1, sparsity="kl", contractive_penalty=0.1, orthogonality_penalty=0.1
    ),
    "supervised": _fit(y=Y, supervised_weight=1.0),
    "supervised values": _fit(y=X[:, 20] - 0.3, supervised_weight=0.5, sample_weight=WEIGHT),
    "variational": lambda: _variational().fit(X),
    "variational, cross-entropy": lambda: _variational(
        loss="binary_crossentropy", kl_weight=2.0
    ).fit(X),
    "variational, supervised, holes": lambda: _variational(
        supervised_weight=0.3, whiten=True, tied_weights=True
    ).fit(HOLES, Y),
    "holes": _fit(HOLES),
    "holes, share, nested": _fit(HOLES, nested=True, n_components=0.5),
    "sparse": _fit(sparse.csr_matrix(np.where(X > 0.5, X, 0))),
    "weights": _fit(sample_weight=WEIGHT),
    "copies": _fit(np.concatenate([CURVE, CURVE[:80]]), n_components=1, max_epochs=40),
    "groups": _fit(CURVE, groups=np.arange(len(CURVE)) // 5, n_components=1, max_epochs=40),
    "X_val": _fit(X[:200], X_val=X[200:]),
    "poisson": _fit(np.round(16 * X), loss="poisson"),
    "binary": _fit(loss="binary_crossentropy", dropout=0.2, normalization="layer"),
    "batch normalization": _fit(normalization="batch", hidden_layer_sizes=(32,)),
    "tied": _fit(tied_weights=True, activation="tanh"),
    "own module": _fit(module=_own(), n_components=3),
    "own class": _fit(module=Own, n_components=3, net_params={"module__width": 3}),
    "own loss": _fit(loss=nn.SmoothL1Loss(reduction="none")),
    "sgd": _fit(optimizer="sgd", lr=0.05, lr_schedule="constant", average=False),
    "no validation": _fit(early_stopping=False),
    "no epochs": _fit(max_epochs=0, whiten=True),
    "partial_fit": _partial,
    "partial_fit, supervised, whitened": lambda: _partial(supervised_weight=1.0, whiten=True),
    "warm start": _warm,
    "warm start, denoising": lambda: _warm(corruption="gaussian", nested=True),
    "warm start, holes": _warm_with_holes,
    "fit, then partial_fit": _fit_then_partial,
    "detector": lambda: AutoencoderOutlierDetector(random_state=0).fit(X),
}


def results(fitted) -> dict[str, np.ndarray]:
    """Return what a fitted estimator computes, by name."""
    rows = X if fitted.n_features_in_ == X.shape[1] else CURVE
    found = {"scores": fitted.score_samples(rows)}
    if isinstance(fitted, AutoencoderOutlierDetector):
        return found | {"offset": np.array(fitted.offset_)}
    history = fitted.history_.drop(columns="dur")
    names = ("explained_variance_", "explained_variance_ratio_", "noise_variance_", "best_epoch_")
    names += ("n_iter_", "is_pca_", "validation_score_", "pca_validation_score_", "mean_")
    found |= {
        "codes": fitted.transform(rows),
        "codes, float32": fitted.transform(rows.astype(np.float32)),
        "back": fitted.inverse_transform(fitted.transform(rows)),
        "reconstruction": fitted.reconstruct(rows),
        "score": np.array(fitted.score(rows)),
        "components": fitted.components_,
        "sample": fitted.sample(5, random_state=0),
        "history": history.to_numpy(float),
    }
    present = {name: getattr(fitted, name, None) for name in names}
    return found | {
        name: np.asarray(value, dtype=float) for name, value in present.items() if value is not None
    }


def snapshot() -> dict[str, np.ndarray]:
    """Return what all configurations compute."""
    found = {}
    for case, fit in CASES.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found |= {f"{case}: {name}": value for name, value in results(fit()).items()}
            except Exception as error:
                print(case, "RAISED", repr(error)[:300])
    return found


def differences(before, after) -> list[str]:
    """Return a line for each result that is not bit for bit what it was."""
    lines = [f"{name}: only in one" for name in sorted(set(before) ^ set(after))]
    for name in sorted(set(before) & set(after)):
        old, new = before[name], after[name]
        if old.shape != new.shape:
            lines.append(f"{name}: shape {old.shape} became {new.shape}")
        elif not np.array_equal(old, new, equal_nan=True):
            lines.append(f"{name}: differs by up to {np.nanmax(np.abs(old - new)):.3g}")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=("write", "compare"))
    parser.add_argument("file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = snapshot()
    if arguments.action == "write":
        np.savez(arguments.file, **found)
        print(f"{len(CASES)} configurations, {len(found)} results in {arguments.file}")
        return 0
    with np.load(arguments.file) as before:
        lines = differences(dict(before), found)
    print(*lines, f"{len(found)} results, {len(lines)} differ", sep="\n")
    return int(bool(lines))


if __name__ == "__main__":
    raise SystemExit(main())
