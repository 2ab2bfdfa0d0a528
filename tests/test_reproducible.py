"""A seed repeats a fit bit by bit, and nothing outside of the estimator changes."""

import os
import random
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from skorch.callbacks import Callback
from threadpoolctl import threadpool_info
from torch import nn

from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder._utils.threads import enough_threads


class WithDropout(nn.Module):
    """A module that draws numbers when it is made and when it is trained."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 2))
        self.decoder = nn.Linear(2, 6)

    def encode(self, x):
        return self.encoder(x)

    def decode(self, z):
        return self.decoder(z)

    def forward(self, x):
        return self.decode(self.encode(x))


PARAMS = {
    "default": {},
    "textbook": {"linear_shortcut": False},
    "all rows": {"early_stopping": False},
    "own module": {"module": WithDropout},
    "printed": {"verbose": 1},
}

METHODS = {
    "fit": lambda autoencoder, X: autoencoder.fit(X),
    "partial_fit": lambda autoencoder, X: autoencoder.partial_fit(X).partial_fit(X),
    "warm start": lambda autoencoder, X: autoencoder.set_params(warm_start=True).fit(X).fit(X),
}


def use_all_methods(autoencoder, X):
    codes = autoencoder.transform(X)
    autoencoder.inverse_transform(codes)
    autoencoder.reconstruct(X)
    autoencoder.reconstruction_error(X, per_feature=True)
    autoencoder.score(X)


def global_state():
    kind, keys, *rest = np.random.get_state()
    return {
        "numpy": (kind, keys.tobytes(), *rest),
        "random": random.getstate(),
        "torch": bytes(torch.random.get_rng_state().tolist()),
        "threads": torch.get_num_threads(),
        "pools": [(pool["filepath"], pool["num_threads"]) for pool in threadpool_info()],
        "dtype": torch.get_default_dtype(),
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "filters": list(warnings.filters),
        "errors": np.geterr(),
        "print options": np.get_printoptions(),
    }


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@pytest.mark.parametrize("params", PARAMS.values(), ids=PARAMS)
def test_a_seed_repeats_a_fit_bit_by_bit(quick, X, method, params):
    first, second = (method(quick(**params), X) for _ in range(2))
    np.testing.assert_array_equal(first.transform(X), second.transform(X))
    np.testing.assert_array_equal(first.reconstruct(X), second.reconstruct(X))
    losses = [c for c in first.history_.columns if c != "dur"]
    assert first.history_[losses].equals(second.history_[losses])


def test_a_seed_repeats_a_fit_bit_by_bit_in_another_process(X, tmp_path):
    params = {"n_components": 2, "early_stopping": False, "max_epochs": 3, "random_state": 0}
    np.save(tmp_path / "X.npy", X)
    script = f"""
import numpy as np
from sk_autoencoder import AutoencoderTransformer

np.save("codes.npy", AutoencoderTransformer(**{params}).fit_transform(np.load("X.npy")))
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, timeout=600)
    codes = AutoencoderTransformer(**params).fit_transform(X)
    np.testing.assert_array_equal(np.load(tmp_path / "codes.npy"), codes)


@pytest.mark.parametrize("params", PARAMS.values(), ids=PARAMS)
def test_the_global_generators_do_not_matter(quick, X, params):
    first = quick(**params).fit(X)
    np.random.rand(3)
    random.random()
    torch.rand(3)
    np.testing.assert_array_equal(quick(**params).fit(X).transform(X), first.transform(X))


@pytest.mark.parametrize("params", PARAMS.values(), ids=PARAMS)
def test_another_seed_gives_another_fit(quick, X, params):
    params = {**params, "early_stopping": False}
    first, second = (quick(random_state=seed, **params).fit(X) for seed in (0, 1))
    assert np.abs(first.transform(X) - second.transform(X)).max() > 1e-6


def test_a_generator_repeats_a_fit_and_moves_on(quick, X):
    def two_fits():
        rng = np.random.RandomState(3)
        return [quick(random_state=rng, early_stopping=False).fit_transform(X) for _ in range(2)]

    first, again = two_fits(), two_fits()
    np.testing.assert_array_equal(first, again)
    assert np.abs(first[0] - first[1]).max() > 1e-6
    same_seed = quick(random_state=3, early_stopping=False).fit_transform(X)
    np.testing.assert_array_equal(first[0], same_seed)


def test_no_seed_draws_another_fit_each_time(quick, X):
    np.random.seed(0)
    first = quick(random_state=None, early_stopping=False).fit_transform(X)
    np.random.seed(0)
    second = quick(random_state=None, early_stopping=False).fit_transform(X)
    assert np.abs(first - second).max() > 1e-6


@pytest.mark.sampled(every=3)
@pytest.mark.parametrize("random_state", [0, None])
@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@pytest.mark.parametrize("params", PARAMS.values(), ids=PARAMS)
def test_no_global_state_changes(quick, X, method, params, random_state):
    before = global_state()
    use_all_methods(method(quick(random_state=random_state, **params), X), X)
    assert global_state() == before


@pytest.mark.parametrize("params", [{"lr": 1e6}, {"lr": 1e30, "module": WithDropout}])
def test_no_global_state_changes_where_a_fit_fails(quick, X, params):
    before = global_state()
    with pytest.raises(ValueError, match="diverged"):
        quick(max_epochs=30, optimizer="sgd", **params).fit(X)
    assert global_state() == before


