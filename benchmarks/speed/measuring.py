"""Seconds of what is run in turns, bars, and what the machine can do at most."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

Seconds = dict[str, list[float]]


@dataclass(frozen=True)
class Bar:
    """A figure, and the limit that it has to keep: from above, or `at_least`."""

    what: str
    figure: float
    limit: float
    unit: str = ""
    at_least: bool = False

    @property
    def holds(self) -> bool:
        """Whether the figure keeps its limit."""
        # Written so that a figure that is not a number holds nothing.
        return self.figure >= self.limit if self.at_least else self.figure <= self.limit

    def __str__(self) -> str:
        verdict = "holds" if self.holds else "missed"
        side = "at least" if self.at_least else "at most"
        unit = f" {self.unit}" if self.unit else ""
        return f"{verdict:<6}  {self.what}: {self.figure:.4g}{unit}, {side} {self.limit:.4g}{unit}"


@dataclass(frozen=True)
class Answer:
    """What a question gave: seconds of each contender, other figures, and bars."""

    seconds: Seconds = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    bars: list[Bar] = field(default_factory=list)


def in_turns(runs: dict[str, Callable[[], object]], rounds: int) -> Seconds:
    """Seconds of each run, one after the other and again: what slows one round slows all."""
    seconds: Seconds = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - began)
    return seconds


def medians(seconds: Seconds) -> dict[str, float]:
    return {name: statistics.median(of_name) for name, of_name in seconds.items()}


def matmul_peak(sizes=(1024, 2048, 4096), times: int = 5) -> float:
    """Most float32 operations a second in a product of square matrices."""
    best = 0.0
    for size in sizes:
        a, b = torch.rand(size, size), torch.rand(size, size)
        out = torch.empty(size, size)
        for _ in range(times):
            began = time.perf_counter()
            torch.mm(a, b, out=out)
            best = max(best, 2 * size**3 / (time.perf_counter() - began))
    return best
