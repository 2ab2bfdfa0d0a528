"""What codes and reconstructions cost above the bare module: of all rows, and of one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from benchmarks.speed.data import Case
from benchmarks.speed.measuring import Answer, Bar, in_turns, medians
from benchmarks.speed.rivals import textbook

BATCH_SIZES = (256, 1024, 4096, 16384, 65536)
LARGEST_RATIO = 1.1
MOST_MICROSECONDS = 120.0
CALLS_OF_A_ROW = 500


def ask(case: Case, rounds: int) -> Answer:
    """Compare both ways, in a network that was trained for a moment: its weights do not matter."""
    X = case.load()
    print(f"\ntransform and inverse_transform of {len(X)} x {case.n_features}, and of one row")
    model = textbook(case, max_epochs=1).fit(X[: 10 * case.batch_size])
    module = model.net_.module_
    ways = {
        "transform": (model.transform, module.encode, X),
        "inverse_transform": (model.inverse_transform, module.decode, model.transform(X)),
    }
    seconds, bars = {}, []
    for name, (method, bare, rows) in ways.items():
        times, bar = compare_all(name, method, bare, rows, rounds)
        seconds |= {f"{name}, {key}": value for key, value in times.items()}
        bars.append(bar)
        times, bar = compare_row(name, method, bare, rows[:1])
        seconds |= {f"{name}, {key}": value for key, value in times.items()}
        bars.append(bar)
    return Answer(seconds, bars=bars)


def compare_all(name: str, method, bare, rows: np.ndarray, rounds: int):
    """Seconds of all rows, and the bar on their ratio to those with the best batch size."""
    size = best_batch_size(bare, rows)
    runs = {"ours": partial(method, rows), "bare": partial(apply, bare, rows, size)}
    in_turns(runs, 1)  # to warm up
    seconds = in_turns(runs, rounds)
    middle = medians(seconds)
    print(
        f"  {name:<24} {middle['ours']:8.3f} s, bare module in batches of {size}: "
        f"{middle['bare']:.3f} s",
        flush=True,
    )
    bar = Bar(f"{name} / bare module", middle["ours"] / middle["bare"], LARGEST_RATIO)
    return seconds, bar


def best_batch_size(bare, rows: np.ndarray) -> int:
    """Try a few sizes of batches, and give the one in which the module takes least."""
    runs = {size: partial(apply, bare, rows, size) for size in BATCH_SIZES}
    in_turns(runs, 1)  # to warm up
    middle = medians(in_turns(runs, 3))
    return min(middle, key=middle.__getitem__)


def compare_row(name: str, method, bare, row: np.ndarray):
    """Seconds of one row, and the bar on what they are above those of the module."""
    runs = {"one row, ours": partial(method, row), "one row, bare": partial(apply, bare, row, 1)}
    in_turns(runs, CALLS_OF_A_ROW // 10)  # to warm up
    seconds = in_turns(runs, CALLS_OF_A_ROW)
    above, of_bare = (1e6 * medians(seconds)[key] for key in runs)
    above -= of_bare
    print(f"  {name:<24} {above + of_bare:8.0f} µs a row, bare module: {of_bare:.0f} µs")
    return seconds, Bar(f"{name} of one row, above the bare module", above, MOST_MICROSECONDS, "µs")


@torch.inference_mode()
def apply(function: Callable, rows: np.ndarray, batch_size: int) -> np.ndarray:
    """Apply one way of a module to an array, batch by batch, as one would by hand."""
    x = torch.from_numpy(rows)
    if len(x) <= batch_size:
        return function(x).numpy()
    return torch.cat([function(batch) for batch in x.split(batch_size)]).numpy()
