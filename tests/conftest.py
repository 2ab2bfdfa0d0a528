"""Small data and quick estimators for all tests."""

import sys
from collections import Counter

import numpy as np
import pytest
from seams import wrap_runs
from torch import nn

from sk_autoencoder import AutoencoderTransformer, VariationalAutoencoderTransformer
from sk_autoencoder.datasets import LOCAL_FASHION_MNIST

# What is run by hand, or in a process of its own: doctests are looked for in all other files.
collect_ignore = [
    "check_float32_device.py",
    "check_mlflow.py",
    "check_site.py",
    "played_device.py",
    "typed_user.py",
]

# Those that fit some models, or start a cluster: `make docs` runs them too.
LONG_DOCTESTS = {
    "sk_autoencoder._comparison.compare_with_pca",
    "sk_autoencoder._displays.comparison.ComparisonDisplay",
    "sk_autoencoder.dask.DaskAutoencoderTransformer",
}


def make_autoencoder(n_components=2, variational=False, **params):
    """Give an autoencoder, of the class whose codes have a prior if that is asked for."""
    kind = VariationalAutoencoderTransformer if variational else AutoencoderTransformer
    return kind(n_components, **params)


class OwnModule(nn.Module):
    """An autoencoder of six features that draws from torch's global generator."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Dropout(0.2), nn.Linear(16, 2))
        self.outer = nn.Linear(2, 6)

    def encode(self, x):
        return self.inner(x)

    def decode(self, z):
        return self.outer(z)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Leave out the example of a data set that would be fetched, and mark cases that are slow."""
    fetched = pytest.mark.skipif(not LOCAL_FASHION_MNIST.is_dir(), reason="no Fashion-MNIST here")
    n_cases = Counter()
    for item in items:
        if item.name == "sk_autoencoder.datasets.load_fashion_mnist":
            item.add_marker(fetched)
        if item.name in LONG_DOCTESTS:
            item.add_marker(pytest.mark.slow)
        if (sampled := item.get_closest_marker("sampled")) is not None:
            test, _, case = item.nodeid.partition("[")
            if not is_always_run(case, n_cases[test], **sampled.kwargs):
                item.add_marker(pytest.mark.slow)
            n_cases[test] += 1


def is_always_run(case, place, every=1, only=("",)):
    """Whether a case of a test, at a place among them, is one of so many and has a name in it."""
    return place % every == 0 and any(name in case for name in only)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    if plt := sys.modules.get("matplotlib.pyplot"):
        plt.close("all")


@pytest.fixture
def quick():
    """Give a function that makes an autoencoder that learns more than PCA in an instant."""

    def make(n_components=2, **params):
        defaults = {
            "hidden_layer_sizes": (32, 16),
            "batch_size": 8,
            "lr": 0.02,
            "max_epochs": 3,
            "random_state": 0,
        }
        return make_autoencoder(n_components, **(defaults | params))

    return make


@pytest.fixture
def smooth(quick):
    """Give a function that makes an autoencoder whose fit does not magnify rounding.

    Where a gradient is zero up to rounding, as it is at PCA, Adam divides rounding by its own
    size and takes a whole step. An `eps` above the rounding keeps two fits that differ by it
    within some 1e-6 of each other.
    """

    def make(n_components=2, **params):
        return quick(n_components, **({"net_params": {"optimizer__eps": 0.01}} | params))

    return make


@pytest.fixture
def X():
    """Rows near a curved surface in six dimensions: (120, 6), float64."""
    return curved(120)


@pytest.fixture
def X_new():
    """Other rows near the same surface: (40, 6), float64."""
    return curved(40, seed=1)


def curved(n_samples, seed=0):
    """Rows near a surface of two dimensions that bends in six."""
    rng = np.random.RandomState(seed)
    u, v = rng.uniform(-1.5, 1.5, (2, n_samples))
    surface = [u, v, u * v, u**2, np.sin(2 * v), np.cos(u + v)]
    return np.column_stack(surface) + 0.05 * rng.standard_normal((n_samples, 6))


@pytest.fixture
def courses(monkeypatch):
    """Give the list to which each training of a fit adds its `Course`."""
    seen = []

    def watched(run, setup, course, task):
        seen.append(course)
        return run(setup, course, task)

    wrap_runs(monkeypatch, watched)
    return seen