def test_gradients_switched_off_outside_do_not_stop_the_training(quick, X):
    expected = quick().fit_transform(X)
    with torch.no_grad():
        np.testing.assert_array_equal(quick().fit_transform(X), expected)
        assert not torch.is_grad_enabled()


def used(autoencoder, X):
    """What the methods give that compute with torch."""
    codes = autoencoder.transform(X)
    new = autoencoder.sample(3, random_state=0)
    return codes, autoencoder.inverse_transform(codes), autoencoder.components_, new


# Each of them does something else with gradients.
WAYS = {
    "default": {},
    "textbook, pretrained": {"linear_shortcut": False, "pretrain": "layerwise"},
    "variational": {"variational": True},
    "penalties": {"sparsity_penalty": 0.1, "contractive_penalty": 0.1},
    "supervised": {"supervised_weight": 1.0},
    "corruption": {"corruption": "swap"},
    "cells of X": {"loss": "huber"},
    "nested, whitened": {"nested": True, "whiten": True},
    "module": {"module": WithDropout},
    "callbacks": {"callbacks": [Callback()]},
}


@pytest.mark.sampled(every=4)
@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
@pytest.mark.parametrize("params", WAYS.values(), ids=list(WAYS))
def test_modes_of_the_caller_in_which_torch_records_no_gradients_do_not_matter(
    quick, X, params, mode
):
    X, y = X.astype(np.float32), (X[:, 0] > 0).astype(int)
    plain, other = quick(**params), quick(**params)
    plain.fit(X, y)
    with mode():
        other.fit(X, y)
        for ours, theirs in zip(used(other, X), used(plain, X), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert not [p for p in other.net_.module_.parameters() if p.is_inference()]
    plain.partial_fit(X, y).partial_fit(X, y)
    with mode():
        other.partial_fit(X, y)
    other.partial_fit(X, y)
    for autoencoder in (plain, other):
        autoencoder.set_params(warm_start=True, early_stopping=False)
    plain.fit(X, y)
    with mode():
        other.fit(X, y)
    for ours, theirs in zip(used(other, X), used(plain, X), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_module_made_in_inference_mode_is_trained(quick, X):
    params = {"early_stopping": False, "lr": 0.05}
    with torch.inference_mode():
        module = WithDropout()
        autoencoder = quick(module=module, **params).fit(X)
    assert autoencoder.history_["train_loss"].iloc[-1] < autoencoder.history_["train_loss"][1]


def test_a_default_dtype_of_the_caller_does_not_matter(quick, X):
    expected = quick().fit_transform(X)
    torch.set_default_dtype(torch.float64)
    try:
        codes = quick().fit_transform(X)
    finally:
        torch.set_default_dtype(torch.float32)
    np.testing.assert_array_equal(codes, expected)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@pytest.mark.parametrize("params", PARAMS.values(), ids=PARAMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_array_of_the_caller_does_not_change(quick, X, method, params, dtype):
    X = X.astype(dtype)
    before = X.tobytes()
    use_all_methods(method(quick(**params), X), X)
    assert X.tobytes() == before
    assert X.flags.writeable


def test_what_is_returned_shares_no_memory_with_what_is_kept(quick, X):
    autoencoder = quick().fit(X)
    first = autoencoder.transform(X)
    expected = first.copy()
    first[:] = 0
    autoencoder.reconstruct(X)[:] = 0
    np.testing.assert_array_equal(autoencoder.transform(X), expected)


def test_fits_in_threads_are_those_in_sequence(quick, X):
    expected = [quick(random_state=seed, max_epochs=10).fit_transform(X) for seed in range(6)]
    threaded = Parallel(n_jobs=3, backend="threading")(
        delayed(quick(random_state=seed, max_epochs=10).fit_transform)(X) for seed in range(6)
    )
    for ours, theirs in zip(threaded, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_fits_in_threads_leave_the_pools_of_threads_as_they_were():
    script = """
import numpy as np
from joblib import Parallel, delayed
from threadpoolctl import threadpool_info
from sk_autoencoder import AutoencoderTransformer

def pools():
    return [pool["num_threads"] for pool in threadpool_info()]

X = np.random.RandomState(0).standard_normal((120, 6))
before = pools()
for _ in range(3):
    Parallel(n_jobs=3, backend="threading")(
        delayed(AutoencoderTransformer(hidden_layer_sizes=(16, 8), max_epochs=n_epochs).fit)(X)
        for n_epochs in (3, 20, 5, 15, 4, 10)
    )
assert max(before) == 2, before  # of one core OpenBLAS uses one thread
assert pools() == before, pools()
"""
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment, timeout=600)


def test_one_estimator_transforms_in_threads(quick, X):
    autoencoder = quick().fit(X.astype(np.float32))
    parts = [X[i::6] for i in range(6)]
    expected = [autoencoder.transform(part) for part in parts]
    threaded = Parallel(n_jobs=3, backend="threading")(
        delayed(autoencoder.transform)(part) for part in parts
    )
    for ours, theirs in zip(threaded, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(("n_products", "expected"), [(2**25 - 1, 1), (2**25, 2)])
def test_small_batches_train_with_one_thread(n_products, expected):
    n_threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with enough_threads(n_products):
            assert torch.get_num_threads() == expected
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(n_threads)
