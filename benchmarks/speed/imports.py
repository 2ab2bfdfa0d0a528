"""What the import of the estimator, and its first calls in a process, cost above what is needed."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.speed.data import curved_surface
from benchmarks.speed.measuring import Answer, Bar, Seconds, in_turns, medians
from sk_autoencoder import AutoencoderTransformer

CODE = {
    "ours": "import sk_autoencoder; sk_autoencoder.AutoencoderTransformer",
    "libraries": "import torch, skorch, sklearn.decomposition",
}
LARGEST_RATIO = 1.1
CALLS = {"fit": "autoencoder.fit(X)", "load": "load(path)"}
PROCESS = """
import json, sys, time
import numpy as np
from sk_autoencoder import AutoencoderTransformer, load

call, path = sys.argv[1:]
X = np.random.RandomState(0).randn(100, 4)
autoencoder, seconds = AutoencoderTransformer(2, max_epochs=1), {}
for of in ("first", "second"):
    began = time.perf_counter()
    exec(call)
    seconds[of] = time.perf_counter() - began
print(json.dumps(seconds))
"""
# Seconds that a first call may take above the second one: torch's compiler alone takes 1 to 2.
MOST_SECONDS = 0.5


def ask(rounds: int) -> Answer:
    """Import both in fresh processes, in turns, and time first and second calls there."""
    print("\nimport, in fresh processes")
    runs = {
        name: partial(subprocess.run, [sys.executable, "-c", code], check=True)
        for name, code in CODE.items()
    }
    in_turns(runs, 1)  # to read the files once
    seconds = in_turns(runs, rounds)
    middle = medians(seconds)
    ratio = Bar(
        "import / that of the libraries", middle["ours"] / middle["libraries"], LARGEST_RATIO
    )
    seconds |= first_calls(rounds)
    middle = medians(seconds)
    for name in seconds:
        print(f"  {name:<24} {middle[name]:8.3f} s", flush=True)
    waits = [
        Bar(
            f"first {name}, above the second",
            middle[f"first {name}"] - middle[f"second {name}"],
            MOST_SECONDS,
            "s",
        )
        for name in CALLS
    ]
    return Answer(seconds, bars=[ratio, *waits])


def first_calls(rounds: int) -> Seconds:
    """Return the seconds of the first and the second of each call, in processes of their own."""
    seconds: Seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "model.safetensors"))
        AutoencoderTransformer(2, max_epochs=1).fit(curved_surface(100, 4)).save(path)
        for _ in range(rounds):
            for name, call in CALLS.items():
                command = [sys.executable, "-c", PROCESS, call, path]
                told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                for of, taken in json.loads(told).items():
                    seconds.setdefault(f"{of} {name}", []).append(taken)
    return seconds
