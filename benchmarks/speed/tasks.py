"""Calls of the public interface that are timed: fits, and methods of a fitted model."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from sklearn.datasets import load_digits, load_wine
from sklearn.preprocessing import StandardScaler

from benchmarks.speed.data import CASES
from sk_autoencoder import AutoencoderTransformer

Call = Callable[[], object]


@cache
def pixels() -> np.ndarray:
    return load_digits().data


@cache
def float32_row() -> np.ndarray:
    return pixels()[:1].astype(np.float32)


@cache
def noise() -> np.ndarray:
    return np.random.RandomState(0).randn(1000, 20)


@cache
def few() -> np.ndarray:
    return StandardScaler().fit_transform(load_wine().data)


@cache
def wide() -> np.ndarray:
    return np.random.RandomState(0).rand(4000, 300).astype(np.float32)


@cache
def rows_of(case: str) -> np.ndarray:
    return CASES[case].load()


def autoencoder(**params) -> AutoencoderTransformer:
    return AutoencoderTransformer(**{"n_components": 8, "random_state": 0, **params})


def plain(case: str, epochs: int) -> AutoencoderTransformer:
    """Return the textbook network of a table, with nothing but its steps."""
    table = CASES[case]
    return autoencoder(
        n_components=table.code,
        hidden_layer_sizes=table.hidden,
        batch_size=table.batch_size,
        max_epochs=epochs,
        linear_shortcut=False,
        early_stopping=False,
    )


@cache
def fitted() -> AutoencoderTransformer:
    return autoencoder(max_epochs=2).fit(pixels())


@cache
def codes() -> np.ndarray:
    return fitted().transform(pixels())


def of_pixels(max_epochs: int, **params) -> Call:
    return lambda: autoencoder(max_epochs=max_epochs, refit=False, **params).fit(pixels())


def partial_fit() -> Call:
    model = autoencoder()
    return lambda: model.partial_fit(pixels())


TASKS: dict[str, Callable[[], Call]] = {
    "fit digits": lambda: of_pixels(20),
    "fit digits, huber": lambda: of_pixels(15, loss="huber"),
    "fit digits, penalty": lambda: of_pixels(10, sparsity_penalty=0.1),
    "fit digits, nested": lambda: of_pixels(10, nested=True),
    "fit digits, corrupted": lambda: of_pixels(10, corruption="masking"),
    "fit 100x20": lambda: lambda: autoencoder(n_components=2, max_epochs=5).fit(noise()[:100]),
    "fit few rows": lambda: lambda: autoencoder(n_components=3).fit(few()),
    "fit 4000x300, no epochs": lambda: lambda: autoencoder(max_epochs=0).fit(wide()),
    "partial_fit digits": partial_fit,
    "textbook 1000x20": lambda: lambda: plain("1000x20", 40).fit(rows_of("1000x20")),
    "textbook digits": lambda: lambda: plain("digits", 20).fit(rows_of("digits")),
    "textbook fashion-mnist": (
        lambda: lambda: plain("fashion-mnist", 1).fit(rows_of("fashion-mnist"))
    ),
    "textbook 1000000x50": lambda: lambda: plain("1000000x50", 1).fit(rows_of("1000000x50")),
    "fit fashion-mnist": (lambda: lambda: autoencoder(max_epochs=1).fit(rows_of("fashion-mnist"))),
    "fit 1000000x50": lambda: lambda: autoencoder(max_epochs=1).fit(rows_of("1000000x50")),
    "transform a row": lambda: lambda: fitted().transform(pixels()[:1]),
    "transform a float32 row": lambda: lambda: fitted().transform(float32_row()),
    "transform": lambda: lambda: fitted().transform(pixels()),
    "inverse_transform": lambda: lambda: fitted().inverse_transform(codes()),
    "reconstruct": lambda: lambda: fitted().reconstruct(pixels()),
    "score": lambda: lambda: fitted().score(pixels()),
}
