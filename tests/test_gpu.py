"""Fits on a GPU give what fits on the CPU give, and what is saved there loads where there is none.

make test-gpu
"""

import copyreg
import io
import pickle
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from conftest import OwnModule, curved
from faked_gpu import IS_THERE, Faked

import sk_autoencoder
from sk_autoencoder import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    VariationalAutoencoderTransformer,
)

# Sums are taken in another order on a GPU. An `eps` above rounding keeps Adam from magnifying it.
SMOOTH = {"optimizer__eps": 0.01}
TOLERANCE = {"rtol": 5e-3, "atol": 5e-3}
X, X_NEW = curved(200), curved(50, seed=1)
MISSING = np.where(X > 1.6, np.nan, X)

CASES = {
    "default": {},
    "float32": {"X": X.astype(np.float32)},
    "nested and whitened": {"nested": True, "whiten": True},
    "textbook": {"linear_shortcut": False},
    "dropout": {"dropout": 0.1, "normalization": "layer"},
    "noise": {"corruption": "gaussian"},
    "masking": {"corruption": "masking"},
    "missing values": {"X": MISSING},
    "penalties": {"sparsity_penalty": 1e-3, "contractive_penalty": 1e-3},
    "poisson": {"X": np.abs(X), "loss": "poisson"},
    "variational": {"cls": VariationalAutoencoderTransformer},
    "SGD": {"optimizer": "sgd", "lr": 0.01, "net_params": None},
}


@pytest.fixture
def faked(monkeypatch):
    """Give what counts the calls of a GPU's functions; None where there is a GPU."""
    return None if IS_THERE else Faked(monkeypatch)


@pytest.fixture
def device(faked):
    """Give the device to compute on."""
    return "cuda" if IS_THERE else "cpu"


def make(device, cls=AutoencoderTransformer, n_components=2, **params):
    defaults = {
        "hidden_layer_sizes": (32, 16),
        "max_epochs": 4,
        "lr": 0.01,
        "random_state": 0,
        "refit": False,
        "net_params": SMOOTH,
    }
    return cls(n_components, device=device, **(defaults | params))


@pytest.mark.parametrize("name", CASES)
def test_a_fit_is_that_on_the_cpu(device, name):
    params = dict(CASES[name])
    rows = params.pop("X", X)
    fitted, expected = make(device, **params).fit(rows), make("cpu", **params).fit(rows)
    assert next(fitted.net_.module_.parameters()).device.type == device
    if params.get("dropout") or params.get("corruption"):  # whose draws a GPU makes its own way
        assert np.isfinite(fitted.transform(rows)).all()
        return
    np.testing.assert_allclose(fitted.transform(rows), expected.transform(rows), **TOLERANCE)
    np.testing.assert_allclose(fitted.reconstruct(rows), expected.reconstruct(rows), **TOLERANCE)
    np.testing.assert_allclose(
        fitted.score_samples(rows), expected.score_samples(rows), **TOLERANCE
    )


def test_training_goes_on(device):
    fitted, expected = make(device).fit(X), make("cpu").fit(X)
    for each in (fitted, expected):
        each.partial_fit(X_NEW)
    np.testing.assert_allclose(fitted.transform(X), expected.transform(X), **TOLERANCE)
    again = pickle.loads(pickle.dumps(fitted)).partial_fit(X_NEW)
    np.testing.assert_allclose(
        again.transform(X), fitted.partial_fit(X_NEW).transform(X), rtol=1e-4, atol=1e-5
    )


def test_batches_are_pinned(device, faked, monkeypatch):
    monkeypatch.setattr("sk_autoencoder._training.rows.KEPT_BYTES", 0)
    monkeypatch.setattr("sk_autoencoder._training.rows.KEPT_SHARE", 0.0)
    fitted = make(device).fit(X)
    if faked:
        assert faked.n_pinned > 0
    np.testing.assert_allclose(fitted.transform(X), make("cpu").fit(X).transform(X), **TOLERANCE)


def test_rows_are_kept_where_the_gpu_has_room(device):
    from sk_autoencoder._training.rows import kept_bytes

    assert kept_bytes(torch.device(device)) >= 2**27


@pytest.mark.parametrize("precision", ["auto", "bfloat16", "tf32", "float32"])
def test_precisions(device, precision):
    fitted = make(device, precision=precision).fit(X.astype(np.float32))
    codes = fitted.transform(X.astype(np.float32))
    expected = make("cpu").fit(X.astype(np.float32)).transform(X.astype(np.float32))
    assert codes.dtype == np.float32
    np.testing.assert_allclose(codes, expected, rtol=0.1, atol=0.1)


