"""A device without numbers of 64 bits trains the network; the rest is computed on the CPU.

`test_device.py` runs this file in a process of its own.
"""

import copy
import pickle

import numpy as np
import pytest
import torch
from conftest import OwnModule, curved
from played_device import DEVICE, MODULE, NAME, There
from skorch.callbacks import Callback
from test_gpu import make as make_on

import sk_autoencoder
from sk_autoencoder import (
    AutoencoderOutlierDetector,
    VariationalAutoencoderTransformer,
)
from sk_autoencoder._training.net_state import MeanLoss
from sk_autoencoder._utils.processes import ALONE

TOLERANCE = {"rtol": 2e-3, "atol": 2e-3}
X, X_NEW = curved(120), curved(40, seed=1)
y = (X[:, 0] > 0).astype(int)

CASES = {
    "default": {},
    "float32": {"X": X.astype(np.float32)},
    "far from zero": {"X": X + 1e4},
    "nested and whitened": {"nested": True, "whiten": True},
    "textbook": {"linear_shortcut": False},
    "textbook, layer by layer": {"linear_shortcut": False, "pretrain": "layerwise"},
    "layers": {"normalization": "layer", "activation": "tanh"},
    "noise": {"corruption": "gaussian"},
    "masking": {"corruption": "masking"},
    "missing values": {"X": np.where(X > 1.6, np.nan, X)},
    "penalties": {
        "sparsity_penalty": 1e-3,
        "contractive_penalty": 1e-3,
        "orthogonality_penalty": 1e-3,
    },
    "poisson": {"X": np.abs(X), "loss": "poisson"},
    "absolute error": {"loss": "absolute_error"},
    "variational": {"cls": VariationalAutoencoderTransformer},
    "supervised": {"y": y, "supervised_weight": 0.1},
    "supervised by values": {"y": X[:, 0], "supervised_weight": 0.1},
    "weights": {"sample_weight": np.linspace(0.5, 2, len(X))},
    "SGD": {"optimizer": "sgd", "lr": 0.01, "net_params": None},
    "a share of the variance": {"n_components": 0.9, "nested": True},
    "judged": {"refit": True, "max_epochs": 8},
    "a module of one's own": {"module": OwnModule},
}


@pytest.fixture(autouse=True)
def there():
    with There():
        yield


def make(device=NAME, **params):
    return make_on(device, **params)


def device_of(fitted):
    return next(fitted.net_.module_.parameters()).device


class Watch(Callback):
    """Notes where the module is in training."""

    seen = frozenset()

    def on_batch_end(self, net, batch, training=False, **kwargs):
        Watch.seen |= {next(net.module_.parameters()).device}
        assert net.forward(X[:3]).dtype == torch.float64


@pytest.mark.parametrize("name", CASES)
def test_a_fit_is_that_on_the_cpu(name):
    params = dict(CASES[name])
    rows, labels = params.pop("X", X), params.pop("y", None)
    given = {n: params.pop(n) for n in ("sample_weight",) if n in params}
    fitted = make(**params).fit(rows, labels, **given)
    expected = make("cpu", **params).fit(rows, labels, **given)
    assert fitted.transform(rows).dtype == rows.dtype
    np.testing.assert_allclose(fitted.transform(rows), expected.transform(rows), **TOLERANCE)
    np.testing.assert_allclose(fitted.reconstruct(rows), expected.reconstruct(rows), **TOLERANCE)
    np.testing.assert_allclose(
        fitted.score_samples(rows), expected.score_samples(rows), **TOLERANCE
    )
    np.testing.assert_allclose(
        fitted.history_["train_loss"], expected.history_["train_loss"], rtol=2e-3
    )


def test_the_device_trains_and_the_cpu_keeps():
    Watch.seen = frozenset()
    fitted = make(callbacks=[Watch()]).fit(X)
    assert Watch.seen == {DEVICE}
    assert device_of(fitted).type == "cpu"
    assert next(fitted.model_.module.parameters()).dtype == torch.float64


def test_training_goes_on():
    fitted, expected = make().fit(X), make("cpu").fit(X)
    for each in (fitted, expected):
        each.partial_fit(X_NEW)
    np.testing.assert_allclose(fitted.transform(X), expected.transform(X), **TOLERANCE)


@pytest.mark.parametrize(
    "again", [copy.deepcopy, lambda fitted: pickle.loads(pickle.dumps(fitted))]
)
def test_a_copy_goes_on_as_the_first(again):
    fitted = make().partial_fit(X)
    copied = again(fitted)
    assert (copied.transform(X) == fitted.transform(X)).all()
    fitted.partial_fit(X_NEW)
    np.testing.assert_allclose(copied.partial_fit(X_NEW).transform(X), fitted.transform(X))


def test_a_warm_start():
    fitted, expected = (make(device, warm_start=True).fit(X).fit(X) for device in (NAME, "cpu"))
    np.testing.assert_allclose(fitted.transform(X), expected.transform(X), **TOLERANCE)


@pytest.mark.parametrize("device", [NAME, "cpu"])
def test_a_saved_file_loads_on_either(device, tmp_path):
    fitted = make().fit(X)
    fitted.save(tmp_path / "a.safetensors")
    loaded = sk_autoencoder.load(tmp_path / "a.safetensors", device=device)
    assert (loaded.transform(X) == fitted.transform(X)).all()
    assert (loaded.to_torch()(torch.from_numpy(X)).detach().numpy()).shape == X.shape


def test_a_checkpoint(tmp_path):
    path = tmp_path / "fit.checkpoint"
    params = {"checkpoint": path, "checkpoint_every": 2, "module": OwnModule, "net_params": None}
    fitted = make(**params).fit(X)
    again = make(**params).fit(X, resume_from=path)
    np.testing.assert_allclose(again.transform(X), fitted.transform(X))


def test_the_random_source_of_the_device_is_seeded_for_a_module_of_ones_own():
    MODULE.seeds.clear()
    make(module=OwnModule, net_params=None).fit(X)
    assert MODULE.seeds


def test_outliers():
    fitted = AutoencoderOutlierDetector(make()).fit(X)
    expected = AutoencoderOutlierDetector(make("cpu")).fit(X)
    np.testing.assert_allclose(
        fitted.score_samples(X_NEW), expected.score_samples(X_NEW), rtol=0.02
    )


def test_a_long_mean_loses_no_digits():
    rng = np.random.RandomState(0)
    losses = rng.uniform(1, 3, 4_000).astype(np.float32)
    mean = MeanLoss(DEVICE, ALONE)
    for loss in torch.from_numpy(losses).to(DEVICE):
        mean.add(loss, 7)
    assert mean.value() == pytest.approx(losses.astype(np.float64).mean(), rel=2e-7)
