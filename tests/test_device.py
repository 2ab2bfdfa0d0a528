"""A device by its name, or as torch has it."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_autoencoder import AutoencoderTransformer

CPU = torch.device("cpu")


def test_a_device_of_torch_is_taken(quick, X):
    ours, expected = quick(device=CPU).fit(X), quick(device="cpu").fit(X)
    assert ours.net_.device == CPU
    assert (ours.transform(X) == expected.transform(X)).all()


def test_a_device_of_torch_is_a_parameter_as_others(quick, X):
    autoencoder = quick(device=CPU)
    assert autoencoder.get_params()["device"] == CPU
    assert clone(autoencoder).device == CPU
    assert pickle.loads(pickle.dumps(autoencoder.fit(X))).device == CPU
    assert eval(repr(autoencoder), {**globals(), "device": torch.device}).device == CPU
    assert "device" in autoencoder._repr_html_()


@pytest.mark.parametrize(("before", "after"), [(CPU, "cpu"), ("cpu", CPU)])
def test_a_device_by_its_name_is_the_same(quick, X, before, after):
    autoencoder = quick(device=before).partial_fit(X).set_params(device=after)
    assert autoencoder.partial_fit(X).n_iter_ == 1


def test_another_device_is_refused_when_training_goes_on(quick, X):
    autoencoder = quick(device=CPU).partial_fit(X).set_params(device="auto")
    with pytest.raises(ValueError, match="device changed since the last fit"):
        autoencoder.partial_fit(X)


def test_a_device_that_is_not_there_is_named(quick, X):
    with pytest.raises(ValueError, match=r"device='cuda:99' is not there"):
        quick(device=torch.device("cuda:99")).fit(X)


def test_a_search_takes_devices_and_all_components(X):
    pipeline = make_pipeline(StandardScaler(), AutoencoderTransformer(max_epochs=0))
    search = GridSearchCV(
        pipeline,
        {
            "autoencodertransformer__n_components": [2, None],
            "autoencodertransformer__device": ["cpu", CPU],
        },
    ).fit(X)
    assert search.best_params_["autoencodertransformer__n_components"] is None
    assert search.best_score_ == pytest.approx(1)


@pytest.mark.slow
def test_a_device_without_numbers_of_64_bits_trains():
    """In a process of its own, since torch plays one device in each, for good."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0"]
    file = Path(__file__).with_name("check_float32_device.py")
    found = subprocess.run([*command, file], capture_output=True, text=True, timeout=500)
    assert found.returncode == 0, found.stdout[-4000:]
