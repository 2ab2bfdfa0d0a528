"""How much longer a fit takes beside processes that keep the machine busy.

    python -m benchmarks.speed.busy [--epochs 3] [--processes 2] [--rounds 3]

Fashion-MNIST, 8 components, alone and beside the others in turns. The figure is the median ratio
of their times; the exit code is 1 where it is above the bar. It counts on an otherwise idle
machine only.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.machine import describe
from sk_autoencoder import AutoencoderTransformer
from sk_autoencoder.datasets import load_fashion_mnist

LARGEST_RATIO = 2.5
SPIN = "while True: pass"


@contextmanager
def busy(n_processes: int) -> Iterator[None]:
    """Let processes compute until the end."""
    others = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(n_processes)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    X, _ = load_fashion_mnist()

    def seconds() -> float:
        began = time.perf_counter()
        AutoencoderTransformer(8, max_epochs=options.epochs, random_state=0).fit(X)
        return time.perf_counter() - began

    AutoencoderTransformer(8, max_epochs=1, random_state=0).fit(X[:1000])  # imports
    ratios = []
    for _ in range(options.rounds):
        idle = seconds()
        with busy(options.processes):
            ratios.append(seconds() / idle)
        print(f"alone {idle:.1f} s, beside {options.processes}: {ratios[-1]:.2f} times that")
    ratio = statistics.median(ratios)
    passed = ratio <= LARGEST_RATIO
    print(describe())
    print(f"median {ratio:.2f}, bar {LARGEST_RATIO}: {'passed' if passed else 'MISSED'}")
    return int(not passed)


if __name__ == "__main__":
    sys.exit(main())
