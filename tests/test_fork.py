"""A forked child computes what its parent does, in one thread and without waiting for others."""

import os
import subprocess
import sys

import pytest

# The parent makes all pools of threads, those of torch and that of scikit-learn, of which a forked
# child has none. A wait for them has no end, so that the time limit only has to be enough.
SCRIPT = """
import multiprocessing
import os
import numpy as np
import torch
from sklearn.metrics import pairwise_distances_argmin
from sk_autoencoder import AutoencoderOutlierDetector, AutoencoderTransformer
from sk_autoencoder import VariationalAutoencoderTransformer

if {set_by_torch}:
    torch.set_num_threads(2)
assert torch.get_num_threads() == 2
X = np.random.RandomState(0).standard_normal((1500, 40))
params = dict(hidden_layer_sizes=(64,), max_epochs=1, random_state=0)
autoencoder = AutoencoderTransformer(8, **params, nested=True).fit(X)
variational = VariationalAutoencoderTransformer(8, **params).fit(X)
detector = AutoencoderOutlierDetector(AutoencoderTransformer(8, **params)).fit(X)


def make_pools():
    a = torch.ones(600, 600, dtype=torch.float64)
    torch.relu(a @ a)
    pairwise_distances_argmin(X, X[:1000])


def child():
    for name, call in calls.items():
        os.write(1, name.encode() + b"\\n")
        call()


calls = {calls}
make_pools()
autoencoder.transform(X)
process = multiprocessing.get_context("fork").Process(target=child)
process.start()
process.join({seconds})
if process.is_alive():
    process.kill()
    raise SystemExit("the child waits for threads that it does not have")
raise SystemExit(process.exitcode)
"""

OF_SOME_ROWS = {
    "transform one row": "autoencoder.transform(X[:1])",
    "transform": "autoencoder.transform(X)",
    "inverse_transform": "autoencoder.inverse_transform(np.ones((1500, 8)))",
    "reconstruct": "autoencoder.reconstruct(X)",
    "reconstruction_error": "autoencoder.reconstruction_error(X)",
    "score": "autoencoder.score(X)",
    "score_samples": "autoencoder.score_samples(X)",
    "score_samples, the bound": "variational.score_samples(X)",
    "sample": "autoencoder.sample(1500, random_state=1)",
    "components_": "autoencoder.components_",
    "predict": "detector.predict(X[:500])",
    "explain": "detector.explain(X[:500])",
}

OTHERS = {
    "transform many rows": "autoencoder.transform(np.tile(X, (20, 1)))",
    "predict many rows": "detector.predict(X)",
    "fit": "AutoencoderTransformer(8, **params).fit(X)",
    "fit, variational": "VariationalAutoencoderTransformer(8, **params).fit(X)",
    "partial_fit": "autoencoder.partial_fit(X)",
    "fit of a detector": "AutoencoderOutlierDetector(detector.autoencoder).fit(X)",
}


def run_in_forked_child(calls, *, set_by_torch, seconds=120):
    named = ", ".join(f"{name!r}: lambda: {call}" for name, call in calls.items())
    script = SCRIPT.format(calls=f"{{{named}}}", set_by_torch=set_by_torch, seconds=seconds)
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    return subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )


# Torch and MKL count their threads in other places once torch is told a number.
@pytest.mark.slow
@pytest.mark.parametrize("set_by_torch", [False, True])
def test_a_forked_child_does_what_its_parent_does(set_by_torch):
    calls = OF_SOME_ROWS | OTHERS
    done = run_in_forked_child(calls, set_by_torch=set_by_torch)
    assert done.stdout.splitlines() == list(calls), done.stderr
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_plain_torch_hangs_in_a_forked_child():
    calls = {"a product": "(torch.ones(600, 600) @ torch.ones(600, 600)).relu()"}
    done = run_in_forked_child(calls, set_by_torch=False, seconds=10)
    assert "the child waits for threads" in done.stderr


def test_a_new_thread_computes_alone_too():
    script = """
import threading
import torch
from sk_autoencoder._utils.threads import enough_threads

seen = []

def alone():
    with enough_threads(0):
        torch.ones(2**20).sum()
        seen.append(torch.get_num_threads())
    seen.append(torch.get_num_threads())

torch.set_num_threads(2)
thread = threading.Thread(target=alone)
thread.start()
thread.join()
assert seen == [1, 2], seen
"""
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment, timeout=120)