def test_a_module_of_ones_own_repeats_itself(device, faked):
    before = torch.get_rng_state()
    codes = [make(device, module=OwnModule, net_params=None).fit(X).transform(X) for _ in range(2)]
    np.testing.assert_array_equal(*codes)
    assert torch.equal(torch.get_rng_state(), before)
    if faked:
        assert faked.n_seeded > 0


LOAD = """
import sys, warnings
import numpy as np
import torch
torch.cuda.is_available = lambda: False
import joblib, sk_autoencoder
loaded = sk_autoencoder.load(sys.argv[1]) if sys.argv[1].endswith("s") else joblib.load(sys.argv[1])
assert next(loaded.model_.module.parameters()).device.type == "cpu"
np.save(sys.argv[3], loaded.transform(np.load(sys.argv[2])))
"""


@pytest.mark.sampled(only=["safetensors"])
@pytest.mark.parametrize("name", ["a.safetensors", "a.joblib"])
def test_saved_there_and_loaded_on_the_cpu(device, tmp_path, name):
    import joblib

    fitted = make("auto" if device == "cuda" else device).fit(X)
    path, rows, codes = tmp_path / name, tmp_path / "X.npy", tmp_path / "Z.npy"
    fitted.save(path) if name.endswith("s") else joblib.dump(fitted, path)
    np.save(rows, X_NEW)
    subprocess.run([sys.executable, "-c", LOAD, path, rows, codes], check=True, timeout=120)
    np.testing.assert_allclose(np.load(codes), fitted.transform(X_NEW), rtol=1e-4, atol=1e-5)


def test_saved_on_the_cpu_and_loaded_there(device, tmp_path):
    fitted = make("cpu").fit(X)
    fitted.save(tmp_path / "a.safetensors")
    loaded = sk_autoencoder.load(tmp_path / "a.safetensors", device=device)
    assert next(loaded.model_.module.parameters()).device.type == device
    np.testing.assert_allclose(loaded.transform(X), fitted.transform(X), rtol=1e-4, atol=1e-5)


def test_no_pickle_holds_a_storage(device):
    """A storage of a GPU's is pickled with its device, and does not load without one."""

    class Watched(pickle.Pickler):
        dispatch_table = copyreg.dispatch_table.copy()

        def reducer_override(self, value):
            if isinstance(value, (torch.UntypedStorage, torch.TypedStorage)):
                raise AssertionError("a storage would be tagged as 'cuda:0'")
            return NotImplemented

    for cls in (AutoencoderTransformer, VariationalAutoencoderTransformer):
        Watched(io.BytesIO()).dump(make(device, cls=cls, warm_start=True).fit(X))
    Watched(io.BytesIO()).dump(AutoencoderOutlierDetector(make(device)).fit(X))


def test_a_killed_fit_goes_on(device, tmp_path):
    path = tmp_path / "fit.checkpoint"
    params = {"checkpoint": path, "checkpoint_every": 2, "module": OwnModule, "net_params": None}
    fitted = make(device, **params).fit(X)
    again = make(device, **params).fit(X, resume_from=path)
    np.testing.assert_allclose(again.transform(X), fitted.transform(X), rtol=1e-5, atol=1e-6)


def test_memory_that_runs_out(device, faked, monkeypatch):
    from sk_autoencoder._training._steps.backprop import Backprop

    compute = Backprop.__call__

    def limited(self, t, target):
        if len(t) > 20:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return compute(self, t, target)

    monkeypatch.setattr(Backprop, "__call__", limited)
    with pytest.warns(UserWarning, match="memory does not suffice"):
        fitted = make(device, batch_size=32).fit(X)
    assert np.isfinite(fitted.transform(X)).all()
    if faked:
        assert faked.n_emptied > 0


@pytest.mark.slow
def test_speed(device, capsys):
    rows = np.random.RandomState(0).standard_normal((20_000, 300)).astype(np.float32)
    params = {"hidden_layer_sizes": (512, 256), "max_epochs": 2, "batch_size": 1024}
    seconds = {}
    for each in dict.fromkeys((device, "cpu")):
        make(each, **(params | {"max_epochs": 1})).fit(rows[:2048])  # what the first fit loads
        began = time.perf_counter()
        make(each, **params).fit(rows)
        seconds[each] = time.perf_counter() - began
    with capsys.disabled():
        print("", *(f"{each}: {taken:.2f} s" for each, taken in seconds.items()), sep="  ")
    if device == "cuda":
        assert seconds["cuda"] < seconds["cpu"]
