"""Fits killed with SIGKILL at random moments: each goes on, and ends with the same weights.

    python -m benchmarks.fuzz.kills --kills 20

A fit on digits is run once to its end, and its time is taken. Then fits of the same are killed
after a random share of that time, and go on with `resume_from`. Reported is how many ended with the
bits of the first, and where they were killed.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from benchmarks.machine import describe

SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from sklearn.datasets import load_digits
from sk_autoencoder import AutoencoderTransformer

path, out = Path(sys.argv[1]), sys.argv[2]
X, _ = load_digits(return_X_y=True)
fit = AutoencoderTransformer(8, checkpoint=path, checkpoint_every=2, random_state=0)
fit.fit(X, resume_from=path if path.exists() else None)
np.savez(out, *fit.net_.arrays(), fit.transform(X))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    print(describe())
    with TemporaryDirectory() as folder:
        return kill(Path(folder), args.kills, rng)


def kill(folder: Path, n_kills: int, rng: random.Random) -> int:
    """Kill so many fits, and return 1 where one has ended in other bits."""
    path, out = folder / "fit.checkpoint", folder / "weights.npz"
    command = [sys.executable, "-c", SCRIPT, str(path), str(out)]
    began = time.perf_counter()
    subprocess.run(command, check=True)
    seconds = time.perf_counter() - began
    expected = bits(out)
    n_equal, n_killed, places = 0, 0, Counter()
    while n_killed < n_kills:
        path.unlink(missing_ok=True)
        out.unlink(missing_ok=True)
        if not dies(command, rng.uniform(0, seconds)):
            continue
        n_killed += 1
        places[place(path)] += 1
        subprocess.run(command, check=True)
        n_equal += bits(out) == expected
    print(f"{n_killed} kills, {n_equal} results with equal bits")
    print(f"a fit takes {seconds:.1f} s; trainings in the checkpoint when killed: {dict(places)}")
    return int(n_equal < n_killed)


def dies(command: list[str], seconds: float) -> bool:
    """Start a fit, and kill it after some seconds; False where it has ended before."""
    process = subprocess.Popen(command)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


def place(path: Path) -> int:
    """Return how many trainings have a state in the file: those of a fit and its repetitions."""
    return len(torch.load(path, weights_only=True)["states"]) if path.exists() else 0


def bits(path: Path) -> list[bytes]:
    """Return the arrays of a file as bytes."""
    with np.load(path) as arrays:
        return [array.tobytes() for array in arrays.values()]


if __name__ == "__main__":
    sys.exit(main())
