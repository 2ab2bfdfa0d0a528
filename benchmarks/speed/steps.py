"""Do the written-out steps earn their place? Fits with and without each of them, in turns.

    python -m benchmarks.speed.steps [--rounds 9]

A ratio is that of the time without it over the time with all. The exit code is 1 where one is
below 1.1.
"""

from __future__ import annotations

import argparse
import sys
import time
from unittest.mock import patch

import numpy as np

from benchmarks.speed.data import CASES
from benchmarks.speed.rivals import textbook

TRAINING = "sk_autoencoder._training"
# What stands in the place of each.
WITHOUT = {
    "steps of Adam": (f"{TRAINING}._steps.plain.quick_step", lambda optimizer: optimizer.step),
    "written-out gradients": (f"{TRAINING}.net.is_plain", lambda module: False),
}
MIN_RATIO = 1.1


def seconds(case, X) -> float:
    began = time.perf_counter()
    textbook(case).fit(X)
    return time.perf_counter() - began


def ratios(case, rounds: int) -> dict[str, float]:
    """Return the median ratio of each, over rounds in which all take their turn."""
    X = case.load()
    seconds(case, X)
    found: dict[str, list[float]] = {name: [] for name in WITHOUT}
    for _ in range(rounds):
        whole = seconds(case, X)
        for name, (place, other) in WITHOUT.items():
            with patch(place, other):
                found[name].append(seconds(case, X) / whole)
    return {name: float(np.median(each)) for name, each in found.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    missed = False
    for name in ("1000x20", "digits"):
        for what, ratio in ratios(CASES[name], options.rounds).items():
            print(f"{name:<10} without {what:<24} {ratio:.3f}")
            missed |= ratio < MIN_RATIO
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
