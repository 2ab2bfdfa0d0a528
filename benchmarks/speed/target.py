"""How soon the default configuration is as good as a long training by hand.

The loop over a `DataLoader` trains for 20 epochs, and its error on the test images after them
is the target. Our estimator has its default parameters, the length of the schedule too. A
callback of scikit-learn asks after each epoch for the test error of the estimator as it would
be if the fit stopped there, and stops it below the target. What counts is the whole call of
`fit`, from the array to a fitted estimator, less the seconds that the callback takes. So
neither side is told of the test images but for when to stop: the loop at its last epoch, ours
where it is as good. The error is asked for again of the estimator that `fit` leaves.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import torch

from benchmarks.speed.data import Case
from benchmarks.speed.measuring import Answer, Bar
from benchmarks.speed.rivals import dataloader_loop
from sk_autoencoder import AutoencoderTransformer

LOOP_EPOCHS = 20
LARGEST_RATIO = 1 / 15


class StopBelow:
    """Stop a fit after the first epoch whose test error is below the target."""

    def __init__(self, test: np.ndarray, target: float):
        self.test, self.target = test, target
        self.seconds = 0.0
        self.epochs = 0

    def setup(self, estimator, context):
        """Need nothing."""

    def teardown(self, estimator, context):
        """Leave nothing."""

    def on_fit_task_begin(self, estimator, context):
        """Need nothing."""

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        """Judge an epoch; True stops."""
        if context.task_name != "epoch":
            return False
        began = time.perf_counter()
        self.epochs += 1
        stop = test_error(fitted_estimator, self.test) < self.target
        self.seconds += time.perf_counter() - began
        return stop


def ask(case: Case, test: np.ndarray, rounds: int) -> Answer:
    """Time the loop once, and our fits until they are as good."""
    print(f"\ntime to the test MSE of the loop after {LOOP_EPOCHS} epochs on {case.name}")
    X = case.load()
    torch.manual_seed(0)
    began = time.perf_counter()
    module = dataloader_loop(X, case, LOOP_EPOCHS)
    by_hand = time.perf_counter() - began
    with torch.inference_mode():
        target = float(np.mean((module(torch.from_numpy(test)).numpy() - test) ** 2))
    print(f"  DataLoader loop by hand  {by_hand:8.3f} s, test MSE {target:.5f}", flush=True)
    times, errors = [], []
    for seed in range(rounds):
        seconds, error = fit_until(X, test, target, case.code, seed)
        times.append(seconds)
        errors.append(error)
    # A fit that ends above the target never gets there.
    reached = [t if e < target else np.inf for t, e in zip(times, errors, strict=True)]
    ratio = statistics.median(reached) / by_hand
    bar = Bar("default fit to the test MSE of the loop / loop", ratio, LARGEST_RATIO)
    figures = {"test MSE, dataloader": target}
    figures |= {f"test MSE, ours, seed {seed}": error for seed, error in enumerate(errors)}
    return Answer({"ours": times, "dataloader": [by_hand]}, figures, [bar])


def fit_until(X, test, target: float, code: int, seed: int) -> tuple[float, float]:
    """Seconds of a default fit that stops below the target, and its test error."""
    watch = StopBelow(test, target)
    model = AutoencoderTransformer(code, random_state=seed).set_callbacks(watch)
    began = time.perf_counter()
    model.fit(X)
    seconds = time.perf_counter() - began - watch.seconds
    error = test_error(model, test)
    print(
        f"  default fit, seed {seed}       {seconds:8.3f} s, test MSE {error:.5f}, "
        f"{watch.epochs} epochs",
        flush=True,
    )
    return seconds, error


def test_error(model, test: np.ndarray) -> float:
    return float(np.mean((model.reconstruct(test) - test) ** 2))
