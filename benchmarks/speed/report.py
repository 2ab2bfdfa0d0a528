"""The report: bars in words, all figures as JSON, the ratios of the fits as a plot."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

import matplotlib

from benchmarks.machine import machine, versions
from benchmarks.speed.data import CASES
from benchmarks.speed.measuring import Answer, Bar, medians
from benchmarks.speed.rivals import LABELS, OURS

matplotlib.use("agg")
from matplotlib.figure import Figure  # behind the choice of where to draw

FITS = "fit of "


def write_json(path: Path, peak: float, answers: dict[str, Answer]) -> None:
    content = {
        "machine": machine() | {"matrix_multiply_peak_flops": peak},
        "versions": versions(),
        "answers": {
            name: {
                "seconds": answer.seconds,
                "medians": medians(answer.seconds),
                "figures": answer.figures,
                "bars": [_as_json(bar) for bar in answer.bars],
            }
            for name, answer in answers.items()
        },
    }
    path.write_text(json.dumps(content, indent=1) + "\n")


def _as_json(bar: Bar) -> dict:
    """Give a bar as JSON has it, which knows no infinity."""
    figure = float(bar.figure) if math.isfinite(bar.figure) else None
    return asdict(bar) | {"figure": figure, "holds": bool(bar.holds)}


def draw(path: Path, answers: dict[str, Answer]) -> bool:
    """Draw what share of each rival's time our fit takes, a panel a table; False without any."""
    fits = {name: medians(a.seconds) for name, a in answers.items() if name.startswith(FITS)}
    fits = {name: seconds for name, seconds in fits.items() if len(seconds) > 1}
    if not fits:
        return False
    heights = [len(seconds) - 1 for seconds in fits.values()]
    figure = Figure(figsize=(7, 0.9 * len(fits) + 0.32 * sum(heights) + 0.6), layout="constrained")
    panels = figure.subplots(
        len(fits), sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights}
    )
    for axes, (name, seconds) in zip(panels[:, 0], fits.items(), strict=True):
        _draw_fit(axes, name, seconds)
    panels[-1, 0].set_xlabel("our time / theirs (less than 1: ours is faster); line: bar")
    figure.savefig(path, dpi=150)
    return True


def _draw_fit(axes, name: str, seconds: dict[str, float]) -> None:
    """Draw the bars of one table, and the limits that they have to keep."""
    case = CASES[name.removeprefix(FITS)]
    rivals = [rival for rival in seconds if rival != OURS]
    ratios = [seconds[OURS] / seconds[rival] for rival in rivals]
    drawn = axes.barh([LABELS[rival] for rival in rivals], ratios, height=0.6, color="C0")
    axes.bar_label(drawn, fmt="%.2f", padding=4)
    for i, rival in enumerate(rivals):
        if rival in case.bars:
            axes.plot([case.bars[rival]] * 2, [i - 0.42, i + 0.42], color="black", linewidth=2)
    axes.axvline(1, color="0.6", linewidth=1, linestyle=":")
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_title(f"{case.name}, {seconds[OURS]:.3g} s", loc="left", fontsize="medium")
    axes.spines[["top", "right"]].set_visible(False)
