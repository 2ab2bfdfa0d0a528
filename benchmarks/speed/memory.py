"""Memory that a fit takes on top of the rows and of the imports, in a process of its own.

The process first fits a few rows, since torch imports parts of itself only then; where the
system can forget the peak until now (Linux), it is told to before the fit of all rows. The
network's widths and the batch size are the estimator's own, and one epoch is trained.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from pathlib import Path

from benchmarks.speed.data import curved_surface
from benchmarks.speed.measuring import Answer, Bar
from sk_autoencoder import AutoencoderTransformer

N_ROWS, N_FEATURES, CODE = 1_000_000, 200, 16
FEW_ROWS = 5000
MOST_MEGABYTES = 400.0

CONFIGURATIONS = {
    "default": {},
    "textbook": {
        "activation": "relu",
        "linear_shortcut": False,
        "optimizer": "adam",
        "lr": 1e-3,
        "lr_schedule": "constant",
        "average": False,
        "early_stopping": False,
    },
}


def ask() -> Answer:
    """Fit in fresh processes, and read what they print."""
    print(f"\nmemory of a fit on {N_ROWS} x {N_FEATURES} float32, already in memory")
    figures, bars = {}, []
    for name in CONFIGURATIONS:
        command = [sys.executable, "-m", "benchmarks.speed.memory", name]
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        figures[f"{name}, MB"] = megabytes = float(printed)
        print(f"  {name:<24} {megabytes:8.0f} MB", flush=True)
        bars.append(Bar(f"memory of a {name} fit", megabytes, MOST_MEGABYTES, "MB"))
    return Answer(figures=figures, bars=bars)


def measure(name: str) -> float:
    """Megabytes that a fit in this process adds at its peak."""
    model = AutoencoderTransformer(CODE, max_epochs=1, random_state=0, **CONFIGURATIONS[name])
    X = curved_surface(N_ROWS, N_FEATURES)
    model.fit(X[:FEW_ROWS])
    before = forget_peak()
    model.fit(X)
    return (peak() - before) / 1e6


def forget_peak() -> float:
    """Begin a new peak where the system can; give its bytes now."""
    forget = Path("/proc/self/clear_refs")
    if forget.exists():
        forget.write_text("5")
    return peak()


def peak() -> float:
    """Bytes that this process has had in memory at most, since the peak was forgotten."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return 1024 * float(line.split()[1])
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("configuration", choices=CONFIGURATIONS)
    print(measure(parser.parse_args().configuration))
