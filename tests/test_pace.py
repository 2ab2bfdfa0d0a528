"""The threads of the steps of a training: as many as are quicker by now, with the same bits."""

import os
import subprocess
import sys
from itertools import pairwise

import pytest

from sk_autoencoder._training._steps import pace
from sk_autoencoder._training._steps.pace import N_STEPS, N_TIMED, Pace

pytestmark = pytest.mark.quick


class Clock:
    """A clock that steps set on, by seconds that depend on their threads and on the load."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(pace.time, "perf_counter", lambda: self.now)

    def run(self, found, n_steps, together):
        """Take steps; give how many threads each of them has had."""
        alone = []
        for _ in range(n_steps):
            found.next_step()
            alone.append(found.is_alone)
            self.now += 2.0 if found.is_alone else together
        return alone


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def test_all_threads_are_taken_where_they_are_quicker(clock):
    found = Pace()
    taken = clock.run(found, 2 * N_TIMED + N_STEPS, together=1.2)
    assert taken == [True] * N_TIMED + [False] * (N_TIMED + N_STEPS)
    found.end()


def test_one_thread_is_taken_where_all_wait_for_each_other(clock):
    found = Pace()
    taken = clock.run(found, N_TIMED + N_STEPS, together=30.0)
    # A single slow step is enough to know.
    assert taken == [True] * N_TIMED + [False] + [True] * (N_STEPS - 1)
    found.end()
    assert not found.is_alone


@pytest.mark.parametrize(("before", "after"), [(30.0, 1.2), (1.2, 30.0)])
def test_threads_are_timed_again(clock, before, after):
    found = Pace()
    first = clock.run(found, 2 * N_TIMED + N_STEPS, together=before)
    taken = clock.run(found, 1000, together=after)
    assert first[-1] is (before > 2.0)
    assert taken[-1] is (after > 2.0)
    found.end()


@pytest.mark.parametrize("together", [1.2, 30.0, 3000.0])
def test_timing_takes_a_small_share_of_the_time(clock, together):
    found = Pace()
    taken = clock.run(found, 20_000, together=together)
    quickest = min(2.0, together)
    lost = clock.now - 20_000 * quickest
    assert lost < 0.05 * 20_000 * quickest + together
    n_changes = sum(a is not b for a, b in pairwise(taken))
    assert n_changes > 4 or together == 3000.0  # timed again, unless that takes an hour
    found.end()


def test_what_is_done_between_epochs_is_not_timed(clock):
    found = Pace()
    for _ in range(2 * N_TIMED):  # epochs of a single step
        clock.run(found, 1, together=1.2)
        found.pause()
        clock.now += 0.0 if found.is_alone else 1000.0
    assert clock.run(found, 1, together=1.2) == [False]
    found.end()


SCRIPT = """
import numpy as np
import torch
from threadpoolctl import threadpool_info
from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder._training._steps import pace_trial
from sk_autoencoder._training._steps.pace import Pace

X = np.random.RandomState(0).standard_normal((2300, 400)).astype(np.float32) ** 2
seen = []

def following(pattern):
    class Following(Pace):
        def _steps(self):
            while True:
                for alone in pattern:
                    self._set(alone)
                    seen.append(torch.get_num_threads())
                    yield
    return Following

pace_trial.N_STEPS = 5

def weights(**params):
    fit = AutoencoderTransformer(
        4, hidden_layer_sizes=(512, 64), batch_size=256, max_epochs=2, random_state=0, **params
    ).fit(X)
    return np.concatenate([p.detach().numpy().ravel() for p in fit.net_.module_.parameters()])

def pools():
    return [pool["num_threads"] for pool in threadpool_info()]

before = pools()
"""


def run(script):
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    script = [sys.executable, "-c", SCRIPT + script]
    subprocess.run(script, check=True, env=environment, timeout=600)


def test_a_fit_has_the_same_bits_whatever_its_threads_are():
    run("""
found = []
for pattern in ([True], [False], [True, False]):
    pace_trial.Pace = following(pattern)
    found.append(weights())
    assert pools() == before, pools()
assert all((found[0] == other).all() for other in found[1:])
if seen:  # else bits would change on this processor, and all threads were taken
    assert set(seen[:4]) == {1}, seen[:4]
    assert set(seen) == {1, 2}, seen
    torch.set_num_threads(1)
    assert (found[0] == weights()).all()
""")


@pytest.mark.slow
def test_threads_stay_as_they_are_where_bits_would_change():
    run("""
pace_trial._same_bits = lambda *args: False
pace_trial.Pace = following([True])
weights()
assert seen == [], seen
pace_trial._same_bits = lambda *args: True
weights(loss="huber")
assert seen == [], seen
pace_trial.N_STEPS = 10**6
weights()
assert seen == [], seen
pace_trial.N_STEPS = 5
weights()
assert seen != []
""")


@pytest.mark.slow
def test_an_error_leaves_the_threads_as_they_were():
    run("""
from sk_autoencoder._training.net import AutoencoderNet

class Broken(Exception):
    pass

def fail(*args):
    raise Broken

pace_trial._same_bits = lambda *args: True
pace_trial.Pace = following([True])
AutoencoderNet.next_lr = fail
try:
    weights()
except Broken:
    pass
else:
    raise AssertionError
assert seen == [1], seen
assert pools() == before, pools()
assert torch.get_num_threads() == 2
""")
