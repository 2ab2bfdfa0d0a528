"""Guards of speed, each a ratio or a difference within one run: `python -m pytest benchmarks`.

The other side takes its turn before each of ours, so that what slows the machine slows both.
They need an idle machine, and are no part of the tests. `benchmarks.speed` compares more.
"""

from __future__ import annotations

import statistics
import time
from functools import partial

import pytest

from benchmarks.speed.data import CASES, curved_surface
from benchmarks.speed.inference import LARGEST_RATIO, MOST_MICROSECONDS, apply, best_batch_size
from benchmarks.speed.rivals import FITS, OURS, textbook

SMALL = ("1000x20", "digits")
BARS = {"dataloader": 0.65, "slicing": 0.9}


def in_turns(benchmark, run, other, rounds: int) -> tuple[float, float]:
    """Median seconds of a run, and of another one beside it."""
    of_other = []

    def take_turn():
        began = time.perf_counter()
        other()
        of_other.append(time.perf_counter() - began)

    benchmark.pedantic(run, setup=take_turn, rounds=rounds, warmup_rounds=max(1, rounds // 10))
    beside = statistics.median(of_other[-rounds:])
    benchmark.extra_info["beside"] = beside
    return benchmark.stats.stats.median, beside


@pytest.fixture(scope="module")
def network():
    """Give a textbook estimator of 784 features and its module; weights do not matter here."""
    model = textbook(CASES["fashion-mnist"], max_epochs=1).fit(curved_surface(1000, 784))
    return model, model.net_.module_


@pytest.mark.parametrize("rival", BARS)
@pytest.mark.parametrize("name", SMALL)
def test_a_fit_is_as_fast_as_a_loop_by_hand(benchmark, name, rival):
    case = CASES[name]
    X = case.load()
    ours, theirs = (partial(FITS[key], X, case, case.epochs) for key in (OURS, rival))
    seconds, by_hand = in_turns(benchmark, ours, theirs, rounds=5)
    assert seconds <= BARS[rival] * by_hand


@pytest.mark.parametrize("way", ["transform", "inverse_transform"])
def test_many_rows_take_hardly_longer_than_in_the_bare_module(benchmark, network, way):
    method, bare, rows = _way(network, way, 20_000)
    alone = partial(apply, bare, rows, best_batch_size(bare, rows))
    seconds, of_module = in_turns(benchmark, partial(method, rows), alone, rounds=7)
    assert seconds <= LARGEST_RATIO * of_module


@pytest.mark.parametrize("way", ["transform", "inverse_transform"])
def test_one_row_takes_little_more_than_in_the_bare_module(benchmark, network, way):
    method, bare, row = _way(network, way, 1)
    alone = partial(apply, bare, row, 1)
    seconds, of_module = in_turns(benchmark, partial(method, row), alone, rounds=500)
    assert 1e6 * (seconds - of_module) <= MOST_MICROSECONDS


def _way(network, way: str, n_rows: int):
    """Give a method, what the module does for it, and rows for both."""
    model, module = network
    X = curved_surface(n_rows, 784)
    if way == "transform":
        return model.transform, module.encode, X
    return model.inverse_transform, module.decode, model.transform(X)
