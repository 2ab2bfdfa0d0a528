"""What importing the estimator costs above the libraries that it stands on."""

from __future__ import annotations

import subprocess
import sys
from functools import partial

from benchmarks.speed.measuring import Answer, Bar, in_turns, medians

CODE = {
    "ours": "import sk_autoencoder; sk_autoencoder.AutoencoderTransformer",
    "libraries": "import torch, skorch, sklearn.decomposition",
}
LARGEST_RATIO = 1.1


def ask(rounds: int) -> Answer:
    """Import both in fresh processes, in turns."""
    print("\nimport, in fresh processes")
    runs = {
        name: partial(subprocess.run, [sys.executable, "-c", code], check=True)
        for name, code in CODE.items()
    }
    in_turns(runs, 1)  # to read the files once
    seconds = in_turns(runs, rounds)
    middle = medians(seconds)
    for name in runs:
        print(f"  {name:<24} {middle[name]:8.3f} s", flush=True)
    bar = Bar("import / that of the libraries", middle["ours"] / middle["libraries"], LARGEST_RATIO)
    return Answer(seconds, bars=[bar])
